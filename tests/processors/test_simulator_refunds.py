"""What a scenario makes of refunds and disputes at the simulator."""

from datetime import timedelta

import pytest

from harness import FakeClock
from nicobar.core.business.business_clock import Reckoning
from nicobar.core.disputes.dispute import DisputeFacts
from nicobar.core.payments.payment import NeedsAction, Pending, Succeeded
from nicobar.core.refunds.refund import RefundFailed, RefundPending, RefundSucceeded
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import MethodInput
from nicobar.processors.simulator.simulator import Simulator
from simulated import charge_of, found, refund_of, restarted


async def test_a_refund_succeeds_at_once(simulator: Simulator) -> None:
    await simulator.charge(charge_of())
    assert await simulator.refund(refund_of()) == RefundSucceeded("simre_ref_1")


@pytest.mark.parametrize(
    ("scenario", "number", "end"),
    [
        ("refund_pending:60", "4242424242424242", RefundSucceeded("simre_ref_1")),
        (None, "4000000000007726", RefundSucceeded("simre_ref_1")),
        ("refund_pending:60; refund_fail", "4242424242424242", None),
        (None, "4000000000005126", None),
        ("refund_bounce:0", "4000000000005126", None),
    ],
)
async def test_a_refund_is_pending_first(
    simulator: Simulator, clock: FakeClock, scenario: str | None, number: str, end: RefundSucceeded | None
) -> None:
    await simulator.charge(charge_of(scenario, number=number))
    assert await simulator.refund(refund_of()) == RefundPending("simre_ref_1")
    clock.advance(seconds=59)
    assert await simulator.refund(refund_of()) == RefundPending("simre_ref_1")
    clock.advance(seconds=1)
    became = await simulator.find_refund(refund_of())
    assert await simulator.refund(refund_of()) == became
    assert became == (end or RefundFailed("The customer's bank does not take it.", "simre_ref_1"))


async def test_a_refund_fails_and_the_money_can_go_back_another_time(simulator: Simulator) -> None:
    await simulator.charge(charge_of("refund_fail"))
    for refund_id in ("ref_1", "ref_2"):
        failed = await simulator.refund(refund_of(refund_id, 2400))
        assert failed == RefundFailed("The customer's bank does not take it.", f"simre_{refund_id}")
        assert await simulator.find_refund(refund_of(refund_id, 2400)) == failed


@pytest.mark.parametrize("pending", [0, 30])
async def test_a_refund_comes_back(simulator: Simulator, clock: FakeClock, pending: int) -> None:
    await simulator.charge(charge_of("refund_bounce:60" if not pending else "refund_pending:30; refund_bounce:60"))
    first = await simulator.refund(refund_of(amount=2400))
    assert first == (RefundPending("simre_ref_1") if pending else RefundSucceeded("simre_ref_1"))
    clock.advance(seconds=pending + 59)
    assert await simulator.find_refund(refund_of(amount=2400)) == RefundSucceeded("simre_ref_1")
    clock.advance(seconds=1)
    back = RefundFailed("The customer's bank has sent it back.", "simre_ref_1")
    assert await simulator.find_refund(refund_of(amount=2400)) == back
    assert await simulator.refund(refund_of(amount=2400)) == back
    assert len(await simulator.notices_due(Reckoning(clock.now()))) == (2 if pending else 1)


async def test_more_than_is_left_is_refused_for_good(simulator: Simulator) -> None:
    await simulator.charge(charge_of())
    refused = RefundFailed("It is more than is left of the charge.", "simre_ref_1")
    assert await simulator.refund(refund_of(amount=2401)) == refused
    assert await simulator.find_refund(refund_of(amount=2401)) == refused
    assert await simulator.refund(refund_of(amount=2401)) == refused
    with pytest.raises(ValueError, match="ref_1 was ordered before with another amount"):
        await simulator.refund(refund_of(amount=2400))
    assert await simulator.refund(refund_of("ref_2", 2400)) == RefundSucceeded("simre_ref_2")


async def test_only_a_charge_that_took_money_is_refunded(simulator: Simulator, clock: FakeClock) -> None:
    nothing = RefundFailed("There is no such charge.")
    assert await simulator.refund(refund_of()) == nothing
    await simulator.charge(charge_of("decline"))
    assert await simulator.refund(refund_of()) == nothing
    await simulator.charge(charge_of("late_success:60", "att_2"))
    assert await simulator.refund(refund_of(attempt_id="att_2")) == nothing
    clock.advance(seconds=60)
    assert await simulator.refund(refund_of(attempt_id="att_2")) == RefundSucceeded("simre_ref_1")


