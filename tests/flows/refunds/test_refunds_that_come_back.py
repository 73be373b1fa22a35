"""Refunds that succeeded and came back: everything is as before them, once, whoever tells of it and in what order."""

import asyncio
import json
import random
from typing import Any

import pytest

from due_work import run_due
from harness import START, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment
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
from nicobar.flows.ledger.book_refund_reversal import book_refund_reversal
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.refunds.resolve_refund import resolve_refund
from nicobar.flows.refunds.resolve_refunds_due import resolve_refunds_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.base import RefundRequest
from nicobar.program.books_audit import audit_books
from nicobar.storage.events.events import events_of
from nicobar.storage.ledger.ledger import entries_of
from nicobar.storage.refunds.refunds import get_refund
from nicobar.storage.simulator.simulator import money_given_back
from orders import dump, line, paid, reload, with_processors
from returning import Returning, notify, refund_rows

BACK = RefundFailed("the account is closed", "re_1")


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    return runtime._replace(processors={"simulator": Returning(runtime)})


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def give_back(runtime: Runtime, payment: Payment, *amounts: int) -> Refund:
    """Refund a payment, or so much of each of its items."""
    items = [RefundItem(f"pdt_{index}", amount) for index, amount in enumerate(amounts) if amount]
    new = NewRefund(payment.payment_id, RefundInstruction(tuple(items) or None))
    return (await refund_payment(runtime, payment.tenant, new)).refund


async def kinds(runtime: Runtime, payment: Payment) -> list[str]:
    async with runtime.database.read() as read:
        return [entry.kind for entry in await entries_of(read, payment.tenant, payment.payment_id)]


async def balances(runtime: Runtime, *kinds: str) -> dict[tuple[str, str], int]:
    """Return what the accounts hold, or what entries of these kinds have brought them."""
    query = """
    SELECT account, currency, sum(debit - credit)::bigint AS amount FROM ledger_postings
    WHERE kind = ANY($1) OR cardinality($1) = 0 GROUP BY account, currency HAVING sum(debit - credit) <> 0
    """
    async with runtime.database.read() as read:
        return {(row["account"], row["currency"]): row["amount"] for row in await read.fetch(query, list(kinds))}


async def told(runtime: Runtime, tenant: Tenant, refund_id: str) -> list[tuple[str, dict[str, Any]]]:
    async with runtime.database.read() as read:
        events = await events_of(read, tenant, refund_id)
    return [(event.type, json.loads(event.payload)["data"]) for event in events]


async def complaints(runtime: Runtime) -> list[str]:
    """Return what the doctor would say against the books."""
    async with runtime.database.read() as read:
        found = await audit_books(read, runtime.clock.now(), START)
    return [finding.sentence for finding in found if finding.good is not True]


async def test_everything_is_as_before_the_refund(
    runtime: Runtime, merchant: Merchant, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant, [line(0), line(1)])
    before = (await reload(runtime, payment), await balances(runtime))
    clock.advance(seconds=1)
    refund_id = (await give_back(runtime, payment, 2400, 600)).refund_id
    assert (await reload(runtime, payment)).refund_status == "partial"
    processor.end(refund_id, RefundSucceeded("re_1", "8472", "system_trace_audit_number"))
    assert await notify(runtime, tenant, refund_id)
    clock.advance(days=4)
    processor.end(refund_id, BACK)
    assert await notify(runtime, tenant, refund_id, "evt_2")
    assert (await reload(runtime, payment), await balances(runtime)) == before
    shown = (await merchant.client.get(f"/refunds/{refund_id}")).json()
    assert (shown["status"], shown["amount"], shown["network_reference"]) == ("failed", 3000, "8472")
    (_, first), (type, last) = await told(runtime, tenant, refund_id)
    assert (first["status"], type, last) == ("succeeded", "refund.failed", shown | {"payload_type": "Refund"})
    async with runtime.database.read() as read:
        _, went, came = await entries_of(read, tenant, payment.payment_id)
        refund = await get_refund(read, tenant, refund_id)
    assert refund is not None
    assert (refund.outcome, refund.resolved_at, refund.asked_at) == (BACK, clock.now(), clock.now())
    assert (came.kind, came.reference, came.created_at) == ("refund_reversal", refund_id, clock.now())
    assert [(p.account, p.amount) for p in came.postings] == [(p.account, -p.amount) for p in went.postings]
    lines = (await merchant.client.get("/balances/ledger", params={"reference_object_id": refund_id})).json()["items"]
    assert [(item["event_type"], item["amount"], item["is_credit"], item["after_balance"]) for item in lines] == [
        ("tax", 500, False, 4000),
        ("refund_reversal", 3000, True, 4500),
        ("tax_reversal", 500, True, 1500),
        ("refund", 3000, False, 1000),
    ]
    assert lines[1]["description"] == "Refund that came back, with its tax"
    for word, expected in (("refund_reversal", lines[1:2]), ("tax_reversal", lines[2:3])):
        found = (await merchant.client.get("/balances/ledger", params={"event_type": word})).json()["items"]
        assert found == expected
    assert await complaints(runtime) == []


