"""Disputes: a processor's word moves them once, whatever the order in which it is heard."""

import asyncio
import json
from datetime import timedelta
from itertools import product
from typing import Any

import asyncpg
import msgspec
import pytest

from disputing import OPENED_AT, Disputing, facts_of, notify, open_dispute
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.disputes.dispute import (
    DISPUTE_STAGES,
    DISPUTE_TRANSITIONS,
    Dispute,
    DisputeFacts,
    DisputeStage,
    DisputeStatus,
)
from nicobar.core.payments.payment import Attempt, Declined, Outcome, Payment, Succeeded
from nicobar.flows.disputes.record_dispute import record_dispute
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import ReferenceGone, UniqueViolation
from nicobar.storage.disputes.disputes import disputes_of, insert_dispute
from nicobar.storage.events.events import events_of
from nicobar.storage.ledger.ledger import entries_of
from nicobar.storage.notices.notices import get_notice
from nicobar.storage.payments.attempts import get_attempt
from orders import attempts_of, card, dump, order, paid, place, reload


@pytest.fixture
def processor(runtime: Runtime) -> Disputing:
    return Disputing(runtime)


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def stored(runtime: Runtime, payment: Payment) -> list[Dispute]:
    async with runtime.database.read() as read:
        return await disputes_of(read, payment.tenant, payment.payment_id)


async def told(runtime: Runtime, dispute: Dispute) -> list[tuple[str, dict[str, Any]]]:
    async with runtime.database.read() as read:
        events = await events_of(read, dispute.tenant, dispute.dispute_id)
    return [(event.type, json.loads(event.payload)) for event in events]


async def record(runtime: Runtime, payment: Payment, facts: DisputeFacts, *, asked: float = 0) -> bool:
    """Record facts that were asked for `asked` seconds from now on."""
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, payment.tenant, facts.attempt_id)
    assert attempt is not None
    asked_at = runtime.clock.now() + timedelta(seconds=asked)
    return await record_dispute(runtime, payment.tenant, attempt, facts, asked_at)


async def test_a_dispute_is_opened_stored_and_told(
    runtime: Runtime, merchant: Merchant, processor: Disputing, clock: FakeClock
) -> None:
    payment = await paid(runtime, merchant.tenant)
    now = clock.advance(hours=1)
    dispute = await open_dispute(runtime, processor, payment, amount=1500)
    (attempt,) = await attempts_of(runtime, payment)
    assert dispute == Dispute(
        business_id=merchant.business_id,
        mode="test",
        dispute_id=dispute.dispute_id,
        payment_id=payment.payment_id,
        attempt_id=attempt["attempt_id"],
        processor="simulator",
        reference="du_1",
        amount=1500,
        currency="USD",
        stage="dispute",
        status="dispute_opened",
        reason="product_not_received",
        created_at=OPENED_AT,
        updated_at=now,
    )
    assert dispute.dispute_id.startswith("dp_")
    assert (await reload(runtime, payment)).status == "succeeded"
    ((type, body),) = await told(runtime, dispute)
    assert (type, body["type"], body["timestamp"]) == (
        "dispute.opened",
        "dispute.opened",
        "2026-03-14T16:09:26.535897Z",
    )
    assert body["data"].pop("payload_type") == "Dispute"
    assert body["data"] == (await merchant.client.get(f"/disputes/{dispute.dispute_id}")).json()
    assert body["data"]["amount"] == "1500"


