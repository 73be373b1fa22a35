"""The simulator: published test cards, their outcomes, and one charge for one attempt id."""

import copy
import pickle

import pytest

from harness import EmptyingDatabase, FakeClock
from nicobar.core.payments.payment import CardDetails, Declined, NeedsAction, Succeeded
from nicobar.processors.accounts.registry import built_in_processors, processor_for
from nicobar.processors.base import CardInput, CardRefused, ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.reference import cards, failures
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import card
from simulated import found, refund_of

LINK = "http://pay.test/Ab3dE6gH"


def request(attempt_id: str, number: str = "4242424242424242", amount: int = 2400) -> ChargeRequest:
    return ChargeRequest(attempt_id, amount, "USD", card(number), LINK)


@pytest.mark.parametrize("known", cards.ALL, ids=lambda known: known.number)
async def test_every_published_card_has_its_outcome(simulator: Simulator, known: cards.TestCard) -> None:
    outcome = await simulator.charge(request("att_1", known.number))
    if known.outcome == "decline":
        failure = failures.get(known.error_code or "")
        assert isinstance(outcome, Declined)
        assert (outcome.error_code, outcome.error_message) == (known.error_code, failure.error_message)
    elif known.three_ds == "challenge":
        assert isinstance(outcome, NeedsAction)
        assert outcome.url == f"http://pay.test/simulator/challenge/{outcome.reference}"
    else:
        assert isinstance(outcome, Succeeded)
    assert await found(simulator) == outcome


async def test_the_same_attempt_is_charged_once(simulator: Simulator) -> None:
    first = await simulator.charge(request("att_1"))
    assert await simulator.charge(request("att_1")) == first
    assert await simulator.charge(request("att_1", "4000000000000002")) == first
    assert await simulator.charge(request("att_2")) != first
    with pytest.raises(ValueError, match="att_1 was ordered before with another amount"):
        await simulator.charge(request("att_1", amount=2500))


async def test_it_never_heard_of_other_attempts(simulator: Simulator) -> None:
    assert await found(simulator) is None


async def test_it_remembers_an_order_for_a_year(simulator: Simulator, clock: FakeClock) -> None:
    asked = await simulator.charge(request("att_1", "4000002500003155"))
    assert isinstance(asked, NeedsAction)
    clock.advance(seconds=1)
    await simulator.charge(request("att_2"))
    clock.advance(days=365)
    await simulator.purge()
    assert await found(simulator) is None
    assert await simulator.challenge(asked.reference) is None
    assert await found(simulator, "att_2") is not None


def test_what_is_kept_of_a_card(simulator: Simulator, clock: FakeClock) -> None:
    typed = card("4000056655665556", exp_month=1, exp_year=2030, holder_name=None)
    kept = simulator.describe(typed, clock.now())
    assert kept == CardDetails("5556", "visa", "debit", "US", None, "01", "2030")


@pytest.mark.parametrize(
    ("typed", "field", "reason"),
    [
        (card("4111111111111111"), "number", "not_a_test_card"),
        (card("4242424242424242", exp_year=2025), "expiry", "expiry_past"),
        (card("4242424242424242", exp_month=2, exp_year=2026), "expiry", "expiry_past"),
        (card("4242424242424242", cvc="1234"), "cvc", "cvc_three_digits"),
        (card("378282246310005", cvc="123"), "cvc", "cvc_four_digits"),
    ],
)
def test_a_card_it_cannot_take_is_refused(
    simulator: Simulator, clock: FakeClock, typed: CardInput, field: str, reason: str
) -> None:
    with pytest.raises(CardRefused) as refused:
        simulator.describe(typed, clock.now())
    assert (refused.value.field, refused.value.reason) == (field, reason)
    assert typed.number not in str(refused.value)


def test_a_card_is_good_to_the_end_of_its_month(simulator: Simulator, clock: FakeClock) -> None:
    assert clock.now().month == 3
    simulator.describe(card(exp_month=3, exp_year=2026), clock.now())


async def test_a_number_nobody_published_is_not_charged(simulator: Simulator) -> None:
    with pytest.raises(CardRefused):
        await simulator.charge(request("att_1", "4111111111111111"))
    assert await found(simulator) is None


async def test_a_challenge_ends_with_the_first_answer(simulator: Simulator) -> None:
    asked = await simulator.charge(request("att_1", "4000002500003155"))
    assert isinstance(asked, NeedsAction)
    await simulator.decide(asked.reference, "fail")
    refused = await found(simulator)
    assert isinstance(refused, Declined)
    assert refused.error_code == "AUTHENTICATION_FAILURE"
    await simulator.decide(asked.reference, "approve")
    assert await found(simulator) == refused


async def test_a_challenge_ends_after_fifteen_minutes(simulator: Simulator, clock: FakeClock) -> None:
    asked = await simulator.charge(request("att_1", "4000002500003155"))
    assert isinstance(asked, NeedsAction)
    clock.advance(minutes=14, seconds=59)
    assert await found(simulator) == asked
    clock.advance(seconds=1)
    await simulator.decide(asked.reference, "approve")
    late = await found(simulator)
    assert isinstance(late, Declined)
    assert late.error_code == "AUTHENTICATION_TIMEOUT"


async def test_only_a_challenge_can_be_answered(simulator: Simulator) -> None:
    paid = await simulator.charge(request("att_1"))
    assert isinstance(paid, Succeeded)
    assert await simulator.challenge(paid.reference) is None
    await simulator.decide(paid.reference, "fail")
    await simulator.decide("sim_unknown", "approve")
    assert await found(simulator) == paid


def test_it_serves_test_mode_only(clock: FakeClock, tests_database: EmptyingDatabase) -> None:
    processors = built_in_processors(clock, "http://pay.test", SimulatorRecords(tests_database.database))
    assert processor_for(processors, "test") is processors["simulator"]
    assert processor_for(processors, "live") is None
    assert processor_for({}, "test") is None


def test_a_card_shows_nothing_of_itself() -> None:
    typed = card(cvc="739")
    order = ChargeRequest("att_1", 2400, "USD", typed, LINK)
    for text in (repr(typed), str(typed), f"{typed}", repr(order), str([order])):
        assert "4242" not in text
        assert "739" not in text
    assert not hasattr(typed, "__dict__")
    with pytest.raises(TypeError, match="a card is not serialised"):
        pickle.dumps(typed)
    with pytest.raises(TypeError, match="a card is not serialised"):
        copy.deepcopy(typed)


async def test_what_it_took_for_another_amount_does_not_count(simulator: Simulator) -> None:
    await simulator.charge(request("att_1", amount=2401))
    with pytest.raises(ValueError, match="att_1 was ordered with another amount"):
        await found(simulator)
    await simulator.charge(request("att_2"))
    await simulator.refund(refund_of("ref_1", 1000, "att_2"))
    for amount, attempt_id in ((1001, "att_2"), (1000, "att_1")):
        with pytest.raises(ValueError, match="ref_1 was ordered with another amount"):
            await simulator.find_refund(refund_of("ref_1", amount, attempt_id))
