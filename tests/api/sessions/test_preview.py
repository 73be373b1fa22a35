"""POST /checkouts/preview: it says what a creation would cost, in every case, and stores nothing."""

import random
from typing import Any

import dodopayments
import httpx
import pytest
import pytest_asyncio
from dodopayments.types import CheckoutSessionPreviewResponse
from dodopayments.types.checkout_session_preview_response import CurrentBreakup, ProductCart
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from orders import dump
from shop import EXAMPLE_RATES, Shop, item, order_request

SEED = 20_260_314
BATCHES = 10
CARTS_A_BATCH = 40

GERMAN, WRONG = "DE136695976", "DE136695977"


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


# --- agreement with the creation -------------------------------------------------------------------------------------


async def stock(shop: Shop) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Fill the shop; return lines in dollars, lines in all kinds of prices, and lines that are refused."""
    plain = await shop.product(1999)
    book = await shop.product(333, tax_category="e_book", tax_inclusive=True, discount_bps=3333)
    await shop.settings(adaptive_pricing="on")
    parity = await shop.product(10_000, purchasing_power_parity=True)
    gift = await shop.product(500, pay_what_you_want=True)
    local = await shop.product(2500, pricing_mode="by_country")
    await shop.localized_price(local, 1900, "EUR", "DE")
    await shop.localized_price(local, 99_900, "INR", "IN")
    market = await shop.product(2500, pricing_mode="by_currency")
    await shop.localized_price(market, 2100, "GBP")
    euros = await shop.product(4990, "EUR", discount_bps=1000)
    yen = await shop.product(1200, "JPY", tax_category="saas")
    dinars = await shop.product(5125, "KWD")
    sold_out = await shop.product(700)
    assert (await shop.client.delete(f"/products/{sold_out}")).status_code == 200
    dollars = [item(plain), item(plain, 3), item(plain, 0), item(book, 5), item(parity), item(gift, amount=1234)]
    kinds = [*dollars, item(local), item(market, 2), item(euros), item(yen), item(dinars)]
    refused = [
        item(await shop.product(13)),
        item(await shop.product(2_000_000_000), 2),
        item(gift, amount=499),
        item(sold_out),
        item("pdt_unknown"),
    ]
    await shop.percentage("TEN", 1000)
    await shop.percentage("THIRD", 3333, restricted_to=[plain, euros, parity])
    await shop.percentage("CAPPED", 5000, currency_options=[{"currency": "USD", "max_amount_possible": 700}])
    await shop.percentage("LARGE", 2000, currency_options=[{"currency": "EUR", "minimum_subtotal": 3000}])
    await shop.flat("FLAT", 777)
    await shop.flat("FILS", 1500, "KWD", restricted_to=[plain, book, dinars, yen])
    await shop.percentage("FREE", 10_000)
    await shop.percentage("LATER", 1000, starts_at="2030-01-01T00:00:00Z")
    await shop.percentage("OVER", 1000, expires_at="2020-01-01T00:00:00Z")
    await shop.percentage("REGULAR", 1000, customer_eligibility="specific")
    return dollars, kinds, refused


STATES = {"US": ("Texas", "CA", "nowhere", None), "CA": ("QC", "British Columbia", None), "DE": ("HB", None)}
TAX_IDS = {"DE": GERMAN, "GB": "GB980780684", "IN": "27AAPFU0939F1ZV", "CA": "123456782RT0001"}
CODES = ["TEN", "third", "CAPPED", "LARGE", " flat ", "FILS", "FREE", "LATER", "OVER", "REGULAR", "NOPE"]
WEIGHTS = [20, 10, 20, 10, 20, 8, 2, 1, 1, 1, 1]


def draw(rng: random.Random, lines: tuple[list[dict[str, Any]], ...], people: list[dict[str, Any]]) -> dict[str, Any]:
    """Draw a request: mostly one that can be sold."""
    dollars, kinds, refused = lines
    cart = rng.choices(dollars if rng.random() < 0.6 else kinds, k=rng.choice((1, 1, 2, 3, 5)))
    if rng.random() < 0.12:
        cart = [rng.choice(refused)]
    if not any(line["quantity"] for line in cart):
        cart.append(dollars[0])  # a session sells no cart of nothing, and a payment may
    request = order_request(*cart, customer=rng.choice(people))
    country = rng.choice(("DE", "DE", "GB", "IN", "JP", "US", "US", "CA", "KW", "KP"))
    request["billing"] = {"country": country, "state": rng.choice(STATES.get(country, (None, "")))}
    picked = list(dict.fromkeys(rng.choices(CODES, WEIGHTS, k=rng.choice((0, 0, 1, 1, 2, 4)))))
    if picked:
        request |= {"discount_code": picked[0]} if len(picked) == 1 else {"discount_codes": picked}
    if rng.random() < 0.25:
        request["billing_currency"] = rng.choice(("USD", "EUR", "JPY", "GBP", "KWD", "BGN"))
    if rng.random() < 0.3:
        request["tax_id"] = WRONG if rng.random() < 0.3 else TAX_IDS.get(country, "12-3456789")
    if rng.random() < 0.3:
        request["adaptive_currency_fees_inclusive"] = rng.random() < 0.5
    return request


def draw_settings(rng: random.Random) -> dict[str, str]:
    adaptive = rng.choice(("on", "on", "off"))
    return {
        "tax": rng.choice(("off", "table", "table")),
        "seller_country": rng.choice(("", "DE", "US")),
        "default_tax_inclusive": rng.choice(("true", "false")),
        "adaptive_pricing": adaptive,
        "adaptive_fees": rng.choice(("none", "dodo")),
        "fees_inclusive": rng.choice(("true", "false")),
        "currencies": rng.choice(("dodo", "dodo,KWD", "USD,EUR,INR,KWD")),
        "default_currency": rng.choice(("USD", "EUR")),
        "blocked_countries": rng.choice(("", "dodo")),
        "purchasing_power": rng.choice(("on", "off")) if adaptive == "on" else "off",
        "purchasing_power_table": "IN=30,GB=85",
        "charm_pricing": rng.choice(("off", "off", "nearest", "floor", "ceiling", "whole")),
    }


def check_price(told: dict[str, Any], payment: dict[str, Any], request: dict[str, Any]) -> None:
    assert (told["total_price"], told["total_tax"], told["currency"], told["tax_id_err_msg"]) == (
        payment["total_amount"],
        payment["tax"],
        payment["currency"],
        None,
    ), request
    assert told["current_breakup"]["total_amount"] == payment["total_amount"]


async def check_without_tax_id(shop: Shop, preview: httpx.Response, request: dict[str, Any], message: str) -> None:
    """The preview of a wrong tax id is that of the order without it, with the creation's words next to the price."""
    without = await shop.client.post("/payments", json=request | {"tax_id": None})
    assert preview.status_code == without.status_code, request
    if without.status_code != 200:
        assert preview.json() == without.json(), request
        return
    assert preview.json()["total_price"] == without.json()["total_amount"], request
    assert message == f"tax_id: {preview.json()['tax_id_err_msg']}"