async def test_what_is_repeated_changes_nothing(
    runtime: Runtime, tenant: Tenant, processor: Disputing, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    dispute = await open_dispute(runtime, processor, payment)
    clock.advance(seconds=9)
    assert await notify(runtime, tenant, "du_1", "evt_again")
    facts = await facts_of(runtime, payment)
    assert not await record(runtime, payment, facts, asked=1)
    assert not await record(runtime, payment, msgspec.structs.replace(facts, amount=1, reason="other"), asked=2)
    assert await stored(runtime, payment) == [dispute]
    assert len(await told(runtime, dispute)) == 1


async def test_a_notice_is_handled_once(runtime: Runtime, tenant: Tenant, processor: Disputing) -> None:
    payment = await paid(runtime, tenant)
    processor.known["du_1"] = await facts_of(runtime, payment)
    assert [await notify(runtime, tenant, "du_1") for _ in range(3)] == [True, True, True]
    assert processor.questions == {"du_1": 1}


@pytest.mark.parametrize(("origin", "target"), list(product(DISPUTE_TRANSITIONS, DISPUTE_TRANSITIONS)))
async def test_moves_are_those_of_the_table(
    runtime: Runtime, tenant: Tenant, clock: FakeClock, origin: DisputeStatus, target: DisputeStatus
) -> None:
    payment = await paid(runtime, tenant)
    assert await record(runtime, payment, await facts_of(runtime, payment, status=origin))
    (before,) = await stored(runtime, payment)
    clock.advance(seconds=1)
    moved = await record(runtime, payment, await facts_of(runtime, payment, status=target))
    assert moved == (target in DISPUTE_TRANSITIONS[origin])
    (after,) = await stored(runtime, payment)
    assert after.status == (target if moved else origin)
    assert [type for type, _ in await told(runtime, before)] == [
        status.replace("_", ".") for status in ([origin, target] if moved else [origin])
    ]


@pytest.mark.parametrize(("first", "second"), list(product(DISPUTE_STAGES, DISPUTE_STAGES)))
async def test_stages_go_on_and_never_back(
    runtime: Runtime, tenant: Tenant, first: DisputeStage, second: DisputeStage
) -> None:
    payment = await paid(runtime, tenant)
    await record(runtime, payment, await facts_of(runtime, payment, stage=first))
    later = DISPUTE_STAGES.index(second) > DISPUTE_STAGES.index(first)
    assert await record(runtime, payment, await facts_of(runtime, payment, stage=second)) == later
    (dispute,) = await stored(runtime, payment)
    assert dispute.stage == (second if later else first)
    assert await record(runtime, payment, await facts_of(runtime, payment, stage=first, status="dispute_won"))
    (dispute,) = await stored(runtime, payment)
    assert (dispute.stage, dispute.status) == (second if later else first, "dispute_won")


@pytest.mark.parametrize("status", DISPUTE_TRANSITIONS)
async def test_a_later_stage_begins_anew(
    runtime: Runtime, tenant: Tenant, clock: FakeClock, status: DisputeStatus
) -> None:
    """An inquiry that was answered can still become a chargeback, which takes the money and has to be answered, too."""
    payment = await paid(runtime, tenant)
    for changes in ({"stage": "pre_dispute", "status": status}, {}):
        clock.advance(seconds=1)
        assert await record(runtime, payment, await facts_of(runtime, payment, **changes))
    (dispute,) = await stored(runtime, payment)
    assert (dispute.stage, dispute.status, dispute.money_out) == ("dispute", "dispute_opened", True)
    assert [type for type, _ in await told(runtime, dispute)] == [status.replace("_", "."), "dispute.opened"]
    async with runtime.database.read() as read:
        entries = await entries_of(read, tenant, payment.payment_id)
    assert [(entry.kind, entry.received) for entry in entries] == [("payment", 2400), ("dispute", -2400)]


async def test_a_verdict_without_its_stage_ends_an_appeal(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    """Stripe says of a dispute that it is won or lost, and no longer in which stage."""
    payment = await paid(runtime, tenant)
    for changes in ({}, {"stage": "pre_arbitration"}, {"status": "dispute_won"}):
        clock.advance(seconds=1)
        assert await record(runtime, payment, await facts_of(runtime, payment, **changes))
    (dispute,) = await stored(runtime, payment)
    assert (dispute.stage, dispute.status, dispute.money_out) == ("pre_arbitration", "dispute_won", False)
    async with runtime.database.read() as read:
        entries = await entries_of(read, tenant, payment.payment_id)
    assert [(entry.kind, entry.received) for entry in entries][1:] == [("dispute", -2400), ("dispute_reversal", 2400)]


async def test_an_older_answer_comes_too_late(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    """The table lets a verdict turn round, so the order of the answers has to be known."""
    payment = await paid(runtime, tenant)
    won = await facts_of(runtime, payment, status="dispute_won")
    lost = await facts_of(runtime, payment, status="dispute_lost")
    assert await record(runtime, payment, won)
    assert not await record(runtime, payment, lost, asked=-0.001)
    (dispute,) = await stored(runtime, payment)
    assert dispute.status == "dispute_won"
    assert await record(runtime, payment, lost, asked=0.001)
    assert not await record(runtime, payment, won)
    (dispute,) = await stored(runtime, payment)
    assert dispute.status == "dispute_lost"


async def test_many_notices_at_once_make_one_dispute(runtime: Runtime, tenant: Tenant, processor: Disputing) -> None:
    payment = await paid(runtime, tenant)
    processor.known["du_1"] = await facts_of(runtime, payment)
    assert all(await asyncio.gather(*(notify(runtime, tenant, "du_1", f"evt_{n}") for n in range(20))))
    (dispute,) = await stored(runtime, payment)
    assert len(await told(runtime, dispute)) == 1


async def test_a_processor_that_cannot_answer_is_asked_again(
    runtime: Runtime, tenant: Tenant, processor: Disputing
) -> None:
    payment = await paid(runtime, tenant)
    processor.known["du_1"] = ConnectionError()
    assert not await notify(runtime, tenant, "du_1")
    assert not await handle_notice(runtime._replace(processors={}), tenant, "simulator", "evt_1")
    async with runtime.database.read() as read:
        notice = await get_notice(read, tenant, "simulator", "evt_1")
    assert notice is not None
    assert notice.handled_at is None
    assert await stored(runtime, payment) == []
    processor.known["du_1"] = await facts_of(runtime, payment)
    assert await notify(runtime, tenant, "du_1")
    assert len(await stored(runtime, payment)) == 1


async def test_what_is_not_about_a_charge_of_ours_is_left_alone(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, processor: Disputing
) -> None:
    foreign = await paid(runtime, other_merchant.tenant)
    processor.known["du_1"] = None
    processor.known["du_2"] = await facts_of(runtime, foreign)
    for number in (1, 2):
        assert await notify(runtime, merchant.tenant, f"du_{number}", f"evt_{number}")
    assert await stored(runtime, foreign) == []
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM disputes") == 0


async def test_a_success_that_is_not_known_yet_comes_first(
    runtime: Runtime, tenant: Tenant, processor: Disputing, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card("4000002500003155"))
    facts = await facts_of(runtime, payment)
    processor.known["du_1"] = facts
    assert not await notify(runtime, tenant, "du_1")
    assert await stored(runtime, payment) == []

    async def find(_attempt: Attempt) -> Outcome:
        return Succeeded("r")

    processor.simulator.find = find
    assert await notify(runtime, tenant, "du_1")
    assert (await reload(runtime, payment)).status == "succeeded"
    assert len(await stored(runtime, payment)) == 1


async def test_a_charge_that_was_declined_is_not_disputed(
    runtime: Runtime, tenant: Tenant, processor: Disputing
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    confirmation = await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000000002"))
    assert isinstance(confirmation.outcome, Declined)
    processor.known["du_1"] = await facts_of(runtime, payment)
    before = await reload(runtime, payment)
    assert not await notify(runtime, tenant, "du_1")
    assert (await stored(runtime, payment), await reload(runtime, payment)) == ([], before)


async def test_postgresql_holds_the_same_rules(runtime: Runtime, tenant: Tenant, processor: Disputing) -> None:
    payment = await paid(runtime, tenant)
    dispute = await open_dispute(runtime, processor, payment)
    before = await dump(runtime)
    wrong = ("amount = 0", "stage = 'x'", "status = 'x'", "money_out = false", "status = 'dispute_won'")
    for change in (*wrong, "payment_id = 'pay_x'", "attempt_id = 'att_x'"):
        with pytest.raises((asyncpg.CheckViolationError, ReferenceGone), match="violates"):
            async with runtime.database.transaction() as tx:
                await tx.execute(f"UPDATE disputes SET {change}")
    again = msgspec.structs.replace(dispute, dispute_id="dp_other")
    with pytest.raises(UniqueViolation, match="disputes_reference"):
        async with runtime.database.transaction() as tx:
            await insert_dispute(tx, again, runtime.clock.now())
    assert await dump(runtime) == before


async def test_the_books_follow_the_money(
    runtime: Runtime, tenant: Tenant, processor: Disputing, clock: FakeClock
) -> None:
    """A question of the bank moves nothing; a chargeback takes the money, and verdicts carry it to and fro."""
    payment = await paid(runtime, tenant)
    moves: list[list[tuple[str, int, int]]] = []
    steps: list[dict[str, Any]] = [
        {"stage": "pre_dispute"},
        {},
        {"status": "dispute_challenged"},
        {"status": "dispute_won"},
        {"status": "dispute_lost"},
        {"status": "dispute_won"},
    ]
    for step in steps:
        clock.advance(seconds=1)
        dispute = await open_dispute(runtime, processor, payment, **step)
        async with runtime.database.read() as read:
            entries = await entries_of(read, tenant, payment.payment_id)
        booked = [entry for entry in entries if entry.reference == dispute.dispute_id]
        moves.append([(entry.kind, entry.turn, entry.amount("processor_receivable", "USD")) for entry in booked])
    out, back = ("dispute", 0, -2400), ("dispute_reversal", 0, 2400)
    out_again, back_again = ("dispute", 1, -2400), ("dispute_reversal", 1, 2400)
    assert moves == [
        [],
        [out],
        [out],
        [out, back],
        [out, back, out_again],
        [out, back, out_again, back_again],
    ]
    assert [body["data"]["dispute_stage"] for _, body in await told(runtime, dispute)][:2] == ["pre_dispute", "dispute"]


async def test_a_charge_that_is_not_in_the_books_cannot_leave_them(
    runtime: Runtime, tenant: Tenant, processor: Disputing
) -> None:
    """The payment was cancelled before it was heard that it had been charged."""
    payment = await paid(runtime, tenant)
    async with runtime.database.transaction() as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute("UPDATE payments SET status = 'cancelled'")
        await tx.execute("DELETE FROM ledger_entries")
    dispute = await open_dispute(runtime, processor, payment)
    assert dispute.status == "dispute_opened"
    async with runtime.database.read() as read:
        assert await entries_of(read, tenant, payment.payment_id) == []