async def test_the_money_can_go_back_another_time_and_come_back_again(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    alone = await balances(runtime)
    for number in range(3):
        clock.advance(days=1)
        refund_id = (await give_back(runtime, payment)).refund_id
        assert await balances(runtime) == {}
        with pytest.raises(Problem, match="refunded"):
            await give_back(runtime, payment)
        clock.advance(days=1)
        processor.end(refund_id, BACK)
        assert await notify(runtime, tenant, refund_id, f"evt_{number}")
        assert await balances(runtime) == alone
        assert (await reload(runtime, payment)).refund_status is None
    assert await refund_rows(runtime, payment) == [("failed", 2400)] * 3
    assert await kinds(runtime, payment) == ["payment", *["refund", "refund_reversal"] * 3]
    await give_back(runtime, payment)
    assert (await reload(runtime, payment)).refund_status == "full"
    assert await complaints(runtime) == []


async def test_one_comes_back_while_another_is_pending(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    first = (await give_back(runtime, payment, 1000)).refund_id
    processor.answer = RefundPending("re_2")
    second = (await give_back(runtime, payment, 1400)).refund_id
    processor.end(first, BACK)
    assert await notify(runtime, tenant, first)
    stored = await reload(runtime, payment)
    assert (stored.refund_reserved_amount, stored.refund_succeeded_amount, stored.refund_status) == (1400, 0, None)
    processor.end(second, RefundSucceeded("re_2"))
    clock.advance(seconds=60)
    await sweep(runtime)
    stored = await reload(runtime, payment)
    assert (stored.refund_reserved_amount, stored.refund_succeeded_amount, stored.refund_status) == (
        1400,
        1400,
        "partial",
    )
    assert await complaints(runtime) == []


async def test_any_sequence_of_refunds_that_go_and_come_back(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    chance = random.Random(7)  # noqa: S311
    payment = await paid(runtime, tenant, [line(0, 100, 0, 19), line(1, 333, 0, 70), line(2, 7, 0, 1)])
    alone = await balances(runtime)
    standing: dict[str, int] = {}
    for number in range(60):
        clock.advance(seconds=1)
        if standing and chance.random() < 0.4:
            refund_id = chance.choice(sorted(standing))
            del standing[refund_id]
            processor.end(refund_id, BACK)
            assert await notify(runtime, tenant, refund_id, f"evt_{number}")
        else:
            try:
                made = await give_back(runtime, payment, *(chance.choice((0, 1, 2, 3, 9)) for _ in range(3)))
            except Problem:
                continue
            assert made.status == "succeeded"
            standing[made.refund_id] = made.amount or 0
        stored = await reload(runtime, payment)
        assert (
            stored.refund_reserved_amount
            == stored.refund_succeeded_amount
            == processor.given_back
            == sum(standing.values())
        )
        assert (await balances(runtime))[("processor_receivable", "USD")] == 530 - sum(standing.values())
        assert await complaints(runtime) == []
    assert len(await refund_rows(runtime, payment)) > 20
    for refund_id in standing:
        processor.end(refund_id, BACK)
        assert await notify(runtime, tenant, refund_id, f"evt_{refund_id}")
    assert await balances(runtime) == alone
    await give_back(runtime, payment)
    assert (await balances(runtime), await complaints(runtime)) == ({}, [])


async def test_many_that_tell_of_it_at_once_record_it_once(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    alone = await balances(runtime)
    refund_id = (await give_back(runtime, payment)).refund_id
    processor.end(refund_id, BACK)
    clock.advance(seconds=60)
    await asyncio.gather(
        *(notify(runtime, tenant, refund_id, f"evt_{number}") for number in range(20)),
        *(resolve_refund(runtime, tenant, refund_id, told_by="simulator") for _ in range(5)),
        *(resolve_refunds_due(runtime, clock.now()) for _ in range(3)),
    )
    assert await refund_rows(runtime, payment) == [("failed", 2400)]
    assert [type for type, _ in await told(runtime, tenant, refund_id)] == ["refund.succeeded", "refund.failed"]
    assert sorted(await kinds(runtime, payment)) == ["payment", "refund", "refund_reversal"]
    assert await balances(runtime) == alone
    after = await dump(runtime, ["public"])
    assert await resolve_refund(runtime, tenant, refund_id, told_by="simulator") == BACK
    assert await dump(runtime, ["public"]) == after
    assert await complaints(runtime) == []


@pytest.mark.parametrize("seconds", [0, 1])
async def test_an_answer_from_before_it_came_back_changes_nothing(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock, seconds: int
) -> None:
    payment = await paid(runtime, tenant)
    refund_id = (await give_back(runtime, payment)).refund_id
    processor.end(refund_id, RefundSucceeded("re_1", "8472"))
    answered, gate = asyncio.Event(), asyncio.Event()
    find = processor.find_refund

    async def slow(request: RefundRequest) -> RefundOutcome | None:
        answer = await find(request)
        answered.set()
        await gate.wait()
        return answer

    processor.find_refund = slow  # type: ignore[method-assign]
    late = asyncio.create_task(notify(runtime, tenant, refund_id))
    await answered.wait()
    processor.find_refund = find  # type: ignore[method-assign]
    clock.advance(seconds=seconds)
    processor.end(refund_id, BACK)
    assert await notify(runtime, tenant, refund_id, "evt_2")
    async with runtime.database.read() as read:
        refund = await get_refund(read, tenant, refund_id)
    gate.set()
    assert await late
    async with runtime.database.read() as read:
        assert await get_refund(read, tenant, refund_id) == refund
    assert [type for type, _ in await told(runtime, tenant, refund_id)] == ["refund.succeeded", "refund.failed"]
    assert await complaints(runtime) == []


async def test_an_answer_to_the_order_that_comes_after_the_refund_came_back(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    gate, order = asyncio.Event(), processor.refund

    async def slow(request: RefundRequest) -> RefundOutcome:
        answer = await order(request)
        await gate.wait()
        return answer

    processor.refund = slow  # type: ignore[method-assign]
    asked = asyncio.create_task(give_back(runtime, payment))
    await processor.entered.wait()
    async with runtime.database.read() as read:
        refund_id: str = await read.fetchval("SELECT refund_id FROM refunds")
    processor.end(refund_id, BACK)
    clock.advance(seconds=1)
    assert await notify(runtime, tenant, refund_id)
    gate.set()
    assert (await asked).status == "failed"
    assert await refund_rows(runtime, payment) == [("failed", 2400)]
    assert await kinds(runtime, payment) == ["payment"]  # it never was in the books
    assert [type for type, _ in await told(runtime, tenant, refund_id)] == ["refund.failed"]
    assert await complaints(runtime) == []


async def test_the_books_refuse_to_reverse_a_refund_twice(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    refund_id = (await give_back(runtime, payment)).refund_id
    processor.end(refund_id, BACK)
    assert await notify(runtime, tenant, refund_id)
    before = await dump(runtime)
    async with runtime.database.read() as read:
        refund = await get_refund(read, tenant, refund_id)
    assert refund is not None
    with pytest.raises(ValueError, match=f"{refund_id} came back before"):
        async with runtime.database.transaction() as tx:
            await book_refund_reversal(runtime, tx, tenant, refund, clock.now())
    assert await dump(runtime) == before


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("DELETE FROM ledger_entries WHERE kind = 'refund_reversal'", "it is not what refund ref_"),
        ("UPDATE refunds SET status = 'succeeded'", "it is not what refund ref_"),
        ("DELETE FROM ledger_entries WHERE kind = 'refund'", "it does not reverse the entry of refund ref_"),
        (
            "UPDATE ledger_entries SET merchant_payable = -2001, tax_payable = -399 WHERE kind = 'refund_reversal'",
            "it does not reverse the entry of refund ref_",
        ),
        ("UPDATE ledger_entries SET reference = 'ref_x' WHERE kind = 'refund_reversal'", "it is not what refund ref_"),
    ],
)
async def test_the_doctor_finds_a_reversal_that_is_not_right(
    runtime: Runtime, tenant: Tenant, processor: Returning, sql: str, complaint: str
) -> None:
    payment = await paid(runtime, tenant)
    refund_id = (await give_back(runtime, payment)).refund_id
    processor.end(refund_id, BACK)
    assert await notify(runtime, tenant, refund_id)
    assert await complaints(runtime) == []
    async with runtime.database.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(sql)
    said = [sentence for sentence in await complaints(runtime) if sentence.startswith("Amounts in the books (")]
    assert complaint in said[0]


@pytest.mark.parametrize("scenario", ["refund_bounce:1d", "refund_pending:60; refund_bounce:1d; notice_twice"])
async def test_the_simulated_bank_sends_a_refund_back_and_tells_of_it(
    runtime: Runtime, tenant: Tenant, clock: FakeClock, scenario: str
) -> None:
    simulated = with_processors(runtime)
    payment = await paid(simulated, tenant, metadata={"nicobar_scenario": scenario})
    alone = await balances(runtime)
    for expected in (1, 2):
        await give_back(simulated, payment)
        clock.advance(seconds=60)
        await sweep(simulated)
        await run_due(simulated)
        assert (await reload(runtime, payment)).refund_status == "full"
        clock.advance(days=1)
        await sweep(simulated)
        await run_due(simulated)
        assert await refund_rows(runtime, payment) == [("failed", 2400)] * expected
        assert await balances(runtime) == alone
        async with runtime.database.read() as read:
            assert await money_given_back(read, tenant, clock.now()) == {}
    assert await complaints(runtime) == []