async def test_preview_and_creation_never_disagree(shop: Shop) -> None:
    rng = random.Random(SEED)  # noqa: S311 - carts want to repeat
    lines = await stock(shop)
    people = [
        {"email": "ana@example.com"},
        {"email": " Kim@Example.COM "},
        {"customer_id": await shop.customer("kim@example.com")},
    ]
    priced, codes = 0, set()
    for _ in range(BATCHES):
        await shop.settings(purchasing_power="off")  # it needs adaptive_pricing, which may end now
        await shop.settings(**draw_settings(rng))
        requests = [draw(rng, lines, people) for _ in range(CARTS_A_BATCH)]
        before = await dump(shop.runtime)
        for request in requests:
            await shop.preview(request)
        assert await dump(shop.runtime) == before
        for request in requests:
            preview = await shop.preview(request)  # free orders before it are purchases, which codes ask for
            created = await shop.client.post("/payments", json=request)
            if created.status_code == 200:
                priced += 1
                payment = await shop.read(f"/payments/{created.json()['payment_id']}")
                check_price(preview.json(), payment, request)
            elif created.json()["code"] == "INVALID_TAX_ID":
                await check_without_tax_id(shop, preview, request, created.json()["message"])
                codes.add("INVALID_TAX_ID")
            else:
                message = (refused := created.json())["message"].replace("billing.country:", "billing_address.country:")
                if refused["code"] == "INTEGER_CONVERSION_FAILURE":
                    message = f"product_cart: {message}. A smaller quantity may fit."
                assert (preview.status_code, preview.json()) == (created.status_code, refused | {"message": message})
                codes.add(created.json()["code"])
    assert priced > 200
    assert codes >= {
        "INVALID_TAX_ID",
        "UNSUPPORTED_COUNTRY",
        "UNSUPPORTED_CURRENCY",
        "REQUEST_AMOUNT_BELOW_MINIMUM",
        "INVALID_DISCOUNT_CODE",
        "DISCOUNT_NOT_YET_ACTIVE",
        "DISCOUNT_CODE_EXPIRED",
        "DISCOUNT_CUSTOMER_NOT_ELIGIBLE",
        "DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT",
        "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET",
        "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT",
        "INTEGER_CONVERSION_FAILURE",
        "PRODUCT_IS_DELETED",
        "NOT_FOUND",
    }


