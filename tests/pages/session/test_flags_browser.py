"""Every flag, customization and kind of question of a session in Chromium: with scripts and without, on a phone."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from starlette.types import ASGIApp

from api.sessions.opening import ADDRESS, ANA, create_session
from api.subscriptions.subscribing import PRICE
from harness import FakeClock, Merchant
from nicobar.core.sessions.checkout_session import Customization, FeatureFlags
from nicobar.flows.runtime import Runtime
from nicobar.storage.payments.payments import get_payment
from orders import dump, pay
from pages.axe import obstacles
from pages.browsing import online, visiting
from pages.session.flag_cases import CASES, COLOURS, COMPANY
from saved_cards import CONSENT
from shop import EXAMPLE_RATES, Shop, item

REFUSED = "the server responded with a status of 4"
BACKGROUND = "getComputedStyle(document.querySelector('.pay')).backgroundColor"
PARTS = "[...document.querySelectorAll('[id], a, summary')].map((part) => part.tagName + part.id).join()"
"""What a page is made of: one with the same parts needs no second look by axe."""

CARD = (("number", "4242424242424242"), ("expiry", "06/32"), ("cvc", "123"), ("name", "Kim Park"))
WITH_AND_WITHOUT = pytest.mark.parametrize("scripts", [True, False])

QUESTIONS: list[list[tuple[dict[str, Any], str, str]]] = [
    # the question, what is typed, and the answer as it is kept
    [
        ({"field_type": "text"}, "Ring twice", "Ring twice"),
        ({"field_type": "number"}, "1,5", "1.5"),
        ({"field_type": "email"}, "ada@example.com", "ada@example.com"),
        ({"field_type": "url"}, "https://example.com/a", "https://example.com/a"),
        ({"field_type": "date"}, "05172026", "2026-05-17"),
    ],
    [
        ({"field_type": "dropdown", "options": ["Small", "Large"]}, "L", "Large"),
        ({"field_type": "boolean"}, " ", "true"),
    ],
]
WRONG = {"text": "4242 4242 4242 4242", "number": "many", "email": "ada@", "url": "javascript:alert(1)"}


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", adaptive_fees="none", seller_country="DE")
    return shop


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[str]:
    """The address of a real server on the shop's database."""
    async with online(runtime) as runtime:
        yield runtime.public_url


async def plan_with_addon(shop: Shop) -> str:
    """Return a product of 30 dollars a month, which can be bought with seats of 5."""
    seat = {"name": "Seat", "price": 500, "currency": "USD", "tax_category": "saas"}
    addon_id = (await shop.client.post("/addons", json=seat)).json()["id"]
    body = {"name": "Club", "tax_category": "saas", "price": PRICE, "addons": [addon_id]}
    product_id: str = (await shop.client.post("/products", json=body)).json()["product_id"]
    return product_id


async def opened(shop: Shop, site: str, page: Page, product: str, **fields: Any) -> str:
    """Create a session, open its page, and return its id."""
    session_id: str = (await create_session(shop, item(product), **fields))["session_id"]
    await page.goto(f"{site}/session/{session_id}")
    return session_id


async def payment_of(shop: Shop, session_id: str) -> dict[str, Any]:
    return await shop.read(f"/payments/{(await shop.read(f'/checkouts/{session_id}'))['payment_id']}")


