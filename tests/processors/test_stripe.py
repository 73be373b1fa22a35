"""Stripe as a processor, against localstripe as a live server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio
import stripe

from at_stripe import PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, LocalStripe
from harness import FakeClock
from nicobar.core.payments.payment import (
    Abandoned,
    Attempt,
    CardDetails,
    Declined,
    KeptCard,
    NeedsAction,
    Outcome,
    Succeeded,
    Unknown,
)
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.refunds.refund import RefundFailed, RefundSucceeded
from nicobar.processors.base import CardInput, CardRefused, ChargeRequest, MethodInput, RefundRequest
from nicobar.processors.stripe.stripe import Stripe
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.processors.stripe.stripe_http import StripeHTTP

RETURN_URL = "https://pay.example.com/AbCdEfGh?lang=de"
PAGE = "https://pay.example.com/AbCdEfGh/stripe?lang=de"

VISA = CardDetails(
    last_four="4242",
    network="visa",
    funding="credit",
    issuing_country="FR",
    holder_name="Ada Lovelace",
    exp_month="12",
    exp_year="2030",
)


@pytest_asyncio.fixture
async def http() -> AsyncIterator[StripeHTTP]:
    client = StripeHTTP()
    yield client
    await client.close_async()


@pytest.fixture
def processor(localstripe: LocalStripe, http: StripeHTTP, clock: FakeClock) -> Stripe:
    """The processor, and a clock that is as late as Stripe's."""
    clock.moment = datetime.now(UTC).replace(microsecond=0)
    account = StripeAccount(SECRET_KEY, PUBLISHABLE_KEY, SIGNING_SECRET, localstripe.base)
    return Stripe(account, "test", http, clock)


def request(clock: FakeClock, method: object = None, **changes: object) -> ChargeRequest:
    values = {"amount": 2400, "currency": "USD", "return_url": RETURN_URL, "email": "ana@example.com"} | changes
    return ChargeRequest(f"att_{clock.random_bits(80):021}"[:25], instrument=method or MethodInput("credit"), **values)  # type: ignore[arg-type]


def attempt(request: ChargeRequest, clock: FakeClock, outcome: Outcome | None) -> Attempt:
    return Attempt(
        attempt_id=request.attempt_id,
        payment_id="pay_1",
        processor="stripe",
        amount=request.amount,
        currency=request.currency,
        card=None,
        outcome=outcome,
        created_at=clock.now(),
        resolved_at=None,
    )


def reference(outcome: Outcome | None) -> str:
    assert outcome is not None and not isinstance(outcome, Unknown) and outcome.reference is not None
    return outcome.reference