async def refused_preview(shop: Shop, runtime: Runtime, body: dict[str, Any]) -> tuple[int, str, str]:
    before = await dump(runtime)
    response = await shop.client.post("/checkouts/preview", json=body)
    assert await dump(runtime) == before
    return response.status_code, response.json()["code"], response.json()["message"]


async def test_a_code_that_is_used_up_is_refused_in_both(shop: Shop, runtime: Runtime) -> None:
    product = await shop.product(2000)
    await shop.percentage("ONCE", 1000, usage_limit=1)
    request = order_request(item(product), discount_code="once")
    assert (await shop.preview(request)).json()["total_price"] == 1800
    assert (await shop.preview(request)).json()["total_price"] == 1800
    assert (await shop.create(request))["total_amount"] == 1800
    assert (await shop.preview(request)).json()["total_price"] == 1800  # her own open payment would lose it
    request = request | {"customer": {"email": "kim@example.com"}}
    told = (await shop.preview(request)).json()
    assert told == {
        "code": "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED",
        "message": "discount_code: Discount code hit usage limit",
    }
    assert (await shop.client.post("/payments", json=request)).json() == told


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"product_cart": []}, "PRODUCT_CART_EMTPY", ""),
        ({"product_cart": [item("pdt_any", 0)]}, "PRODUCT_CART_EMTPY", "product_cart"),
        ({"product_cart": None}, "INVALID_REQUEST_BODY", "product_cart"),
        ({"billing_address": {}}, "INVALID_REQUEST_BODY", "billing_address.country"),
        ({"billing_address": {"country": "XX"}}, "INVALID_REQUEST_BODY", "billing_address.country"),
        ({"customer": {"email": "nobody"}}, "INVALID_REQUEST_BODY", "customer.email"),
        ({"customer": {"email": "a@example.com", "phone_number": "+1"}}, "INVALID_REQUEST_BODY", "customer.phone"),
        ({"customer": {"customer_id": "cus_unknown"}}, "NOT_FOUND", "customer.customer_id"),
        ({"discount_code": "A", "discount_codes": ["A"]}, "INVALID_REQUEST_BODY", "discount_code"),
        ({"discount_codes": ["SPRING", "spring"]}, "INVALID_REQUEST_BODY", "discount_codes[1]"),
        ({"discount_codes": ["AAA"] * 21}, "INVALID_REQUEST_BODY", "discount_codes"),
        ({"allowed_payment_method_types": ["credit", "przelewy24"]}, "", ""),
        ({"allowed_payment_method_types": ["przelewy24"]}, "NO_ELIGIBLE_PAYMENT_METHODS", ""),
    ],
)
async def test_refusals(shop: Shop, runtime: Runtime, changes: dict[str, Any], code: str, path: str) -> None:
    body = {"product_cart": [item(await shop.product(2000))], "billing_address": {"country": "DE"}} | changes
    response = await shop.client.post("/checkouts/preview", json=body)
    if not code:
        assert response.status_code == 200, response.text
        return
    refused = await refused_preview(shop, runtime, body)
    assert refused[1] == code
    assert refused[2].startswith(path)


