"""Static and short links: every documented parameter, and each bad one dropped without a word."""

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from api.sessions.opening import session_rows
from harness import Merchant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment_request import RequestedCustomer
from nicobar.core.sessions.checkout_session import CheckoutSession, SessionItem
from nicobar.storage.sessions.sessions import find_session
from orders import dump, pay
from pages.session.filling import fields_of, send, total_of
from shop import EXAMPLE_RATES, Shop


async def opened(shop: Shop, product_id: str, **query: str) -> tuple[httpx.Response, CheckoutSession]:
    """Open a static link; return the page that it leads to, and the session."""
    link = await shop.browser.get(f"/buy/{product_id}?{urlencode(query)}")
    assert link.status_code == 303, link.text
    assert link.headers["cache-control"] == "no-store"
    page = await shop.browser.get(link.headers["location"])
    assert page.status_code == 200
    async with shop.runtime.database.read() as read:
        session = await find_session(read, page.url.path.rpartition("/")[2])
    assert session is not None
    return page, session


WHOLE = {
    "quantity": "3",
    "redirect_url": "https://shop.example.com/thanks",
    "fullName": "Ada Lovelace",
    "email": "ada@example.com",
    "country": "de",
    "addressLine": "Torstr. 1",
    "city": "Berlin",
    "state": "BE",
    "zipCode": "10119",
    "disableFullName": "true",
    "disableEmail": "true",
    "disableCity": "true",
    "paymentCurrency": "GBP",
    "showCurrencySelector": "false",
    "showDiscounts": "false",
    "metadata_order": "17",
    "metadata_ref-no": "a b",
    "theme": "dark",
}


async def test_every_parameter(shop: Shop) -> None:
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", adaptive_fees="none")
    product = await shop.product(2000)
    page, session = await opened(shop, product, **WHOLE)
    request, flags = session.request, session.request.flags
    assert request.items == [SessionItem(product, 3)]
    assert request.customer == RequestedCustomer(email="ada@example.com", name="Ada Lovelace")
    assert request.billing == Address("DE", "Berlin", "BE", "Torstr. 1", "10119")
    assert (request.return_url, request.billing_currency) == ("https://shop.example.com/thanks", "GBP")
    assert request.metadata == {"order": "17", "ref-no": "a b"}
    assert (flags.allow_currency_selection, flags.allow_discount_code) == (False, False)
    names = ("name", "email", "city", "street", "state", "zipcode", "country")
    assert [getattr(flags, f"allow_customer_editing_{name}") for name in names] == [False] * 3 + [True] * 4
    assert request.customization.theme == "dark"
    assert (total_of(page), {"code", "currency", "email", "city", "customer_name"} & set(fields_of(page))) == (
        "£47.40",
        set(),
    )
    onward = await send(shop.browser, page, street="Other 2")
    await pay(shop.browser, onward.headers["location"])
    (payment,) = (await shop.read("/payments"))["items"]
    assert (payment["status"], payment["total_amount"], payment["currency"]) == ("succeeded", 4740, "GBP")
    assert (payment["metadata"], payment["checkout_session_id"]) == (request.metadata, session.session_id)
    whole = await shop.read(f"/payments/{payment['payment_id']}")
    assert (whole["billing"]["street"], whole["billing"]["city"]) == ("Other 2", "Berlin")


@pytest.mark.parametrize(
    ("query", "name", "locked"),
    [
        ({"firstName": "Ada", "lastName": "Lovelace", "fullName": "X"}, "Ada Lovelace", False),
        ({"firstName": "Ada", "fullName": "X", "disableFullName": "true"}, "Ada", False),
        ({"firstName": "Ada", "disableFirstName": "true"}, "Ada", False),
        ({"firstName": "A", "lastName": "L", "disableFirstName": "true", "disableLastName": "true"}, "A L", True),
        ({"firstName": "A", "lastName": "L", "disableLastName": "true"}, "A L", False),
        ({"disableFullName": "true"}, None, False),
    ],
)
async def test_names(shop: Shop, query: dict[str, str], name: str | None, locked: bool) -> None:
    page, session = await opened(shop, await shop.product(), **query)
    assert (None if session.request.customer is None else session.request.customer.name) == name
    assert ("customer_name" not in fields_of(page)) is locked


BAD: list[dict[str, str]] = [
    {"quantity": "0"},
    {"quantity": "-1"},
    {"quantity": "1.5"},
    {"quantity": "99999"},
    {"quantity": "many"},
    {"redirect_url": "javascript:alert(1)"},
    {"redirect_url": "thanks"},
    {"redirect_url": "intent://thanks"},
    {"redirect_url": "myapp://thanks"},
    {"fullName": "4242 4242 4242 4242"},
    {"fullName": "x" * 251},
    {"email": "no address"},
    {"country": "XX"},
    {"country": "KP"},
    {"city": "Berlin"},
    {"paymentCurrency": "XXX"},
    {"paymentAmount": "5"},
    {"theme": "red"},
    {"metadata_": "x"},
    {"metadata_a b": "x"},
    {"metadata_long": "x" * 501},
    {"unknown": "x", "session": "sess_x", "disableEmail": "true"},
    {"quantity": "10000", "metadata_ok": "\x00"},
]


