"""A real browser: what people type and paste, how they pay with it, and what stays on the page when something fails."""

import pytest
from playwright.async_api import Browser, Page

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.flows.runtime import Runtime
from orders import attempts_of, line, order, place, reload
from pages.arriving import Merchant, merchant, site
from pages.browsing import visiting
from pages.paying import payment_for

__all__ = ["merchant", "site"]

CARDS = [
    "4242424242424242",
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "4242.4242.4242.4242",
    "4242\u00a04242\u00a04242\u00a04242",
    "4242\u20134242\u20134242\u20134242",
    "\u202d4242424242424242\u202c",
    "４２４２ ４２４２ ４２４２ ４２４２",
    "٤٢٤٢ ٤٢٤٢ ٤٢٤٢ ٤٢٤٢",
    "४२४२ ४२४२ ४२४२ ४२४२",
    "Card: 4242 4242 4242 4242",
    "Kartennummer 4242/4242/4242/4242",
]
EXPIRIES = [
    "4/30",
    "4 30",
    "430",
    "04-30",
    "04/2030",
    "0430",
    "04 / 30",
    "4.30",
    "2030-04",
    "０４／３０",
    "٠٤/٣٠",
    "Exp: 04/30",
]
NAMES = [
    ("Ana Lima", "Ana Lima"),
    (" Ana  Lima ", "Ana Lima"),
    ("Ana\u00a0Lima", "Ana Lima"),
    ("\u202aAna Lima\u202c", "Ana Lima"),
    ("Ana\u200bLima", "AnaLima"),
    ("José Núñez", "José Núñez"),
    ("Jose\u0301 Nu\u0301n\u0303ez", "José Núñez"),
    ("علی\u200cرضا", "علی\u200cرضا"),
    ("山田　太郎", "山田 太郎"),
    ("O’Brien-Smith", "O’Brien-Smith"),
    ("Łukasz Żółć", "Łukasz Żółć"),
    ("நிலா", "நிலா"),
]
PHONES = [
    "030 123456",
    "030/123456",
    "(030) 123-456",
    "030.12.34.56",
    "+49 30 123456",
    "+49\u00a030\u00a0123456",
    "\u202a+49 30 123456\u202c",
    "0049 30 123456",
    "＋４９ ３０ １２３４５６",
    "٠٣٠ ١٢٣٤٥٦",
    "Tel: 030 123456",
    "+49 (0)30 123456",
]
ZIPCODES = [
    ("DE", "10115", "10115"),
    ("DE", "D-10115", "10115"),
    ("DE", "１０１１５", "10115"),
    ("GB", "sw1a1aa", "SW1A 1AA"),
    ("GB", "SW1A-1AA", "SW1A 1AA"),
    ("NL", "1012ab", "1012 AB"),
    ("NL", "NL 1012AB", "1012 AB"),
    ("PL", "00001", "00-001"),
    ("PT", "1000 001", "1000-001"),
    ("SE", "SE-11455", "114 55"),
    ("FR", "75 001", "75001"),
    ("LV", "1010", "LV-1010"),
]


