"""Sessions whose page asks for everything at once: contact, address, questions, and what pays."""

import html
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from api.sessions.opening import ADDRESS, ANA, create_session
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from orders import dump
from pages.session.filling import errors_of, fields_of, notice_of, send, total_of
from shop import Shop, item

TYPED = {"email": "kim@example.com", "customer_name": "Kim Park", "country": "DE", "zipcode": "10119"}
CARD = {"method": "card", "number": "5555 5555 5555 4444", "expiry": "06 / 32", "cvc": "123", "name": "Kim Park"}
ALL = TYPED | CARD
SINGLE = {"feature_flags": {"single_page": True}}


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(seller_country="DE")
    return shop


async def open_page(shop: Shop, **fields: Any) -> tuple[httpx.Response, str]:
    created = await create_session(shop, item(await shop.product(2000)), **SINGLE | fields)
    return await shop.browser.get(created["checkout_url"]), created["session_id"]


async def payment_of(shop: Shop, session_id: str) -> dict[str, Any]:
    status = await shop.read(f"/checkouts/{session_id}")
    found: dict[str, Any] = await shop.read(f"/payments/{status['payment_id']}")
    return found


async def test_everything_is_told_and_paid_with_one_form(shop: Shop) -> None:
    questions = [{"key": "note", "label": "Note", "field_type": "text", "required": True}]
    page, session_id = await open_page(shop, custom_fields=questions)
    assert {"email", "country", "zipcode", "custom_0", "number", "expiry", "cvc", "name"} <= fields_of(page).keys()
    assert fields_of(page).keys().isdisjoint({"street", "city"})
    assert page.text.count("<form") == 2  # the other one is for the languages
    onward = await send(shop.browser, page, **ALL, custom_0="Ring twice")
    assert onward.status_code == 303
    receipt = await shop.browser.get(onward.headers["location"])
    assert 'class="card receipt"' in receipt.text and "Mastercard ending in 4444" in receipt.text
    paid = await payment_of(shop, session_id)
    assert (paid["status"], paid["total_amount"], paid["customer"]["name"]) == ("succeeded", 2000, "Kim Park")
    assert paid["custom_field_responses"] == [{"key": "note", "value": "Ring twice"}]
    again = await send(shop.browser, page, **ALL, custom_0="Ring twice")
    assert again.headers["location"] == onward.headers["location"]
    assert len((await shop.read("/payments"))["items"]) == 1


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"number": ""}, ["number"]),
        ({"number": "4111 1111 1111 1112"}, ["number"]),
        ({"cvc": "1"}, ["cvc"]),
        ({"expiry": "01 / 20"}, ["expiry"]),
        ({"email": ""}, ["email"]),
        ({"zipcode": ""}, ["zipcode"]),
        ({"zipcode": "1", "cvc": ""}, ["zipcode", "cvc"]),
        ({"code": "NOPE"}, ["code"]),
        ({"tax_id": "DE1"}, ["tax_id"]),
        ({"tax_id": "DE1", "number": "1"}, ["tax_id", "number"]),
    ],
)
async def test_a_refused_form_stores_nothing_and_keeps_what_was_typed(
    shop: Shop, typed: dict[str, str], errors: list[str]
) -> None:
    page, session_id = await open_page(shop)
    page = await send(shop.browser, page, country="DE", update="yes")
    before = await dump(shop.runtime)
    refused = await send(shop.browser, page, **ALL | typed)
    assert (refused.status_code, sorted(errors_of(refused))) == (422, sorted(errors))
    shown = fields_of(refused)
    kept = [name for name in ("email", "customer_name", "zipcode", "name", "expiry") if name not in typed]
    assert {name: shown[name] for name in kept} == {name: ALL[name] for name in kept}
    assert (shown["number"], shown["cvc"], shown["country"]) == ("", "", "DE")
    assert CARD["number"] not in refused.text
    assert await dump(shop.runtime) == before
    assert (await shop.read(f"/checkouts/{session_id}"))["payment_id"] is None
    assert (await send(shop.browser, refused, **ALL, tax_id="", code="")).status_code == 303


async def test_asking_for_the_price_complains_of_nothing(shop: Shop) -> None:
    page, _ = await open_page(shop)
    before = await dump(shop.runtime)
    asked = await send(shop.browser, page, **CARD | {"country": "FR", "number": "1", "update": "yes"})
    assert (asked.status_code, errors_of(asked), fields_of(asked)["country"]) == (200, {}, "FR")
    assert (fields_of(asked)["number"], fields_of(asked)["cvc"]) == ("", "")
    assert await dump(shop.runtime) == before


@pytest.mark.parametrize("way", ["code", "price", "country"])
async def test_nobody_pays_a_total_that_was_not_shown(shop: Shop, way: str) -> None:
    await shop.settings(tax="table")
    await shop.taxes("country,name,standard_percent\nDE,VAT,19\nFR,VAT,20\n")
    await shop.percentage("TEN", 1000)
    page, session_id = await open_page(shop)
    page = await send(shop.browser, page, country="DE", update="yes")
    assert total_of(page) == "$23.80"
    typed, total = ALL, "$24.00"
    if way == "code":
        typed, total = ALL | {"code": "TEN"}, "$21.42"
    elif way == "country":
        typed = ALL | {"country": "FR", "zipcode": "75001"}
    else:
        await shop.taxes("country,name,standard_percent\nDE,VAT,20\n")
    before = await dump(shop.runtime)
    shown = await send(shop.browser, page, **typed)
    assert total_of(shown) == total and shown.status_code in (200, 409)
    assert f"The total is now {total}." in shown.text
    assert await dump(shop.runtime) == before
    assert (
        await send(shop.browser, shown, **ALL | {"country": typed["country"], "zipcode": typed["zipcode"]})
    ) is not None
    assert (await payment_of(shop, session_id))["status"] == "succeeded"


