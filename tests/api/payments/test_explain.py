"""GET /payments/{id}/explain: a trace that sums to the total, that people can read, and that never changes again."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from shop import EXAMPLE_RATES, Bought, Shop, item

STEP_KEYS = {
    "what",
    "line",
    "product_id",
    "currency",
    "amount_before",
    "amount_after",
    "contribution",
    "rule",
    "source",
    "sentence",
}


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


async def everything(shop: Shop) -> Bought:
    """Buy example 18 of the contract, with a second line that contains its tax."""
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", tax="table")
    record = await shop.product(4900, discount_bps=1000)
    book = await shop.product(1500, tax_category="e_book", tax_inclusive=True)
    await shop.percentage("TWENTY", 2000, restricted_to=[record])
    await shop.flat("FIVE", 500, "USD")
    return await shop.buy(item(record, 2), item(book), discount_codes=["TWENTY", "FIVE"])


async def explained(client: httpx.AsyncClient, payment_id: str) -> httpx.Response:
    return await client.get(f"/payments/{payment_id}/explain")


async def test_a_person_can_read_it(shop: Shop) -> None:
    bought = await everything(shop)
    record, book = (line["product_id"] for line in bought.payment["product_cart"])
    twenty, five = bought.created["discount_ids"]
    law = "Nicobar's tax table, confidence high"
    told = bought.explanation
    assert [(step["contribution"], step["sentence"]) for step in told["steps"]] == [
        (0, f"Line 1: 2 x $49.00 gives USD 98.00 (product {record})."),
        (0, "Line 1: rate USD->EUR 0.92 gives EUR 90.16 (example, 2026-03-14)."),
        (0, "Line 1: conversion fee 4 % on top gives EUR 93.7664."),
        (9377, "Line 1: subtotal before discounts gives EUR 93.7664."),
        (-938, f"Line 1: product discount 10 % gives EUR 84.38976 (product {record})."),
        (-1688, f"Line 1: code TWENTY 20 % gives EUR 67.511808 (discount {twenty})."),
        (
            -379,
            f"Line 1: code FIVE €4.60 gives EUR 63.721808 (discount {five}, currency row USD at 0.92 (example)).",
        ),
        (0, "Line 1: rounding half-up to a whole minor unit gives EUR 63.72."),
        (1211, f"Line 1: tax 19 % on top, €12.11, gives EUR 75.83 (VAT 19 % of DE, {law})."),
        (0, f"Line 2: 1 x $15.00 gives USD 15.00 (product {book})."),
        (0, "Line 2: rate USD->EUR 0.92 gives EUR 13.80 (example, 2026-03-14)."),
        (0, "Line 2: conversion fee 4 % on top gives EUR 14.352."),
        (1341, "Line 2: subtotal before discounts (€13.41 without tax) gives EUR 14.352."),
        (
            -76,
            f"Line 2: code FIVE €4.60 gives EUR 13.542 (discount {five}, currency row USD at 0.92 (example)).",
        ),
        (0, "Line 2: rounding half-up to a whole minor unit gives EUR 13.54."),
        (89, f"Line 2: tax 7 % within the price, €0.89, gives EUR 13.54 (VAT 7 % of DE, {law})."),
        (0, "Whole cart: sum of the lines gives EUR 89.37."),
        (
            0,
            "Whole cart: settlement at rate USD->EUR 0.92 less the conversion fee of 4 % gives USD 93.41"
            " (example, 2026-03-14).",
        ),
    ]


async def test_every_key_is_there_and_each_step_begins_where_the_last_one_ended(shop: Shop) -> None:
    bought = await everything(shop)
    told = bought.explanation
    assert set(told) == {
        "payment_id",
        "currency",
        "subtotal",
        "discount",
        "tax",
        "total_amount",
        "settlement_currency",
        "settlement_amount",
        "settlement_tax",
        "recomputed",
        "steps",
    }
    assert (told["subtotal"], told["discount"], told["tax"], told["total_amount"]) == (10_718, 3081, 1300, 8937)
    assert told["payment_id"] == bought.created["payment_id"]
    reached: dict[int | None, str] = {}
    for step in told["steps"]:
        assert set(step) == STEP_KEYS
        assert step["amount_before"] == reached.get(step["line"], "0")
        reached[step["line"]] = step["amount_after"]
        line = step["line"]
        assert step["product_id"] == (None if line is None else bought.payment["product_cart"][line]["product_id"])
    assert reached == {0: "7583", 1: "1354", None: "9341"}


CARTS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("plain", {}, {}),
    ("tax on top", {"tax": "table"}, {}),
    ("tax within", {"tax": "table", "default_tax_inclusive": "true"}, {}),
    ("reverse charge", {"tax": "table"}, {"tax_id": "DE136695976"}),
    ("converted", {"adaptive_pricing": "on"}, {}),
    ("fee on top", {"adaptive_pricing": "on", "adaptive_fees": "dodo", "tax": "table"}, {}),
    ("fee within", {"adaptive_pricing": "on", "adaptive_fees": "dodo", "fees_inclusive": "true"}, {}),
    ("to yen", {"adaptive_pricing": "on", "adaptive_fees": "dodo", "tax": "table"}, {"country": "JP"}),
    ("charm", {"adaptive_pricing": "on", "charm_pricing": "nearest", "tax": "table"}, {"country": "GB"}),
    (
        "parity",
        {"adaptive_pricing": "on", "purchasing_power": "on", "purchasing_power_table": "IN=30", "tax": "table"},
        {"country": "IN"},
    ),
]


@pytest.mark.parametrize(("settings", "fields"), [case[1:] for case in CARTS], ids=[case[0] for case in CARTS])
async def test_contributions_sum_to_the_total(shop: Shop, settings: dict[str, str], fields: dict[str, Any]) -> None:
    """`Shop.buy` checks the sum, the recomputation and the agreement with everything else that is told."""
    await shop.settings(**settings)
    first = await shop.product(4999, discount_bps=1250, purchasing_power_parity="purchasing_power" in settings)
    book = await shop.product(333, tax_category="e_book", tax_inclusive=True)
    gift = await shop.product(700, pay_what_you_want=True)
    free = await shop.product(0)
    await shop.percentage("THIRD", 3333, restricted_to=[first, gift])
    await shop.flat("FLAT", 777)
    cart = (item(first, 3), item(book, 7), item(gift, amount=1234), item(free), item(first, 0))
    bought = await shop.buy(*cart, discount_codes=["THIRD", "FLAT"], **fields)
    assert bought.created["total_amount"] > 0
    assert [step["line"] for step in bought.explanation["steps"] if step["what"] == "rounding"] == [0, 1, 2, 3, 4]


async def test_it_stays_what_it_was(shop: Shop) -> None:
    """Neither a new rate, setting or tax table nor a changed product or code touches an old payment."""
    bought = await everything(shop)
    before = (bought.explanation, bought.payment, bought.lines)
    record = bought.payment["product_cart"][0]["product_id"]
    await shop.rates({"EUR": "0.5"})
    await shop.settings(tax="off", adaptive_pricing="off", adaptive_fees="none")
    await shop.taxes("country,name,standard_percent\nDE,VAT,77\n")
    price = {"type": "one_time_price", "currency": "USD", "price": 1, "discount_bps": 0}
    assert (await shop.client.patch(f"/products/{record}", json={"price": price, "name": "New"})).status_code == 200
    twenty = bought.created["discount_ids"][0]
    assert (await shop.client.patch(f"/discounts/{twenty}", json={"amount": 1, "code": "OTHER"})).status_code == 200
    path = f"/payments/{bought.created['payment_id']}"
    lines = (await shop.read(f"{path}/line-items", currency="EUR"))["items"]
    assert (await shop.read(f"{path}/explain"), await shop.read(path), lines) == before


async def test_a_disagreement_with_what_is_stored_is_told(shop: Shop, runtime: Runtime) -> None:
    await shop.flat("FLAT", 1000)
    cart = (item(await shop.product(3000)), item(await shop.product(3000)))
    bought = await shop.buy(*cart, discount_codes=["FLAT"])
    payment_id = bought.created["payment_id"]
    async with runtime.database.transaction() as tx:
        await tx.execute(
            "UPDATE payment_lines SET discount = discount + (CASE position WHEN 0 THEN 1 ELSE -1 END),"
            " total = total - (CASE position WHEN 0 THEN 1 ELSE -1 END) WHERE payment_id = $1",
            payment_id,
        )
    assert (await explained(shop.client, payment_id)).json()["recomputed"] is False


async def test_who_may_ask(shop: Shop, merchant: Merchant, other_merchant: Merchant, app_client: Any) -> None:
    bought = await shop.buy(item(await shop.product(2000)))
    payment_id = bought.created["payment_id"]
    mine = await explained(merchant.read_only_client, payment_id)
    assert (mine.status_code, mine.json()) == (200, bought.explanation)
    for client in (other_merchant.client, other_merchant.read_only_client, merchant.live_client):
        hidden = await explained(client, payment_id)
        assert (hidden.status_code, hidden.json()) == (404, {"code": "NOT_FOUND", "message": "Payment not found"})
    assert (await explained(merchant.client, "pay_unknown")).status_code == 404
    assert (await explained(app_client, payment_id)).status_code == 401
