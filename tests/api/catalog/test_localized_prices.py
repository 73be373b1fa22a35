"""Localized prices: creating, reading, changing, archiving, and what the product's pricing mode does to them."""

import asyncio
from typing import Any, get_args

import httpx
import pytest

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.localized_prices import load_localized_prices
from nicobar.wire.codes import CountryCode, CurrencyCode

CURRENCIES, COUNTRIES = (", ".join(sorted(get_args(codes))) for codes in (CurrencyCode, CountryCode))
WRONG = "Your request body is invalid. Invalid enum value"
INDIA: dict[str, Any] = {"amount": 99_900, "currency": "INR", "country_code": "IN"}
EUROS: dict[str, Any] = {"amount": 999, "currency": "EUR"}


async def product(merchant: Merchant, mode: str | None = "by_country", **price: Any) -> str:
    body = {
        "name": "Field Guide",
        "tax_category": "e_book",
        "price": {"type": "one_time_price", "currency": "USD", "price": 1999} | price,
        "pricing_mode": mode,
    }
    response = await merchant.client.post("/products", json=body)
    assert response.status_code == 200, response.text
    product_id: str = response.json()["product_id"]
    return product_id


async def change_product(merchant: Merchant, product_id: str, **changes: Any) -> None:
    response = await merchant.client.patch(f"/products/{product_id}", json=changes)
    assert response.status_code == 200, response.text


async def post(merchant: Merchant, product_id: str, body: dict[str, Any]) -> httpx.Response:
    return await merchant.client.post(f"/products/{product_id}/localized-prices", json=body)