async def test_the_answer_to_a_refund_is_lost(simulator: Simulator) -> None:
    await simulator.charge(charge_of("refund_drop_after"))
    with pytest.raises(ConnectionError):
        await simulator.refund(refund_of())
    assert await simulator.find_refund(refund_of()) == RefundSucceeded("simre_ref_1")
    assert await simulator.refund(refund_of()) == RefundSucceeded("simre_ref_1")
    with pytest.raises(ConnectionError):
        await simulator.refund(refund_of("ref_2", 1401))
    assert isinstance(await simulator.find_refund(refund_of("ref_2", 1401)), RefundFailed)


async def test_the_first_request_of_a_refund_is_lost(runtime: Runtime, simulator: Simulator) -> None:
    await simulator.charge(charge_of("refund_drop_before"))
    with pytest.raises(ConnectionError):
        await simulator.refund(refund_of())
    assert await simulator.find_refund(refund_of()) is None
    assert await restarted(runtime).refund(refund_of()) == RefundSucceeded("simre_ref_1")
    assert await simulator.refund(refund_of()) == RefundSucceeded("simre_ref_1")
    with pytest.raises(ConnectionError):
        await simulator.refund(refund_of("ref_2", 1401))
    assert isinstance(await simulator.refund(refund_of("ref_2", 1401)), RefundFailed)


# --- disputes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "number", "days", "reason"),
    [
        ("dispute_after:3d", "4242424242424242", 3, "fraudulent"),
        (None, "4000000000000259", 1 / 1440, "fraudulent"),
        (None, "4000000000002685", 1 / 1440, "product_not_received"),
        ("dispute_after:2d", "4000000000002685", 2, "product_not_received"),
    ],
)
async def test_a_charge_is_disputed_in_time(
    simulator: Simulator, clock: FakeClock, scenario: str | None, number: str, days: float, reason: str
) -> None:
    paid = await simulator.charge(charge_of(scenario, number=number))
    assert isinstance(paid, Succeeded)
    reference, opened_at = paid.reference.replace("sim_", "simdp_"), clock.now() + timedelta(days=days)
    clock.advance(days=days, seconds=-1)
    assert await simulator.find_dispute(reference) is None
    clock.advance(seconds=1)
    assert await simulator.find_dispute(reference) == DisputeFacts(
        reference=reference,
        attempt_id="att_1",
        amount=2400,
        currency="USD",
        stage="dispute",
        status="dispute_opened",
        reason=reason,
        opened_at=opened_at,
    )
    assert await found(simulator) == paid
    assert await simulator.find_dispute(paid.reference) is None


async def test_an_account_is_disputed_after_it_paid(simulator: Simulator, clock: FakeClock) -> None:
    typed = MethodInput("ach", "110000000/000555555559")
    begun = await simulator.charge(charge_of(instrument=typed))
    assert isinstance(begun, Pending)
    reference = begun.reference.replace("sim_", "simdp_")
    clock.advance(seconds=74)
    assert await simulator.find_dispute(reference) is None
    clock.advance(seconds=1)
    facts = await simulator.find_dispute(reference)
    assert facts is not None and facts.status == "dispute_opened"


@pytest.mark.parametrize("verdict", ["won", "lost", "cancelled", "accepted", "expired", "challenged"])
async def test_a_dispute_goes_on(simulator: Simulator, clock: FakeClock, verdict: str) -> None:
    paid = await simulator.charge(charge_of(f"dispute_after:3d; verdict:{verdict}:5d"))
    assert isinstance(paid, Succeeded)
    reference = paid.reference.replace("sim_", "simdp_")
    clock.advance(days=7)
    facts = await simulator.find_dispute(reference)
    assert facts is not None and facts.status == "dispute_opened"
    clock.advance(days=1)
    facts = await simulator.find_dispute(reference)
    assert facts is not None and facts.status == f"dispute_{verdict}"


async def test_what_was_not_taken_is_not_disputed(simulator: Simulator, clock: FakeClock) -> None:
    asked = await simulator.charge(charge_of("dispute_after:1; challenge"))
    assert isinstance(asked, NeedsAction)
    await simulator.decide(asked.reference, "fail")
    clock.advance(days=1)
    assert await simulator.find_dispute(asked.reference.replace("sim_", "simdp_")) is None
