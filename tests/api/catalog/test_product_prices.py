"""The three kinds of price: what is stored, what is returned, what is refused."""

from importlib import import_module
from typing import Any, Final

import pytest

from harness import Merchant
from nicobar.reference.rate_seed import seed
from orders import dump
from shop import EXAMPLE_RATES, Shop

LOAD_POLICY: Final = import_module("nicobar.flows.business.load_policy")

ONCE: dict[str, Any] = {"type": "one_time_price", "currency": "USD", "price": 1999}
PERIODS: dict[str, Any] = {
    "payment_frequency_count": 1,
    "payment_frequency_interval": "Month",
    "subscription_period_count": 20,
    "subscription_period_interval": "Year",
}
MONTHLY: dict[str, Any] = {"type": "recurring_price", "currency": "EUR", "price": 900} | PERIODS
METERED: dict[str, Any] = {"type": "usage_based_price", "currency": "USD", "fixed_price": 0} | PERIODS

COMMON = {"discount": 0, "discount_bps": 0, "purchasing_power_parity": False, "tax_inclusive": None}
ONCE_READ = ONCE | COMMON | {"pay_what_you_want": False, "suggested_price": None}
MONTHLY_READ = (
    MONTHLY
    | COMMON
    | {
        "trial_amount": None,
        "trial_apply_discounts": False,
        "trial_payment_method_optional": False,
        "trial_period_days": 0,
        "zero_amount_payment_method_optional": False,
    }
)
METERED_READ = METERED | COMMON | {"meters": None}


async def post(merchant: Merchant, price: Any) -> tuple[int, dict[str, Any]]:
    body = {"name": "Guide", "tax_category": "saas", "price": price}
    response = await merchant.client.post("/products", json=body)
    return response.status_code, response.json()


async def stored(merchant: Merchant, price: Any) -> dict[str, Any]:
    status, made = await post(merchant, price)
    assert status == 200, made
    read: dict[str, Any] = (await merchant.client.get(f"/products/{made['product_id']}")).json()
    assert read == made
    assert made["is_recurring"] is (made["price"]["type"] != "one_time_price")
    price_read: dict[str, Any] = made["price"]
    return price_read


@pytest.mark.parametrize(("price", "expected"), [(ONCE, ONCE_READ), (MONTHLY, MONTHLY_READ), (METERED, METERED_READ)])
async def test_defaults(merchant: Merchant, price: dict[str, Any], expected: dict[str, Any]) -> None:
    assert await stored(merchant, price) == expected
    nulls = {name: None for name in expected if name not in price}
    assert await stored(merchant, price | nulls) == expected


@pytest.mark.parametrize(
    "full",
    [
        ONCE_READ
        | {"discount": 13, "discount_bps": 1250, "pay_what_you_want": True, "suggested_price": 1999}
        | {"purchasing_power_parity": True, "tax_inclusive": True},
        MONTHLY_READ
        | {"discount": 100, "discount_bps": 10_000, "purchasing_power_parity": True, "tax_inclusive": False}
        | {"trial_amount": 100, "trial_apply_discounts": True, "trial_period_days": 10_000}
        | {"trial_payment_method_optional": True, "zero_amount_payment_method_optional": True},
        METERED_READ
        | {"discount": 1, "discount_bps": 50, "purchasing_power_parity": True, "tax_inclusive": True}
        | {
            "fixed_price": 2_147_483_647,
            "meters": [
                {
                    "meter_id": "mtr_1",
                    "credit_entitlement_id": "cde_1",
                    "description": None,
                    "free_threshold": 1000,
                    "measurement_unit": None,
                    "meter_units_per_credit": "2.5",
                    "name": None,
                    "price_per_unit": "99999.000000000001",
                },
            ],
        },
    ],
    ids=["one_time", "recurring", "usage_based"],
)
async def test_every_field_comes_back_as_it_was_sent(shop: Shop, full: dict[str, Any]) -> None:
    await shop.settings(adaptive_pricing="on")
    assert await stored(shop.merchant, full) == full


async def test_parity_needs_adaptive_pricing(shop: Shop) -> None:
    price = ONCE | {"purchasing_power_parity": True}
    told = (
        "price.purchasing_power_parity: Purchasing power parity needs adaptive pricing, which is off for this business."
    )
    path = f"/products/{await shop.product(1999, name='Guide')}"
    before = await dump(shop.runtime)
    created = await shop.client.post("/products", json={"name": "Guide", "tax_category": "saas", "price": price})
    changed = await shop.client.patch(path, json={"price": price, "name": "Other"})
    for answer in (created, changed):
        assert (answer.status_code, answer.json()["code"]) == (422, "ppp_not_enabled_for_business")
        assert answer.json()["message"] == told
    assert await dump(shop.runtime) == before
    await shop.settings(adaptive_pricing="on")
    assert (await shop.client.patch(path, json={"price": price})).status_code == 200
    await shop.settings(adaptive_pricing="off")  # what was accepted stays, and can be changed otherwise
    assert (await shop.client.patch(path, json={"price": price | {"price": 2099}})).status_code == 200
    read = (await shop.client.get(path)).json()["price"]
    assert (read["price"], read["purchasing_power_parity"]) == (2099, True)


