"""The simulator as an adversary: what each scenario does to a charge, a refund and a dispute."""

import asyncio
from types import SimpleNamespace

import pytest

from harness import FakeClock
from nicobar.core.payments.payment import Abandoned, Declined, NeedsAction, Outcome, Pending, Succeeded
from nicobar.core.refunds.refund import RefundFailed, RefundSucceeded
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import MethodInput, SimulatedCharge
from nicobar.processors.simulator import simulator as module
from nicobar.processors.simulator.simulator import Simulator
from nicobar.reference import failures
from orders import card
from simulated import attempt, charge_of, code_of, found, refund_of, restarted

# --- charges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", failures.CODES)
async def test_a_charge_is_declined_with_any_code(simulator: Simulator, code: str) -> None:
    assert code_of(await simulator.charge(charge_of(f"decline:{code}"))) == code
    assert code_of(await found(simulator)) == code


async def test_a_challenge_can_be_asked_for_and_then_declined(simulator: Simulator) -> None:
    asked = await simulator.charge(charge_of("challenge"))
    assert isinstance(asked, NeedsAction)
    await simulator.decide(asked.reference, "approve")
    assert isinstance(await found(simulator), Succeeded)
    refused = await simulator.charge(charge_of("challenge; decline:LOST_CARD", "att_2"))
    assert isinstance(refused, NeedsAction)
    await simulator.decide(refused.reference, "approve")
    assert code_of(await found(simulator, "att_2")) == "LOST_CARD"


async def test_an_answer_is_held_back(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep, timeout=asyncio.timeout))
    assert isinstance(await simulator.charge(charge_of("latency:2.5")), Succeeded)
    assert slept == [2.5]


@pytest.mark.parametrize(
    ("scenario", "error", "taken"),
    [
        ("timeout_before", TimeoutError, False),
        ("timeout_after", TimeoutError, True),
        ("drop_before", ConnectionError, False),
        ("drop_after", ConnectionError, True),
    ],
)
async def test_an_answer_is_lost_before_or_after_the_money_moved(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, scenario: str, error: type[Exception], taken: bool
) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.01)
    with pytest.raises(error):
        await simulator.charge(charge_of(scenario))
    became = await found(simulator)
    assert isinstance(became, Succeeded) if taken else became is None


async def test_silence_outlasts_the_patience_of_whoever_asks(simulator: Simulator) -> None:
    assert module.SILENCE_SECONDS > 30
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await simulator.charge(charge_of("timeout_after"))
    assert isinstance(await found(simulator), Succeeded)


@pytest.mark.parametrize("number", ["4242424242424242", "4000002500003155"])
async def test_a_late_success(simulator: Simulator, clock: FakeClock, number: str) -> None:
    first = await simulator.charge(charge_of("late_success:120", number=number))
    if isinstance(first, NeedsAction):
        await simulator.decide(first.reference, "approve")
        first = await found(simulator) or first
    assert isinstance(first, Pending)
    clock.advance(seconds=119)
    assert await found(simulator) == first
    clock.advance(seconds=1)
    late = await found(simulator)
    assert isinstance(late, Succeeded)
    assert late.reference == first.reference


async def test_a_customer_who_refuses_is_declined_at_once(simulator: Simulator) -> None:
    asked = await simulator.charge(charge_of("late_success:120; challenge"))
    assert isinstance(asked, NeedsAction)
    await simulator.decide(asked.reference, "fail")
    assert code_of(await found(simulator)) == "AUTHENTICATION_FAILURE"


async def test_a_late_decline(simulator: Simulator, clock: FakeClock) -> None:
    first = await simulator.charge(charge_of("late_decline:60:STOLEN_CARD"))
    assert isinstance(first, Pending)
    clock.advance(seconds=60)
    assert code_of(await found(simulator)) == "STOLEN_CARD"


async def test_other_methods_end_as_the_scenario_says(simulator: Simulator, clock: FakeClock) -> None:
    for attempt_id, method in (("att_1", "ideal"), ("att_2", "multibanco"), ("att_3", "ach")):
        typed = MethodInput(method, "110000000/000123456789" if method == "ach" else "")
        begun = await simulator.charge(charge_of("decline:LIMIT_EXCEEDED", attempt_id, instrument=typed))
        assert isinstance(begun, NeedsAction | Pending)
        await simulator.decide(begun.reference, "approve")
    clock.advance(seconds=15)
    assert [code_of(await found(simulator, f"att_{number}")) for number in (1, 2, 3)] == ["LIMIT_EXCEEDED"] * 3


@pytest.mark.parametrize(("method", "value"), [("ach", "110000000/000123456789"), ("multibanco", "")])
async def test_a_debit_and_a_voucher_can_be_made_to_take_their_time(
    simulator: Simulator, clock: FakeClock, method: str, value: str
) -> None:
    begun = await simulator.charge(charge_of("late_success:3d", instrument=MethodInput(method, value)))
    clock.advance(days=2, hours=23)
    assert await found(simulator) == begun
    clock.advance(hours=1)
    assert isinstance(await found(simulator), Succeeded)


