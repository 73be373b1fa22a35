"""Keeping a card at Stripe without charging it: SetupIntents, at localstripe and with answers written by hand."""

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import stripe
from stripe import WebhookSignature

from at_stripe import PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, LocalStripe
from harness import FakeClock
from nicobar.core.payments.payment import (
    Abandoned,
    Attempt,
    Declined,
    KeptCard,
    NeedsAction,
    Outcome,
    Pending,
    Succeeded,
)
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.payments.three_ds import ThreeDs
from nicobar.processors.base import ChargeRequest, MethodInput, Notice
from nicobar.processors.stripe.stripe import Stripe
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.processors.stripe.stripe_http import StripeHTTP
from processors.test_stripe import PAGE, VISA, attempt, reference, request
from processors.test_stripe_answers import ATTEMPT, RETURN_URL, error, processor
from processors.test_stripe_outcomes import CARD, DETAILS, action


@pytest_asyncio.fixture
async def at_localstripe(localstripe: LocalStripe, clock: FakeClock) -> AsyncIterator[Stripe]:
    clock.moment = datetime.now(UTC).replace(microsecond=0)
    http = StripeHTTP()
    yield Stripe(StripeAccount(SECRET_KEY, PUBLISHABLE_KEY, SIGNING_SECRET, localstripe.base), "test", http, clock)
    await http.close_async()


def nothing(clock: FakeClock, method: object = None, **changes: object) -> ChargeRequest:
    """Return the order of a payment of nothing, which keeps a card."""
    return request(clock, method, **({"amount": 0, "keep_card": method is None} | changes))


