"""Single pages with Stripe's own fields: what the server answers the page's script, and a browser without it."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from api.sessions.opening import create_session
from at_stripe import PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, LocalStripe, connect, runtime_at_stripe
from harness import PUBLIC_URL, FakeClock, Merchant
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.runtime import Runtime
from nicobar.processors.stripe.stripe_account import StripeAccount
from orders import dump
from pages.session.filling import attributes, errors_of, send
from pages.session.test_single_page import SINGLE, TYPED
from shop import Shop, item

__all__ = ["runtime_at_stripe"]

STRIPE = "https://js.stripe.com"
SCRIPTED = {"accept": "text/html", "x-nicobar-script": "1"}
IN_PLACE = {"method": "card", "in_place": "yes"}


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, localstripe: LocalStripe) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(seller_country="DE")
    await connect(runtime, merchant.tenant, localstripe)
    return shop


async def open_page(shop: Shop, **fields: Any) -> tuple[httpx.Response, str]:
    created = await create_session(shop, item(await shop.product(2000)), **SINGLE | fields)
    page = await shop.browser.get(created["checkout_url"])
    return await send(shop.browser, page, country="DE", update="yes"), created["session_id"]


def mount_of(page: httpx.Response) -> dict[str, str]:
    """Return what the page tells its script of Stripe's fields."""
    tag = page.text.partition('<div class="own-fields" ')[2].partition(">")[0]
    return {name.removeprefix("data-"): value for name, value in attributes(tag).items()}


async def scripted(shop: Shop, page: httpx.Response, **typed: str) -> httpx.Response:
    """Send the form as the page's script does."""
    shop.browser.headers.update(SCRIPTED)
    try:
        return await send(shop.browser, page, **typed)
    finally:
        for name in SCRIPTED:
            del shop.browser.headers[name]


async def payment_of(shop: Shop, session_id: str) -> dict[str, Any]:
    status = await shop.read(f"/checkouts/{session_id}")
    return await shop.read(f"/payments/{status['payment_id']}")


async def test_the_script_is_told_what_hands_the_card_over(shop: Shop, localstripe: LocalStripe) -> None:
    page, session_id = await open_page(shop)
    assert mount_of(page) == {
        "key": PUBLISHABLE_KEY,
        "amount": "2000",
        "currency": "usd",
        "language": "en",
        "wallets": "applePay googlePay",
        "submit": "Pay $20.00",
    }
    assert 'name="number"' not in page.text and "goes straight to Stripe" in page.text
    policy = page.headers["content-security-policy"]
    assert f"script-src 'self' {STRIPE} https://*.js.stripe.com;" in policy and "unsafe" not in policy
    before = localstripe.intents()
    answer = await scripted(shop, page, **TYPED, **IN_PLACE)
    (intent,) = [each for each in localstripe.intents() if each not in before]
    payment = await payment_of(shop, session_id)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"client_secret": intent["client_secret"], "return_url": payment["payment_link"]}
    assert (intent["amount"], intent["currency"]) == (2000, "usd")
    assert payment["status"] == "requires_customer_action"
    again = await scripted(shop, page, **TYPED, **IN_PLACE)
    link = payment["payment_link"].removeprefix(PUBLIC_URL)
    assert (again.status_code, again.headers["location"], again.content) == (200, link, b"")
    assert (await shop.browser.get(link)).headers["location"] == f"{link}/stripe"
    assert len(localstripe.intents()) == len(before) + 1
    localstripe.pay(str(intent["id"]))
    assert "Payment received" in (await shop.browser.get(link)).text
    assert (await payment_of(shop, session_id))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("typed", "status", "errors"),
    [({"email": ""}, 422, ["email"]), ({"zipcode": ""}, 422, ["zipcode"]), ({"code": "NOPE"}, 422, ["code"])],
)
async def test_a_refused_form_orders_nothing_of_stripe(
    shop: Shop, localstripe: LocalStripe, typed: dict[str, str], status: int, errors: list[str]
) -> None:
    page, _ = await open_page(shop)
    intents, before = localstripe.intents(), await dump(shop.runtime)
    refused = await scripted(shop, page, **TYPED | IN_PLACE | typed)
    assert (refused.status_code, list(errors_of(refused))) == (status, errors)
    assert mount_of(refused) == mount_of(page)
    assert (localstripe.intents(), await dump(shop.runtime)) == (intents, before)