async def test_texts_of_meters_are_not_read_from_requests(merchant: Merchant) -> None:
    meter = {"meter_id": "mtr_1", "name": "Calls", "description": "API calls", "measurement_unit": "call"}
    price = await stored(merchant, METERED | {"meters": [meter]})
    assert price["meters"][0]["name"] is None
    assert price["meters"][0]["description"] is None
    assert price["meters"][0]["measurement_unit"] is None


@pytest.mark.parametrize(
    ("sent", "discount", "discount_bps"),
    [
        ({"discount": 15}, 15, 1500),
        ({"discount": 100}, 100, 10_000),
        ({"discount_bps": 1250}, 13, 1250),
        ({"discount_bps": 1249}, 12, 1249),
        ({"discount_bps": 49}, 0, 49),
        ({"discount": 15, "discount_bps": 333}, 3, 333),
        ({"discount": 15, "discount_bps": 0}, 0, 0),
        ({"discount": 15, "discount_bps": None}, 15, 1500),
    ],
)
async def test_the_two_forms_of_a_discount(
    merchant: Merchant, sent: dict[str, Any], discount: int, discount_bps: int
) -> None:
    for price in (ONCE, MONTHLY, METERED):
        read = await stored(merchant, price | sent)
        assert (read["discount"], read["discount_bps"]) == (discount, discount_bps)


async def test_limits_are_accepted(merchant: Merchant) -> None:
    assert (await stored(merchant, ONCE | {"price": 0}))["price"] == 0
    assert (await stored(merchant, ONCE | {"price": 2_147_483_647}))["price"] == 2_147_483_647
    assert (await stored(merchant, ONCE | {"currency": "ZMW"}))["currency"] == "ZMW"
    for unit, count in (("Day", 7305), ("Week", 1043), ("Month", 240), ("Year", 20)):
        changed = {"subscription_period_count": count, "subscription_period_interval": unit}
        assert await stored(merchant, MONTHLY | changed) == MONTHLY_READ | changed


@pytest.mark.parametrize(
    ("price", "path"),
    [
        (ONCE | {"type": "free"}, "price.type"),
        ({"currency": "USD", "price": 1}, "price"),
        (ONCE | {"price": -1}, "price.price"),
        (ONCE | {"price": 2_147_483_648}, "price.price"),
        (ONCE | {"price": 19.99}, "price.price"),
        (ONCE | {"price": "1999"}, "price.price"),
        (ONCE | {"currency": "usd"}, "price.currency"),
        (ONCE | {"currency": "XAU"}, "price.currency"),
        (ONCE | {"discount": 101}, "price.discount"),
        (ONCE | {"discount": -1}, "price.discount"),
        (ONCE | {"discount_bps": 10_001}, "price.discount_bps"),
        (ONCE | {"suggested_price": -1}, "price.suggested_price"),
        (ONCE | {"tax_inclusive": "yes"}, "price.tax_inclusive"),
        (MONTHLY | {"payment_frequency_interval": "month"}, "price.payment_frequency_interval"),
        (MONTHLY | {"payment_frequency_count": 0}, "price.payment_frequency_count"),
        (MONTHLY | {"trial_period_days": 10_001}, "price.trial_period_days"),
        (METERED | {"meters": [{"meter_id": "m"}] * 51}, "price.meters"),
        (METERED | {"meters": [{"meter_id": "m", "price_per_unit": "-1"}]}, "price.meters[0].price_per_unit"),
        (METERED | {"meters": [{"meter_id": "m", "price_per_unit": "100000"}]}, "price.meters[0].price_per_unit"),
        (METERED | {"meters": [{"meter_id": "m", "price_per_unit": "1\n"}]}, "price.meters[0].price_per_unit"),
        (METERED | {"meters": [{"meter_id": "m", "price_per_unit": "٣"}]}, "price.meters[0].price_per_unit"),
    ],
)
async def test_a_malformed_price_is_refused(merchant: Merchant, price: dict[str, Any], path: str) -> None:
    status, answer = await post(merchant, price)
    assert (status, answer["code"]) == (422, "INVALID_REQUEST_BODY")
    assert answer["message"].startswith(path)
    assert (await merchant.client.get("/products")).json() == {"items": []}


