"""Localized prices over HTTP: changed, archived, out of reach, and together with a change of their product."""

import asyncio
from typing import Any

import pytest

from api.answers import refused
from api.catalog.localizing import EUROS, INDIA, address, change_product, create, listed, post, product, read, stored
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.localized_prices import load_localized_prices


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