async def test_a_new_total_is_shown_before_it_is_ordered(shop: Shop, localstripe: LocalStripe) -> None:
    await shop.settings(tax="table")
    await shop.taxes("country,name,standard_percent\nDE,VAT,19\nFR,VAT,20\n")
    await shop.percentage("TEN", 1000)
    page, session_id = await open_page(shop)
    assert mount_of(page)["amount"] == "2380"
    before = len(localstripe.intents())
    changed = await scripted(shop, page, **TYPED | IN_PLACE | {"country": "FR", "zipcode": "75001", "code": "TEN"})
    assert (changed.status_code, mount_of(changed)["amount"], mount_of(changed)["submit"]) == (
        409,
        "2160",
        "Pay $21.60",
    )
    assert len(localstripe.intents()) == before
    answer = await scripted(shop, changed, **TYPED | IN_PLACE | {"country": "FR", "zipcode": "75001"})
    assert answer.headers["content-type"] == "application/json"
    assert localstripe.intents()[0]["amount"] == 2160
    assert (await payment_of(shop, session_id))["total_amount"] == 2160


async def test_without_the_script_the_fields_come_second(shop: Shop) -> None:
    page, session_id = await open_page(shop)
    onward = await send(shop.browser, page, **TYPED, method="card")
    link = (await payment_of(shop, session_id))["payment_link"]
    assert (onward.status_code, onward.headers["location"]) == (303, f"{link}/stripe")
    fields = await shop.browser.get(onward.headers["location"])
    assert "need JavaScript" in fields.text


async def test_stripe_that_does_not_answer_leaves_the_payments_page(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, session_id = await open_page(shop)

    async def broken(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("nicobar.processors.stripe.stripe.Stripe.fields", broken)
    answer = await scripted(shop, page, **TYPED, **IN_PLACE)
    link = (await payment_of(shop, session_id))["payment_link"].removeprefix(PUBLIC_URL)
    assert (answer.status_code, answer.headers["location"], answer.content) == (200, link, b"")


async def test_consent_is_ordered_of_stripe(shop: Shop, localstripe: LocalStripe) -> None:
    page, _ = await open_page(shop)
    await scripted(shop, page, **TYPED, **IN_PLACE, save="yes")
    ordered = localstripe.ordered(str(localstripe.intents()[0]["id"]))
    assert (ordered["setup_future_usage"], ordered["payment_method_types"]) == ("off_session", ["card"])


async def test_a_frame_stays_the_sellers_alone(shop: Shop) -> None:
    await shop.settings(allowed_origins="https://shop.example")
    created = await create_session(shop, item(await shop.product(2000)), **SINGLE)
    framed = await shop.browser.get(f"/inline/session/{created['session_id']}", headers={"sec-fetch-dest": "iframe"})
    assert framed.status_code == 200 and mount_of(framed)["amount"] == "2000"
    policy = framed.headers["content-security-policy"]
    assert STRIPE in policy and "frame-ancestors https://shop.example;" in policy
    answer = await scripted(shop, framed, **TYPED, **IN_PLACE)
    link = (await payment_of(shop, created["session_id"]))["payment_link"].removeprefix(PUBLIC_URL)
    assert answer.json()["return_url"].startswith(f"{PUBLIC_URL}/inline{link}")


async def test_another_business_keeps_the_simulators_fields(
    shop: Shop, runtime: Runtime, app: ASGIApp, clock: FakeClock, other_merchant: Merchant
) -> None:
    other = Shop(runtime, app, clock, other_merchant)
    created = await create_session(other, item(await other.product(2000)), **SINGLE)
    page = await other.browser.get(created["checkout_url"])
    assert 'name="number"' in page.text and "data-mount" not in page.text
    assert STRIPE not in page.headers["content-security-policy"]


async def test_a_live_session_is_paid_with_the_live_account(
    shop: Shop, runtime: Runtime, merchant: Merchant, localstripe: LocalStripe
) -> None:
    secret, publishable = (key.replace("_test_", "_live_") for key in (SECRET_KEY, PUBLISHABLE_KEY))
    account = StripeAccount(secret, publishable, SIGNING_SECRET, localstripe.base)
    await set_processor_account(runtime, merchant.live_tenant, account, check=True)
    shop.client = merchant.live_client
    page, session_id = await open_page(shop)
    assert (mount_of(page)["key"], mount_of(page)["amount"]) == (publishable, "2000")
    answer = await scripted(shop, page, **TYPED, **IN_PLACE)
    reference = str(answer.json()["client_secret"]).partition("_secret")[0]
    localstripe.pay(reference)
    assert "Payment received" in (await shop.browser.get(answer.json()["return_url"])).text
    assert (await payment_of(shop, session_id))["status"] == "succeeded"
    shop.client = merchant.client
    assert (await shop.read("/payments"))["items"] == []