async def fill_card(
    page: Page, number: str = "4242424242424242", expiry: str = "04/30", name: str = "Ana Lima"
) -> None:
    """Paste into each field and leave it."""
    for field, text in (("number", number), ("expiry", expiry), ("cvc", "123"), ("name", name)):
        await page.fill(f"#{field}", text)
        await page.dispatch_event(f"#{field}", "change")


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("spelling", range(12))
async def test_twelve_spellings_pay(
    site: Runtime, tenant: Tenant, chromium: Browser, spelling: int, scripts: bool
) -> None:
    country, typed_zipcode, zipcode = ZIPCODES[spelling]
    typed_name, name = NAMES[spelling]
    known = Buyer(site.new_id("cus", site.clock.now()), "ana@example.com", "", None, {})
    options = {"require_phone_number": True}
    payment = await place(site, order(site, tenant, billing=Address(country), customer=known, options=options))
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        phone = PHONES[spelling]
        if country != "DE" and not phone.startswith(("+", "\u202a+", "＋", "00")):
            phone = "+49 30 123456"
        for field, text in (("customer_name", typed_name), ("phone", phone), ("zipcode", typed_zipcode)):
            await page.fill(f"#{field}", text)
        await page.fill("#city", "Ber\u200blin")
        await page.click("text=Continue to payment")
        await page.wait_for_selector("#number")
        await fill_card(page, CARDS[spelling], EXPIRIES[spelling], typed_name)
        await page.press("#name", "Enter")
        await page.wait_for_selector(".receipt")
    paid = await reload(site, payment)
    assert (paid.status, paid.customer.name, paid.customer.phone_number) == ("succeeded", name, "+4930123456")
    assert (paid.billing.city, paid.billing.zipcode) == ("Berlin", zipcode)
    assert paid.card is not None
    assert (paid.card.last_four, paid.card.exp_month, paid.card.exp_year) == ("4242", "04", "2030")
    assert paid.card.holder_name == name


@pytest.mark.parametrize(
    ("keys", "shown"),
    [("4/30", "04 / 30"), ("4 30", "04 / 30"), ("430", "04 / 30"), ("04-30", "04 / 30"), ("04/2030", "04 / 2030"),
     ("130", "01 / 30"), ("1/30", "01 / 30"), ("1230", "12 / 30"), ("0632", "06 / 32")],
)  # fmt: skip
async def test_an_expiry_is_put_in_order_key_by_key(
    site: Runtime, tenant: Tenant, chromium: Browser, keys: str, shown: str
) -> None:
    payment = await place(site, order(site, tenant))
    async with visiting(chromium) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await page.focus("#expiry")
        await page.keyboard.type(keys)
        assert await page.input_value("#expiry") == shown
        await page.keyboard.press("Tab")
        assert await page.locator("#expiry-error").count() == 0


async def test_an_error_in_one_field_keeps_the_card_that_was_typed(
    site: Runtime, tenant: Tenant, chromium: Browser
) -> None:
    payment = await place(site, order(site, tenant))
    async with visiting(chromium, refused=1) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await fill_card(page, expiry="04/20")
        async with page.expect_response(lambda answer: answer.request.method == "POST") as posted:
            await page.press("#name", "Enter")
        answer = await posted.value
        await page.wait_for_selector("#expiry-error")
        assert (answer.status, "4242424242424242" in await answer.text()) == (422, False)
        assert await page.inner_text("#expiry-error") == "This card has expired. Check the expiry date."
        assert await page.input_value("#number") == "4242 4242 4242 4242"
        assert await page.input_value("#cvc") == "123"
        assert await page.title() == "Error: Pay Dodo Records"
        assert await page.evaluate("document.activeElement.id") == "errors"
        assert await page.locator("[data-part=notice] noscript").is_hidden()
        await page.fill("#expiry", "04/30")
        await page.press("#name", "Enter")
        await page.wait_for_selector(".receipt")
    assert len(await attempts_of(site, payment)) == 1


async def test_a_field_is_checked_when_it_is_left_and_its_brand_is_shown(
    site: Runtime, tenant: Tenant, chromium: Browser
) -> None:
    payment = await place(site, order(site, tenant))
    async with visiting(chromium) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        marks = page.locator("[data-brands]")
        assert await marks.get_attribute("aria-label") == "Visa, Mastercard, American Express, Discover"
        for start, brand in (("4", "Visa"), ("55", "Mastercard"), ("34", "American Express"), ("3528", "JCB")):
            await page.fill("#number", start)
            assert await marks.get_attribute("aria-label") == brand
        await page.fill("#number", "4242 4242 4242 4243")
        assert await page.locator("#number-error").count() == 0, "nobody is interrupted while typing"
        await page.press("#number", "Tab")
        assert await page.inner_text("#number-error") == "Check the card number: it has a mistake in it."
        assert await page.get_attribute("#number", "aria-describedby") == "number-error number-hint"
        await page.fill("#number", "4242 4242 4242 4242")
        assert await page.locator("#number-error").count() == 0
        assert await page.get_attribute("#number", "aria-invalid") is None


