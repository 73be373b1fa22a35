"""A change of settings, tax table or rates is in force for new payments within five seconds, in every process."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant, client_for
from nicobar.app import create_app
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.rates.import_rates import import_rates
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.import_tax_rates import import_tax_rates
from nicobar.flows.tax.reset_tax_rates import reset_tax_rates
from nicobar.storage.database import Database
from shop import EXAMPLE_RATES, Shop, item, order_request


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


@pytest_asyncio.fixture
async def processes(shop: Shop, runtime: Runtime) -> AsyncIterator[list[httpx.AsyncClient]]:
    """The merchant's client to this process, and one to another: with its own connections and its own memory."""
    database = Database(runtime.database.dsn, size=2)
    other = client_for(create_app(runtime._replace(database=database)), shop.merchant.key)
    yield [shop.client, other]
    await other.aclose()
    await database.close()


async def outcomes(processes: list[httpx.AsyncClient], request: dict[str, Any]) -> set[int | str]:
    """Return what both processes answer: the total, or the code of the refusal."""
    answers = [(await client.post("/payments", json=request)).json() for client in processes]
    return {answer.get("code") or answer["total_amount"] for answer in answers}


CHANGES: list[tuple[str, str, dict[str, str], str, int | str, int | str]] = [
    ("tax", "table", {}, "DE", 2000, 2380),
    ("tax", "off", {"tax": "table"}, "DE", 2380, 2000),
    ("default_tax_inclusive", "true", {"tax": "table"}, "DE", 2380, 2000),
    ("adaptive_pricing", "on", {}, "DE", 2000, 1840),
    ("adaptive_fees", "dodo", {"adaptive_pricing": "on"}, "DE", 1840, 1914),
    ("fees_inclusive", "true", {"adaptive_pricing": "on", "adaptive_fees": "dodo"}, "DE", 1914, 1840),
    ("currencies", "USD", {"adaptive_pricing": "on"}, "DE", 1840, 2000),
    ("currencies", "EUR", {}, "DE", 2000, "UNSUPPORTED_CURRENCY"),
    ("blocked_countries", "DE", {}, "DE", 2000, "UNSUPPORTED_COUNTRY"),
    ("blocked_countries", "", {"blocked_countries": "dodo"}, "KP", "UNSUPPORTED_COUNTRY", 2000),
    ("purchasing_power", "on", {"adaptive_pricing": "on", "purchasing_power_table": "DE=50"}, "DE", 1840, 920),
    (
        "purchasing_power_table",
        "DE=75",
        {"adaptive_pricing": "on", "purchasing_power": "on", "purchasing_power_table": "DE=50"},
        "DE",
        920,
        1380,
    ),
    ("charm_pricing", "nearest", {"adaptive_pricing": "on"}, "DE", 1840, 1999),
]


@pytest.mark.parametrize(("name", "text", "before", "country", "old", "new"), CHANGES)
async def test_a_setting_is_in_force_in_every_process_after_five_seconds(
    shop: Shop,
    processes: list[httpx.AsyncClient],
    name: str,
    text: str,
    before: dict[str, str],
    country: str,
    old: int | str,
    new: int | str,
) -> None:
    await shop.settings(**before)
    product = await shop.product(2000, purchasing_power_parity=before.get("adaptive_pricing") == "on")
    request = order_request(item(product), country=country)
    assert await outcomes(processes, request) == {old}
    await change_setting(shop.runtime, shop.merchant.tenant, name, text)
    shop.clock.advance(seconds=5)
    assert await outcomes(processes, request) == {new}


async def test_the_life_of_a_link_is_that_of_its_creation(
    shop: Shop, processes: list[httpx.AsyncClient], clock: FakeClock
) -> None:
    request = order_request(item(await shop.product(2000)), payment_link=True)
    first = await shop.create(request)
    await change_setting(shop.runtime, shop.merchant.tenant, "link_ttl_minutes", "30")
    clock.advance(seconds=5)
    for client in processes:
        created = (await client.post("/payments", json=request)).json()
        assert datetime.fromisoformat(created["expires_on"]) == clock.now() + timedelta(minutes=30)
    kept = await shop.read(f"/payments/{first['payment_id']}")
    assert datetime.fromisoformat(first["expires_on"]) - datetime.fromisoformat(kept["created_at"]) == timedelta(days=1)


