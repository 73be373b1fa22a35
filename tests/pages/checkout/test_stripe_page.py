"""Paying through Stripe on the hosted page: Stripe's own fields, the way back, and what never comes by here."""

import html
import re

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from api.sessions.opening import ADDRESS, ANA, create_session
from at_stripe import PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, LocalStripe, connect, runtime_at_stripe
from harness import PUBLIC_URL, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment, Succeeded
from nicobar.core.payments.saved_method import SavedChoice
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.business.create_business import create_business
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.storage.payments.saved_methods import list_methods
from orders import attempts_of, dump, order, place, reload, token_of
from pages.paying import payment_in
from pages.session.filling import send
from shop import Shop, item

__all__ = ["runtime_at_stripe"]

STRIPE = "https://js.stripe.com"


@pytest_asyncio.fixture
async def tenant(runtime: Runtime, localstripe: LocalStripe) -> Tenant:
    """A seller with an account at Stripe."""
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "test")
    await connect(runtime, tenant, localstripe)
    return tenant


async def choose(browser: httpx.AsyncClient, payment: Payment, **fields: str) -> httpx.Response:
    """Open a link and choose a way to pay."""
    link = f"/{payment.link_id}"
    return await browser.post(link, data={"token": token_of(await browser.get(link)), "method": "card"} | fields)


async def reference_of(runtime: Runtime, payment: Payment) -> str:
    """Return Stripe's id of the newest attempt's PaymentIntent."""
    return str((await attempts_of(runtime, payment))[-1]["outcome"]["reference"])


def data_of(page: httpx.Response, name: str) -> str:
    """Return a data attribute of the page's form."""
    found = re.search(rf'data-{name}="([^"]*)"', page.text)
    assert found is not None, name
    return html.unescape(found[1])


async def test_paying_by_card(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    link = f"/{payment.link_id}"
    shown = await browser.get(link)
    assert 'name="number"' not in shown.text and "goes straight to Stripe" in shown.text
    assert STRIPE not in shown.headers["content-security-policy"]

    chosen = await choose(browser, payment)
    assert (chosen.status_code, chosen.headers["location"]) == (303, f"{PUBLIC_URL}{link}/stripe")
    page = await browser.get(chosen.headers["location"])
    reference = await reference_of(runtime, payment)
    assert page.status_code == 200
    assert data_of(page, "key") == PUBLISHABLE_KEY
    assert data_of(page, "secret") == localstripe.intent(reference)["client_secret"]
    assert data_of(page, "return") == f"{PUBLIC_URL}{link}"
    assert data_of(page, "language") == "en"
    assert data_of(page, "wallets") == "applePay googlePay"
    for text in ("Dodo Records", "$24.00", "need JavaScript", "Pay another way"):
        assert text in page.text
    assert (await reload(runtime, payment)).status == "requires_customer_action"
    assert (await browser.get(link)).headers["location"] == f"{link}/stripe"

    localstripe.pay(reference)
    receipt = await browser.get(f"{link}?payment_intent={reference}&redirect_status=succeeded")
    assert "Payment received" in receipt.text and "Visa ending in 4242" in receipt.text
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method, paid.payment_method_type) == ("succeeded", "card", "credit")
    assert paid.card is not None and (paid.card.last_four, paid.card.holder_name) == ("4242", "Ada Lovelace")
    assert (await browser.get(f"{link}/stripe")).headers["location"] == link
    async with runtime.database.read() as read:
        (event,) = await read.fetch("SELECT type, payload::jsonb AS body FROM events")
    assert (event["type"], event["body"]["data"]["payment_provider"]) == ("payment.succeeded", "stripe")


async def test_live_payments_are_paid(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe, clock: FakeClock
) -> None:
    live = Tenant(tenant.business_id, "live")
    payment = await place(runtime, order(runtime, live))
    assert "no live processor has been configured yet" in (await browser.get(f"/{payment.link_id}")).text
    secret, publishable = (key.replace("_test_", "_live_") for key in (SECRET_KEY, PUBLISHABLE_KEY))
    account = StripeAccount(secret, publishable, SIGNING_SECRET, localstripe.base)
    await set_processor_account(runtime, live, account, check=True)
    later = await place(runtime, order(runtime, live))
    clock.advance(seconds=5)
    page = await browser.get((await choose(browser, later)).headers["location"])
    assert data_of(page, "key") == publishable
    localstripe.pay(await reference_of(runtime, later))
    assert "Payment received" in (await browser.get(f"/{later.link_id}")).text
    assert (await reload(runtime, later)).status == "succeeded"