async def test_a_card_waits_for_its_customer_on_our_page(
    processor: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    order = request(clock)
    outcome = await processor.charge(order)
    assert outcome == NeedsAction(reference(outcome), PAGE)
    made = localstripe.intent(reference(outcome))
    assert (made["amount"], made["currency"], made["status"]) == (2400, "usd", "requires_payment_method")
    assert made["metadata"] == {"attempt_id": order.attempt_id, "page": PAGE}
    for known in (None, Unknown("TimeoutError"), outcome):
        assert await processor.find(attempt(order, clock, known)) == outcome


async def test_the_same_attempt_is_ordered_once(processor: Stripe, localstripe: LocalStripe, clock: FakeClock) -> None:
    order = request(clock)
    first = await processor.charge(order)
    assert await processor.charge(order) == first
    assert [one["id"] for one in localstripe.intents()].count(reference(first)) == 1
    order.amount += 1
    with pytest.raises(stripe.IdempotencyError):
        await processor.charge(order)


async def test_what_the_browser_has_paid_is_found(
    processor: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    order = request(clock)
    waiting = await processor.charge(order)
    localstripe.pay(reference(waiting))
    paid = Succeeded(reference(waiting), card=VISA)
    assert await processor.find(attempt(order, clock, waiting)) == paid
    assert await processor.cancel(attempt(order, clock, waiting)) == paid


async def test_a_decline_ends_the_attempt_and_its_payment_intent(
    processor: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    order = request(clock)
    waiting = await processor.charge(order)
    localstripe.pay(reference(waiting), "4000000000000341")
    found = await processor.find(attempt(order, clock, waiting))
    assert isinstance(found, Declined)
    assert (found.error_code, found.reference) == ("CARD_DECLINED", reference(waiting))
    assert localstripe.intent(reference(waiting))["status"] == "canceled"
    assert await processor.find(attempt(order, clock, waiting)) == found


async def test_nobody_comes_back(processor: Stripe, localstripe: LocalStripe, clock: FakeClock) -> None:
    order = request(clock)
    waiting = await processor.charge(order)
    asked = attempt(order, clock, waiting)
    clock.advance(minutes=29)
    assert await processor.find(asked) == waiting
    clock.advance(minutes=1)
    assert await processor.find(asked) == Abandoned(reference(waiting))
    assert localstripe.intent(reference(waiting))["status"] == "canceled"


@pytest.mark.parametrize("amount", [2400, 0])
async def test_an_attempt_that_a_test_clock_has_dated_ahead(
    processor: Stripe, localstripe: LocalStripe, clock: FakeClock, amount: int
) -> None:
    """Stripe's clock shows real time: the lost order is found, and who does not come back is not waited for longer."""
    order = request(clock, amount=amount)
    waiting = await processor.charge(order)
    ahead = {"created_at": clock.now() + timedelta(days=400)}
    for known in (None, Unknown("TimeoutError")):
        asked = msgspec.structs.replace(attempt(order, clock, known), **ahead)
        assert await processor.find(asked) == waiting
    asked = msgspec.structs.replace(attempt(order, clock, waiting), **ahead)
    clock.advance(minutes=29)
    assert await processor.find(asked) == waiting
    clock.advance(minutes=2)
    assert await processor.find(asked) == Abandoned(reference(waiting))


async def test_an_order_that_never_arrived_cannot_arrive_later(
    processor: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    order = request(clock)
    lost = attempt(order, clock, None)
    assert await processor.find(lost) is None
    assert await processor.cancel(lost) is None
    assert await processor.cancel(lost) is None
    with pytest.raises(stripe.IdempotencyError):
        await processor.charge(order)
    assert await processor.find(lost) is None
    kept = [one for one in localstripe.intents() if dict(one["metadata"]).get("attempt_id") == order.attempt_id]  # type: ignore[call-overload]
    assert [(one["status"], one["metadata"]["closed"]) for one in kept] == [("canceled", "yes")]  # type: ignore[index]


async def test_an_attempt_that_waits_is_closed(processor: Stripe, localstripe: LocalStripe, clock: FakeClock) -> None:
    order = request(clock)
    waiting = await processor.charge(order)
    assert await processor.fields(attempt(order, clock, waiting)) == (
        PUBLISHABLE_KEY,
        localstripe.intent(reference(waiting))["client_secret"],
    )
    assert await processor.cancel(attempt(order, clock, waiting)) == Abandoned(reference(waiting))
    assert await processor.cancel(attempt(order, clock, waiting)) == Abandoned(reference(waiting))
    assert await processor.fields(attempt(order, clock, waiting)) is None


async def test_a_known_payment_intent_that_cannot_be_read_is_no_evidence(processor: Stripe, clock: FakeClock) -> None:
    asked = attempt(request(clock), clock, NeedsAction("pi_unknown", PAGE))
    with pytest.raises(stripe.InvalidRequestError):
        await processor.find(asked)


async def test_an_attempt_about_another_amount_is_no_evidence(processor: Stripe, clock: FakeClock) -> None:
    order = request(clock)
    waiting = await processor.charge(order)
    asked = msgspec.structs.replace(attempt(order, clock, waiting), amount=2401)
    with pytest.raises(ValueError, match="another amount"):
        await processor.find(asked)


async def test_a_kept_card_pays_again_without_its_owner(
    processor: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    order = request(clock, keep_card=True)
    waiting = await processor.charge(order)
    localstripe.pay(reference(waiting))
    found = await processor.find(attempt(order, clock, waiting))
    assert isinstance(found, Succeeded) and isinstance(found.kept, KeptCard)
    owner, _, method = found.kept.token.partition("/")
    assert localstripe.intent(found.reference)["customer"] == owner
    assert method.startswith("pm_")
    saved = SavedMethod(
        payment_method_id="pm_1",
        customer_id="cus_1",
        processor="stripe",
        token=found.kept.token,
        fingerprint=found.kept.fingerprint,
        card=VISA,
        last_used_at=clock.now(),
    )
    again = await processor.charge(request(clock, saved, customer_present=False))
    assert isinstance(again, Succeeded)
    assert localstripe.intent(again.reference)["amount"] == 2400


@pytest.mark.parametrize(
    ("number", "error_code"),
    [("4000000000000341", "CARD_DECLINED"), ("4000002500003155", "AUTHENTICATION_REQUIRED")],
)
async def test_a_saved_card_without_its_owner_is_declined(
    number: str, error_code: str, processor: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
    method = localstripe.post(
        "payment_methods", type="card", **{f"card[{name}]": value for name, value in card.items()}
    )
    owner = localstripe.post("customers", email="ana@example.com")
    saved = SavedMethod(
        payment_method_id="pm_1",
        customer_id="cus_1",
        processor="stripe",
        token=f"{owner['id']}/{method['id']}",
        fingerprint="f",
        card=VISA,
        last_used_at=clock.now(),
    )
    outcome = await processor.charge(request(clock, saved, customer_present=False))
    assert isinstance(outcome, Declined) and outcome.error_code == error_code
    assert localstripe.intent(reference(outcome))["status"] == "canceled"


async def test_money_goes_back_once(processor: Stripe, localstripe: LocalStripe, clock: FakeClock) -> None:
    order = request(clock)
    waiting = await processor.charge(order)
    localstripe.pay(reference(waiting))
    paid = attempt(order, clock, await processor.find(attempt(order, clock, waiting)))
    back = RefundRequest(f"ref_{clock.random_bits(60)}", paid, 900)
    assert await processor.find_refund(back) is None
    outcome = await processor.refund(back)
    assert isinstance(outcome, RefundSucceeded)
    assert await processor.refund(back) == outcome
    assert await processor.find_refund(back) == outcome
    made = localstripe.client.get("/v1/refunds", params={"payment_intent": reference(waiting)}).json()["data"]
    assert [(one["id"], one["amount"]) for one in made] == [(outcome.reference, 900)]
    other = RefundRequest(f"ref_{clock.random_bits(60)}", attempt(order, clock, None), 900)
    assert await processor.refund(other) == RefundFailed("The attempt has no charge at Stripe")


async def test_what_stripe_refuses_is_declined_in_its_words(processor: Stripe, clock: FakeClock) -> None:
    saved = SavedMethod(
        payment_method_id="pm_1",
        customer_id="cus_1",
        processor="stripe",
        token="cus_gone/pm_gone",
        fingerprint="f",
        card=VISA,
        last_used_at=clock.now(),
    )
    outcome = await processor.charge(request(clock, saved))
    assert isinstance(outcome, Declined)
    assert outcome.error_code == "INVALID_REQUEST"
    assert outcome.error_message.endswith("Stripe says: Not Found")


async def test_an_amount_that_stripe_cannot_take_is_declined_before_it_is_asked(
    processor: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    before = len(localstripe.intents())
    outcome = await processor.charge(request(clock, amount=5124, currency="KWD"))
    assert isinstance(outcome, Declined)
    assert outcome.error_code == "INVALID_AMOUNT"
    assert "KWD" in outcome.error_message
    assert len(localstripe.intents()) == before


async def test_keys_are_checked(localstripe: LocalStripe, http: StripeHTTP, clock: FakeClock) -> None:
    def with_key(key: str, base: str = localstripe.base) -> Stripe:
        return Stripe(StripeAccount(key, PUBLISHABLE_KEY, SIGNING_SECRET, base), "test", http, clock)

    own = f"acct_{localstripe.base.rpartition(':')[2]}"
    assert await with_key(SECRET_KEY).check_keys() == own
    with pytest.raises(ValueError, match="does not know this key"):
        await with_key("rk_test_localstripetakesnone").check_keys()


async def test_a_card_number_is_never_taken(processor: Stripe, localstripe: LocalStripe, clock: FakeClock) -> None:
    card = CardInput("4242424242424242", 12, 2030, "123", None)
    with pytest.raises(CardRefused):
        processor.describe(card, clock.now())
    before = len(localstripe.intents())
    with pytest.raises(TypeError):
        await processor.charge(request(clock, card))
    assert len(localstripe.intents()) == before