# --- what it tells ---------------------------------------------------------------------------------------------------


async def test_the_whole_answer(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", tax="table")
    record = await shop.product(4900, discount_bps=1000)
    book = await shop.product(1500, tax_category="e_book", tax_inclusive=True)
    await shop.percentage("TWENTY", 2000, restricted_to=[record])
    await shop.flat("FIVE", 500, "EUR")
    request = order_request(item(record, 2), item(book), discount_codes=["TWENTY", "FIVE"])
    line: dict[str, Any] = {
        "name": "Field Guide",
        "description": None,
        "currency": "EUR",
        "og_currency": "USD",
        "discount_cycle": None,
        "is_subscription": False,
        "is_usage_based": False,
        "addons": None,
        "meters": [],
        "credit_entitlements": [],
        "monthly_equivalent": None,
    }
    assert (await shop.preview(request)).json() == {
        "billing_country": "DE",
        "currency": "EUR",
        "current_breakup": {"subtotal": 10_718, "discount": 3120, "tax": 1292, "total_amount": 8890},
        "is_byop": False,
        "payment_method_required": True,
        "product_cart": [
            line
            | {
                "product_id": record,
                "quantity": 2,
                "og_price": 4900,
                "discounted_price": 6339,
                "discount_amount": 2000,
                "tax": 1204,
                "tax_rate": 1900,
                "tax_category": "digital_products",
                "tax_inclusive": False,
            },
            line
            | {
                "product_id": book,
                "quantity": 1,
                "og_price": 1500,
                "discounted_price": 1347,
                "discount_amount": None,
                "tax": 88,
                "tax_rate": 700,
                "tax_category": "e_book",
                "tax_inclusive": True,
            },
        ],
        "total_price": 8890,
        "total_tax": 1292,
        **dict.fromkeys(
            [
                "next_billing_date",
                "recurring_breakup",
                "subscriptions",
                "tax_id_business_name",
                "tax_id_err_msg",
                "tax_id_format_name",
                "trial_amount",
                "trial_period_days",
            ]
        ),
    }


async def test_a_tax_id_is_judged_and_never_refused(shop: Shop) -> None:
    await shop.settings(tax="table", seller_country="FR")
    request = order_request(item(await shop.product(5000, "EUR")))
    valid = (await shop.preview(request | {"tax_id": "de 136 695 976"})).json()
    assert (valid["total_price"], valid["tax_id_err_msg"], valid["tax_id_format_name"]) == (5000, None, "USt-IdNr")
    wrong = (await shop.preview(request | {"tax_id": WRONG})).json()
    assert (wrong["total_price"], wrong["tax_id_format_name"]) == (5950, None)
    refused = (await shop.refusal(item(request["product_cart"][0]["product_id"]), tax_id=WRONG))[2]
    assert refused == f"tax_id: {wrong['tax_id_err_msg']}"
    assert "For Germany give the USt-IdNr, such as DE" in wrong["tax_id_err_msg"]
    blank = (await shop.preview(request | {"tax_id": " "})).json()
    assert (blank["total_price"], blank["tax_id_err_msg"], blank["tax_id_format_name"]) == (5950, None, None)


async def test_a_tax_id_needs_a_country(shop: Shop) -> None:
    """Contract, "Checkout sessions": `tax_id` needs `billing_address.country`; the seller's own is not the buyer's."""
    await shop.settings(tax="table", seller_country="DE")
    body = {"product_cart": [item(await shop.product(5000, "EUR"))], "tax_id": GERMAN}
    told = (await shop.client.post("/checkouts/preview", json=body)).json()
    assert (told["billing_country"], told["total_price"], told["tax_id_format_name"]) == ("DE", 5950, None)
    assert told["tax_id_err_msg"] == "Give billing_address.country, too: a tax id belongs to a country."


async def test_without_an_address_it_is_the_sellers_country_or_the_united_states(shop: Shop) -> None:
    await shop.settings(tax="table", adaptive_pricing="on")
    body = {"product_cart": [item(await shop.product(10_000))]}
    told = (await shop.client.post("/checkouts/preview", json=body)).json()
    assert (told["billing_country"], told["currency"], told["total_price"]) == ("US", "USD", 10_000)
    await shop.settings(seller_country="DE")
    told = (await shop.client.post("/checkouts/preview", json=body)).json()
    assert (told["billing_country"], told["currency"], told["total_price"]) == ("DE", "EUR", 10_948)


async def test_a_free_price_is_previewed_at_what_is_suggested(shop: Shop) -> None:
    suggested = await shop.product(500, pay_what_you_want=True, suggested_price=1500)
    least = await shop.product(500, pay_what_you_want=True)
    for product, amount, total in ((suggested, None, 1500), (least, None, 500), (suggested, 700, 700)):
        assert (await shop.preview(order_request(item(product, amount=amount)))).json()["total_price"] == total
    refused = await shop.preview(order_request(item(suggested, amount=499)))
    assert refused.json()["code"] == "REQUEST_AMOUNT_BELOW_MINIMUM"


async def test_another_merchant_sees_neither_products_nor_codes(
    shop: Shop, runtime: Runtime, app: ASGIApp, other_merchant: Merchant
) -> None:
    await shop.percentage("MINE", 1000)
    theirs = Shop(runtime, app, shop.clock, other_merchant)
    response = await theirs.preview(order_request(item(await shop.product())))
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
    response = await theirs.preview(order_request(item(await theirs.product()), discount_code="MINE"))
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_DISCOUNT_CODE")


async def test_the_library_takes_every_answer(shop: Shop, sdk: dodopayments.AsyncDodoPayments) -> None:
    await shop.settings(tax="table", adaptive_pricing="on", adaptive_fees="dodo")
    product = await shop.product(2500, "EUR", discount_bps=1000)
    gift = await shop.product(500, pay_what_you_want=True)
    await shop.percentage("TEN", 1000)
    answer = await sdk.checkout_sessions.with_raw_response.preview(
        product_cart=[{"product_id": product, "quantity": 2}, {"product_id": gift, "quantity": 1, "amount": None}],
        billing_address={"country": "DE", "city": "Bremen", "state": None, "street": None, "zipcode": "28195"},
        customer={"email": "ana@example.com", "name": "Ana"},
        discount_codes=["TEN"],
        tax_id=WRONG,
        billing_currency="EUR",
        return_url="https://shop.example/thanks",
        feature_flags={"allow_discount_code": True},
        customization={"theme": "dark"},
        metadata={"order": "17"},
    )
    preview = await answer.parse()
    raw: Any = await answer.json()
    assert raw.keys() == CheckoutSessionPreviewResponse.model_fields.keys()
    assert raw["current_breakup"].keys() == CurrentBreakup.model_fields.keys()
    assert [line.keys() for line in raw["product_cart"]] == [ProductCart.model_fields.keys()] * 2
    assert preview.total_price == preview.current_breakup.total_amount == raw["total_price"]
    assert preview.tax_id_err_msg is not None
    least = await sdk.checkout_sessions.preview(product_cart=[{"product_id": product, "quantity": 1}])
    assert (least.billing_country, least.currency, least.total_price) == ("US", "USD", 2543)
    with pytest.raises(dodopayments.UnprocessableEntityError):
        await sdk.checkout_sessions.preview(product_cart=[])