@pytest.mark.parametrize(
    ("price", "code", "message"),
    [
        (
            ONCE | {"pay_what_you_want": True, "suggested_price": 1998},
            "INVALID_SUGGESTED_PRICE",
            "price.suggested_price: Suggested Price cannot be lower than minimum price.",
        ),
        (
            MONTHLY | {"trial_amount": 1},
            "INVALID_REQUEST_PARAMETERS",
            "price.trial_amount: A paid trial needs trial_period_days above 0.",
        ),
        (
            MONTHLY | {"subscription_period_count": 21},
            "INVALID_REQUEST_PARAMETERS",
            "price.subscription_period_count: It cannot be longer than 20 years, here 20.",
        ),
        (
            METERED | {"payment_frequency_count": 241},
            "INVALID_REQUEST_PARAMETERS",
            "price.payment_frequency_count: It cannot be longer than 20 years, here 240.",
        ),
        (
            METERED | {"meters": [{"meter_id": "m"}, {"meter_id": "m"}]},
            "DUPLICATE_METER_IDS_IN_REQUEST",
            "price.meters[1].meter_id: Duplicate Meter Ids are not allowed",
        ),
        (
            METERED | {"meters": [{"meter_id": "m", "credit_entitlement_id": "cde_1"}]},
            "INVALID_REQUEST_PARAMETERS",
            "price.meters[0].meter_units_per_credit: credit_entitlement_id needs it.",
        ),
        (
            METERED | {"meters": [{"meter_id": "m", "price_per_unit": "0.00"}]},
            "INVALID_REQUEST_PARAMETERS",
            "price.meters[0].price_per_unit: It must be above zero.",
        ),
    ],
)
async def test_a_contradictory_price_is_refused(
    merchant: Merchant, price: dict[str, Any], code: str, message: str
) -> None:
    assert await post(merchant, price) == (422, {"code": code, "message": message})
    assert (await merchant.client.get("/products")).json() == {"items": []}


async def test_a_suggestion_counts_only_when_customers_choose(merchant: Merchant) -> None:
    low = ONCE | {"suggested_price": 1}
    assert (await stored(merchant, low))["suggested_price"] == 1
    assert (await stored(merchant, low | {"suggested_price": 1999, "pay_what_you_want": True}))[
        "suggested_price"
    ] == 1999


async def test_a_bad_price_in_a_patch_changes_nothing(merchant: Merchant) -> None:
    _, made = await post(merchant, ONCE)
    path = f"/products/{made['product_id']}"
    bad = ONCE | {"pay_what_you_want": True, "suggested_price": 5}
    response = await merchant.client.patch(path, json={"name": "Other", "price": bad})
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_SUGGESTED_PRICE")
    assert (await merchant.client.get(path)).json() == made


async def test_between_the_subscription_prices_a_product_may_change(merchant: Merchant) -> None:
    _, made = await post(merchant, MONTHLY)
    path = f"/products/{made['product_id']}"
    assert (await merchant.client.patch(path, json={"price": METERED})).status_code == 200
    assert (await merchant.client.get(path)).json()["price"] == METERED_READ
    response = await merchant.client.patch(path, json={"price": ONCE})
    assert response.json() == {
        "code": "UNSUPPORTED_ACTION",
        "message": "price.type: A product stays one-time or recurring; create another product.",
    }
    assert (await merchant.client.get(path)).json()["price"] == METERED_READ


@pytest.mark.parametrize(("currency", "least"), [("USD", 100), ("EUR", 92), ("JPY", 150), ("KWD", 308), ("USD", 0)])
async def test_a_cycle_costs_a_dollar_or_nothing(merchant: Merchant, shop: Shop, currency: str, least: int) -> None:
    """In other currencies by the exchange rate, rounded up: 1 USD is 149.37 JPY."""
    await shop.rates(EXAMPLE_RATES)
    smallest = MONTHLY | {"currency": currency, "price": least}
    _, made = await post(merchant, smallest)
    assert made["price"]["price"] == smallest["price"]
    if not least:
        return
    listed = (await merchant.client.get("/products")).json()
    status, refused = await post(merchant, smallest | {"price": least - 1})
    message = f"price.price: It must be 0 or at least {least}, which is 1 US dollar."
    assert (status, refused) == (422, {"code": "INVALID_REQUEST_PARAMETERS", "message": message})
    assert (await merchant.client.get("/products")).json() == listed
    path = f"/products/{made['product_id']}"
    body = {"name": "Other", "price": smallest | {"price": least - 1}}
    response = await merchant.client.patch(path, json=body)
    assert (response.status_code, response.json()) == (422, refused)
    assert (await merchant.client.get(path)).json() == made


async def test_a_price_that_became_too_small_may_stay(merchant: Merchant, shop: Shop) -> None:
    """Exchange rates move; what was stored is no reason to refuse another change."""
    await shop.rates(EXAMPLE_RATES)
    _, made = await post(merchant, MONTHLY | {"currency": "JPY", "price": 150})
    await shop.rates(EXAMPLE_RATES | {"JPY": "160.00"})
    path = f"/products/{made['product_id']}"
    changed = await merchant.client.patch(path, json={"name": "Other", "price": made["price"]})
    assert changed.status_code == 200
    now = (await merchant.client.get(path)).json()
    assert (now["name"], now["price"]) == ("Other", made["price"])
    assert (await post(merchant, made["price"]))[0] == 422


async def test_without_a_rate_nobody_knows_what_a_dollar_is(
    merchant: Merchant, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = seed()
    rest = {code: rate for code, rate in plain.rates.items() if code != "CHF"}
    monkeypatch.setattr(LOAD_POLICY, "seed", lambda: plain._replace(rates=rest))
    await shop.rates({"EUR": "0.92"})  # so that the rates are read again
    assert (await post(merchant, MONTHLY | {"currency": "CHF", "price": 1}))[0] == 200
    assert (await post(merchant, MONTHLY | {"currency": "EUR", "price": 1}))[0] == 422
