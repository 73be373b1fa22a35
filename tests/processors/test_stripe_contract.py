"""Stripe keeps the contract of every processor, with localstripe in its place."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio
from stripe import WebhookSignature

from at_stripe import PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, LocalStripe
from harness import FakeClock
from nicobar.core.payments.payment import CardDetails
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.processors.base import MethodInput
from nicobar.processors.stripe.stripe import Stripe
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.processors.stripe.stripe_http import StripeHTTP
from processor_contract import ProcessorContract, Subject, new_id

VISA = CardDetails(
    last_four="4242",
    network="visa",
    funding="credit",
    issuing_country="FR",
    holder_name=None,
    exp_month="12",
    exp_year="2030",
)


@pytest_asyncio.fixture
async def subject(localstripe: LocalStripe, clock: FakeClock) -> AsyncIterator[Subject]:
    clock.moment = datetime.now(UTC)
    http = StripeHTTP()
    account = StripeAccount(SECRET_KEY, PUBLISHABLE_KEY, SIGNING_SECRET, localstripe.base)
    owner = localstripe.post("customers", email="ana@example.com")["id"]

    def intents(attempt_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = localstripe.intents()
        return [one for one in found if one["metadata"].get("attempt_id") == attempt_id]

    async def taken(attempt_id: str) -> int:
        return sum(one["amount"] for one in intents(attempt_id) if one["status"] == "succeeded")

    async def given_back(attempt_id: str) -> int:
        (intent,) = intents(attempt_id)
        made = localstripe.client.get("/v1/refunds", params={"payment_intent": intent["id"], "limit": 100}).json()
        return sum(one["amount"] for one in made["data"])

    yield Subject(
        processor=Stripe(account, "test", http, clock),
        now=clock.now(),
        pays=saved(localstripe, str(owner), "4242424242424242"),
        declines=saved(localstripe, str(owner), "4000000000000341"),
        asks=typed_at_stripe,
        taken=taken,
        given_back=given_back,
        sign=sign,
        secrets=[SECRET_KEY, SIGNING_SECRET],
    )
    await http.close_async()


def saved(localstripe: LocalStripe, owner: str, number: str) -> Callable[[], Awaitable[SavedMethod]]:
    """Return what makes a card that was kept at Stripe: the only input that is charged without a browser."""

    async def keep() -> SavedMethod:
        return SavedMethod(
            payment_method_id="pm_1",
            customer_id="cus_1",
            processor="stripe",
            token=f"{owner}/{localstripe.card(number)}",
            fingerprint=number,
            card=VISA,
            last_used_at=datetime.now(UTC),
        )

    return keep


async def typed_at_stripe() -> MethodInput:
    return MethodInput("credit")


def sign(attempt_id: str) -> tuple[Mapping[str, str], bytes]:
    event = {
        "id": new_id("evt"),
        "object": "event",
        "type": "payment_intent.succeeded",
        "data": {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {"attempt_id": attempt_id}}},
    }
    body = json.dumps(event)
    header = WebhookSignature.generate_signature_header(body, SIGNING_SECRET, int(time.time()))
    return {"stripe-signature": header}, body.encode()


class TestContract(ProcessorContract):
    """Every test of the contract."""
