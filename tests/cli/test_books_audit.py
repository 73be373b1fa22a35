"""The proof of the books: nothing is said of healthy ones, and every difference that a hand can make is found."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from disputing import Disputing, notify, open_dispute
from harness import START, FakeClock, Merchant
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.runtime import Runtime
from nicobar.program.books_audit import PARTS, audit_books
from nicobar.program.finding import Finding
from nicobar.storage.payments.payments import get_payment
from orders import card, line, order, place
from shop import Shop, item, order_request

GOOD = [
    "Ended payments (7): each has its event, and so has each refund and dispute.",
    "Succeeded payments (4): each is in the books.",
    "Charges of succeeded payments (4): each payment has one of its amount.",
    "Attempts (6): none has charged a payment that was paid by another, or not paid.",
    "Payments under way (1): each has an open attempt, and no other has one.",
    "Open attempts (1): of none it is unknown for 10 minutes what became of it.",
    "Refunds (1): payments, lines and refunds sum up, within what was paid.",
    "Refunds in the books (1): each that succeeded has its entry.",
    "Pending refunds (0): none waits for too long.",
    "Ends of refunds (1): each is what the processor said last.",
    "Disputes (1): the books hold what they took and gave back.",
    "Entries of the books (6): each balances.",
    "Amounts in the books (6): each is that of its payment or refund.",
    "Money given back (6): of no payment more tax, settlement or fee than was booked.",
    "Remembered balances (0): each is the sum of the entries before it.",
    "Discount codes (1): each counts exactly the uses that its payments have.",
    "Customers (2): each e-mail address has a first one.",
    "Checkout sessions (0): each names the payment that was made of it, and no other payment names it.",
    "Charges of subscriptions (0): each ended as its payment.",
    "Subscriptions (0): each is paid, owed or not begun, and agrees with itself.",
    "Billing dates (0): nothing is due for longer than 10 minutes.",
    "Notices of processors (1): none waits for longer than 10 minutes.",
    "Charges to be given back (0): none waits for longer than 10 minutes.",
    "Accounts at processors (0): those with payments or refunds under way have their keys.",
    "Events on their way to webhooks (0): none is due for longer than 10 minutes.",
]


@pytest_asyncio.fixture
async def ids(runtime: Runtime, app: ASGIApp, merchant: Merchant, clock: FakeClock) -> AsyncIterator[dict[str, str]]:
    """A shop in which everything has happened once; the ids of its objects by what they are."""
    processor = Disputing(runtime)
    shop = Shop(runtime, app, clock, merchant)
    product_id = await shop.product(2000)
    await shop.percentage("EARLY", 1000)
    ids: dict[str, str] = {}
    request = order_request(item(product_id), payment_link=True, discount_codes=["EARLY"])
    ids["coded"] = (await shop.create(request))["payment_id"]
    await confirm_payment(runtime, merchant.tenant, ids["coded"], card())
    for name, number in (
        ("paid", "4242424242424242"),
        ("disputed", "4242424242424242"),
        ("refunded", "4242424242424242"),
        ("failed", "4000000000000002"),
        ("waiting", "4000002500003155"),
    ):
        clock.advance(seconds=1)
        ids[name] = (await shop.create(order_request(item(product_id), payment_link=True)))["payment_id"]
        await confirm_payment(runtime, merchant.tenant, ids[name], card(number))
    free = await place(runtime, order(runtime, merchant.tenant, [line(0, 1500, 1500, 0)]))
    await confirm_payment(runtime, merchant.tenant, free.payment_id, None)
    expired = await place(runtime, order(runtime, merchant.tenant, expires_on=clock.now()))
    await expire_payments(runtime)
    ids |= {"free": free.payment_id, "expired": expired.payment_id}
    response = await merchant.client.post("/refunds", json={"payment_id": ids["refunded"]})
    assert response.status_code == 200, response.text
    ids["refund"] = response.json()["refund_id"]
    async with runtime.database.read() as read:
        ids["charged"] = await read.fetchval("SELECT attempt_id FROM attempts WHERE payment_id = $1", ids["disputed"])
        ids["open"] = await read.fetchval("SELECT attempt_id FROM attempts WHERE resolved_at IS NULL")
        ids["entry"] = await read.fetchval("SELECT entry_id FROM ledger_entries WHERE reference = $1", ids["paid"])
        payment = await get_payment(read, merchant.tenant, ids["disputed"])
    assert payment is not None
    ids["dispute"] = (await open_dispute(runtime, processor, payment)).dispute_id
    yield ids


async def audited(runtime: Runtime, clock: FakeClock) -> list[Finding]:
    async with runtime.database.read() as read:
        return await audit_books(read, clock.now(), START)


async def _wrong(runtime: Runtime, clock: FakeClock) -> list[Finding]:
    return [finding for finding in await audited(runtime, clock) if finding.good is not True]


async def tampered(runtime: Runtime, clock: FakeClock, sql: str, *values: Any) -> list[Finding]:
    """Return what is found after a change by hand, which no trigger and no foreign key objects to."""
    async with runtime.database.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(sql, *values)
    return await _wrong(runtime, clock)


async def test_healthy_books(runtime: Runtime, clock: FakeClock, ids: dict[str, str]) -> None:
    found = await audited(runtime, clock)
    assert [finding.sentence for finding in found] == GOOD
    assert {finding.good for finding in found} == {True}


async def test_an_empty_database(runtime: Runtime, clock: FakeClock) -> None:
    found = await audited(runtime, clock)
    assert [(each.sentence.partition(" (0): ")[0], each.good) for each in found] == [(p.subject, True) for p in PARTS]


TAMPERING: dict[str, tuple[str, str, str, str]] = {
    # what was done: (statement, subject of the finding, object, detail)
    "an event of a success was lost": (
        "DELETE FROM events WHERE object_id = $1",
        "Ended payments (7): some have no event",
        "paid",
        "it is told nobody that it is succeeded",
    ),
    "an event of a failure was lost": (
        "DELETE FROM events WHERE object_id = $1",
        "Ended payments (7): some have no event",
        "failed",
        "it is told nobody that it is failed",
    ),
    "an event of an expiry is about something else": (
        "UPDATE events SET type = 'payment.processing' WHERE object_id = $1",
        "Ended payments (7): some have no event",
        "expired",
        "it is told nobody that it is cancelled",
    ),
    "the event of a free payment was lost": (
        "DELETE FROM events WHERE object_id = $1",
        "Ended payments (7): some have no event",
        "free",
        "it is told nobody that it is succeeded",
    ),
    "an event of a refund belongs to the other mode": (
        "UPDATE events SET mode = 'live' WHERE object_id = $1",
        "Ended payments (7): some have no event",
        "refund",
        "it is told nobody that it is succeeded",
    ),
    "an event of a dispute was lost": (
        "DELETE FROM events WHERE object_id = $1",
        "Ended payments (7): some have no event",
        "dispute",
        "it is told nobody that it is dispute_opened",
    ),
    "an entry was lost": (
        "DELETE FROM ledger_entries WHERE reference = $1",
        "Succeeded payments (4): some are not in the books",
        "paid",
        "2000 USD is not booked",
    ),
    "an entry of a refund was lost": (
        "DELETE FROM ledger_entries WHERE reference = $1",
        "Refunds in the books (1): some that succeeded have no entry",
        "refund",
        "2000 USD is not booked",
    ),
    "an entry of a dispute was lost": (
        "DELETE FROM ledger_entries WHERE reference = $1",
        "Disputes (1): the books hold something else than they took and gave back",
        "dispute",
        "0 is booked as taken away, and it should be 2000",
    ),
    "a charge is of another amount": (
        "UPDATE attempts SET amount = 1999 WHERE payment_id = $1",
        "Charges of succeeded payments (4): some payments have none of their amount",
        "paid",
        "no charge of 2000 USD succeeded",
    ),
    "a charge was lost": (
        "DELETE FROM attempts WHERE payment_id = $1",
        "Charges of succeeded payments (4): some payments have none of their amount",
        "paid",
        "no charge of 2000 USD succeeded",
    ),
    "a failed payment was charged": (
        """UPDATE attempts SET outcome = '{"type": "succeeded", "reference": "r"}' WHERE payment_id = $1""",
        "Attempts (6): some charged a payment that was paid by another, or not paid",
        "failed",
        "it is failed, and was charged 1 times: att_",
    ),
    "a payment was charged twice": (
        """INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, amount, currency, outcome,
                               created_at, updated_at, resolved_at)
           SELECT business_id, mode, 'att_second', payment_id, processor, amount, currency, outcome,
                  created_at, updated_at, resolved_at FROM attempts WHERE payment_id = $1""",
        "Attempts (7): some charged a payment that was paid by another, or not paid",
        "paid",
        "it is succeeded, and was charged 2 times: att_",
    ),
    "a payment is under way without an attempt": (
        "UPDATE attempts SET resolved_at = now() WHERE payment_id = $1",
        "Payments under way (1): open attempts and payments do not fit",
        "waiting",
        "it is requires_customer_action, and no attempt is open",
    ),
    "an attempt is open although its payment has ended": (
        "UPDATE attempts SET resolved_at = NULL WHERE payment_id = $1",
        "Payments under way (1): open attempts and payments do not fit",
        "failed",
        "it is failed, and yet att_",
    ),
    "an attempt is in doubt for too long": (
        """UPDATE attempts SET outcome = '{"type": "unknown", "why": "TimeoutError"}',
                               created_at = '2026-03-14 14:59:00+00', updated_at = now() WHERE attempt_id = $1""",
        "Open attempts (1): for too long nobody knows what became of some",
        "open",
        "pay_",
    ),
    "an attempt never had an answer": (
        "UPDATE attempts SET outcome = NULL, created_at = '2026-03-14 14:59:00+00' WHERE attempt_id = $1",
        "Open attempts (1): for too long nobody knows what became of some",
        "open",
        "pay_",
    ),
    "a refund gave other than its lines": (
        "UPDATE refund_lines SET tax = 1 WHERE refund_id = $1",
        "Refunds (1): some sums are wrong",
        "refund",
        "it is not the sum of its lines",
    ),
    "a processor took its word about a refund back": (
        """UPDATE refunds SET outcome = '{"type": "failed", "why": "closed"}' WHERE refund_id = $1""",
        "Ends of refunds (1): of some the processor says the opposite now",
        "refund",
        "it counts as succeeded, and the processor says now: failed",
    ),
    "a payment counts other refunds than it has": (
        "UPDATE payments SET refund_reserved_amount = 1, refund_succeeded_amount = 0 WHERE payment_id = $1",
        "Refunds (1): some sums are wrong",
        "paid",
        "",
    ),
    "an entry has other amounts than its payment": (
        "UPDATE payments SET settlement_amount = settlement_amount + 1 WHERE payment_id = $1",
        "Amounts in the books (6): some are not those of their payment or refund",
        "entry",
        "it is not what payment pay_",
    ),
    "the books have a payment that is not paid": (
        "UPDATE payments SET status = 'cancelled' WHERE payment_id = $1",
        "Amounts in the books (6): some are not those of their payment or refund",
        "entry",
        "it is not what payment pay_",
    ),
}


@pytest.mark.parametrize("done", TAMPERING)
async def test_what_a_hand_has_changed_is_found(
    runtime: Runtime, clock: FakeClock, ids: dict[str, str], done: str
) -> None:
    sql, subject, name, detail = TAMPERING[done]
    about = {"entry": "paid"}.get(name, name)
    found = await tampered(runtime, clock, sql, ids[about])
    (finding,) = [finding for finding in found if finding.sentence.startswith(f"{subject}:\n")]
    assert finding.good is False
    assert [line for line in finding.sentence.splitlines() if line.startswith(f"    {ids[name]}: {detail}")]
    assert finding.advice


async def test_a_pending_attempt_has_its_own_time(runtime: Runtime, clock: FakeClock, ids: dict[str, str]) -> None:
    clock.advance(days=3)
    assert [finding for finding in await audited(runtime, clock) if not finding.good] == []
    pending = """UPDATE attempts SET outcome = '{"type": "pending", "reference": "r"}' WHERE attempt_id = $1"""
    assert await tampered(runtime, clock, pending, ids["open"]) == []


async def test_doubt_is_allowed_for_ten_minutes(runtime: Runtime, clock: FakeClock, ids: dict[str, str]) -> None:
    doubt = "UPDATE attempts SET outcome = NULL, created_at = $2 WHERE attempt_id = $1"
    ten_minutes_ago = clock.now() - timedelta(minutes=10)
    assert await tampered(runtime, clock, doubt, ids["open"], ten_minutes_ago) == []
    (finding,) = await tampered(runtime, clock, doubt, ids["open"], ten_minutes_ago - timedelta(microseconds=1))
    assert finding.sentence.splitlines()[1] == (
        f"    {ids['open']}: {ids['waiting']} at simulator since 2026-03-14 14:59:31 UTC"
    )
    assert finding.advice.startswith("Start 'nicobar serve' or 'nicobar worker'")


async def test_refunds_that_do_not_end(runtime: Runtime, clock: FakeClock, ids: dict[str, str]) -> None:
    waiting = "UPDATE refunds SET status = 'pending', resolved_at = NULL, outcome = $2 WHERE refund_id = $1"
    said = {"type": "pending", "reference": "r"}

    async def late() -> list[str]:
        found = await audited(runtime, clock)
        return [
            line
            for finding in found
            if finding.sentence.startswith("Pending refunds (1): some")
            for line in finding.sentence.splitlines()[1:]
        ]

    await tampered(runtime, clock, waiting, ids["refund"], said)
    clock.advance(days=13)
    assert await late() == []
    clock.advance(days=1, seconds=1)
    (line,) = await late()
    assert line.startswith(f"    {ids['refund']}: pending since")
    clock.moment -= timedelta(days=14)
    await tampered(runtime, clock, waiting, ids["refund"], {"type": "unknown", "why": "TimeoutError"})
    assert await late() == []
    clock.advance(minutes=10, seconds=1)
    (line,) = await late()
    assert line.startswith(f"    {ids['refund']}: {ids['refunded']} since 2026-03-14 15:09:")
    assert line.endswith(" UTC, last heard: TimeoutError")


async def test_notices_that_wait(runtime: Runtime, merchant: Merchant, clock: FakeClock, ids: dict[str, str]) -> None:
    processor = Disputing(runtime)
    processor.known["du_x"] = ConnectionError()
    assert not await notify(runtime, merchant.tenant, "du_x", "evt_x")
    clock.advance(minutes=10)
    assert [finding for finding in await audited(runtime, clock) if not finding.good] == []
    clock.advance(seconds=1)
    (finding,) = [finding for finding in await audited(runtime, clock) if not finding.good]
    first, second = finding.sentence.splitlines()
    assert first == "Notices of processors (2): some wait for too long:"
    assert second.startswith("    evt_x: from simulator about the dispute du_x, came 2026-03-14 15:")
    (notice,) = await tampered(runtime, clock, "UPDATE notices SET tries = 9 WHERE notice_id = 'evt_x'")
    assert notice.sentence.splitlines()[1].endswith(" UTC, tried 9 times")


async def test_a_charge_that_waits_to_be_given_back(runtime: Runtime, clock: FakeClock, ids: dict[str, str]) -> None:
    """It is wrong at once that the customer was charged twice, and after ten minutes that it lasts."""
    found_at = clock.now()
    attempt = """
        UPDATE attempts SET outcome = '{"type": "succeeded", "reference": "r"}', is_surplus = true, updated_at = $2,
            return_due_at = $2, return_tries = 3 WHERE payment_id = $1"""
    (twice,) = await tampered(runtime, clock, attempt, ids["failed"], found_at)
    assert twice.sentence.splitlines()[0].startswith("Attempts (6): some charged a payment that was paid by another")
    clock.moment = found_at + timedelta(minutes=10)
    assert len(await _wrong(runtime, clock)) == 1
    clock.advance(microseconds=1)
    (_, late) = await _wrong(runtime, clock)
    first, second = late.sentence.splitlines()
    assert first == "Charges to be given back (1): some wait for too long:"
    assert f"the charge of {ids['failed']} at simulator, known since 2026-03-14 15:" in second
    assert second.endswith(" UTC, tried 3 times")


async def test_a_code_that_counts_wrongly(runtime: Runtime, clock: FakeClock, ids: dict[str, str]) -> None:
    (finding,) = await tampered(runtime, clock, "UPDATE discounts SET times_used = 3")
    assert finding.sentence == (
        "Discount codes (1): some count other uses than their payments have:\n"
        "    EARLY: counts 3 uses and 0 reserved, and its payments have 1 and 0"
    )


async def test_an_entry_that_does_not_balance(runtime: Runtime, clock: FakeClock, ids: dict[str, str]) -> None:
    async with runtime.database.read() as read:
        await read.execute("BEGIN; SET LOCAL session_replication_role = replica")
        await read.execute("ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_balance")
        await read.execute("UPDATE ledger_entries SET fee_income = 7 WHERE entry_id = $1", ids["entry"])
        found = [finding for finding in await audit_books(read, clock.now(), START) if not finding.good]
        await read.execute("ROLLBACK")
    assert [finding.sentence for finding in found] == [
        f"Entries of the books (6): some do not balance:\n    {ids['entry']}: USD is off by 7"
    ]


async def test_a_remembered_balance_that_is_wrong(runtime: Runtime, clock: FakeClock, ids: dict[str, str]) -> None:
    mark = """INSERT INTO ledger_marks (business_id, mode, currency, entry_id, balance)
              SELECT business_id, mode, 'USD', entry_id, 1 FROM ledger_entries WHERE entry_id = $1"""
    (finding,) = await tampered(runtime, clock, mark, ids["entry"])
    assert finding.sentence.startswith(
        f"Remembered balances (1): some are not the sum of the entries before them:\n"
        f"    {ids['entry']}: 1 USD is remembered"
    )


async def test_ten_are_named_and_live_ones_marked(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    for _ in range(11):
        clock.advance(milliseconds=1)
        await place(runtime, order(runtime, merchant.live_tenant, status="cancelled"))
    (finding,) = [finding for finding in await audited(runtime, clock) if not finding.good]
    first, *named, last = finding.sentence.splitlines()
    assert first == "Ended payments (11): some have no event:"
    assert (len(named), last) == (10, "    and more")
    assert all(line.endswith(" (live): it is told nobody that it is cancelled") for line in named)


async def test_what_ended_before_there_were_events_needs_none(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    await place(runtime, order(runtime, merchant.tenant, status="cancelled"))
    async with runtime.database.read() as read:
        assert [finding for finding in await audit_books(read, clock.now()) if not finding.good] == []
        since = clock.now() + timedelta(microseconds=1)
        assert [finding for finding in await audit_books(read, clock.now(), since) if not finding.good] == []
        assert [finding.good for finding in await audit_books(read, clock.now(), clock.now())].count(False) == 1
