"""Notices of the simulator on their way in: twice, before the answer, late, lost, out of order, and after a crash."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from harness import FakeClock
from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Succeeded
from nicobar.core.problems import Problem
from nicobar.flows.notices import deliver_simulated_notices as module
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.notices.receive_notice import receive_notice
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.resolve_attempts_due import resolve_attempts_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords, successful_charges
from orders import attempts_of, card, order, place, reload


async def rows(runtime: Runtime, query: str) -> list[dict[str, Any]]:
    async with runtime.database.read() as read:
        return [dict(row) for row in await read.fetch(query)]


async def inbox(runtime: Runtime) -> list[tuple[str, str]]:
    """Return what our inbox holds, in the order in which it came."""
    found = await rows(runtime, "SELECT subject, reference FROM notices ORDER BY received_at, notice_id")
    return [(row["subject"], row["reference"]) for row in found]


async def work(runtime: Runtime) -> int:
    """Handle what waits in the inbox, as the worker does; return how many notices there were."""
    waiting = await rows(runtime, "SELECT * FROM notices WHERE due_at IS NOT NULL ORDER BY received_at, notice_id")
    for notice in waiting:
        tenant = Tenant(notice["business_id"], notice["mode"])
        assert await handle_notice(runtime, tenant, notice["processor"], notice["notice_id"])
    return len(waiting)


async def events(runtime: Runtime) -> list[str]:
    found = await rows(runtime, "SELECT type FROM events ORDER BY event_id")
    return sorted(row["type"] for row in found)


async def buy(runtime: Runtime, tenant: Tenant, scenario: str | None = None, number: str = "4242424242424242") -> Any:
    """Pay for an order by card; return it as it is then."""
    metadata = {} if scenario is None else {"nicobar_scenario": scenario}
    payment = await place(runtime, order(runtime, tenant, metadata=metadata))
    await confirm_payment(runtime, tenant, payment.payment_id, card(number))
    return await reload(runtime, payment)


async def test_what_the_answer_said_is_not_told_again(runtime: Runtime, tenant: Tenant) -> None:
    await buy(runtime, tenant)
    await buy(runtime, tenant, "decline")
    assert await deliver_simulated_notices(runtime) == 0
    assert await rows(runtime, "SELECT * FROM simulator.notices") == []


async def test_what_comes_later_is_told(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await buy(runtime, tenant, "late_success:60")
    assert payment.status == "processing"
    clock.advance(seconds=59)
    assert (await deliver_simulated_notices(runtime), await inbox(runtime)) == (0, [])
    clock.advance(seconds=1)
    assert await deliver_simulated_notices(runtime) == 1
    (attempt,) = await attempts_of(runtime, payment)
    assert await inbox(runtime) == [("attempt", attempt["attempt_id"])]
    assert (await reload(runtime, payment)).status == "processing"
    assert await work(runtime) == 1
    assert (await reload(runtime, payment)).status == "succeeded"
    assert await deliver_simulated_notices(runtime) == 0


async def test_a_decision_is_told(runtime: Runtime, tenant: Tenant, simulator: Simulator) -> None:
    payment = await buy(runtime, tenant, number="4000002500003155")
    assert payment.status == "requires_customer_action"
    (attempt,) = await attempts_of(runtime, payment)
    await simulator.decide(attempt["outcome"]["reference"], "approve")
    assert await deliver_simulated_notices(runtime) == 1
    await work(runtime)
    assert (await reload(runtime, payment)).status == "succeeded"
    assert await rows(runtime, "SELECT * FROM simulator.notices WHERE sent_at IS NULL") == []


async def test_a_challenge_that_nobody_answers_is_told(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await buy(runtime, tenant, number="4000002500003155")
    clock.advance(minutes=15)
    assert await deliver_simulated_notices(runtime) == 1
    await work(runtime)
    ended = await reload(runtime, payment)
    assert (ended.status, ended.error_code) == ("failed", "AUTHENTICATION_TIMEOUT")


async def test_the_same_notice_twice_is_one(runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[tuple[Mapping[str, str], bytes]] = []

    async def taking(
        runtime: Runtime, tenant: Tenant, processor_name: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        came.append((headers, body))
        await receive_notice(runtime, tenant, processor_name, headers, body)

    monkeypatch.setattr(module, "receive_notice", taking)
    payment = await buy(runtime, tenant, "notice_twice")
    assert await deliver_simulated_notices(runtime) == 1
    assert len(came) == 2
    assert came[0] == came[1]
    assert (len(await inbox(runtime)), await work(runtime)) == (1, 1)
    assert (await reload(runtime, payment)).status == "succeeded"
    assert await events(runtime) == ["payment.succeeded"]


async def test_a_notice_before_the_answer(runtime: Runtime, tenant: Tenant) -> None:
    payment = await place(runtime, order(runtime, tenant, metadata={"nicobar_scenario": "notice_first"}))
    paying = asyncio.create_task(confirm_payment(runtime, tenant, payment.payment_id, card()))
    while not await rows(runtime, "SELECT * FROM simulator.notices"):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert not paying.done()
    assert (await reload(runtime, payment)).status == "processing"
    assert await deliver_simulated_notices(runtime) == 1
    await work(runtime)
    told = await reload(runtime, payment)
    confirmation = await paying
    assert told.status == "succeeded"
    assert isinstance(confirmation.outcome, Succeeded)
    assert await reload(runtime, payment) == told
    assert await events(runtime) == ["payment.succeeded"]


async def test_a_late_notice_changes_nothing_any_more(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await buy(runtime, tenant, "notice_late:60")
    clock.advance(seconds=59)
    assert await deliver_simulated_notices(runtime) == 0
    clock.advance(seconds=1)
    assert await deliver_simulated_notices(runtime) == 1
    await work(runtime)
    assert await reload(runtime, payment) == payment
    assert await events(runtime) == ["payment.succeeded"]


async def test_without_any_notice_the_sweep_finds_out(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await buy(runtime, tenant, "notice_lost; late_success:90")
    clock.advance(seconds=90)
    assert await deliver_simulated_notices(runtime) == 0
    await resolve_attempts_due(runtime, clock.now())
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_shuffled_notices_come_in_another_order_and_after_the_truth(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    orders = set()
    for seed in range(8):
        payment = await buy(runtime, tenant, f"seed:{seed}; notices_shuffled; dispute_after:30; verdict:lost:30")
        clock.advance(seconds=59)
        assert await deliver_simulated_notices(runtime) == 0
        before = len(await inbox(runtime))
        for _ in range(3):
            clock.advance(seconds=1)
            assert await deliver_simulated_notices(runtime) == 1
        orders.add(tuple(subject for subject, _ in (await inbox(runtime))[before:]))
        assert payment.status == "succeeded"
    assert orders == {
        ("attempt", "dispute", "dispute"),
        ("dispute", "attempt", "dispute"),
        ("dispute", "dispute", "attempt"),
    }


async def test_a_dispute_is_told_and_recorded(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    await buy(runtime, tenant, "dispute_after:3d; verdict:won:5d")
    clock.advance(days=3)
    assert await deliver_simulated_notices(runtime) == 1
    await work(runtime)
    query = "SELECT status, amount FROM disputes"
    assert await rows(runtime, query) == [{"status": "dispute_opened", "amount": 2400}]
    clock.advance(days=5)
    assert await deliver_simulated_notices(runtime) == 1
    await work(runtime)
    assert await rows(runtime, query) == [{"status": "dispute_won", "amount": 2400}]


async def test_a_crash_between_sending_and_noting_sends_again(
    runtime: Runtime, tenant: Tenant, simulator: Simulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await buy(runtime, tenant, "late_success:60")
    clock.advance(seconds=60)

    async def crash(_notice_id: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(simulator, "sent", crash)
        await deliver_simulated_notices(runtime)
    assert len(await inbox(runtime)) == 1
    restarted = Simulator(clock, runtime.public_url, SimulatorRecords(runtime.database))
    again = runtime._replace(processors={"simulator": restarted})
    assert await deliver_simulated_notices(again) == 0
    clock.advance(seconds=30)
    assert await deliver_simulated_notices(again) == 1
    assert (len(await inbox(runtime)), await work(again)) == (1, 1)
    assert (await reload(runtime, payment)).status == "succeeded"
    assert await events(runtime) == ["payment.processing", "payment.succeeded"]


async def test_a_refusal_is_tried_again(
    runtime: Runtime, tenant: Tenant, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await buy(runtime, tenant, "late_success:60")
    clock.advance(seconds=60)

    async def refuse(*_arguments: object) -> None:
        raise Problem("UNAUTHORIZED", detail="no")

    with monkeypatch.context() as patched:
        patched.setattr(module, "receive_notice", refuse)
        assert await deliver_simulated_notices(runtime) == 0
    assert await deliver_simulated_notices(runtime) == 0
    clock.advance(seconds=30)
    assert await deliver_simulated_notices(runtime) == 1


async def test_two_processes_send_everything_once(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    for _ in range(12):
        await buy(runtime, tenant, "late_success:1")
    clock.advance(seconds=1)
    assert sum(await asyncio.gather(*(deliver_simulated_notices(runtime) for _ in range(4)))) == 12
    assert len(await inbox(runtime)) == 12


async def test_the_sweep_sends_and_forgets(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    await buy(runtime, tenant, "late_success:1")
    clock.advance(seconds=1)
    await sweep(runtime)
    assert len(await inbox(runtime)) == 1
    clock.advance(days=366)
    await sweep(runtime)
    assert await rows(runtime, "SELECT * FROM simulator.charges") == []


async def test_a_notice_of_another_time_or_hand_is_refused(
    runtime: Runtime, tenant: Tenant, simulator: Simulator, clock: FakeClock
) -> None:
    await buy(runtime, tenant, "late_success:1")
    clock.advance(seconds=1)
    (notice,) = await simulator.notices_due(Reckoning(clock.now()))
    sent_at: datetime = clock.now()
    for seconds in (301, -301):
        clock.moment = sent_at
        clock.advance(seconds=seconds)
        with pytest.raises(Problem, match="it was signed too long ago"):
            await receive_notice(runtime, tenant, "simulator", notice.headers, notice.body)
    clock.moment = sent_at
    stranger = Simulator(clock, runtime.public_url, SimulatorRecords(runtime.database))
    other = runtime._replace(processors={"simulator": stranger})
    with pytest.raises(Problem, match="its signature does not fit"):
        await receive_notice(other, tenant, "simulator", notice.headers, notice.body)
    assert await inbox(runtime) == []


async def test_without_a_simulator_there_is_nothing_to_send(runtime: Runtime) -> None:
    assert await deliver_simulated_notices(runtime._replace(processors={})) == 0


async def test_a_lost_answer_is_found_and_charged_once(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    """The bank knows of a charge that we do not, until we ask."""
    payment = await buy(runtime, tenant, "drop_after")
    assert payment.status == "processing"
    async with runtime.database.read() as read:
        (charge,) = await successful_charges(read, tenant, clock.now())
    assert (charge.payment_id, charge.amount, charge.currency) == (payment.payment_id, 2400, "USD")
    clock.advance(minutes=1)
    await resolve_attempts_due(runtime, clock.now())
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_a_lost_order_is_closed_and_can_be_paid_again(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await buy(runtime, tenant, "drop_before")
    assert payment.status == "processing"
    clock.advance(minutes=1)
    await resolve_attempts_due(runtime, clock.now())
    failed = await reload(runtime, payment)
    assert (failed.status, failed.error_code) == ("failed", "NETWORK_TIMEOUT")
    async with runtime.database.read() as read:
        assert await successful_charges(read, tenant, clock.now()) == []
