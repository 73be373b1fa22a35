"""Refunding: money goes back once, and never more than was paid."""

import asyncio
import json
from typing import Any

import asyncpg
import msgspec
import pytest

from disputing import facts_of
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Declined, Succeeded, Unknown
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import (
    NewRefund,
    Refund,
    RefundFailed,
    RefundInstruction,
    RefundItem,
    RefundOutcome,
    RefundPending,
    RefundSucceeded,
)
from nicobar.flows.disputes.record_dispute import record_dispute
from nicobar.flows.refunds.record_refund_outcome import record_refund_outcome
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import UniqueViolation
from nicobar.storage.events.events import events_of
from nicobar.storage.ledger.ledger import entries_of
from nicobar.storage.payments.attempts import paying_attempt
from nicobar.storage.payments.payments import lock_payment
from nicobar.storage.refunds.refund_audit import refund_differences, refunds_that_ended_otherwise
from nicobar.storage.refunds.refunds import get_refund, insert_refund
from orders import attempts_of, dump, line, paid, reload
from returning import Returning, refund_rows


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    return runtime._replace(processors={"simulator": Returning(runtime)})


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def give_back(runtime: Runtime, tenant: Tenant, payment_id: str, amount: int | None = None) -> Refund:
    """Refund a payment, or so much of its first item."""
    items = None if amount is None else (RefundItem("pdt_0", amount),)
    return (await refund_payment(runtime, tenant, NewRefund(payment_id, RefundInstruction(items)))).refund


async def told(runtime: Runtime, tenant: Tenant, refund_id: str) -> list[tuple[str, dict[str, Any]]]:
    async with runtime.database.read() as read:
        events = await events_of(read, tenant, refund_id)
    return [(event.type, json.loads(event.payload)) for event in events]


