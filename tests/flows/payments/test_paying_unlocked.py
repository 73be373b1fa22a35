"""A payment that takes no lock: what it shares, whom it does not wait for, and what sends it to the lock."""

import asyncio
from typing import Any

import pytest

from flows.payments.paying import Gated, gated_bank, gated_runtime, pay, placed, run, several
from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import (
    Succeeded,
)
from nicobar.flows.payments.begin_first_attempt import AT_MOST
from nicobar.flows.payments.confirm_payment import Confirmation
from nicobar.flows.runtime import Follower, Runtime
from nicobar.processors.base import MethodInput
from nicobar.storage.database import UniqueViolation
from orders import attempts_of, dump, line, reload

__all__ = ["gated_bank", "gated_runtime"]


async def test_those_who_come_together_share_the_commits(runtime: Runtime, tenant: Tenant) -> None:
    known = await several(runtime, tenant, AT_MOST)
    answers = await asyncio.gather(*(pay(runtime, one) for one in known))
    assert [type(answer.outcome) for answer in answers] == [Succeeded] * AT_MOST
    async with runtime.database.read() as read:
        for table in ("payments", "attempts", "ledger_entries", "events", "simulator.charges"):
            query = f"SELECT count(*), count(DISTINCT xmin::text) FROM {table}"
            (row,) = await read.fetch(query)
            assert tuple(row) == (AT_MOST, 1), table


async def test_a_payment_that_somebody_holds_keeps_no_other_one_waiting(runtime: Runtime, tenant: Tenant) -> None:
    known = await several(runtime, tenant, AT_MOST)
    held, others = known[2], known[:2] + known[3:]
    async with runtime.database.transaction() as tx:
        await tx.execute("SELECT FROM payments WHERE payment_id = $1 FOR UPDATE", held.payment.payment_id)
        waiting = asyncio.create_task(pay(runtime, held))
        answers = await asyncio.gather(*(pay(runtime, one) for one in others))
        assert [type(answer.outcome) for answer in answers] == [Succeeded] * len(others)
        assert not waiting.done()
    assert isinstance((await waiting).outcome, Succeeded)
    assert (await reload(runtime, held.payment)).status == "succeeded"


async def test_a_charge_is_recorded_although_somebody_holds_its_payment(
    runtime: Runtime, tenant: Tenant, bank: Gated
) -> None:
    known = await placed(runtime, tenant)
    bank.gate.clear()
    paying = asyncio.create_task(pay(runtime, known))
    await bank.waiting.acquire()
    async with runtime.database.transaction() as tx:
        await tx.execute("SELECT FROM payments WHERE payment_id = $1 FOR UPDATE", known.payment.payment_id)
        bank.gate.set()
        await asyncio.sleep(0.1)
        assert not paying.done()
    assert isinstance((await paying).outcome, Succeeded)
    assert (await reload(runtime, known.payment)).status == "succeeded"


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE payments SET metadata = \'{"gift": "yes"}\'',
        "UPDATE customers SET name = 'Eva'",
        'UPDATE attempts SET outcome = \'{"type": "pending", "reference": "x"}\'',
    ],
)
async def test_the_event_shows_what_has_changed_while_the_charge_was_under_way(
    runtime: Runtime, tenant: Tenant, bank: Gated, change: str
) -> None:
    known = await placed(runtime, tenant)
    bank.gate.clear()
    paying = asyncio.create_task(pay(runtime, known))
    await bank.waiting.acquire()
    await run(runtime, change)
    bank.gate.set()
    await paying
    after = await reload(runtime, known.payment)
    assert after.status == "succeeded"
    async with runtime.database.read() as read:
        (row,) = await read.fetch("SELECT type, payload FROM events")
    assert row["type"] == "payment.succeeded"
    data = row["payload"]["data"]
    assert (data["metadata"], data["customer"]["name"]) == (after.metadata, after.customer.name)


