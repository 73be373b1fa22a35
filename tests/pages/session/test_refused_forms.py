"""A form of the session's page that is refused: what is said, what is shown again, and what it costs to try."""

import html

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from api.sessions.opening import ADDRESS, ANA, create_session
from harness import FakeClock, Merchant
from nicobar.core.payments.repricing import MAXIMUM_CODES
from nicobar.flows.runtime import Runtime
from nicobar.pages.changes.changes import MAXIMUM_CODE
from nicobar.pages.details.details import LENGTHS
from nicobar.pages.session.custom_fields import MAXIMUM_ANSWER, MAXIMUM_CUSTOM_FIELDS
from nicobar.pages.session.session_page import MAXIMUM_FORM
from orders import dump
from pages.session.filling import errors_of, fields_of, send, total_of
from shop import EXAMPLE_RATES, Shop, item

TYPED = {"email": "kim@example.com", "customer_name": "Kim Park", "country": "DE"}
PLACE = {"street": "Torstr. 1", "zipcode": "10119", "city": "Berlin"}
CARD = "4242 4242 4242 4242"
GUESSES = "Too many codes were tried. Please wait a while, or pay without another code."


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(seller_country="DE")
    return shop


async def open_page(shop: Shop, **fields: object) -> httpx.Response:
    created = await create_session(shop, item(await shop.product(2000)), **fields)
    return await shop.browser.get(created["checkout_url"])


async def euros_only(shop: Shop, **fields: object) -> httpx.Response:
    """Open a session that offers another currency, in which its only payment method cannot be used."""
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", adaptive_fees="none")
    return await open_page(shop, customer=ANA, allowed_payment_method_types=["sepa"], **fields)


def general_error(page: httpx.Response) -> str:
    """Return the sentence above the form that belongs to no field."""
    notice = page.text.partition('id="detail-errors"')[2].partition("<ul>")[0]
    return html.unescape(notice.partition("<p>")[2].partition("</p>")[0])


@pytest.mark.parametrize("name", ["code", "phone", "tax_id", "street", "business_name", "email"])
async def test_a_card_number_is_never_shown_again(shop: Shop, name: str) -> None:
    page = await open_page(shop)
    before = await dump(shop.runtime)
    for typed in (CARD, CARD.replace(" ", ""), CARD.replace(" ", "-")):
        refused = await send(shop.browser, page, **TYPED | PLACE | {name: typed})
        assert (refused.status_code, list(errors_of(refused)), fields_of(refused)[name]) == (422, [name], "")
        assert typed not in refused.text
    assert await dump(shop.runtime) == before


async def test_a_refused_code_can_be_corrected(shop: Shop) -> None:
    await shop.percentage("TEN", 1000)
    page = await open_page(shop)
    refused = await send(shop.browser, page, code="TENN", apply="yes")
    assert errors_of(refused) == {"code": "This code is not valid."}
    assert fields_of(refused)["code"] == "TENN"
    applied = await send(shop.browser, refused, code="TEN", apply="yes")
    assert (applied.status_code, total_of(applied), fields_of(applied)["code"]) == (200, "$18.00", "")


async def test_applying_nothing_says_so(shop: Shop) -> None:
    page = await open_page(shop)
    empty = await send(shop.browser, page, code=" ", apply="yes")
    assert (empty.status_code, errors_of(empty)) == (422, {"code": "Enter a discount code."})


async def test_a_refusal_at_a_field_that_the_form_lacks_is_said_above_it(shop: Shop) -> None:
    page = await euros_only(shop, billing_address=ADDRESS)
    assert "country" not in fields_of(page) and total_of(page) == "€18.40"
    refused = await send(shop.browser, page, currency="GBP", update="yes")
    sentence = "There is no payment method for this country: Germany. Your order stays as it was."
    assert (refused.status_code, errors_of(refused), general_error(refused)) == (422, {}, sentence)


