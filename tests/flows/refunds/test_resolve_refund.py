"""Refunds in doubt: after a crash, a time-out or a lost order the end is learnt, and money goes back once."""

import asyncio
from datetime import timedelta

import pytest

from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment, Unknown
from nicobar.core.refunds.refund import NewRefund, RefundFailed, RefundPending, RefundSucceeded
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.refunds.resolve_refund import resolve_refund
from nicobar.flows.refunds.resolve_refunds_due import resolve_refunds_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.storage.database import DatabaseUnavailable
from nicobar.storage.refunds.refund_audit import refund_differences, refunds_pending_too_long
from nicobar.storage.refunds.refunds import get_refund
from orders import card, dump, order, paid, place, reload, with_processors
from returning import Returning, notify, refund_rows


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    return runtime._replace(processors={"simulator": Returning(runtime)})


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def refund(runtime: Runtime, payment: Payment) -> str:
    answer = (await refund_payment(runtime, payment.tenant, NewRefund(payment.payment_id))).refund
    return answer.refund_id


class Killed(Exception):
    """Nobody catches it."""


async def crash(runtime: Runtime, payment: Payment, where: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Refund a payment and break off at a step of the flow; return the refund's id."""

    async def broken(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"nicobar.flows.refunds.refund_payment.{where}", broken)
        with pytest.raises(Killed):
            await refund(runtime, payment)
    async with runtime.database.read() as read:
        refund_id: str = await read.fetchval("SELECT refund_id FROM refunds")
    return refund_id


async def test_a_crash_before_the_call_is_made_good_by_the_sweep(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await paid(runtime, tenant)
    refund_id = await crash(runtime, payment, "_refund", monkeypatch)
    assert await refund_rows(runtime, payment) == [("pending", 2400)]
    clock.advance(seconds=60)
    await sweep(runtime)
    assert await refund_rows(runtime, payment) == [("succeeded", 2400)]
    assert (processor.questions, processor.orders, processor.given_back) == ({refund_id: 1}, {refund_id: 1}, 2400)


async def test_a_crash_after_the_call_is_learnt_by_the_sweep(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await paid(runtime, tenant)
    refund_id = await crash(runtime, payment, "record_refund_outcome", monkeypatch)
    clock.advance(seconds=60)
    await sweep(runtime)
    assert await refund_rows(runtime, payment) == [("succeeded", 2400)]
    assert (processor.questions, processor.orders, processor.given_back) == ({refund_id: 1}, {refund_id: 1}, 2400)
    assert (await reload(runtime, payment)).refund_status == "full"


async def test_a_database_that_goes_away_after_the_call_is_no_failure(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDKs repeat a request that was answered with 503, and a part would be given back once for each."""

    async def gone(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("gone")

    payment = await paid(runtime, tenant)
    with monkeypatch.context() as patch:
        patch.setattr("nicobar.flows.refunds.refund_payment.record_refund_outcome", gone)
        answer = (await refund_payment(runtime, tenant, NewRefund(payment.payment_id))).refund
    assert (answer.status, answer.amount, answer.payment_id) == ("pending", 2400, payment.payment_id)
    clock.advance(seconds=60)
    await sweep(runtime)
    assert await refund_rows(runtime, payment) == [("succeeded", 2400)]
    assert (processor.orders, processor.given_back) == ({answer.refund_id: 1}, 2400)


async def test_a_crash_before_the_first_commit_did_nothing(
    runtime: Runtime, tenant: Tenant, processor: Returning, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await paid(runtime, tenant)
    before = await dump(runtime)

    async def broken(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("the server was killed")

    monkeypatch.setattr("nicobar.flows.refunds.refund_payment.insert_refund", broken)
    with pytest.raises(DatabaseUnavailable):
        await refund(runtime, payment)
    assert await dump(runtime) == before
    assert not processor.orders


async def test_an_answer_that_was_lost_is_asked_for_and_money_goes_back_once(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    processor.loses = "the answer"
    refund_id = await refund(runtime, payment)
    clock.advance(seconds=59)
    assert await resolve_refunds_due(runtime, clock.now()) == 0
    assert await resolve_refund(runtime, tenant, refund_id) is None
    assert not processor.questions
    clock.advance(seconds=1)
    assert await resolve_refunds_due(runtime, clock.now()) == 1
    assert await refund_rows(runtime, payment) == [("succeeded", 2400)]
    assert (processor.orders, processor.given_back) == ({refund_id: 1}, 2400)
    assert await resolve_refunds_due(runtime, clock.advance(hours=1)) == 0


async def test_an_order_that_was_lost_is_placed_again_once_it_was_silent(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    processor.loses = "the order"
    refund_id = await refund(runtime, payment)
    clock.advance(seconds=59)
    assert await resolve_refund(runtime, tenant, refund_id, told_by="simulator") == Unknown(
        "the order may still be on its way"
    )
    assert (processor.orders, await refund_rows(runtime, payment)) == ({refund_id: 1}, [("pending", 2400)])
    for expected in (2, 3):
        clock.advance(seconds=60)
        await resolve_refunds_due(runtime, clock.now())
        assert (processor.orders, await refund_rows(runtime, payment)) == ({refund_id: expected}, [("pending", 2400)])
    processor.loses = None
    clock.advance(seconds=60)
    await resolve_refunds_due(runtime, clock.now())
    assert await refund_rows(runtime, payment) == [("succeeded", 2400)]
    assert processor.given_back == 2400


async def test_a_pending_refund_is_asked_about_until_it_has_ended(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    processor.answer = RefundPending("re_1")
    refund_id = await refund(runtime, payment)
    clock.advance(seconds=60)
    await sweep(runtime)
    assert await refund_rows(runtime, payment) == [("pending", 2400)]
    processor.silent = True
    clock.advance(seconds=120)  # the longer it is pending, the longer it is spared
    await sweep(runtime)
    async with runtime.database.read() as read:
        stored = await get_refund(read, tenant, refund_id)
        assert stored is not None
        assert stored.outcome == RefundPending("re_1")  # a doubt replaces nothing that was said
        late = await refunds_pending_too_long(read, clock.now())
        assert await refunds_pending_too_long(read, stored.created_at) == []
    assert [finding.object_id for finding in late] == [refund_id]
    processor.silent = False
    processor.end(refund_id, RefundFailed("the account is closed"))
    clock.advance(seconds=240)
    await sweep(runtime)
    assert await refund_rows(runtime, payment) == [("failed", 2400)]
    assert processor.questions == {refund_id: 3}
    async with runtime.database.read() as read:
        assert await refund_differences(read) == []


async def test_one_of_many_that_ask_at_once_is_answered(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    processor.loses = "the answer"
    refund_id = await refund(runtime, payment)
    clock.advance(seconds=60)
    answers = await asyncio.gather(*(resolve_refund(runtime, tenant, refund_id) for _ in range(20)))
    assert [answer for answer in answers if answer is not None] == [RefundSucceeded(f"re_{refund_id}")]
    assert processor.questions == {refund_id: 1}


async def test_answers_and_questions_race_to_one_end(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    processor.gate = asyncio.Event()
    asked = asyncio.create_task(refund(runtime, payment))
    await processor.entered.wait()
    async with runtime.database.read() as read:
        refund_id = await read.fetchval("SELECT refund_id FROM refunds")
    clock.advance(seconds=60)
    due = [asyncio.create_task(resolve_refunds_due(runtime, clock.now())) for _ in range(3)]
    told = [asyncio.create_task(notify(runtime, tenant, refund_id, f"evt_{number}")) for number in range(3)]
    processor.gate.set()
    await asyncio.gather(asked, *due, *told)
    assert await refund_rows(runtime, payment) == [("succeeded", 2400)]
    assert processor.given_back == 2400
    async with runtime.database.read() as read:
        events = await read.fetch("SELECT type FROM events WHERE object_id = $1", refund_id)
        entries = await read.fetch("SELECT kind FROM ledger_entries WHERE reference = $1", refund_id)
    assert ([row["type"] for row in events], [row["kind"] for row in entries]) == (["refund.succeeded"], ["refund"])


async def test_a_notice_makes_us_ask_at_once(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    processor.answer = RefundPending("re_1")
    refund_id = await refund(runtime, payment)
    processor.silent = True
    assert await notify(runtime, tenant, refund_id) is False  # no answer: the job is tried again
    processor.silent = False
    processor.end(refund_id, RefundSucceeded("re_1"))
    assert await notify(runtime, tenant, refund_id) is True
    assert await refund_rows(runtime, payment) == [("succeeded", 2400)]


async def test_a_bank_reference_comes_later_and_is_told_to_nobody(
    runtime: Runtime, merchant: Merchant, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    refund_id = await refund(runtime, payment)
    processor.end(refund_id, RefundSucceeded("re_1", "8472", "system_trace_audit_number"))
    now = clock.advance(days=3)
    assert await notify(runtime, tenant, refund_id) is True
    shown = (await merchant.client.get(f"/refunds/{refund_id}")).json()
    assert (shown["status"], shown["network_reference"], shown["network_reference_type"]) == (
        "succeeded",
        "8472",
        "system_trace_audit_number",
    )
    assert shown["network_reference_updated_at"] == now.isoformat().replace("+00:00", "Z")
    clock.advance(days=1)
    assert await notify(runtime, tenant, refund_id, "evt_2") is True
    assert (await merchant.client.get(f"/refunds/{refund_id}")).json() == shown
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM events WHERE object_id = $1", refund_id) == 1


async def test_notices_about_nothing_and_processors_that_are_gone(
    runtime: Runtime, tenant: Tenant, processor: Returning, clock: FakeClock
) -> None:
    payment = await paid(runtime, tenant)
    processor.loses = "the answer"
    refund_id = await refund(runtime, payment)
    assert await notify(runtime, tenant, "ref_unknown") is True
    assert await resolve_refund(runtime, tenant, refund_id, told_by="another") is None
    assert await resolve_refund(runtime, Tenant(tenant.business_id, "live"), refund_id, told_by="simulator") is None
    assert not processor.questions
    clock.advance(seconds=60)
    gone = runtime._replace(processors={})
    assert await resolve_refund(gone, tenant, refund_id) == Unknown("processor not configured")
    assert await refund_rows(runtime, payment) == [("pending", 2400)]
    assert (
        await resolve_refunds_due(runtime, clock.now() + timedelta(seconds=59)) == 0
    )  # the question was a sign of life


@pytest.mark.parametrize(("number", "end"), [("4000000000007726", "succeeded"), ("4000000000005126", "failed")])
async def test_the_published_cards_for_refunds(
    runtime: Runtime, tenant: Tenant, clock: FakeClock, number: str, end: str
) -> None:
    simulated = with_processors(runtime)
    payment = await place(simulated, order(simulated, tenant))
    await confirm_payment(simulated, tenant, payment.payment_id, card(number))
    await refund(simulated, payment)
    assert await refund_rows(simulated, payment) == [("pending", 2400)]
    clock.advance(minutes=5)
    await sweep(simulated)
    assert await refund_rows(simulated, payment) == [(end, 2400)]