async def test_a_saved_card_pays_on_the_page(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    first = await place(runtime, order(runtime, tenant))
    await choose(browser, first, save="yes")
    localstripe.pay(await reference_of(runtime, first))
    await browser.get(f"/{first.link_id}")
    kept = (await reload(runtime, first)).payment_method_id
    assert kept is not None
    second = await place(runtime, order(runtime, tenant, customer=first.customer))
    confirmed = await confirm_payment(
        runtime, tenant, second.payment_id, SavedChoice(kept), return_url=f"{PUBLIC_URL}/{second.link_id}"
    )
    assert isinstance(confirmed.outcome, Succeeded)
    assert localstripe.ordered(confirmed.outcome.reference)["return_url"] == f"{PUBLIC_URL}/{second.link_id}"
    assert (await reload(runtime, second)).status == "succeeded"


async def test_only_this_page_lets_stripes_script_run(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = await browser.get((await choose(browser, payment)).headers["location"])
    assert page.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self' https://js.stripe.com https://*.js.stripe.com; "
        "img-src 'self'; connect-src 'self' https://api.stripe.com; "
        "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    )
    assert page.headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
    assert page.headers["cache-control"] == "no-store"
    assert 'payment=(self "https://js.stripe.com" "https://hooks.stripe.com")' in page.headers["permissions-policy"]
    assert re.findall(r'<script src="([^"]*)"', page.text)[0] == "https://js.stripe.com/v3/"


async def test_a_decline_leads_back_to_the_choice(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await choose(browser, payment)
    first = await reference_of(runtime, payment)
    localstripe.pay(first, "4000000000000341")
    back = await browser.get(f"/{payment.link_id}")
    assert "Your payment was not made" in back.text
    failed = await reload(runtime, payment)
    assert (failed.status, failed.error_code) == ("failed", "CARD_DECLINED")
    assert localstripe.intent(first)["status"] == "canceled"

    clock.advance(seconds=1)
    await choose(browser, payment)
    second = await reference_of(runtime, payment)
    assert second != first
    localstripe.pay(second)
    assert "Payment received" in (await browser.get(f"/{payment.link_id}")).text


async def test_another_way_to_pay(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = (await choose(browser, payment)).headers["location"]
    reference = await reference_of(runtime, payment)
    left = await browser.post(page)
    assert (left.status_code, left.headers["location"]) == (303, f"/{payment.link_id}")
    assert (await reload(runtime, payment)).status == "requires_payment_method"
    assert localstripe.intent(reference)["status"] == "canceled"
    assert "How would you like to pay?" in (await browser.get(f"/{payment.link_id}")).text

    foreign = await browser.post(page, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403


async def test_who_leaves_after_paying_has_paid(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = (await choose(browser, payment)).headers["location"]
    localstripe.pay(await reference_of(runtime, payment))
    await browser.post(page)
    assert (await reload(runtime, payment)).status == "succeeded"


@pytest.mark.parametrize(("type", "stripe_type"), [("sepa", "sepa_debit"), ("klarna", "klarna"), ("eps", "eps")])
async def test_other_methods_are_typed_at_stripe_too(
    type: str, stripe_type: str, runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    payment = await payment_in(runtime, tenant, "AT", "EUR")
    shown = await browser.get(f"/{payment.link_id}")
    assert f'value="{type}"' in shown.text and 'name="iban"' not in shown.text
    page = await browser.get((await choose(browser, payment, method=type)).headers["location"])
    assert page.status_code == 200
    made = localstripe.ordered(await reference_of(runtime, payment))
    assert made["payment_method_types"] == [stripe_type]
    stored = await reload(runtime, payment)
    assert (stored.payment_method_type, stored.status) == (type, "requires_customer_action")


async def test_a_card_is_kept_with_consent(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await choose(browser, payment, save="yes")
    reference = await reference_of(runtime, payment)
    ordered = localstripe.ordered(reference)
    assert (ordered["setup_future_usage"], ordered["payment_method_types"]) == ("off_session", ["card"])
    assert "payment_method_options" not in ordered
    localstripe.pay(reference)
    await browser.get(f"/{payment.link_id}")
    async with runtime.database.read() as read:
        (kept,) = await list_methods(read, tenant, payment.customer.customer_id)
    assert kept.token.startswith(f"{localstripe.intent(reference)['customer']}/pm_")
    assert kept.card == (await reload(runtime, payment)).card
    assert (await reload(runtime, payment)).payment_method_id == kept.payment_method_id


async def test_a_frame_shows_the_fields_of_a_card_and_leaves_for_others(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    card, klarna = await payment_in(runtime, tenant, "AT", "EUR"), await payment_in(runtime, tenant, "AT", "EUR")
    for payment, method, leads_to_fields in ((card, "card", True), (klarna, "klarna", False)):
        link = f"/inline/{payment.link_id}"
        posted = await browser.post(link, data={"token": token_of(await browser.get(link)), "method": method})
        framed = await browser.get(posted.headers["location"])
        assert framed.status_code == (303 if leads_to_fields else 200)
        if leads_to_fields:
            page = await browser.get(framed.headers["location"])
            assert page.status_code == 200 and data_of(page, "return").startswith(f"{PUBLIC_URL}{link}")
            alone = await browser.get(framed.headers["location"], headers={"sec-fetch-dest": "document"})
            assert alone.headers["location"] == f"/{payment.link_id}/stripe"
        else:
            assert f"/inline/{payment.link_id}/stripe" in html.unescape(framed.text)


@pytest.mark.parametrize("kind", ["inline", "overlay"])
async def test_the_fields_in_a_frame_have_the_button_that_the_sellers_page_chose(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, kind: str
) -> None:
    payment = await payment_in(runtime, tenant, "AT", "EUR")
    link = f"/{kind}/{payment.link_id}?payButtonText=Buy+%3Cnow%3E"
    shown = await browser.get(link)
    posted = await browser.post(link, data={"token": token_of(shown), "method": "card"})
    onward = await browser.get(posted.headers["location"])
    page = await browser.get(onward.headers["location"])
    assert page.status_code == 200 and data_of(page, "return").startswith(PUBLIC_URL)
    assert ">Buy &lt;now&gt;</button>" in page.text and ">Pay €" not in page.text


async def test_stripe_does_not_answer(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = (await choose(browser, payment)).headers["location"]

    async def broken(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("nicobar.processors.stripe.stripe.Stripe.fields", broken)
    response = await browser.get(page)
    assert response.status_code == 503 and "you will not be charged twice" in response.text
    assert (await reload(runtime, payment)).status == "requires_customer_action"


async def test_no_key_and_no_secret_is_stored_in_clear(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = await browser.get((await choose(browser, payment)).headers["location"])
    client_secret = data_of(page, "secret")
    localstripe.pay(await reference_of(runtime, payment))
    await browser.get(f"/{payment.link_id}")
    everything = await dump(runtime)
    assert PUBLISHABLE_KEY in everything
    for secret in (SECRET_KEY, SIGNING_SECRET, client_secret, "4242424242424242"):
        assert secret not in everything
        assert secret.encode().hex() not in everything


async def test_a_link_asks_stripe_a_bounded_number_of_times(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = (await choose(browser, payment)).headers["location"]
    answers = [(await browser.get(page)).status_code for _ in range(61)]
    assert answers == [200] * 60 + [429]


async def test_a_session_keeps_its_look_and_language(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, localstripe: LocalStripe
) -> None:
    await connect(runtime, merchant.tenant, localstripe)
    shop = Shop(runtime, app, clock, merchant)
    config = {"light": {"button_primary": "red"}, "radius": "4px", "pay_button_text": "Jetzt kaufen"}
    custom = {"theme": "dark", "theme_config": config, "force_language": "de"}
    filled = {"customer": ANA, "billing_address": ADDRESS, "customization": custom}
    created = await create_session(shop, item(await shop.product(2000)), **filled)
    onward = await send(shop.browser, await shop.browser.get(created["checkout_url"]))
    link = onward.headers["location"]
    form = {"token": token_of(await shop.browser.get(link)), "method": "card"}
    page = await shop.browser.get((await shop.browser.post(link, data=form)).headers["location"])
    assert page.status_code == 200 and 'lang="de"' in page.text and 'class="languages"' not in page.text
    assert f'<link rel="stylesheet" href="/session/{created["session_id"]}/theme.css">' in page.text
    assert "/static/checkout.dark." in page.text
    assert (data_of(page, "theme"), data_of(page, "language")) == ("dark", "de")
    assert ">Jetzt kaufen</button>" in page.text