async def test_the_processor_is_told_of_the_customer_as_they_are_now(runtime: Runtime, tenant: Tenant) -> None:
    """Klarna decides by the published address, which the customer has got after the page was read."""
    known = await placed(runtime, tenant, lines=[line(subtotal=9000)])
    await run(runtime, "UPDATE customers SET email = 'customer+denied@email.us'")
    await pay(runtime, known, MethodInput("klarna"))
    async with runtime.database.read() as read:
        reason = await read.fetchval("SELECT choices #>> '{approve,error_code}' FROM simulator.charges")
    assert reason == "PAYMENT_METHOD_PROVIDER_DECLINED"


async def test_a_form_for_what_has_changed_since_begins_nothing(
    runtime: Runtime, tenant: Tenant, bank: Gated, clock: FakeClock
) -> None:
    known = await placed(runtime, tenant)
    query = "UPDATE payments SET total_amount = 2500, subtotal = 2100, settlement_amount = 2500, updated_at = $1"
    clock.advance(seconds=1)
    await run(runtime, query, clock.now())
    before = await dump(runtime)
    assert await pay(runtime, known) == Confirmation(None)
    assert await dump(runtime) == before
    assert bank.waiting.locked()


async def test_two_tabs_make_one_charge(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    known, *neighbours = await several(runtime, tenant, 3)
    clock.advance(seconds=1)
    answers = await asyncio.gather(*(pay(runtime, one) for one in (known, *neighbours, known)))
    assert [type(answer.outcome).__name__ for answer in answers] == ["Succeeded"] * 3 + ["NoneType"]
    for one in (known, *neighbours):
        (attempt,) = await attempts_of(runtime, one.payment)
        assert attempt["outcome"]["type"] == "succeeded"


async def test_one_that_cannot_be_recorded_leaves_its_neighbours_recorded(
    runtime: Runtime, tenant: Tenant, bank: Gated
) -> None:
    """Somebody has entered one of them into the books by hand."""
    known = await several(runtime, tenant, 3)
    bank.gate.clear()
    paying = [asyncio.create_task(pay(runtime, one)) for one in known]
    for _ in known:
        await bank.waiting.acquire()
    await run(
        runtime,
        "INSERT INTO ledger_entries (business_id, mode, entry_id, kind, payment_id, reference, turn, currency,"
        " processor_receivable, settlement_currency, gross, merchant_payable, tax_payable, fee_income, created_at)"
        " VALUES ($1, $2, 'led_1', 'payment', $3, $3, 0, 'USD', 2400, 'USD', 2400, -2400, 0, 0, now())",
        tenant.business_id,
        tenant.mode,
        known[1].payment.payment_id,
    )
    bank.gate.set()
    answers = await asyncio.gather(*paying, return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["Confirmation", "UniqueViolation", "Confirmation"]
    assert isinstance(answers[1], UniqueViolation) and answers[1].constraint == "ledger_entries_once"
    statuses = [(await reload(runtime, one.payment)).status for one in known]
    assert statuses == ["succeeded", "processing", "succeeded"]


async def test_a_live_attempt_refuses_a_second_one(runtime: Runtime, tenant: Tenant) -> None:
    """Two locks on one door: the payment seems payable, because somebody has changed its row by hand."""
    known = await placed(runtime, tenant)
    await run(
        runtime,
        "INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, amount, currency, created_at,"
        " updated_at) VALUES ($1, $2, 'att_1', $3, 'simulator', 2400, 'USD', now(), now())",
        tenant.business_id,
        tenant.mode,
        known.payment.payment_id,
    )
    before = await dump(runtime)
    assert await pay(runtime, known) == Confirmation(None)
    assert await dump(runtime) == before


async def test_whoever_follows_a_payment_is_told_of_it(runtime: Runtime, tenant: Tenant) -> None:
    moves = []

    async def follow(runtime: Runtime, tx: object, move: Any) -> None:
        moves.append((move.payment.payment_id, move.payment.status))

    known = await several(runtime, tenant, 2)
    followed = known[0].payment.payment_id
    follower = Follower(lambda payment: payment.payment_id == followed, follow)
    for one in known:
        await pay(runtime._replace(followers=(follower,)), one)
    assert moves == [(followed, "succeeded")]