async def test_details_are_checked_by_the_server_when_they_are_left(
    site: Runtime, tenant: Tenant, chromium: Browser
) -> None:
    known = Buyer(site.new_id("cus", site.clock.now()), "ana@example.com", "", None, {})
    options = {"require_phone_number": True}
    payment = await place(site, order(site, tenant, billing=Address("DE"), customer=known, options=options))
    wrong = {
        "phone": ("12", "Check the phone number. With a country code it looks like +14155552671."),
        "customer_name": (
            "4242424242424242",
            "This looks like a card number. Enter your card where the page asks for it.",
        ),
        "zipcode": ("1011", "Check the postal code: it does not fit the country."),
    }
    good = {"phone": "030 123456", "customer_name": "Ana Lima", "zipcode": "10115"}
    async with visiting(chromium, refused=3) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        for field, (text, sentence) in wrong.items():
            await page.fill(f"#{field}", text)
            await page.press(f"#{field}", "Tab")
            await page.wait_for_selector(f"#{field}-error")
            assert await page.inner_text(f"#{field}-error") == sentence
            assert (await page.get_attribute(f"#{field}", "aria-describedby") or "").startswith(f"{field}-error")
            await page.fill(f"#{field}", good[field])
            await page.press(f"#{field}", "Tab")
            await page.wait_for_selector(f"#{field}-error", state="detached")
            assert await page.get_attribute(f"#{field}", "aria-invalid") is None
        asked = await reload(site, payment)
        assert (asked.customer.name, asked.customer.phone_number) == ("", None), "nothing is stored for a question"
        await page.fill("#city", "Berlin")
        await page.click("text=Continue to payment")
        await page.wait_for_selector("#number")
        await page.fill("#name", "4242 4242 4242 4242")
        await page.press("#name", "Tab")
        assert await page.inner_text("#name-error") == "Enter the name that is printed on your card, not its number."
        await page.fill("#name", "Ana Lima")
        assert await page.locator("#name-error").count() == 0


@pytest.mark.parametrize(
    ("method", "field", "wrong", "right"),
    [
        ("sepa", "iban", "DE89 3704 0044 0532 0130 01", "iban de89-3704 0044 0532 0130 00"),
        ("ach", "routing", "110000001", "1100-0000 0"),
        ("ach", "account", "123", "0001 2345 6789"),
        ("upi_collect", "upi_id", "success", "success@okbank"),
        ("blik", "blik_code", "12345", "١٢٣ ٤٥٦"),
        ("pix", "tax_number", "123456789012345", "CPF: 123.456.789-09"),
    ],
)
async def test_a_bank_number_is_checked_when_it_is_left(
    site: Runtime, tenant: Tenant, chromium: Browser, method: str, field: str, wrong: str, right: str
) -> None:
    payment = await payment_for(site, tenant, method)
    async with visiting(chromium) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        chosen = page.locator(f"#method-{method}")
        if await chosen.count():
            if not await chosen.is_visible():
                await page.click(".more-methods > summary")
            await chosen.check()
        await page.fill(f"#{field}", wrong)
        await page.press(f"#{field}", "Tab")
        assert (await page.inner_text(f"#{field}-error")).startswith("Check ")
        await page.fill(f"#{field}", right)
        await page.press(f"#{field}", "Tab")
        assert await page.locator(f"#{field}-error").count() == 0