async def test_a_refund_is_stored_booked_and_told(
    runtime: Runtime, merchant: Merchant, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    clock.advance(days=2)
    processor.answer = RefundSucceeded("re_1", "74537604221222132710572", "acquirer_reference_number")
    new = NewRefund(payment.payment_id, reason=" torn \n", metadata={"ticket": 7})
    answer = (await refund_payment(runtime, tenant, new)).refund
    assert (answer.status, answer.amount, answer.currency, answer.is_partial) == ("succeeded", 2400, "USD", False)
    assert (answer.reason, answer.metadata) == ("torn", {"ticket": 7})
    assert answer.network_reference_updated_at == clock.now()
    shown = (await merchant.client.get(f"/refunds/{answer.refund_id}")).json()
    ((type, body_told),) = await told(runtime, tenant, answer.refund_id)
    assert type == "refund.succeeded"
    assert body_told["data"] == {"payload_type": "Refund"} | shown
    async with runtime.database.read() as read:
        entry = (await entries_of(read, tenant, payment.payment_id))[-1]
        refund = await get_refund(read, tenant, answer.refund_id)
    assert (entry.kind, entry.reference, entry.received) == ("refund", answer.refund_id, -2400)
    assert entry.amount("tax_payable", "USD") == 400
    assert refund is not None
    (attempt,) = await attempts_of(runtime, payment)
    assert (refund.attempt_id, refund.tax, refund.resolved_at) == (attempt["attempt_id"], 400, clock.now())
    assert (refund.settlement_amount, refund.settlement_tax, refund.settlement_currency) == (2400, 400, "USD")
    assert processor.given_back == 2400


async def test_a_refund_is_committed_before_the_processor_is_called(
    runtime: Runtime, merchant: Merchant, tenant: Tenant, processor: Returning
) -> None:
    payment = await paid(runtime, tenant)
    processor.gate = asyncio.Event()
    task = asyncio.create_task(give_back(runtime, tenant, payment.payment_id, 1000))
    await processor.entered.wait()
    assert await refund_rows(runtime, payment) == [("pending", 1000)]
    shown = (await merchant.client.get(f"/payments/{payment.payment_id}")).json()
    assert [refund["status"] for refund in shown["refunds"]] == ["pending"]
    assert shown["refund_status"] is None
    lines = (await merchant.client.get(f"/payments/{payment.payment_id}/line-items")).json()
    assert lines["items"][0]["refundable_amount"] == 1400
    with pytest.raises(Problem, match="EXISTING_REFUND_REQUEST_PROCESSING"):
        await give_back(runtime, tenant, payment.payment_id)
    processor.gate.set()
    assert (await task).status == "succeeded"
    assert (await reload(runtime, payment)).refund_status == "partial"
    await give_back(runtime, tenant, payment.payment_id)
    assert (await reload(runtime, payment)).refund_status == "full"


@pytest.mark.parametrize(
    ("outcome", "status", "event"),
    [
        (RefundSucceeded("re_1"), "succeeded", ["refund.succeeded"]),
        (RefundFailed("the account is closed", "re_1"), "failed", ["refund.failed"]),
        (RefundPending("re_1"), "pending", []),
        (Unknown("nobody knows"), "pending", []),
    ],
)
async def test_each_outcome_has_its_status(
    runtime: Runtime, tenant: Tenant, processor: Returning, outcome: RefundOutcome, status: str, event: list[str]
) -> None:
    payment = await paid(runtime, tenant)
    processor.answer = outcome
    answer = await give_back(runtime, tenant, payment.payment_id)
    assert answer.status == status
    assert [type for type, _ in await told(runtime, tenant, answer.refund_id)] == event
    async with runtime.database.read() as read:
        refund = await get_refund(read, tenant, answer.refund_id)
        entries = await entries_of(read, tenant, payment.payment_id)
    assert refund is not None
    assert (refund.outcome, refund.resolved_at is None) == (outcome, status == "pending")
    # Entries of one moment have ids in random order.
    kinds = sorted(entry.kind for entry in entries)
    assert kinds == ["payment"] + (["refund"] if status == "succeeded" else [])
    stored = await reload(runtime, payment)
    assert (stored.refund_reserved_amount, stored.refund_succeeded_amount) == {
        "succeeded": (2400, 2400),
        "failed": (0, 0),
        "pending": (2400, 0),
    }[status]


async def test_a_refund_that_failed_frees_its_amount(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    processor.answer = RefundFailed("no")
    await give_back(runtime, tenant, payment.payment_id, 2000)
    stored = await reload(runtime, payment)
    assert (stored.refund_reserved_amount, stored.refund_status) == (0, None)
    assert [msgspec.structs.astuple(line)[-4:] for line in stored.lines] == [(0, 0, 0, 0)]
    processor.answer = None
    clock.advance(seconds=1)
    assert (await give_back(runtime, tenant, payment.payment_id)).amount == 2400
    assert await refund_rows(runtime, payment) == [("failed", 2000), ("succeeded", 2400)]
    assert processor.given_back == 2400


async def test_a_payment_is_not_fully_refunded_while_its_rest_is_pending(
    runtime: Runtime, tenant: Tenant, processor: Returning
) -> None:
    payment = await paid(runtime, tenant)
    await give_back(runtime, tenant, payment.payment_id, 1000)
    processor.answer = RefundPending("re_2")
    await give_back(runtime, tenant, payment.payment_id)
    stored = await reload(runtime, payment)
    assert (stored.refund_reserved_amount, stored.refund_succeeded_amount, stored.refund_status) == (
        2400,
        1000,
        "partial",
    )


async def test_a_processor_that_hangs_is_not_waited_for(
    runtime: Runtime, tenant: Tenant, processor: Returning, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await paid(runtime, tenant)
    processor.gate = asyncio.Event()
    monkeypatch.setattr("nicobar.flows.refunds.refund_payment.REFUND_TIMEOUT", 0.01)
    assert (await give_back(runtime, tenant, payment.payment_id)).status == "pending"


async def test_fifty_refunds_at_once_never_pass_what_was_paid(
    runtime: Runtime, tenant: Tenant, processor: Returning, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await paid(runtime, tenant, [line(subtotal=1000, tax=70), line(1, 333, 0, 23)])
    pending: list[int] = []
    ordered = processor.refund

    async def counting(request: Any) -> RefundOutcome:
        pending.append([status for status, _ in await refund_rows(runtime, payment)].count("pending"))
        await asyncio.sleep(0)
        return await ordered(request)

    monkeypatch.setattr(processor, "refund", counting)
    refusals: set[str] = set()
    for number in range(6):
        processor.answer = RefundFailed("no") if number == 2 else None
        wanted = [None if number == 5 else 301 + attempt for attempt in range(10 if number else 50)]
        answers = await asyncio.gather(
            *(give_back(runtime, tenant, payment.payment_id, amount) for amount in wanted), return_exceptions=True
        )
        refusals |= {answer.code for answer in answers if isinstance(answer, Problem)}
        assert all(isinstance(answer, Problem | Refund) for answer in answers)
        stored = await reload(runtime, payment)
        assert stored.refund_reserved_amount == stored.refund_succeeded_amount == processor.given_back <= 1426
    assert set(pending) == {1}
    assert (await reload(runtime, payment)).refund_status == "full"
    assert processor.given_back == 1426
    assert set(processor.orders.values()) == {1}
    assert "EXISTING_REFUND_REQUEST_PROCESSING" in refusals
    assert refusals <= {
        "EXISTING_REFUND_REQUEST_PROCESSING",
        "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT",
        "LINE_ITEM_FULLY_REFUNDED",
        "NOTHING_TO_REFUND",
    }
    async with runtime.database.read() as read:
        assert await refund_differences(read) == []


async def test_a_refund_that_failed_keeps_its_end(runtime: Runtime, tenant: Tenant, processor: Returning) -> None:
    payment = await paid(runtime, tenant)
    ended = {}
    for outcome in (RefundFailed("no"), RefundSucceeded("re_1")):
        processor.answer = outcome
        ended[(await give_back(runtime, tenant, payment.payment_id, 1000)).refund_id] = outcome

    async def record(refund_id: str, outcome: RefundOutcome) -> None:
        async with runtime.database.transaction() as tx:
            locked = await lock_payment(tx, tenant, payment.payment_id)
            refund = await get_refund(tx, tenant, refund_id)
            assert locked is not None
            assert refund is not None
            now = runtime.clock.now()
            assert await record_refund_outcome(runtime, tx, locked, refund, outcome, asked_at=now, at=now) == refund

    before = await dump(runtime)
    for refund_id, outcome in ended.items():
        for doubt in (RefundPending("re_1"), Unknown("why"), outcome):
            await record(refund_id, doubt)
    assert await dump(runtime) == before
    failed, succeeded = ended
    await record(succeeded, RefundFailed("a second order was refused"))  # which is nothing about the first one
    assert await dump(runtime) == before
    await record(failed, RefundSucceeded("re_2"))
    async with runtime.database.read() as read:
        (finding,) = await refunds_that_ended_otherwise(read)
    assert finding.object_id == failed
    assert finding.detail == "it counts as failed, and the processor says now: succeeded"
    await record(failed, ended[failed])
    assert await dump(runtime) == before


async def test_the_processor_that_took_the_payment_gives_it_back(
    runtime: Runtime, tenant: Tenant, processor: Returning
) -> None:
    payment = await paid(runtime, tenant)

    class Newer(Returning):
        name = "newer"  # type: ignore[misc]

    newer = Newer(runtime)
    both = runtime._replace(processors={"newer": newer, "simulator": processor})
    assert (await give_back(both, tenant, payment.payment_id, 100)).status == "succeeded"
    assert (sum(newer.orders.values()), sum(processor.orders.values())) == (0, 1)
    before = await dump(runtime)
    with pytest.raises(
        Problem, match="This payment was taken by simulator, which is not configured any more"
    ) as caught:
        await give_back(runtime._replace(processors={"newer": newer}), tenant, payment.payment_id)
    assert caught.value.code == "UNSUPPORTED_ACTION"
    assert await dump(runtime) == before


async def test_a_surplus_charge_is_not_what_paid(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    (row,) = await attempts_of(runtime, payment)
    async with runtime.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, amount, currency, card,"
            " created_at, updated_at) SELECT business_id, mode, 'att_2', payment_id, processor, amount, currency, card,"
            " $2, $2 FROM attempts WHERE attempt_id = $1",
            *(row["attempt_id"], clock.advance(seconds=1)),
        )
        resolved = """
            UPDATE attempts SET resolved_at = created_at, outcome = $1, is_surplus = $2,
                return_due_at = CASE WHEN $2 THEN created_at END
            WHERE attempt_id = $3"""
        for first_pays in (False, True):
            await tx.execute(resolved, Succeeded("sim_1"), not first_pays, row["attempt_id"])
            await tx.execute(resolved, Succeeded("sim_2"), first_pays, "att_2")
            found = await paying_attempt(tx, tenant, payment.payment_id)
            assert found is not None
            assert found.attempt_id == (row["attempt_id"] if first_pays else "att_2")
        await tx.execute(resolved, Declined("CARD_DECLINED", "No."), False, "att_2")
        assert await paying_attempt(tx, tenant, payment.payment_id) == found


async def test_what_a_dispute_holds_is_not_refunded(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await paid(runtime, tenant)
    facts = await facts_of(runtime, payment, amount=1500)
    async with runtime.database.read() as read:
        attempt = await paying_attempt(read, tenant, payment.payment_id)
    assert attempt is not None
    await record_dispute(runtime, tenant, attempt, facts, clock.now())
    before = await dump(runtime)
    with pytest.raises(Problem, match=r"This payment is disputed; \$9.00 of it can be refunded"):
        await give_back(runtime, tenant, payment.payment_id)
    assert await dump(runtime) == before
    await give_back(runtime, tenant, payment.payment_id, 900)
    won = msgspec.structs.replace(facts, status="dispute_won")
    await record_dispute(runtime, tenant, attempt, won, clock.advance(days=1))
    assert (await give_back(runtime, tenant, payment.payment_id)).amount == 1500


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE payments SET refund_reserved_amount = 2401", "payments_refunded"),
        ("UPDATE payments SET refund_reserved_amount = -1", "payments_refunded"),
        ("UPDATE payments SET refund_succeeded_amount = 1", "payments_refunded"),
        ("UPDATE payments SET refund_reserved_amount = 1, status = 'processing'", "payments_refunded"),
        ("UPDATE payments SET refund_reserved_settlement_amount = 2401", "payments_refunded_settlement"),
        ("UPDATE payment_lines SET refund_reserved_amount = 2401, refund_reserved_tax = 400", "payment_lines_refunded"),
        ("UPDATE payment_lines SET refund_reserved_amount = 401, refund_reserved_tax = 401", "payment_lines_refunded"),
        ("UPDATE payment_lines SET refund_reserved_amount = 2001", "payment_lines_refunded"),
        ("UPDATE payment_lines SET refund_reserved_settlement_tax = 1", "payment_lines_refunded_settlement"),
        ("UPDATE refunds SET amount = 0, tax = 0", "refunds_amount_check"),
        ("UPDATE refunds SET status = 'pending'", "refunds_end"),
        ("UPDATE refunds SET network_reference_type = 'other'", "refunds_reference"),
    ],
)
async def test_postgresql_refuses_untrue_refunds(
    runtime: Runtime, tenant: Tenant, processor: Returning, statement: str, constraint: str
) -> None:
    payment = await paid(runtime, tenant)
    processor.answer = RefundFailed("no")
    await give_back(runtime, tenant, payment.payment_id)
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        async with runtime.database.transaction() as tx:
            await tx.execute(statement)
    assert caught.value.constraint_name == constraint


async def test_postgresql_refuses_more_than_was_paid_and_two_at_once(
    runtime: Runtime, tenant: Tenant, processor: Returning
) -> None:
    payment = await paid(runtime, tenant)
    refund_id = (await give_back(runtime, tenant, payment.payment_id, 1300)).refund_id
    async with runtime.database.read() as read:
        refund = await get_refund(read, tenant, refund_id)
    assert refund is not None
    before = await dump(runtime)
    with pytest.raises(asyncpg.CheckViolationError, match=r"payments_refunded|payment_lines_refunded"):
        async with runtime.database.transaction() as tx:
            await insert_refund(tx, tenant, msgspec.structs.replace(refund, refund_id="ref_2"))
    assert await dump(runtime) == before
    processor.answer = RefundPending("re_1")
    await give_back(runtime, tenant, payment.payment_id, 1000)
    before = await dump(runtime)
    small = msgspec.structs.replace(refund, refund_id="ref_2", amount=1, tax=0, settlement_amount=1, settlement_tax=0)
    part = msgspec.structs.replace(refund.lines[0], amount=1, tax=0, settlement_amount=1, settlement_tax=0)
    with pytest.raises(UniqueViolation, match="refunds_one_pending"):
        async with runtime.database.transaction() as tx:
            await insert_refund(tx, tenant, msgspec.structs.replace(small, lines=[part]))
    with pytest.raises(RuntimeError, match="ref_2 is a refund of nothing"):
        async with runtime.database.transaction() as tx:
            unequal = msgspec.structs.replace(part, amount=2, settlement_amount=2)
            await insert_refund(tx, tenant, msgspec.structs.replace(small, lines=[unequal]))
    assert await dump(runtime) == before


async def test_untrue_sums_are_found(runtime: Runtime, tenant: Tenant) -> None:
    payment = await paid(runtime, tenant)
    refund_id = (await give_back(runtime, tenant, payment.payment_id, 600)).refund_id
    async with runtime.database.read() as read:
        assert await refund_differences(read) == []
    for statement, found in (
        (
            "UPDATE payments SET refund_succeeded_amount = 599",
            (payment.payment_id, "what is refunded of it is not the sum of its refunds"),
        ),
        (
            "UPDATE payment_lines SET refund_reserved_tax = 101",
            (payment.payment_id, "what is refunded of its line 0 is not the sum of its refunds"),
        ),
        ("UPDATE refunds SET tax = 99", (refund_id, "it is not the sum of its lines")),
    ):
        async with runtime.database.read() as read:
            await read.execute("BEGIN")
            await read.execute(statement)
            differences = await refund_differences(read)
            await read.execute("ROLLBACK")
        assert [(finding.object_id, finding.detail) for finding in differences] == [found]
