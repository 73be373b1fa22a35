"""The simulator's methods that are not cards: each flow, its published values, and what time does to it."""

import copy
import pickle

import pytest

from harness import FakeClock
from nicobar.core.payments.methods import CARD_TYPES
from nicobar.core.payments.payment import Abandoned, NeedsAction, Outcome, Pending, PendingDetails, Succeeded
from nicobar.core.simulator.bank_charge import CustomerDecision
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import ChargeRequest, InputRefused, MethodInput
from nicobar.processors.simulator.simulator import Simulator
from nicobar.reference import methods
from orders import dump
from simulated import code_of, found

LINK = "http://pay.test/Ab3dE6gH"

TYPED = {"ach": "110000000/000123456789", "pix": "1234567890", "sepa": "DE89370400440532013000", "blik": "123456"}
"""What is typed for the methods that ask for something."""


def request(attempt_id: str, method: str, value: str = "", amount: int = 2400, email: str = "") -> ChargeRequest:
    return ChargeRequest(attempt_id, amount, "USD", MethodInput(method, value), LINK, email=email)


async def charged(simulator: Simulator, method: str, value: str = "", email: str = "") -> Outcome:
    return await simulator.charge(request("att_1", method, value or TYPED.get(method, ""), email=email))


def test_it_runs_every_method_in_service(simulator: Simulator) -> None:
    assert simulator.methods == {method.type for method in methods.offered()}


@pytest.mark.parametrize("method", sorted({method.type for method in methods.offered()} - CARD_TYPES))
async def test_every_method_begins_by_its_flow(simulator: Simulator, method: str) -> None:
    outcome = await charged(simulator, method)
    flow = methods.get(method).flow
    if flow in ("bank_account", "transfer"):
        assert isinstance(outcome, Pending)
        assert methods.get(method).asynchronous
    else:
        assert isinstance(outcome, NeedsAction)
        page = "qr" if flow in ("qr", "upi_id") else "pay"
        assert outcome.url == f"http://pay.test/simulator/{page}/{outcome.reference}"
    assert await found(simulator) == outcome


@pytest.mark.parametrize(
    ("answer", "code"),
    [("approve", None), ("fail", "PAYMENT_METHOD_PROVIDER_DECLINED"), ("cancel", "CUSTOMER_CANCELLED")],
)
@pytest.mark.parametrize("method", ["ideal", "apple_pay", "blik", "pix", "upi_collect", "crypto_currency"])
async def test_the_customer_decides_once(
    simulator: Simulator, method: str, answer: CustomerDecision, code: str | None
) -> None:
    asked = await charged(simulator, method)
    assert isinstance(asked, NeedsAction)
    await simulator.decide(asked.reference, answer)
    ended = await found(simulator)
    if code is None:
        assert ended == Succeeded(asked.reference)
    else:
        assert code_of(ended) == code
    await simulator.decide(asked.reference, "approve" if code else "fail")
    assert await found(simulator) == ended


async def test_a_decision_runs_out_after_fifteen_minutes(simulator: Simulator, clock: FakeClock) -> None:
    asked = await charged(simulator, "ideal")
    assert isinstance(asked, NeedsAction)
    clock.advance(minutes=14, seconds=59)
    assert await found(simulator) == asked
    clock.advance(seconds=1)
    await simulator.decide(asked.reference, "approve")
    assert code_of(await found(simulator)) == "AUTHENTICATION_TIMEOUT"


@pytest.mark.parametrize("by_closing", [True, False])
async def test_leaving_afterpay_leaves_the_payment_as_it_was(
    simulator: Simulator, clock: FakeClock, by_closing: bool
) -> None:
    asked = await charged(simulator, "afterpay_clearpay")
    assert isinstance(asked, NeedsAction)
    if by_closing:
        await simulator.decide(asked.reference, "cancel")
    else:
        clock.advance(minutes=15)
    assert await found(simulator) == Abandoned(asked.reference)


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("customer@email.us", None),
        ("Customer+Denied@email.us", "PAYMENT_METHOD_PROVIDER_DECLINED"),
        ("ana@example.com", None),
    ],
)
async def test_klarna_decides_by_the_published_addresses(simulator: Simulator, email: str, code: str | None) -> None:
    asked = await charged(simulator, "klarna", email=email)
    assert isinstance(asked, NeedsAction)
    await simulator.decide(asked.reference, "approve")
    ended = await found(simulator)
    assert (ended == Succeeded(asked.reference)) if code is None else (code_of(ended) == code)


@pytest.mark.parametrize("known", methods.published_inputs(), ids=lambda known: f"{known.type}-{known.value}")
async def test_every_published_value_has_its_outcome(
    simulator: Simulator, clock: FakeClock, known: methods.PublishedInput
) -> None:
    if known.type not in ("ach", "sepa", "upi_collect"):
        return  # a customer decides about the others
    begun = await charged(simulator, known.type, known.value)
    assert isinstance(begun, Pending)
    if known.outcome == "processing_forever":
        clock.advance(days=400)
        assert await found(simulator) == begun
        return
    clock.advance(seconds=max(known.delay_seconds, 15) - 1)
    assert await found(simulator) == begun
    clock.advance(seconds=1)
    ended = await found(simulator)
    if known.error_code is None:
        assert ended == Succeeded(begun.reference)
    else:
        assert code_of(ended) == known.error_code
    assert await found(simulator) == ended
    assert await simulator.method_charge(begun.reference) is None


