"""Localized prices: creating, reading, changing, archiving, and what the product's pricing mode does to them."""

import asyncio
from typing import Any

import pytest

from api.answers import refused
from api.catalog.localizing import (
    COUNTRIES,
    CURRENCIES,
    EUROS,
    INDIA,
    WRONG,
    create,
    listed,
    post,
    product,
    read,
    stored,
)
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime


async def test_a_price_by_country(merchant: Merchant) -> None:
    product_id = await product(merchant)
    made = await create(merchant, product_id, INDIA)
    assert made == {
        "id": made["id"],
        "amount": 99_900,
        "created_at": "2026-03-14T15:09:26.535897Z",
        "currency": "INR",
        "mode": "by_country",
        "product_id": product_id,
        "updated_at": "2026-03-14T15:09:26.535897Z",
        "country_code": "IN",
    }
    assert made["id"].startswith("lcp_") and len(made["id"]) == 25
    assert await read(merchant, made) == made
    assert await listed(merchant, product_id) == [made]


async def test_a_price_by_currency_has_no_country(merchant: Merchant) -> None:
    product_id = await product(merchant, "by_currency")
    made = await create(merchant, product_id, EUROS | {"country_code": None})
    assert (made["mode"], made["currency"], made["country_code"]) == ("by_currency", "EUR", None)
    assert await listed(merchant, product_id) == [made]


async def test_a_country_may_be_priced_in_the_base_currency(merchant: Merchant) -> None:
    product_id = await product(merchant)
    made = await create(merchant, product_id, {"amount": 799, "currency": "USD", "country_code": "IN"})
    assert (made["currency"], made["amount"]) == ("USD", 799)


async def test_the_list_is_newest_first(merchant: Merchant, clock: FakeClock) -> None:
    product_id = await product(merchant)
    made = []
    for country in ("IN", "DE", "BR"):
        made.append(await create(merchant, product_id, INDIA | {"country_code": country}))
        clock.advance(seconds=1)
    assert [item["country_code"] for item in await listed(merchant, product_id)] == ["BR", "DE", "IN"]
    assert await listed(merchant, product_id) == made[::-1]


async def test_a_product_without_prices_has_an_empty_list(merchant: Merchant) -> None:
    assert await listed(merchant, await product(merchant, None)) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"currency": "INR", "country_code": "IN"}, "amount: Your request body is invalid. This field is required."),
        (INDIA | {"amount": 0}, "amount: Your request body is invalid. Expected `int` >= 1."),
        (INDIA | {"amount": -1}, "amount: Your request body is invalid. Expected `int` >= 1."),
        (INDIA | {"amount": 2_147_483_648}, "amount: Your request body is invalid. Expected `int` <= 2147483647."),
        (INDIA | {"amount": "99900"}, "amount: Your request body is invalid. Expected `int`, got `str`."),
        (INDIA | {"currency": "XXX"}, f"currency: {WRONG} 'XXX'; it is one of: {CURRENCIES}."),
        (INDIA | {"country_code": "XX"}, f"country_code: {WRONG} 'XX'; it is one of: {COUNTRIES}."),
        ({"amount": 1, "country_code": "IN"}, "currency: Your request body is invalid. This field is required."),
    ],
)
async def test_malformed_bodies(merchant: Merchant, body: dict[str, Any], message: str) -> None:
    product_id = await product(merchant)
    refused(await post(merchant, product_id, body), 422, "INVALID_REQUEST_BODY", message)
    assert await listed(merchant, product_id) == []


async def test_the_largest_amount(merchant: Merchant) -> None:
    made = await create(merchant, await product(merchant), INDIA | {"amount": 2_147_483_647})
    assert (await read(merchant, made))["amount"] == 2_147_483_647


@pytest.mark.parametrize(
    ("mode", "body", "code", "message"),
    [
        (
            None,
            EUROS,
            "PRODUCT_PRICING_MODE_REQUIRED",
            "Product pricing_mode must be set before adding localized prices",
        ),
        (
            "by_country",
            EUROS,
            "LOCALIZED_PRICE_SHAPE_MISMATCH",
            "country_code: Localized price shape does not match the product's pricing_mode",
        ),
        (
            "by_currency",
            INDIA,
            "LOCALIZED_PRICE_SHAPE_MISMATCH",
            "country_code: Localized price shape does not match the product's pricing_mode",
        ),
        (
            "by_currency",
            {"amount": 1, "currency": "USD"},
            "LOCALIZED_PRICE_DUPLICATES_BASE",
            "currency: Localized price duplicates the product's base currency/country",
        ),
        (
            "by_currency",
            {"amount": 1, "currency": "KWD"},
            "UNSUPPORTED_CURRENCY",
            "currency: Currency Not Supported: KWD",
        ),
    ],
)
async def test_prices_that_do_not_fit_the_product(
    merchant: Merchant, mode: str | None, body: dict[str, Any], code: str, message: str
) -> None:
    product_id = await product(merchant, mode)
    refused(await post(merchant, product_id, body), 422, code, message)
    assert await listed(merchant, product_id) == []


async def test_pay_what_you_want_takes_no_localized_price(merchant: Merchant) -> None:
    product_id = await product(merchant, "by_currency", pay_what_you_want=True)
    refused(
        await post(merchant, product_id, EUROS),
        422,
        "UNSUPPORTED_ACTION",
        "A pay-what-you-want product takes no localized prices: its customers choose the amount.",
    )
    assert await listed(merchant, product_id) == []


async def test_one_active_price_a_market(merchant: Merchant, runtime: Runtime) -> None:
    product_id = await product(merchant)
    first = await create(merchant, product_id, INDIA)
    refused(
        await post(merchant, product_id, INDIA | {"amount": 1, "currency": "USD"}),
        409,
        "LOCALIZED_PRICE_ALREADY_EXISTS",
        "A localized price for this product and country/currency already exists",
    )
    assert await listed(merchant, product_id) == [first]
    assert await stored(runtime, product_id) == [("IN", False)]
    await create(merchant, await product(merchant), INDIA)  # another product has its own markets


async def test_of_many_at_once_one_gets_the_market(merchant: Merchant, runtime: Runtime) -> None:
    product_id = await product(merchant, "by_currency")
    answers = await asyncio.gather(*[post(merchant, product_id, EUROS | {"amount": 900 + n}) for n in range(8)])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert await listed(merchant, product_id) == [winner]
    assert await stored(runtime, product_id) == [("EUR", False)]


async def test_the_database_itself_holds_one_active_price_a_market(merchant: Merchant, runtime: Runtime) -> None:
    """Rows written around the product's lock meet the unique index."""
    made = await create(merchant, await product(merchant), INDIA)
    async with runtime.database.transaction() as tx:
        copied = await tx.fetchval(
            "INSERT INTO localized_prices SELECT business_id, mode, product_id, 'lcp_other', pricing_mode, 'USD', 5,"
            " country_code, created_at, updated_at, archived_at FROM localized_prices WHERE localized_price_id = $1"
            " ON CONFLICT DO NOTHING RETURNING true",
            made["id"],
        )
    assert copied is None