async def test_another_currency_is_no_guess(shop: Shop) -> None:
    await shop.percentage("HALF", 5000)
    page = await euros_only(shop)
    filled = {"country": "DE", "currency": "GBP", "update": "yes"}
    page = await send(shop.browser, page, country="DE", update="yes")
    for _ in range(21):
        refused = await send(shop.browser, page, **filled)
        assert (refused.status_code, list(errors_of(refused))) == (422, ["country"])
    halved = await send(shop.browser, page, code="HALF", apply="yes")
    assert (halved.status_code, total_of(halved)) == (200, "€9.20")


async def test_tax_ids_are_guesses(shop: Shop) -> None:
    page = await open_page(shop)
    for number in range(20):
        assert list(errors_of(await send(shop.browser, page, tax_id=f"DE{number}", update="yes"))) == ["tax_id"]
    refused = await send(shop.browser, page, code="NOPE", apply="yes")
    assert errors_of(refused) == {"code": GUESSES}


async def test_the_longest_form_in_any_script_fits(shop: Shop) -> None:
    letter = "\U00020000"  # four bytes in UTF-8, twelve as a form is sent
    questions = [{"key": f"q{place}", "label": "Say", "field_type": "text"} for place in range(MAXIMUM_CUSTOM_FIELDS)]
    page = await open_page(shop, custom_fields=questions)
    answers = {f"custom_{place}": letter * MAXIMUM_ANSWER for place in range(MAXIMUM_CUSTOM_FIELDS)}
    address = {name: letter * LENGTHS[name] for name in ("customer_name", "street", "city", "business_name")}
    email = {"email": f"{'k' * 60}@{'x' * 60}.{'y' * 60}.{'z' * 60}.com"}
    codes = {f"code_{place}": letter * MAXIMUM_CODE for place in range(MAXIMUM_CODES)} | {"code": letter * MAXIMUM_CODE}
    refused = await send(shop.browser, page, **TYPED | PLACE | address | email | answers | codes)
    assert (refused.status_code, list(errors_of(refused))) == (422, ["code"])
    assert {name: fields_of(refused)[name] for name in answers | address} == answers | address
    too_large = await shop.browser.post(str(page.url), data={"custom_0": "x" * MAXIMUM_FORM})
    assert too_large.status_code == 413
    assert (await send(shop.browser, page, **TYPED | PLACE | address | answers)).status_code == 303


async def test_a_tax_id_that_may_be_a_card_number_is_refused(shop: Shop) -> None:
    """Nothing is known by which a tax id of Panama could be checked."""
    page = await send(shop.browser, await open_page(shop), country="PA", update="yes")
    before = await dump(shop.runtime)
    refused = await send(shop.browser, page, **TYPED | {"country": "PA", "city": "Panama", "tax_id": CARD})
    assert (refused.status_code, list(errors_of(refused)), CARD in refused.text) == (422, ["tax_id"], False)
    assert await dump(shop.runtime) == before


@pytest.mark.parametrize(
    ("typed", "field"), [({"tax_id": "DE1"}, "tax_id"), ({"code": "NOPE"}, "code"), ({"country": "AT"}, "country")]
)
async def test_what_was_typed_stays_with_a_refusal(shop: Shop, typed: dict[str, str], field: str) -> None:
    await shop.settings(blocked_countries="AT")
    page = await send(shop.browser, await open_page(shop), country="DE", update="yes")
    refused = await send(shop.browser, page, **TYPED | PLACE | {"business_name": "Kim GmbH"} | typed)
    assert (refused.status_code, list(errors_of(refused))) == (422, [field])
    kept = ["email", "customer_name", "street", "city", "business_name"] + ["zipcode"] * (field != "country")
    expected = TYPED | PLACE | {"business_name": "Kim GmbH"}
    assert {name: fields_of(refused)[name] for name in kept} == {name: expected[name] for name in kept}


async def test_the_form_may_lead_to_a_seller_who_wants_the_buyer_at_once(shop: Shop) -> None:
    """The buyer may have paid in another window: this form leads on to the payment, and that to the seller."""

    def form_action(page: httpx.Response) -> str:
        return page.headers["content-security-policy"].partition("form-action ")[2]

    where = {"return_url": "https://shop.example.com/thanks"}
    assert form_action(await open_page(shop, **where)) == "'self'"
    at_once = await open_page(shop, **where, feature_flags={"redirect_immediately": True})
    assert form_action(at_once) == "'self' https:"