async def test_a_card_is_kept_and_charged_without_its_owner(
    at_localstripe: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    before = len(localstripe.intents())
    order = nothing(clock)
    waiting = await at_localstripe.charge(order)
    assert waiting == NeedsAction(reference(waiting), PAGE)
    made = localstripe.setup(reference(waiting))
    assert (made["object"], made["usage"], made["status"]) == ("setup_intent", "off_session", "requires_payment_method")
    assert made["metadata"] == {"attempt_id": order.attempt_id, "page": PAGE}
    asked = attempt(order, clock, waiting)
    assert await at_localstripe.fields(asked) == (PUBLISHABLE_KEY, made["client_secret"])
    assert await at_localstripe.charge(order) == waiting
    for known in (None, waiting):
        assert await at_localstripe.find(attempt(order, clock, known)) == waiting

    localstripe.keep(reference(waiting))
    kept = await at_localstripe.find(asked)
    assert isinstance(kept, Succeeded) and isinstance(kept.kept, KeptCard)
    assert kept.card == msgspec.structs.replace(VISA, holder_name=None)
    owner, _, method = kept.kept.token.partition("/")
    assert (owner, method) == (made["customer"], localstripe.setup(reference(waiting))["payment_method"])
    assert await at_localstripe.cancel(asked) == kept
    assert await at_localstripe.fields(asked) is None
    assert len(localstripe.intents()) == before

    paid = await at_localstripe.charge(request(clock, _saved(clock, kept.kept), customer_present=False))
    assert isinstance(paid, Succeeded)
    assert (localstripe.intent(paid.reference)["amount"], localstripe.ordered(paid.reference)["off_session"]) == (
        2400,
        "true",
    )


def _saved(clock: FakeClock, kept: KeptCard) -> SavedMethod:
    return SavedMethod(
        payment_method_id="pm_1",
        customer_id="cus_1",
        processor="stripe",
        token=kept.token,
        fingerprint=kept.fingerprint,
        card=VISA,
        last_used_at=clock.now(),
    )


async def test_a_declined_card_is_not_kept(at_localstripe: Stripe, localstripe: LocalStripe, clock: FakeClock) -> None:
    order = nothing(clock)
    waiting = await at_localstripe.charge(order)
    localstripe.keep(reference(waiting), "4000000000000002")
    declined = await at_localstripe.find(attempt(order, clock, waiting))
    assert isinstance(declined, Declined)
    assert (declined.error_code, declined.reference) == ("GENERIC_DECLINE", reference(waiting))
    assert localstripe.setup(reference(waiting))["status"] == "canceled"
    assert await at_localstripe.find(attempt(order, clock, waiting)) == declined


async def test_who_does_not_come_back_keeps_no_card(
    at_localstripe: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    order = nothing(clock)
    waiting = await at_localstripe.charge(order)
    asked = attempt(order, clock, waiting)
    clock.advance(minutes=29)
    assert await at_localstripe.find(asked) == waiting
    clock.advance(minutes=1)
    assert await at_localstripe.find(asked) == Abandoned(reference(waiting))
    assert localstripe.setup(reference(waiting))["status"] == "canceled"


async def test_an_order_that_never_arrived_cannot_arrive_later(
    at_localstripe: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    order = nothing(clock)
    lost = attempt(order, clock, None)
    assert await at_localstripe.find(lost) is None
    assert await at_localstripe.cancel(lost) is None
    with pytest.raises(stripe.IdempotencyError):
        await at_localstripe.charge(order)
    assert await at_localstripe.find(lost) is None
    kept = [one for one in localstripe.setups() if dict(one["metadata"])["attempt_id"] == order.attempt_id]  # type: ignore[call-overload]
    assert [(one["status"], one["metadata"]["closed"]) for one in kept] == [("canceled", "yes")]  # type: ignore[index]


async def test_a_kept_card_is_confirmed_on_the_page(
    at_localstripe: Stripe, localstripe: LocalStripe, clock: FakeClock
) -> None:
    owner = localstripe.post("customers", email="ana@example.com")["id"]

    def saved(number: str) -> SavedMethod:
        return _saved(clock, KeptCard(f"{owner}/{localstripe.card(number)}", "f"))

    good = await at_localstripe.charge(nothing(clock, saved("4242424242424242")))
    assert isinstance(good, Succeeded)
    assert localstripe.ordered(good.reference)["return_url"] == "https://pay.example.com/AbCdEfGh?lang=de"
    bad = await at_localstripe.charge(nothing(clock, saved("4000000000000002")))
    assert isinstance(bad, Declined)
    assert (bad.error_code, localstripe.setup(reference(bad))["status"]) == ("GENERIC_DECLINE", "canceled")


def setup(status: str, **changes: Any) -> dict[str, Any]:
    """Return a SetupIntent as Stripe's API sends it, with some that is not read here."""
    body = {
        "id": "seti_1",
        "object": "setup_intent",
        "client_secret": "seti_1_secret_2",
        "customer": "cus_9",
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "metadata": {"attempt_id": ATTEMPT, "page": PAGE},
        "next_action": None,
        "payment_method": None,
        "payment_method_types": ["card"],
        "status": status,
        "usage": "off_session",
    }
    return body | changes


METHOD = {"id": "pm_7", "object": "payment_method", "billing_details": {"name": "Ada Lovelace"}, "card": CARD}
TRIED = {
    "id": "setatt_1",
    "object": "setup_attempt",
    "payment_method_details": {
        "type": "card",
        "card": {"three_d_secure": {"authentication_flow": "challenge", "result": "authenticated", "version": "2.2.0"}},
    },
}


def _asked(outcome: Outcome | None = None) -> Attempt:
    return Attempt(
        attempt_id=ATTEMPT,
        payment_id="pay_1",
        processor="stripe",
        amount=0,
        currency="EUR",
        card=None,
        outcome=outcome or NeedsAction("seti_1", PAGE),
        created_at=FakeClock("stripe").now(),
        resolved_at=None,
    )


def _order(**changes: Any) -> ChargeRequest:
    values: dict[str, Any] = {"instrument": MethodInput("credit"), "keep_card": True, "email": "ana@example.com"}
    return ChargeRequest(ATTEMPT, 0, "EUR", return_url=RETURN_URL, **(values | changes))


async def test_what_stripe_is_sent() -> None:
    subject, http = processor((200, {"id": "cus_9", "object": "customer"}), (200, setup("requires_payment_method")))
    assert await subject.charge(_order(force_3ds=True)) == NeedsAction("seti_1", PAGE)
    (_, first, owner, _), (method, path, sent, headers) = http.sent
    assert (first, owner["email"]) == ("/v1/customers", "ana@example.com")
    assert (method, path, headers["Idempotency-Key"]) == ("post", "/v1/setup_intents", ATTEMPT)
    assert sent == {
        "customer": "cus_9",
        "expand[0]": "latest_attempt",
        "expand[1]": "payment_method",
        "metadata[attempt_id]": ATTEMPT,
        "metadata[page]": f"{RETURN_URL}/stripe",
        "payment_method_options[card][request_three_d_secure]": "any",
        "payment_method_types[0]": "card",
        "usage": "off_session",
    }


CHALLENGED = ThreeDs("challenge", "authenticated", "2.2.0")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            setup("succeeded", payment_method=METHOD, latest_attempt=TRIED),
            Succeeded("seti_1", CHALLENGED, KeptCard("cus_9/pm_7", "Xt5EWLLDS7FJjR1c"), DETAILS),
        ),
        (
            setup("succeeded", payment_method=METHOD),
            Succeeded("seti_1", None, KeptCard("cus_9/pm_7", "Xt5EWLLDS7FJjR1c"), DETAILS),
        ),
        (setup("processing", payment_method=METHOD), Pending("seti_1")),
        (setup("requires_confirmation", payment_method="pm_7"), NeedsAction("seti_1", PAGE)),
        (
            setup("requires_action", metadata={"attempt_id": ATTEMPT}, next_action=action("redirect_to_url", {"url": "https://bank"})),
            NeedsAction("seti_1", "https://bank"),
        ),
        (setup("canceled"), Abandoned("seti_1")),
    ],
)  # fmt: skip
async def test_setup_intents(body: dict[str, Any], expected: Outcome) -> None:
    subject, http = processor((200, body))
    assert await subject.find(_asked()) == expected
    assert http.sent[0][1] == "/v1/setup_intents/seti_1?expand[0]=latest_attempt&expand[1]=payment_method"