@pytest.mark.parametrize("query", BAD)
async def test_what_is_wrong_is_dropped(shop: Shop, query: dict[str, str]) -> None:
    await shop.settings(blocked_countries="KP")
    product = await shop.product(2000)
    _, session = await opened(shop, product, **query)
    request = session.request
    quantity = 10_000 if query.get("quantity") == "10000" else 1
    assert request.items == [SessionItem(product, quantity)]
    assert (request.customer, request.billing, request.billing_currency) == (None, None, None)
    assert (request.return_url, request.metadata, request.customization.theme) == (None, {}, None)


async def test_what_nobody_can_pay_is_dropped_step_by_step(shop: Shop) -> None:
    product = await shop.product(1_000_000_000)
    _, session = await opened(shop, product, quantity="10000", email="ada@example.com")
    assert session.request.items == [SessionItem(product, 1)]
    assert session.request.customer == RequestedCustomer(email="ada@example.com")
    many = {f"metadata_k{number}": "x" for number in range(60)}
    _, session = await opened(shop, product, **many)
    assert len(session.request.metadata) == 50


@pytest.mark.parametrize(("amount", "kept"), [("7.50", 750), ("7", 700), ("4.99", None), ("x", None), ("7.505", None)])
async def test_the_amount_is_in_units_of_the_currency(shop: Shop, amount: str, kept: int | None) -> None:
    gift = await shop.product(500, pay_what_you_want=True)
    page, session = await opened(shop, gift, paymentAmount=amount)
    assert session.request.items == [SessionItem(gift, 1, kept)]
    assert ("amount_0" in fields_of(page)) is (kept is None)


async def test_what_is_not_sold(shop: Shop) -> None:
    archived = await shop.product()
    await shop.client.delete(f"/products/{archived}")
    period = {"payment_frequency_count": 1, "payment_frequency_interval": "Month"}
    period |= {"subscription_period_count": 1, "subscription_period_interval": "Year"}
    price: dict[str, Any] = {"type": "usage_based_price", "currency": "USD", "fixed_price": 900, "meters": []} | period
    body = {"name": "Plan", "tax_category": "saas", "price": price}
    metered = (await shop.client.post("/products", json=body)).json()["product_id"]
    before = await dump(shop.runtime)
    for name in (archived, metered, "pdt_unknown", "unknown", "x"):
        answer = await shop.browser.get(f"/buy/{name}", headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8"), name
    assert await dump(shop.runtime) == before


async def test_a_look_at_the_address_stores_nothing(shop: Shop) -> None:
    product = await shop.product()
    assert (await shop.browser.head(f"/buy/{product}")).status_code == 200
    assert await session_rows(shop) == 0


async def test_openings_are_limited(shop: Shop) -> None:
    product = await shop.product()
    for _ in range(120):
        assert (await shop.browser.get(f"/buy/{product}")).status_code == 303
    assert (await shop.browser.get(f"/buy/{product}")).status_code == 429
    assert await session_rows(shop) == 120
    shop.clock.advance(minutes=1)
    assert (await shop.browser.get(f"/buy/{product}")).status_code == 303


async def test_a_short_link_leads_to_its_static_one(shop: Shop) -> None:
    product = await shop.product(2000)
    body = {"slug": "guide", "static_checkout_params": {"quantity": "2", "email": "ada@example.com"}}
    assert (await shop.client.post(f"/products/{product}/short_links", json=body)).status_code == 200
    short = await shop.browser.get("/buy/guide?quantity=9&country=DE")
    assert (short.status_code, short.headers["cache-control"]) == (302, "no-store")
    assert short.headers["location"] == f"/buy/{product}?quantity=2&country=DE&email=ada%40example.com"
    static = await shop.browser.get(short.headers["location"])
    page = await shop.browser.get(static.headers["location"])
    assert (total_of(page), fields_of(page)["email"]) == ("$40.00", "ada@example.com")


async def test_a_session_is_its_links_tenants(shop: Shop, merchant: Merchant, other_merchant: Merchant) -> None:
    product = await shop.product()
    _, session = await opened(shop, product)
    assert session.tenant == merchant.tenant
    assert (await shop.read(f"/checkouts/{session.session_id}"))["id"] == session.session_id
    assert (await other_merchant.client.get(f"/checkouts/{session.session_id}")).status_code == 404