async def company_of(shop: Shop, shown: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the tax id and the name of the company that a payment keeps, which the API does not show."""
    async with shop.runtime.database.read() as read:
        payment = await get_payment(read, shop.merchant.tenant, shown["payment_id"])
    assert payment is not None
    return payment.options.tax_id, payment.options.customer_business_name


async def walk_to(page: Page, selector: str) -> None:
    """Press the tabulator until an element has the focus."""
    for _ in range(80):
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        await page.keyboard.press("Tab")
    pytest.fail(f"{selector} cannot be reached by keyboard")


async def type_into(page: Page, **texts: str) -> None:
    """Walk to fields in the order of the page, and type into them instead of what they hold."""
    for name, text in texts.items():
        await walk_to(page, f"#{name}")
        await page.keyboard.press("Control+A")
        await page.keyboard.type(text)


async def unfold(page: Page, name: str) -> None:
    """Walk to the fold that hides a field, and open it."""
    await walk_to(page, f"details:has(#{name}) > summary")
    await page.keyboard.press("Enter")


async def send_and_pay(page: Page) -> None:
    """Send the session's form, and pay by card on the page that follows, without the mouse."""
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#number")
    await type_into(page, **dict(CARD))
    await page.keyboard.press("Enter")


def test_every_flag_and_customization_is_in_the_table() -> None:
    """Those without a look of their own are in the tests below, which pay."""
    pays = {"always_create_new_customer", "redirect_immediately", "require_tax_id", "theme"}
    parts = [case.fields.get(part, {}) for case in CASES for part in ("feature_flags", "customization")]
    named = {name for part in parts for name in part}
    assert named | pays == {*FeatureFlags.__struct_fields__, *Customization.__struct_fields__}


@WITH_AND_WITHOUT
async def test_each_flag_shows_or_hides_what_it_is_about(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    products = {"guide": await shop.product(10_000), "plan": await plan_with_addon(shop)}
    failed: list[str] = []
    looked_at: set[str] = set()
    async with visiting(chromium, java_script_enabled=scripts) as page:
        for case in CASES:
            await opened(shop, site, page, products[case.cart], **case.fields)
            if bool(await page.locator(case.selector).count()) is not case.seen:
                failed.append(str(case))
            if await page.evaluate("document.documentElement.scrollWidth") > 360:
                failed.append(f"{case.fields} is wider than a phone")
            parts = await page.evaluate(PARTS)
            if scripts and parts not in looked_at:
                failed.extend(await obstacles(page))
            looked_at.add(parts)
    assert failed == []


@WITH_AND_WITHOUT
async def test_a_theme_has_its_colours(shop: Shop, site: str, chromium: Browser, scripts: bool) -> None:
    product, light, dark = await shop.product(10_000), "rgb(255, 238, 238)", "rgb(0, 0, 51)"
    for scheme in ("light", "dark"):
        own = light if scheme == "light" else dark
        options: dict[str, Any] = {"java_script_enabled": scripts, "color_scheme": scheme}
        async with visiting(chromium, **options) as page:
            for theme, colour in (("light", light), ("dark", dark), ("system", own), (None, own)):
                look = {"theme": theme, "theme_config": COLOURS}
                await opened(shop, site, page, product, customization=look)
                assert await page.evaluate(BACKGROUND) == colour, (theme, scheme)
                assert not scripts or await obstacles(page) == []


@WITH_AND_WITHOUT
async def test_everything_that_may_be_changed_is_changed_and_paid(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    names = ("email", "name", "street", "city", "zipcode", "country", "tax_id", "business_name")
    flags = {f"allow_customer_editing_{name}": True for name in names}
    await shop.percentage("HALF", 5000)
    async with visiting(chromium, java_script_enabled=scripts) as page:
        session_id = await opened(
            shop, site, page, await shop.product(10_000), feature_flags=flags, customer=ANA, **COMPANY
        )
        await type_into(page, email="kim@example.com", customer_name="Kim Park", street="Am Platz 2", zipcode="53111")
        await type_into(page, city="Bonn", business_name="Park GmbH")
        await unfold(page, "code")
        await type_into(page, code="half")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".code-name:has-text('HALF')")
        await walk_to(page, "#city")
        await send_and_pay(page)
        await page.wait_for_selector(".receipt")
    paid = await payment_of(shop, session_id)
    assert (paid["status"], paid["total_amount"], paid["currency"]) == ("succeeded", 4600, "EUR")
    assert (paid["customer"]["email"], paid["customer"]["name"]) == ("kim@example.com", "Kim Park")
    assert paid["billing"] == ADDRESS | {"street": "Am Platz 2", "zipcode": "53111", "city": "Bonn"}
    assert await company_of(shop, paid) == (COMPANY["tax_id"], "Park GmbH")


@WITH_AND_WITHOUT
@pytest.mark.parametrize("at_once", [True, False])
async def test_nothing_that_is_locked_is_asked_and_the_way_back_is_taken(
    shop: Shop, site: str, chromium: Browser, scripts: bool, at_once: bool
) -> None:
    flags = dict.fromkeys(FeatureFlags.__struct_fields__, False) | {"redirect_immediately": at_once}
    known, thanks = await shop.customer("ana@example.com"), f"{site}/health/live"
    async with visiting(chromium, java_script_enabled=scripts) as page:
        fields = {"feature_flags": flags, "customer": ANA, "return_url": thanks}
        session_id = await opened(shop, site, page, await shop.product(10_000), **fields, **COMPANY)
        assert await page.locator("form[data-session] :is(input:not([type=hidden]), select)").count() == 0
        await walk_to(page, "button.button")
        await send_and_pay(page)
        if at_once:
            await page.wait_for_url(re.compile(rf"{re.escape(thanks)}\?payment_id=pay_\S+&status=succeeded\b"))
        else:
            await page.wait_for_selector(f"body:has(.receipt) a[href^='{thanks}?']")
            assert not page.url.startswith(thanks)
    paid = await payment_of(shop, session_id)
    assert (paid["status"], paid["currency"], paid["billing"]) == ("succeeded", "EUR", ADDRESS)
    assert paid["customer"]["customer_id"] == known
    assert await company_of(shop, paid) == (COMPANY["tax_id"], "Lima GmbH")


@WITH_AND_WITHOUT
async def test_what_is_required_is_refused_without_and_kept_with_it(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    """`always_create_new_customer` makes somebody new of a known e-mail address."""
    flags = {"require_phone_number": True, "require_tax_id": True, "always_create_new_customer": True}
    known = await shop.customer("kim@example.com")
    async with visiting(chromium, tolerated=[REFUSED], java_script_enabled=scripts) as page:
        session_id = await opened(
            shop, site, page, await shop.product(10_000), feature_flags=flags, billing_address=ADDRESS
        )
        await type_into(page, email="kim@example.com", customer_name="Kim Park")
        await unfold(page, "business_name")
        await type_into(page, business_name="Park GmbH")
        await page.keyboard.press("Enter")
        assert await page.locator("#phone:invalid").count() == 1
        before = await dump(shop.runtime)
        await page.evaluate("document.querySelector('[data-session]').noValidate = true")
        await walk_to(page, "#business_name")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#detail-errors")
        assert await page.locator("#detail-errors a").all_inner_texts() == [
            "Enter your phone number.",
            "Please fill in: Tax ID.",
        ]
        assert not scripts or await obstacles(page) == []
        assert await dump(shop.runtime) == before
        await type_into(page, phone="+4930555010", tax_id=COMPANY["tax_id"])
        await send_and_pay(page)
        await page.wait_for_selector(".receipt")
    paid = await payment_of(shop, session_id)
    assert paid["status"] == "succeeded"
    assert await company_of(shop, paid) == (COMPANY["tax_id"], "Park GmbH")
    assert paid["customer"]["phone_number"] == "+4930555010"
    found = (await shop.read("/customers", email="kim@example.com"))["items"]
    assert {each["customer_id"] for each in found} == {known, paid["customer"]["customer_id"]}
    assert paid["customer"]["customer_id"] != known == await shop.customer("kim@example.com")


@WITH_AND_WITHOUT
async def test_currency_and_addons_are_chosen_and_the_total_follows(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    flags = {"allow_editing_addons": True, "single_page": True}
    async with visiting(chromium, tolerated=[REFUSED], java_script_enabled=scripts) as page:
        session_id = await opened(shop, site, page, await plan_with_addon(shop), feature_flags=flags)
        await walk_to(page, "[id^=addon_]")
        await page.keyboard.press("Control+A")
        await page.keyboard.type("3")
        await page.keyboard.press("Tab")
        if not scripts:
            await walk_to(page, "button[name=update]")
            await page.keyboard.press("Enter")
        await page.wait_for_selector(".due:has-text('€41.40')")  # 30 and three of 5 dollars, at 0.92
        await walk_to(page, "#currency")
        await page.keyboard.type("GBP")
        if not scripts:
            await walk_to(page, "button[name=update]")
            await page.keyboard.press("Enter")
        await page.wait_for_selector(".due:has-text('£35.55')")  # 45 dollars at 0.79
        assert not scripts or await obstacles(page) == []
        await type_into(page, email="kim@example.com", customer_name="Kim Park", zipcode="10119")
        await walk_to(page, "#number")
        await type_into(page, **dict(CARD))
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
    paid = await payment_of(shop, session_id)
    assert (paid["status"], paid["total_amount"], paid["currency"]) == ("succeeded", 3555, "GBP")
    own = await shop.read(f"/subscriptions/{paid['subscription_id']}")
    assert (own["status"], [each["quantity"] for each in own["addons"]]) == ("active", [3])


@WITH_AND_WITHOUT
@pytest.mark.parametrize("offered", [True, False])
async def test_saved_cards_are_offered_where_the_session_says_so(
    shop: Shop, site: str, chromium: Browser, scripts: bool, offered: bool
) -> None:
    first = {"billing": ADDRESS, "customer": ANA, "payment_link": True, "show_saved_payment_methods": True}
    bought = await shop.create(first | {"product_cart": [item(await shop.product())]})
    await pay(shop.browser, bought["payment_link"], **CONSENT)
    customer_id = bought["customer"]["customer_id"]
    proof = (await shop.client.post(f"/customers/{customer_id}/proof")).json()["proof"]
    created = await create_session(
        shop,
        item(await shop.product()),
        customer={"customer_id": customer_id},
        billing_address=ADDRESS,
        show_saved_payment_methods=offered,
    )
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site}/session/{created['session_id']}?proof={proof}")
        await walk_to(page, "button.button")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#number", state="attached")
        assert bool(await page.locator("[name=saved]").count()) is offered
        assert not scripts or await obstacles(page) == []


@WITH_AND_WITHOUT
@pytest.mark.parametrize("questions", QUESTIONS, ids=["typed", "chosen"])
async def test_questions_are_answered_by_keyboard(
    shop: Shop, site: str, chromium: Browser, scripts: bool, questions: list[tuple[dict[str, Any], str, str]]
) -> None:
    def asked(*, required: bool) -> list[dict[str, Any]]:
        kinds = [question for question, _, _ in questions]
        return [{"key": kind["field_type"], "label": kind["field_type"], "required": required} | kind for kind in kinds]

    kinds = [question["field_type"] for question, _, _ in questions]
    known = {"customer": ANA, "billing_address": ADDRESS}
    async with visiting(chromium, tolerated=[REFUSED], java_script_enabled=scripts) as page:
        product = await shop.product(10_000)
        session_id = await opened(shop, site, page, product, custom_fields=asked(required=True), **known)
        await walk_to(page, "#custom_0")
        await page.keyboard.press("Enter" if kinds[0] == "text" else "Tab")
        assert await page.locator("form :is(input, select)[id^=custom_]:invalid").count() == len(kinds)
        for index, kind in enumerate(kinds):
            if kind in WRONG:
                await type_into(page, **{f"custom_{index}": WRONG[kind]})
        before = await dump(shop.runtime)
        await page.evaluate("document.querySelector('[data-session]').noValidate = true")
        await walk_to(page, "button.button")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#detail-errors")
        wrong = await page.locator("[aria-invalid=true]").evaluate_all("all => all.map((field) => field.id)")
        assert wrong == [f"custom_{index}" for index in range(len(kinds))]
        assert not scripts or await obstacles(page) == []
        assert await dump(shop.runtime) == before
        for index, (question, text, _) in enumerate(questions):
            await walk_to(page, f"#custom_{index}")
            if question["field_type"] not in ("date", "dropdown", "boolean"):
                await page.keyboard.press("Control+A")
            await page.keyboard.type(text)
        await walk_to(page, "button.button")
        await send_and_pay(page)
        await page.wait_for_selector(".receipt")
        left = await opened(shop, site, page, product, custom_fields=asked(required=False), **known)
        await walk_to(page, "button.button")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#number")
    paid, unanswered = await payment_of(shop, session_id), await payment_of(shop, left)
    answers = [{"key": kind, "value": kept} for kind, (_, _, kept) in zip(kinds, questions, strict=True)]
    assert (paid["status"], paid["custom_field_responses"]) == ("succeeded", answers)
    empty = [{"key": "boolean", "value": "false"}] if "boolean" in kinds else None
    assert unanswered["custom_field_responses"] == empty


async def test_the_fullest_page_is_small(shop: Shop, site: str, chromium: Browser) -> None:
    questions = [{"key": q["field_type"], "label": "Say", "options": ["A"]} | q for q, _, _ in QUESTIONS[0]]
    async with visiting(chromium) as page:
        answers: list[Any] = []
        page.on("requestfinished", lambda request: answers.append(request))
        created = await create_session(
            shop,
            item(await plan_with_addon(shop)),
            custom_fields=questions,
            customization={"theme_config": COLOURS},
            feature_flags={"single_page": True, "allow_editing_addons": True},
            minimal_address=False,
        )
        await page.goto(f"{site}/session/{created['session_id']}", wait_until="networkidle")
        sizes = [(await request.sizes())["responseBodySize"] for request in answers]
        assert await page.locator("img").count() == 0
        assert 0 < sum(sizes) < 50 * 1024, sizes