async def test_without_a_script_another_language_keeps_what_was_typed(
    site: Runtime, tenant: Tenant, chromium: Browser
) -> None:
    known = Buyer(site.new_id("cus", site.clock.now()), "ana@example.com", "", None, {})
    payment = await place(site, order(site, tenant, customer=known))
    async with visiting(chromium, java_script_enabled=False) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await page.fill("#customer_name", "Ana Lima")
        await page.fill("#street", "Rue 1")
        await page.click(".languages summary")
        await page.click(".languages >> text=Deutsch")
        await page.wait_for_selector("html[lang=de]")
        assert await page.input_value("#customer_name") == "Ana Lima"
        assert await page.input_value("#street") == "Rue 1"
        await page.click(".details-form .button")
        await page.wait_for_selector("#number")
        await page.fill("#name", "Ana Lima")
        await page.fill("#expiry", "04/30")
        await page.click(".languages summary")
        await page.click(".languages >> text=français")
        await page.wait_for_selector("html[lang=fr]")
        assert (await page.input_value("#name"), await page.input_value("#expiry")) == ("Ana Lima", "04 / 30")
        await page.fill("#number", "4242 4242 4242 4242")
        await page.fill("#cvc", "123")
        await page.press("#name", "Enter")
        await page.wait_for_selector(".receipt")
        assert await page.get_attribute("html", "lang") == "fr"
    paid = await reload(site, payment)
    assert (paid.status, paid.customer.name, paid.billing.street) == ("succeeded", "Ana Lima", "Rue 1")


async def test_offline_the_page_stays_and_says_so(site: Runtime, tenant: Tenant, chromium: Browser) -> None:
    payment = await place(site, order(site, tenant))
    context = await chromium.new_context(locale="en-US")
    page = await context.new_page()
    await page.goto(f"{site.public_url}/{payment.link_id}")
    await fill_card(page)
    await context.set_offline(True)
    await page.press("#name", "Enter")
    await page.wait_for_selector("[data-trouble]:focus")
    assert "We could not reach the server." in await page.inner_text("[data-trouble]")
    await page.click("text=Change")
    await page.select_option("#country", "DE")
    await page.wait_for_selector("[data-trouble]:focus")
    assert await page.input_value("#country") == "DE"
    assert await page.input_value("#number") == "4242 4242 4242 4242"
    assert (await reload(site, payment)) == payment
    await context.set_offline(False)
    await page.press("#name", "Enter")
    await page.wait_for_selector(".receipt")
    await context.close()
    assert len(await attempts_of(site, payment)) == 1


@pytest.mark.parametrize("at_once", [True, False])
async def test_going_back_to_the_receipt_does_not_throw_off_again(
    site: Runtime, tenant: Tenant, merchant: Merchant, chromium: Browser, at_once: bool
) -> None:
    options = {"return_url": merchant.url, "redirect_immediately": at_once}
    payment = await place(site, order(site, tenant, options=options))
    async with visiting(chromium) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await fill_card(page)
        await page.press("#name", "Enter")
        if not at_once:
            await page.wait_for_selector(".receipt [data-stay]")
        await page.wait_for_url("http://localhost:*/thanks")
        await page.goto(f"{site.public_url}/{payment.link_id}")
        assert await page.inner_text("h1") == "Payment received"
        assert await page.locator("[data-stay]").count() == 0


@pytest.mark.parametrize("lang", ["en", "ar", "de", "th"])
async def test_long_words_wrap_on_the_narrowest_phone(
    site: Runtime, tenant: Tenant, chromium: Browser, lang: str
) -> None:
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    lines = [line(0, 2000, 0, 0, name=word), line(1, 10, 0, 0, name="ألبومرقميطويلجدا" * 5, description=word)]
    payment = await place(site, order(site, tenant, lines=lines, billing=Address("US", word, "NY", word, "10118")))
    async with visiting(chromium, java_script_enabled=True) as page:
        await page.set_viewport_size({"width": 320, "height": 640})
        await page.goto(f"{site.public_url}/{payment.link_id}?lang={lang}")
        await page.click(".order-fold > summary")
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