@pytest.mark.parametrize(
    "body",
    [
        setup("succeeded"),
        setup("succeeded", payment_method="pm_7"),
        setup("succeeded", payment_method=METHOD, customer=None),
        setup("succeeded", payment_method={"id": "pm_7", "object": "payment_method"}),
        setup("succeeded", payment_method=METHOD, metadata={"attempt_id": "att_other"}),
    ],
)
async def test_a_success_without_a_card_that_can_be_charged_is_no_answer(body: dict[str, Any]) -> None:
    subject, _ = processor((200, body))
    with pytest.raises(ValueError, match="seti_1"):
        await subject.find(_asked())


async def test_a_failed_authentication_ends_the_attempt() -> None:
    failed = {"code": "setup_intent_authentication_failure", "message": "Stripe's words."}
    told = setup("requires_payment_method", last_setup_error=failed)
    subject, http = processor((402, error("card_error", setup_intent=told)), (200, setup("canceled")))
    saved = SavedMethod(
        payment_method_id="pm_1",
        customer_id="cus_1",
        processor="stripe",
        token="cus_9/pm_7",
        fingerprint="f",
        card=DETAILS,
        last_used_at=FakeClock("stripe").now(),
    )
    outcome = await subject.charge(_order(instrument=saved, keep_card=False))
    assert isinstance(outcome, Declined)
    assert (outcome.error_code, outcome.reference) == ("AUTHENTICATION_FAILURE", "seti_1")
    assert [path for _, path, _, _ in http.sent] == ["/v1/setup_intents", "/v1/setup_intents/seti_1/cancel"]


async def test_what_is_kept_in_the_moment_of_the_cancelling_is_kept() -> None:
    refused = error("invalid_request_error", "setup_intent_unexpected_state")
    kept = setup("succeeded", payment_method=METHOD)
    subject, _ = processor((200, setup("requires_payment_method")), (400, refused), (200, kept))
    assert await subject.cancel(_asked()) == Succeeded(
        "seti_1", None, KeptCard("cus_9/pm_7", "Xt5EWLLDS7FJjR1c"), DETAILS
    )


@pytest.mark.parametrize("type", ["setup_intent.succeeded", "setup_intent.setup_failed", "setup_intent.canceled"])
def test_notices(type: str) -> None:
    subject, _ = processor()
    event = {"id": "evt_1", "type": type, "data": {"object": setup("succeeded")}}
    body = json.dumps(event)
    header = WebhookSignature.generate_signature_header(body, "whsec_abcdefghijkl", int(time.time()))
    assert subject.read_notice({"stripe-signature": header}, body.encode()) == Notice("evt_1", "attempt", ATTEMPT)