async def test_the_sellers_country_is_in_force(shop: Shop, processes: list[httpx.AsyncClient]) -> None:
    await shop.settings(tax="table", seller_country="FR")
    request = order_request(item(await shop.product(2000)), tax_id="DE136695976")
    assert await outcomes(processes, request) == {2000}
    await change_setting(shop.runtime, shop.merchant.tenant, "seller_country", "DE")
    shop.clock.advance(seconds=5)
    assert await outcomes(processes, request) == {2380}


async def test_a_tax_table_is_in_force(shop: Shop, processes: list[httpx.AsyncClient]) -> None:
    await shop.settings(tax="table")
    tenant, request = shop.merchant.tenant, order_request(item(await shop.product(2000)))
    assert await outcomes(processes, request) == {2380}
    await import_tax_rates(shop.runtime, tenant, "country,name,standard_percent\nDE,VAT,25\n", "mine.csv")
    shop.clock.advance(seconds=5)
    assert await outcomes(processes, request) == {2500}
    await reset_tax_rates(shop.runtime, tenant)
    shop.clock.advance(seconds=5)
    assert await outcomes(processes, request) == {2380}


async def test_rates_are_in_force_for_every_merchant(
    shop: Shop, app: ASGIApp, processes: list[httpx.AsyncClient], other_merchant: Merchant
) -> None:
    await shop.settings(adaptive_pricing="on")
    await change_setting(shop.runtime, other_merchant.tenant, "adaptive_pricing", "on")
    request = order_request(item(await shop.product(2000)))
    theirs = Shop(shop.runtime, app, shop.clock, other_merchant)
    their_request = order_request(item(await theirs.product(2000)))
    assert await outcomes(processes, request) | await outcomes([theirs.client], their_request) == {1840}
    await import_rates(shop.runtime, b"code,units_per_usd\nEUR,0.95\n", "new", force=True)
    shop.clock.advance(seconds=5)
    assert await outcomes(processes, request) | await outcomes([theirs.client], their_request) == {1900}


async def test_a_setting_is_of_one_merchant_and_one_mode(shop: Shop, other_merchant: Merchant) -> None:
    price = {"type": "one_time_price", "currency": "USD", "price": 2000}
    clients = [shop.merchant.client, shop.merchant.live_client, other_merchant.client]
    requests = []
    for client in clients:
        made = await client.post("/products", json={"name": "Guide", "tax_category": "saas", "price": price})
        requests.append(order_request(item(made.json()["product_id"])))
    await shop.settings(tax="table")
    totals = [
        (await client.post("/payments", json=request)).json()["total_amount"]
        for client, request in zip(clients, requests, strict=True)
    ]
    assert totals == [2380, 2000, 2000]


async def test_simultaneous_payments_see_the_old_or_the_new_and_then_the_new(shop: Shop) -> None:
    """A change in the middle of traffic: no payment mixes both, and after five seconds none has the old."""
    request = order_request(item(await shop.product(2000)))
    await shop.create(request)

    async def switch() -> None:
        await change_setting(shop.runtime, shop.merchant.tenant, "tax", "table")
        shop.clock.advance(seconds=3)

    answers = await asyncio.gather(
        *[shop.client.post("/payments", json=request) for _ in range(10)],
        switch(),
        *[shop.client.post("/payments", json=request) for _ in range(10)],
    )
    for answer in answers:
        if answer is not None:
            payment = await shop.read(f"/payments/{answer.json()['payment_id']}")
            assert (payment["total_amount"], payment["tax"]) in {(2000, 0), (2380, 380)}
    shop.clock.advance(seconds=2)
    assert (await shop.create(request))["total_amount"] == 2380