async def create(merchant: Merchant, product_id: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await post(merchant, product_id, body)
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


def address(price: dict[str, Any]) -> str:
    return f"/products/{price['product_id']}/localized-prices/{price['id']}"


async def read(merchant: Merchant, price: dict[str, Any]) -> dict[str, Any]:
    response = await merchant.client.get(address(price))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def listed(merchant: Merchant, product_id: str) -> list[dict[str, Any]]:
    response = await merchant.client.get(f"/products/{product_id}/localized-prices")
    assert response.status_code == 200, response.text
    body = response.json()
    assert list(body) == ["items"]
    items: list[dict[str, Any]] = body["items"]
    return items


async def stored(runtime: Runtime, product_id: str) -> list[tuple[str, bool]]:
    """Return the market of every row and whether it is archived."""
    async with runtime.database.read() as connection:
        rows = await connection.fetch(
            "SELECT coalesce(country_code, currency) AS market, archived_at IS NOT NULL AS archived"
            " FROM localized_prices WHERE product_id = $1 ORDER BY localized_price_id",
            product_id,
        )
    return [(row["market"], row["archived"]) for row in rows]


def refused(response: httpx.Response, status: int, code: str, message: str) -> None:
    assert (response.status_code, response.json()) == (status, {"code": code, "message": message})
    assert response.headers["x-should-retry"] == "false"


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


async def test_a_new_amount(merchant: Merchant, clock: FakeClock) -> None:
    made = await create(merchant, await product(merchant), INDIA)
    clock.advance(minutes=1)
    response = await merchant.client.patch(address(made), json={"amount": 119_900})
    assert response.status_code == 200
    assert response.json() == made | {"amount": 119_900, "updated_at": "2026-03-14T15:10:26.535897Z"}
    assert await read(merchant, made) == response.json()


@pytest.mark.parametrize("body", [{}, {"amount": None}, {"amount": 99_900}, {"currency": "EUR", "country_code": "DE"}])
async def test_a_change_that_changes_nothing(merchant: Merchant, clock: FakeClock, body: dict[str, Any]) -> None:
    made = await create(merchant, await product(merchant), INDIA)
    clock.advance(minutes=1)
    response = await merchant.client.patch(address(made), json=body)
    assert (response.status_code, response.json()) == (200, made)
    assert await read(merchant, made) == made


async def test_a_malformed_amount_changes_nothing(merchant: Merchant) -> None:
    made = await create(merchant, await product(merchant), INDIA)
    refused(
        await merchant.client.patch(address(made), json={"amount": 0}),
        422,
        "INVALID_REQUEST_BODY",
        "amount: Your request body is invalid. Expected `int` >= 1.",
    )
    assert await read(merchant, made) == made


async def test_archiving_keeps_the_row_and_frees_the_market(
    merchant: Merchant, runtime: Runtime, clock: FakeClock
) -> None:
    product_id = await product(merchant)
    first = await create(merchant, product_id, INDIA)
    clock.advance(minutes=1)
    assert (await merchant.client.delete(address(first))).status_code == 200
    assert await listed(merchant, product_id) == []
    archived = first | {"updated_at": "2026-03-14T15:10:26.535897Z"}
    assert await read(merchant, first) == archived
    clock.advance(minutes=1)
    assert (await merchant.client.delete(address(first))).status_code == 200  # a second time changes nothing
    assert await read(merchant, first) == archived
    second = await create(merchant, product_id, INDIA | {"amount": 89_900})
    assert second["id"] != first["id"]
    assert await listed(merchant, product_id) == [second]
    assert await stored(runtime, product_id) == [("IN", True), ("IN", False)]


async def test_an_archived_price_cannot_be_changed(merchant: Merchant) -> None:
    made = await create(merchant, await product(merchant), INDIA)
    await merchant.client.delete(address(made))
    refused(
        await merchant.client.patch(address(made), json={"amount": 1}),
        422,
        "UNSUPPORTED_ACTION",
        "The localized price is archived; create another one.",
    )
    assert (await read(merchant, made))["amount"] == 99_900


async def test_unknown_products_and_prices(merchant: Merchant) -> None:
    made = await create(merchant, await product(merchant), INDIA)
    other = await product(merchant)
    refused(await post(merchant, "pdt_none", INDIA), 404, "NOT_FOUND", "Product not found")
    missing = await merchant.client.get("/products/pdt_none/localized-prices")
    refused(missing, 404, "NOT_FOUND", "Product not found")
    for wrong in (made | {"id": "lcp_none"}, made | {"product_id": other}):
        for response in (
            await merchant.client.get(address(wrong)),
            await merchant.client.patch(address(wrong), json={"amount": 1}),
            await merchant.client.delete(address(wrong)),
        ):
            refused(response, 404, "NOT_FOUND", "Localized price not found")
    assert await listed(merchant, made["product_id"]) == [made]


@pytest.mark.parametrize("stranger", ["other business", "live mode"])
async def test_prices_of_others_are_not_there(merchant: Merchant, other_merchant: Merchant, stranger: str) -> None:
    client = other_merchant.client if stranger == "other business" else merchant.live_client
    made = await create(merchant, await product(merchant), INDIA)
    collection = f"/products/{made['product_id']}/localized-prices"
    for response in (
        await client.get(collection),
        await client.post(collection, json=INDIA | {"country_code": "DE"}),
        await client.get(address(made)),
        await client.patch(address(made), json={"amount": 1}),
        await client.delete(address(made)),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
    assert await listed(merchant, made["product_id"]) == [made]


async def test_a_read_only_key_reads_and_changes_nothing(merchant: Merchant) -> None:
    made = await create(merchant, await product(merchant), INDIA)
    client = merchant.read_only_client
    assert (await client.get(address(made))).json() == made
    for response in (
        await client.post(f"/products/{made['product_id']}/localized-prices", json=INDIA | {"country_code": "DE"}),
        await client.patch(address(made), json={"amount": 1}),
        await client.delete(address(made)),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "UNAUTHORIZED")
    assert await listed(merchant, made["product_id"]) == [made]


@pytest.mark.parametrize("mode", [None, "by_currency"])
async def test_another_pricing_mode_archives_what_does_not_fit(
    merchant: Merchant, runtime: Runtime, clock: FakeClock, mode: str | None
) -> None:
    product_id, untouched = await product(merchant), await product(merchant)
    made = await create(merchant, product_id, INDIA)
    kept = await create(merchant, untouched, INDIA)
    clock.advance(minutes=1)
    await change_product(merchant, product_id, pricing_mode=mode)
    assert await listed(merchant, product_id) == []
    assert await read(merchant, made) == made | {"updated_at": "2026-03-14T15:10:26.535897Z"}
    assert await listed(merchant, untouched) == [kept]
    clock.advance(minutes=1)
    await change_product(merchant, product_id, pricing_mode="by_country")
    await change_product(merchant, product_id, pricing_mode=None)
    assert await listed(merchant, product_id) == []  # going back brings nothing back
    assert await read(merchant, made) == made | {"updated_at": "2026-03-14T15:10:26.535897Z"}
    assert await stored(runtime, product_id) == [("IN", True)]


async def test_the_same_pricing_mode_keeps_the_prices(merchant: Merchant) -> None:
    product_id = await product(merchant)
    made = await create(merchant, product_id, INDIA)
    await change_product(merchant, product_id, pricing_mode="by_country", name="Another name")
    await change_product(merchant, product_id, name="A third name")
    assert await listed(merchant, product_id) == [made]


async def test_a_new_base_currency_replaces_the_price_in_that_currency(
    merchant: Merchant, runtime: Runtime, clock: FakeClock
) -> None:
    product_id = await product(merchant, "by_currency")
    await create(merchant, product_id, EUROS)
    clock.advance(seconds=1)
    pounds = await create(merchant, product_id, {"amount": 899, "currency": "GBP"})
    await change_product(merchant, product_id, price={"type": "one_time_price", "currency": "EUR", "price": 1000})
    assert await listed(merchant, product_id) == [pounds]
    assert await stored(runtime, product_id) == [("EUR", True), ("GBP", False)]


async def test_prices_for_a_cart_come_in_one_query(merchant: Merchant, runtime: Runtime) -> None:
    first, second = await product(merchant), await product(merchant, "by_currency")
    india = await create(merchant, first, INDIA)
    gone = await create(merchant, first, INDIA | {"country_code": "DE"})
    await merchant.client.delete(address(gone))
    euros = await create(merchant, second, EUROS)
    async with runtime.database.read() as read_connection:
        found = await load_localized_prices(
            read_connection, merchant.tenant, [first, second, await product(merchant), "pdt_none"]
        )
        elsewhere = await load_localized_prices(read_connection, merchant.live_tenant, [first, second])
    assert {key: [price.localized_price_id for price in prices] for key, prices in found.items()} == {
        first: [india["id"]],
        second: [euros["id"]],
    }
    assert elsewhere == {}


async def test_a_new_price_waits_for_a_change_of_its_product(merchant: Merchant, runtime: Runtime) -> None:
    """It is checked against the mode that the change leaves, never against the one before."""
    product_id = await product(merchant)
    async with runtime.database.transaction() as tx:
        changing = "UPDATE products SET pricing_mode = 'by_currency' WHERE product_id = $1"
        await tx.execute(changing, product_id)
        creating = asyncio.create_task(post(merchant, product_id, INDIA))
        async with runtime.database.read() as watching:
            blocked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))"
            while not creating.done() and not await watching.fetchval(blocked, tx.get_server_pid()):
                await asyncio.sleep(0.01)
    response = await creating
    assert (response.status_code, response.json()["code"]) == (422, "LOCALIZED_PRICE_SHAPE_MISMATCH")
    assert await listed(merchant, product_id) == []