@pytest.mark.parametrize(
    ("method", "value", "last_four"),
    [("ach", "110000000/000123456789", "6789"), ("sepa", "DE89370400440532013000", "3000")],
)
async def test_the_last_four_of_an_account_are_kept_and_nothing_else(
    runtime: Runtime, simulator: Simulator, method: str, value: str, last_four: str
) -> None:
    begun = await charged(simulator, method, value)
    assert isinstance(begun, Pending)
    assert begun.details == PendingDetails(account=last_four)
    for part in value.split("/"):
        assert part not in await dump(runtime)


async def test_a_upi_id_is_not_kept(runtime: Runtime, simulator: Simulator) -> None:
    begun = await charged(simulator, "upi_collect", "success@upi")
    assert isinstance(begun, Pending)
    assert begun.details is None
    assert "success@upi" not in await dump(runtime)


@pytest.mark.parametrize(
    ("method", "value", "field", "reason"),
    [
        ("upi_collect", "someone@okbank", "upi_id", "not_a_test_upi_id"),
        ("ach", "021000021/000123456789", "account", "not_a_test_account"),
        ("ach", "110000000/000123456780", "account", "not_a_test_account"),
        ("ach", "", "account", "not_a_test_account"),
        ("sepa", "GB33BUKB20201555555555", "iban", "not_a_test_iban"),
        ("sepa", "", "iban", "not_a_test_iban"),
        ("pix", "52998224725", "tax_number", "not_a_test_tax_number"),
    ],
)
async def test_what_nobody_published_is_refused(
    simulator: Simulator, method: str, value: str, field: str, reason: str
) -> None:
    for attempt in (simulator.check, None):
        with pytest.raises(InputRefused) as refused:
            if attempt is None:
                await simulator.charge(request("att_1", method, value))
            else:
                attempt(MethodInput(method, value))
        assert (refused.value.field, refused.value.reason) == (field, reason)
        assert not value or value not in str(refused.value)
    assert await found(simulator) is None


@pytest.mark.parametrize("method", ["credit", "affirm", "paypal", "nonsense"])
def test_a_type_that_it_does_not_run_is_no_input(simulator: Simulator, method: str) -> None:
    with pytest.raises(KeyError):
        simulator.check(MethodInput(method))


async def test_a_transfer_gets_a_reference_to_pay_by(simulator: Simulator, clock: FakeClock) -> None:
    begun = await charged(simulator, "multibanco")
    assert isinstance(begun, Pending)
    assert begun.details is not None
    assert begun.details.entity == "12345"
    assert begun.details.code is not None
    assert len(begun.details.code) == 9 and begun.details.code.isdigit()
    assert begun.details.pay_by is not None
    assert (begun.details.pay_by - clock.now()).days == 7
    assert begun.details.url == f"http://pay.test/simulator/pay/{begun.reference}"
    clock.advance(minutes=2, seconds=59)
    assert await found(simulator) == begun
    clock.advance(seconds=1)
    assert await found(simulator) == Succeeded(begun.reference)


@pytest.mark.parametrize(
    ("answer", "code"), [("approve", None), ("fail", "AUTHENTICATION_TIMEOUT"), ("cancel", "AUTHENTICATION_TIMEOUT")]
)
async def test_the_cash_machine_decides_about_a_transfer(
    simulator: Simulator, clock: FakeClock, answer: CustomerDecision, code: str | None
) -> None:
    begun = await charged(simulator, "multibanco")
    assert isinstance(begun, Pending)
    await simulator.decide(begun.reference, answer)
    ended = await found(simulator)
    assert (ended == Succeeded(begun.reference)) if code is None else (code_of(ended) == code)
    clock.advance(days=30)
    assert await found(simulator) == ended


async def test_the_same_attempt_is_begun_once(simulator: Simulator) -> None:
    first = await simulator.charge(request("att_1", "ideal"))
    assert await simulator.charge(request("att_1", "ideal")) == first
    assert await simulator.charge(request("att_2", "ideal")) != first
    with pytest.raises(ValueError, match="att_1 was ordered before with another amount"):
        await simulator.charge(request("att_1", "ideal", amount=2500))


def test_an_input_shows_nothing_of_itself() -> None:
    typed = MethodInput("sepa", "DE89370400440532013000")
    order = ChargeRequest("att_1", 2400, "EUR", typed, LINK)
    for text in (repr(typed), str(typed), f"{typed}", repr(order), str([order])):
        assert "sepa" in text
        assert "3704" not in text
    assert not hasattr(typed, "__dict__")
    with pytest.raises(TypeError, match="an account is not serialised"):
        pickle.dumps(typed)
    with pytest.raises(TypeError, match="an account is not serialised"):
        copy.deepcopy(typed)