async def test_a_scenario_that_should_have_been_refused_is_declined(simulator: Simulator) -> None:
    assert code_of(await simulator.charge(charge_of("decline:NO_SUCH_CODE"))) == "INVALID_REQUEST"
    assert await found(simulator) is None


async def test_a_choice_on_the_panel_comes_before_the_scenario(simulator: Simulator) -> None:
    simulated = SimulatedCharge(card(), "decline", "LOST_CARD")
    assert code_of(await simulator.charge(charge_of("drop_before", instrument=simulated))) == "LOST_CARD"
    with pytest.raises(ConnectionError):
        await simulator.charge(charge_of(None, "att_2", instrument=SimulatedCharge(card(), "lose_answer")))
    assert isinstance(await found(simulator, "att_2"), Succeeded)


# --- cancelling -------------------------------------------------------------------------------------------------------


async def test_a_voucher_is_closed_and_a_debit_under_way_is_not(simulator: Simulator, clock: FakeClock) -> None:
    voucher = await simulator.charge(charge_of(instrument=MethodInput("multibanco")))
    assert isinstance(voucher, Pending)
    assert await simulator.cancel(attempt()) == Abandoned(voucher.reference)
    await simulator.decide(voucher.reference, "approve")
    clock.advance(days=8)
    assert await found(simulator) == Abandoned(voucher.reference)
    typed = MethodInput("ach", "110000000/000123456789")
    debit = await simulator.charge(charge_of(None, "att_2", instrument=typed))
    assert await simulator.cancel(attempt("att_2")) == debit
    clock.advance(seconds=15)
    assert isinstance(await found(simulator, "att_2"), Succeeded)


async def test_an_order_after_the_close_is_refused(simulator: Simulator) -> None:
    assert await simulator.cancel(attempt()) is None
    assert code_of(await simulator.charge(charge_of())) == "ORDER_CREATION_FAILED"
    assert await found(simulator) is None
    assert isinstance(await simulator.refund(refund_of()), RefundFailed)


async def test_twenty_confirmations_and_closes_settle_an_order_once(simulator: Simulator) -> None:
    asked = await simulator.charge(charge_of("challenge"))
    assert isinstance(asked, NeedsAction)
    await asyncio.gather(
        *(simulator.decide(asked.reference, "approve") for _ in range(10)),
        *(simulator.cancel(attempt()) for _ in range(10)),
    )
    ended = await found(simulator)
    assert isinstance(ended, Succeeded | Abandoned)
    await simulator.decide(asked.reference, "approve")
    await simulator.cancel(attempt())
    assert await found(simulator) == ended


# --- a restart --------------------------------------------------------------------------------------------------------


async def test_everything_is_known_after_a_restart(runtime: Runtime, simulator: Simulator, clock: FakeClock) -> None:
    paid = await simulator.charge(charge_of("refund_pending:60; dispute_after:1h"))
    asked = await simulator.charge(charge_of("late_success:60", "att_2", "4000002500003155"))
    assert isinstance(paid, Succeeded) and isinstance(asked, NeedsAction)
    refund = await simulator.refund(refund_of())
    await simulator.cancel(attempt("att_3"))
    again = restarted(runtime)
    assert await again.charge(charge_of()) == await found(again) == paid
    assert await found(again, "att_2") == asked
    page = await again.challenge(asked.reference)
    assert page is not None
    assert (page.amount, page.currency, page.return_url) == (2400, "USD", charge_of().return_url)
    await again.decide(asked.reference, "approve")
    assert isinstance(await found(again, "att_2"), Pending)
    assert await again.refund(refund_of()) == await again.find_refund(refund_of()) == refund
    assert isinstance(await again.refund(refund_of("ref_2", 1401)), RefundFailed)
    assert code_of(await again.charge(charge_of(None, "att_3"))) == "ORDER_CREATION_FAILED"
    clock.advance(hours=1)
    last = restarted(runtime)
    assert isinstance(await found(last, "att_2"), Succeeded)
    assert isinstance(await last.find_refund(refund_of()), RefundSucceeded)
    assert await last.find_dispute(paid.reference.replace("sim_", "simdp_")) is not None


# --- chance -----------------------------------------------------------------------------------------------------------


async def test_chaos_does_the_same_for_the_same_seed(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep, timeout=asyncio.timeout))

    async def gist(seed: int, attempt_id: str) -> tuple[str, str | None, str | None]:
        try:
            outcome: Outcome | None = await simulator.charge(charge_of(f"seed:{seed}; chaos", attempt_id))
            answer = type(outcome).__name__
        except ConnectionError:
            answer = "lost"
        became = await found(simulator, attempt_id)
        return answer, type(became).__name__, became.error_code if isinstance(became, Declined) else None

    first = [await gist(seed, f"att_a{seed}") for seed in range(40)]
    assert [await gist(seed, f"att_b{seed}") for seed in range(40)] == first
    assert {answer for answer, _, _ in first} >= {"Succeeded", "Declined", "lost"}
    assert ("lost", "NoneType", None) in first
    assert slept[:40] == slept[40:]
    assert 0 < max(slept) < 1
