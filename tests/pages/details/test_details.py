"""Contact, address and tax id on the payment page: what is asked, what a change does to the price, what is refused."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import PaymentOptions
from nicobar.flows.runtime import Runtime
from nicobar.pages.details.address_parts import address_parts, missing_parts
from nicobar.pages.texts.texts import load_texts
from nicobar.reference import countries
from orders import attempts_of, dump, pay, token_of
from pages.changing import ANA, BERLIN, can_pay, error_of, fields_of, link, nothing_changes, send_details, total_of
from repricing import current
from shop import EXAMPLE_RATES, Shop

GERMAN = "DE136695976"


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(tax="table", seller_country="US")
    return shop


async def test_known_details_are_filled_in_and_need_no_second_look(shop: Shop, browser: httpx.AsyncClient) -> None:
    page = await browser.get(f"/{(await link(shop, tax_id=GERMAN, customer_business_name='Lima GmbH')).link_id}")
    form = fields_of(page.text)
    assert {name: form[name] for name in BERLIN} == BERLIN
    assert (form["tax_id"], form["business_name"]) == (GERMAN, "Lima GmbH")
    assert "Unter den Linden 1, 10117, Berlin, Germany" in page.text
    assert f"Lima GmbH, {GERMAN}" in page.text
    assert "a•••@e•••.com" in page.text
    assert "ana.lima" not in page.text and "Ana Lima" not in page.text
    assert can_pay(page)
    assert set(form) == {"token", *BERLIN, "tax_id", "business_name"}


@pytest.mark.parametrize(
    ("country", "asked", "needed"),
    [
        ("US", ["street", "city", "state", "zipcode"], ["city", "state", "zipcode"]),
        ("DE", ["street", "zipcode", "city"], ["zipcode", "city"]),
        ("IE", ["street", "zipcode", "city", "state"], ["city"]),
        ("HK", ["street", "city", "state"], ["state"]),
        ("IN", ["street", "city", "state", "zipcode"], ["city", "state", "zipcode"]),
        ("PT", ["street", "zipcode", "city", "state"], ["zipcode", "city"]),
        ("SG", ["street", "zipcode", "city"], ["zipcode"]),
    ],
)
async def test_the_country_decides_what_is_asked(
    shop: Shop, browser: httpx.AsyncClient, country: str, asked: list[str], needed: list[str]
) -> None:
    payment = await link(shop, billing={"country": country})
    page = await browser.get(f"/{payment.link_id}")
    names = [name for name in fields_of(page.text) if name not in ("token", "country", "tax_id", "business_name")]
    positions = {name: page.text.index(f'id="{name}"') for name in names}
    assert sorted(positions, key=positions.__getitem__) == asked
    required = [name for name in asked if "required" in page.text[positions[name] :].partition(">")[0]]
    assert required == needed
    assert not can_pay(page), "first the details, then the payment"
    refused = await send_details(browser, payment)
    assert refused.status_code == 422
    assert [name for name in asked if f'id="{name}-error"' in refused.text] == needed
    assert await current(shop, payment.payment_id) == payment


@pytest.mark.parametrize(
    ("country", "label", "wrong", "right", "kept"),
    [
        ("US", "ZIP code", "1234", "94105-1234", "94105-1234"),
        ("GB", "Postal code", "12345", "sw1a  1aa", "SW1A 1AA"),
        ("IN", "PIN code", "ABC", "400001", "400001"),
        ("IE", "Eircode", "1", "a65 f4e2", "A65 F4E2"),
        ("DE", "Postal code", "1011", "10117", "10117"),
    ],
)
async def test_postal_codes_have_their_name_and_form(
    shop: Shop, browser: httpx.AsyncClient, country: str, label: str, wrong: str, right: str, kept: str
) -> None:
    payment = await link(shop, billing={"country": country, "city": "X", "state": "CA" if country == "US" else "X"})
    assert f">{label}" in (await browser.get(f"/{payment.link_id}")).text
    refused = await send_details(browser, payment, zipcode=wrong)
    assert (refused.status_code, fields_of(refused.text)["zipcode"]) == (422, wrong)
    named = label.lower() if label == "Postal code" else label
    assert error_of(refused, "zipcode").startswith(f"Check the {named}: ")
    assert (await current(shop, payment.payment_id)).billing.zipcode is None
    assert (await send_details(browser, payment, zipcode=right)).status_code == 303
    assert (await current(shop, payment.payment_id)).billing.zipcode == kept


@pytest.mark.parametrize("country", countries.ALL, ids=lambda country: country.alpha2)
def test_every_country_has_its_words(country: countries.Country) -> None:
    """Labels and errors are composed from the kinds of postal code and state; each kind needs its sentences."""
    texts = load_texts("en")
    state = "details.state" if country.state_kind is None else f"details.state_{country.state_kind}"
    kind = country.postal_code_kind
    for key in (
        state,
        f"details.zipcode_{kind}",
        f"details.zipcode_{kind}_missing",
        f"details.zipcode_{kind}_unreadable",
    ):
        assert key in texts
    assert set(missing_parts(PaymentOptions(), Address(country.alpha2))) <= set(address_parts(country)), (
        "what is needed is asked"
    )


async def test_states_are_chosen_where_all_are_known(shop: Shop, browser: httpx.AsyncClient) -> None:
    address = {"country": "US", "city": "Mobile", "zipcode": "36602", "street": "1 Dauphin St", "state": "alabama"}
    payment = await link(shop, billing=address)
    page = await browser.get(f"/{payment.link_id}")
    assert (total_of(page), can_pay(page)) == ("$20.80", True)
    assert page.text.partition('id="details"')[2].partition("</form>")[0].count("<option") == 249 + 63
    assert fields_of(page.text)["state"] == "AL"
    assert (await send_details(browser, payment)).status_code == 303
    assert await current(shop, payment.payment_id) == payment, "a state that is written in full stays as it was written"
    await send_details(browser, payment, state="AZ", zipcode="85001")
    changed = await current(shop, payment.payment_id)
    assert (changed.billing.state, changed.tax, changed.total_amount) == ("AZ", 112, 2112)
    assert error_of(await send_details(browser, payment, state="XX"), "state") == "Please fill in: State."


@pytest.mark.parametrize(
    ("settings", "country", "amounts", "shown"),
    [
        ({}, "FR", ("USD", 2000, 400, 2400), "$24.00"),
        ({}, "US", ("USD", 2000, 0, 2000), "$20.00"),
        ({}, "JP", ("USD", 2000, 200, 2200), "$22.00"),
        ({"tax": "off"}, "FR", ("USD", 2000, 0, 2000), "$20.00"),
        ({"adaptive_pricing": "on"}, "FR", ("EUR", 1840, 368, 2208), "€22.08"),
        ({"adaptive_pricing": "on"}, "JP", ("JPY", 2987, 299, 3286), "¥3,286"),
        ({"adaptive_pricing": "on", "adaptive_fees": "dodo"}, "IN", ("INR", 173_056, 31_150, 204_206), "₹2,042.06"),
    ],
)
async def test_another_country_is_another_price(
    shop: Shop,
    browser: httpx.AsyncClient,
    settings: dict[str, str],
    country: str,
    amounts: tuple[str, int, int, int],
    shown: str,
) -> None:
    await shop.settings(**settings)
    payment = await link(shop)
    answer = await send_details(browser, payment, country=country, update="yes")
    assert answer.status_code == 200
    assert total_of(answer) == shown
    changed = await current(shop, payment.payment_id)
    assert (changed.currency, changed.subtotal, changed.tax, changed.total_amount) == amounts
    kept = "10117" if country in ("FR", "US") else None
    assert changed.billing == Address(country, "Berlin", None, "Unter den Linden 1", kept), "what fits is kept"
    explained = await shop.read(f"/payments/{payment.payment_id}/explain")
    assert (explained["recomputed"], explained["total_amount"]) == (True, amounts[3])
    assert fields_of(answer.text)["token"] == token_of(await browser.get(f"/{payment.link_id}"))


async def test_a_new_country_is_asked_for_what_it_needs(shop: Shop, browser: httpx.AsyncClient) -> None:
    """Without scripts the form of the old country brings the new one, which asks for its own fields next."""
    payment = await link(shop, customer={"email": "ben@example.com"})
    answer = await send_details(browser, payment, country="US", customer_name="Zoe Ode")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{payment.link_id}#pay")
    page = await browser.get(f"/{payment.link_id}")
    assert ("field-error" in page.text, can_pay(page), total_of(page)) == (False, False, "$20.00")
    assert 'id="state"' in page.text and ">ZIP code" in page.text
    asked = await current(shop, payment.payment_id)
    assert (asked.billing.country, asked.billing.zipcode, asked.customer.name) == ("US", "10117", "Zoe Ode")
    assert (await send_details(browser, payment, state="AL", zipcode="36602")).status_code == 303
    page = await browser.get(f"/{payment.link_id}")
    assert (total_of(page), can_pay(page)) == ("$20.80", True)


async def test_a_blocked_country_is_refused_and_paying_goes_on(shop: Shop, browser: httpx.AsyncClient) -> None:
    await shop.settings(blocked_countries="KP,AF")
    payment = await link(shop)
    page = await browser.get(f"/{payment.link_id}")
    assert 'value="KP"' not in page.text
    before = await dump(shop.runtime)
    refused = await send_details(browser, payment, country="KP")
    assert await nothing_changes(shop, before)
    assert refused.status_code == 422
    sentence = "This order cannot be paid from this country: North Korea. It stays as it was."
    assert error_of(refused, "country") == sentence
    assert (total_of(refused), can_pay(refused)) == ("$23.80", True)
    assert fields_of(refused.text)["country"] == "DE"
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    assert (await current(shop, payment.payment_id)).status == "succeeded"


async def test_a_country_without_a_way_to_pay_is_refused(shop: Shop, browser: httpx.AsyncClient) -> None:
    await shop.settings(adaptive_pricing="on")
    payment = await link(shop, allowed_payment_method_types=["sepa"])
    before = await dump(shop.runtime)
    refused = await send_details(browser, payment, country="US", update="yes")
    assert await nothing_changes(shop, before)
    assert error_of(refused, "country").startswith("There is no payment method for this country: United States.")
    assert total_of(refused) == "€21.90"


async def test_a_code_that_the_new_country_breaks_is_told(shop: Shop, browser: httpx.AsyncClient) -> None:
    """In France the product has a price of its own, too small for the code."""
    product = await shop.product(2000, pricing_mode="by_country")
    await shop.localized_price(product, 500, "USD", "FR")
    row = {"currency": "USD", "max_amount_possible": 500, "minimum_subtotal": 1000}
    await shop.flat("FIVE", 500, currency_options=[row])
    payment = await link(shop, {"product_id": product, "quantity": 1}, discount_codes=["FIVE"])
    assert payment.total_amount == 1785
    before = await dump(shop.runtime)
    refused = await send_details(browser, payment, country="FR")
    assert await nothing_changes(shop, before)
    assert error_of(refused, "country").startswith("Your discount code does not work with this country: France.")
    assert (total_of(refused), can_pay(refused)) == ("$17.85", True)


async def test_a_valid_tax_id_takes_the_tax_away(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop)
    answer = await send_details(browser, payment, tax_id="de 136 695 976", business_name="Lima GmbH")
    assert answer.status_code == 303
    page = await browser.get(f"/{payment.link_id}")
    assert (total_of(page), fields_of(page.text)["tax_id"]) == ("$20.00", GERMAN)
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    paid = await current(shop, payment.payment_id)
    assert (paid.status, paid.total_amount, paid.options.customer_business_name) == ("succeeded", 2000, "Lima GmbH")
    assert [attempt["amount"] for attempt in await attempts_of(shop.runtime, paid)] == [2000]


async def test_a_wrong_tax_id_stands_in_nobodys_way(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop)
    refused = await send_details(browser, payment, tax_id="DE123", business_name="Lima GmbH", city="Potsdam")
    assert refused.status_code == 422
    assert error_of(refused, "tax_id").startswith("This is not a valid tax ID for your country.")
    assert (fields_of(refused.text)["tax_id"], fields_of(refused.text)["business_name"]) == ("DE123", "Lima GmbH")
    assert (total_of(refused), can_pay(refused)) == ("$23.80", True)
    changed = await current(shop, payment.payment_id)
    assert (changed.options.tax_id, changed.billing.city) == (None, "Potsdam")
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303


async def test_a_tax_id_of_the_old_country_goes_with_it(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop, tax_id=GERMAN)
    assert payment.total_amount == 2000
    moved = await send_details(browser, payment, country="FR", update="yes")
    assert moved.status_code == 422
    assert error_of(moved, "tax_id").startswith("This is not a valid tax ID for your country.")
    assert (fields_of(moved.text)["tax_id"], total_of(moved)) == (GERMAN, "$24.00")
    changed = await current(shop, payment.payment_id)
    assert (changed.billing.country, changed.options.tax_id) == ("FR", None)


async def test_tax_ids_cannot_be_guessed_without_end(shop: Shop, browser: httpx.AsyncClient, clock: FakeClock) -> None:
    payment = await link(shop)
    for _ in range(20):
        await send_details(browser, payment, tax_id="DE123")
    tired = await send_details(browser, payment, tax_id=GERMAN)
    assert error_of(tired, "tax_id").startswith("Too many tax IDs were tried.")
    assert can_pay(tired)
    clock.advance(minutes=3)
    assert (await send_details(browser, payment, tax_id=GERMAN)).status_code == 303


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("030 1234567", "+49301234567"), ("+1 (415) 555-2671", "+14155552671"), ("0049301234567", "+49301234567")],
)
async def test_a_phone_number_is_demanded_and_belongs_to_the_customer(
    shop: Shop, browser: httpx.AsyncClient, typed: str, kept: str
) -> None:
    payment = await link(shop, require_phone_number=True)
    before = await dump(shop.runtime)
    assert not can_pay(await browser.get(f"/{payment.link_id}"))
    assert error_of(await send_details(browser, payment), "phone") == "Enter your phone number."
    for wrong in ("call me", "1", "12", "+999 123", "+1 415"):
        answer = await send_details(browser, payment, phone=wrong)
        assert error_of(answer, "phone").startswith("Check the phone number.")
        assert fields_of(answer.text)["phone"] == wrong
    refused = await pay(browser, f"/{payment.link_id}")
    assert (refused.status_code, error_of(refused, "phone")) == (422, "Enter your phone number.")
    assert await nothing_changes(shop, before)
    assert (await send_details(browser, payment, phone=typed)).status_code == 303
    known = await shop.read(f"/customers/{payment.customer.customer_id}")
    assert known["phone_number"] == kept
    page = await browser.get(f"/{payment.link_id}")
    assert can_pay(page) and 'name="phone"' in page.text, "what was told here can be corrected here"
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303


async def test_a_known_phone_number_is_not_asked_for(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop, require_phone_number=True, customer=ANA | {"phone_number": "+49301234567"})
    page = await browser.get(f"/{payment.link_id}")
    assert 'name="phone"' not in page.text and "301234567" not in page.text
    await send_details(browser, payment, phone="+33140205050")
    assert (await current(shop, payment.payment_id)).customer.phone_number == "+49301234567"


async def test_a_missing_name_is_collected_and_corrected_where_it_was_told_and_nowhere_else(
    shop: Shop, browser: httpx.AsyncClient
) -> None:
    payment = await link(shop, customer={"email": "ben@example.com"})
    assert error_of(await send_details(browser, payment, customer_name=" "), "customer_name") == "Enter your full name."
    assert (await send_details(browser, payment, customer_name=" Zoe  Ode ")).status_code == 303
    page = await browser.get(f"/{payment.link_id}")
    assert can_pay(page) and fields_of(page.text)["customer_name"] == "Zoe Ode"
    assert (await send_details(browser, payment, customer_name="Zoë Ode")).status_code == 303
    other = await link(shop, customer={"email": "ben@example.com"})
    page = await browser.get(f"/{other.link_id}")
    assert can_pay(page) and "customer_name" not in page.text and "Ode" not in page.text
    token = token_of(page)
    await browser.post(f"/{other.link_id}/details", data=BERLIN | {"token": token, "customer_name": "Eve"})
    assert (await current(shop, payment.payment_id)).customer.name == "Zoë Ode"


async def test_an_update_asks_for_the_price_and_keeps_what_is_typed(shop: Shop, browser: httpx.AsyncClient) -> None:
    unknown: dict[str, Any] = {"billing": {"country": "DE"}, "customer": {"email": "b@example.com"}}
    payment = await link(shop, **unknown, require_phone_number=True)
    typed = {"country": "FR", "customer_name": "Ben", "phone": "01 40 20 50 50", "city": "Paris"}
    answer = await send_details(browser, payment, **typed, update="yes")
    assert (answer.status_code, "field-error" in answer.text, total_of(answer)) == (200, False, "$24.00")
    form = fields_of(answer.text)
    assert {name: form[name] for name in typed} == typed
    changed = await current(shop, payment.payment_id)
    assert (changed.customer.name, changed.customer.phone_number) == ("", None)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("city", "x" * 251, "This can have at most 250 characters."),
        ("zipcode", "1" * 33, "This can have at most 32 characters."),
        ("street", "a\x00b", "This holds the character U+0000 (2), which cannot be used."),
        ("business_name", "x" * 251, "This can have at most 250 characters."),
        ("tax_id", "1" * 65, "This can have at most 64 characters."),
        ("country", "XX", "Choose your country."),
        ("country", "de", "Choose your country."),
        ("city", "", "Enter your city."),
    ],
)
async def test_what_cannot_be_stored_is_refused_at_its_field(
    shop: Shop, browser: httpx.AsyncClient, field: str, value: str, sentence: str
) -> None:
    payment = await link(shop)
    refused = await send_details(browser, payment, **{field: value})
    assert (refused.status_code, error_of(refused, field)) == (422, sentence)
    assert f'<a href="#{field}">' in refused.text
    assert can_pay(refused)
    assert await current(shop, payment.payment_id) == payment


async def test_a_free_order_asks_for_no_address(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop, *[{"product_id": await shop.product(0), "quantity": 1}], billing={"country": "US"})
    page = await browser.get(f"/{payment.link_id}")
    assert "Complete order" in page.text and 'id="country"' not in page.text
    assert (await browser.post(f"/{payment.link_id}", data={"token": token_of(page)})).status_code == 303
    assert (await current(shop, payment.payment_id)).status == "succeeded"