async def test_a_country_with_fields_of_its_own_is_announced_before_anything_is_charged(shop: Shop) -> None:
    page, session_id = await open_page(shop)
    before = await dump(shop.runtime)
    asked = await send(
        shop.browser, await send(shop.browser, page, country="DE", update="yes"), **ALL | {"country": "IN"}
    )
    assert (asked.status_code, errors_of(asked), fields_of(asked)["shown_country"]) == (200, {}, "IN")
    assert notice_of(asked) == (
        "Please check your details",
        "The fields and the total now fit the country that you chose. The total is $20.00, and nothing has been "
        "charged. Please check them and press the button again.",
    )
    assert await dump(shop.runtime) == before
    assert (await shop.read(f"/checkouts/{session_id}"))["payment_id"] is None


async def test_a_decline_is_said_on_the_payments_page(shop: Shop) -> None:
    page, session_id = await open_page(shop)
    onward = await send(shop.browser, page, **ALL | {"number": "4000 0000 0000 0002"})
    assert onward.status_code == 303
    declined = await shop.browser.get(onward.headers["location"])
    assert "You have not been charged." in declined.text and 'name="number"' in declined.text
    assert "kim@example.com" not in declined.text and "10119" in declined.text
    assert (await payment_of(shop, session_id))["status"] == "failed"


async def test_a_bank_is_asked_at_once(shop: Shop) -> None:
    page, session_id = await open_page(shop)
    onward = await send(shop.browser, page, **ALL | {"number": "4000 0027 6000 3184"})
    assert onward.status_code == 303 and "/simulator/challenge/" in onward.headers["location"]
    assert (await payment_of(shop, session_id))["status"] == "requires_customer_action"


async def test_another_way_to_pay(shop: Shop) -> None:
    await shop.rates({"EUR": "0.92"})
    await shop.settings(adaptive_pricing="on", adaptive_fees="none")
    page, session_id = await open_page(shop, customer=ANA, billing_address=ADDRESS)
    refused = await send(shop.browser, page, method="sepa", iban="DE00")
    assert list(errors_of(refused)) == ["iban"] and 'value="sepa" checked' in refused.text
    onward = await send(shop.browser, page, method="sepa", iban="DE89370400440532013000")
    assert onward.status_code == 303
    assert (await payment_of(shop, session_id))["payment_method_type"] == "sepa"


@pytest.mark.parametrize("types", [["credit", "debit"], ["credit", "debit", "google_pay"]])
async def test_a_way_to_pay_that_is_not_offered_any_more_is_named(shop: Shop, types: list[str]) -> None:
    page, session_id = await open_page(shop, customer=ANA, billing_address=ADDRESS, allowed_payment_method_types=types)
    before = await dump(shop.runtime)
    refused = await send(shop.browser, page, method="pix", tax_number="123.456.789-09")
    notice = html.unescape(refused.text.partition('id="detail-errors"')[2].partition("<ul>")[0])
    assert refused.status_code == 422
    assert "<p>This way to pay is not available any more. Please choose another one.</p>" in notice
    assert await dump(shop.runtime) == before
    assert (await shop.read(f"/checkouts/{session_id}"))["payment_id"] is None


async def test_an_order_of_nothing_is_completed(shop: Shop) -> None:
    created = await create_session(shop, item(await shop.product(0)), **SINGLE)
    page = await shop.browser.get(created["checkout_url"])
    assert "number" not in fields_of(page) and "Complete order" in page.text
    onward = await send(shop.browser, page, email="kim@example.com", customer_name="Kim Park")
    assert 'class="card receipt"' in (await shop.browser.get(onward.headers["location"])).text
    assert (await payment_of(shop, created["session_id"]))["status"] == "succeeded"


async def test_an_address_that_failed_too_often_makes_no_payment(shop: Shop) -> None:
    for _ in range(60):
        page, _ = await open_page(shop, customer=ANA, billing_address=ADDRESS)
        await send(shop.browser, page, **CARD | {"number": "4000 0000 0000 0002"})
    page, session_id = await open_page(shop, customer=ANA, billing_address=ADDRESS)
    before = await dump(shop.runtime)
    assert (await send(shop.browser, page, **CARD)).status_code == 429
    assert await dump(shop.runtime) == before
    assert (await shop.read(f"/checkouts/{session_id}"))["payment_id"] is None


async def test_an_ordinary_session_has_two_steps(shop: Shop) -> None:
    page, _ = await open_page(shop, feature_flags={})
    assert "number" not in fields_of(page) and "Continue to payment" in html.unescape(page.text)


async def test_in_a_frame_the_next_page_stays_in_it(shop: Shop) -> None:
    created = await create_session(shop, item(await shop.product(2000)), **SINGLE)
    page = await shop.browser.get(f"/overlay/session/{created['session_id']}", headers={"sec-fetch-dest": "iframe"})
    for number, word in (("4000 0027 6000 3184", "bank"), (CARD["number"], "Payment received")):
        onward = await send(shop.browser, page, **ALL | {"number": number})
        assert onward.status_code == 303 and onward.headers["location"].startswith("/overlay/")
        next_page = await shop.browser.get(onward.headers["location"], headers={"sec-fetch-dest": "iframe"})
        assert word in next_page.text
        created = await create_session(shop, item(await shop.product(2000)), **SINGLE)
        page = await shop.browser.get(f"/overlay/session/{created['session_id']}", headers={"sec-fetch-dest": "iframe"})
