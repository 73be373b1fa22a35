"""GET /balances/ledger: what each movement of money is to the seller, to the unit."""

import asyncio
from typing import Any, get_args

import httpx
import pytest
from dodopayments import DodoPayments
from dodopayments.types import BalanceLedgerEntry
from starlette.types import ASGIApp

from harness import FakeClock, Merchant, Server
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from nicobar.wire.ledger.balances import LedgerEventType
from orders import dump, line, order, token_of
from selling import refunded, sold
from shop import EXAMPLE_RATES, Shop


async def read(client: httpx.AsyncClient, **query: str | int) -> list[dict[str, Any]]:
    response = await client.get("/balances/ledger", params=query)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def told(lines: list[dict[str, Any]]) -> list[tuple[str, int, int, int]]:
    """Return type, signed amount, and the balances before and after."""
    return [
        (
            item["event_type"],
            item["amount"] if item["is_credit"] else -item["amount"],
            item["before_balance"],
            item["after_balance"],
        )
        for item in lines
    ]


def taxed(runtime: Runtime, merchant: Merchant, **changes: Any) -> Payment:
    """Return a payment of 24.00 with 4.00 of tax in it."""
    return order(runtime, merchant.tenant, **({"settlement_tax": 400} | changes))


async def test_a_payment_is_two_lines_and_each_has_its_balance(runtime: Runtime, merchant: Merchant) -> None:
    payment = await sold(runtime, taxed(runtime, merchant))
    tax, whole = await read(merchant.client)
    assert whole == {
        "id": whole["id"],
        "business_id": merchant.business_id,
        "amount": 2400,
        "is_credit": True,
        "currency": "USD",
        "usd_equivalent_amount": 2400,
        "event_type": "payment",
        "created_at": whole["created_at"],
        "before_balance": 0,
        "after_balance": 2400,
        "description": "Settlement of a payment, with its tax",
        "payout_id": None,
        "reference_object_id": payment.payment_id,
    }
    assert tax == whole | {
        "id": f"{whole['id']}_tax",
        "amount": 400,
        "is_credit": False,
        "usd_equivalent_amount": 400,
        "event_type": "tax",
        "before_balance": 2400,
        "after_balance": 2000,
        "description": "Tax set aside for the authorities",
    }
    assert whole["id"].startswith("led_")


async def test_refunds_go_the_other_way_and_currencies_have_balances_of_their_own(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    first = await sold(runtime, taxed(runtime, merchant))
    clock.advance(seconds=1)
    await sold(runtime, taxed(runtime, merchant, currency="EUR", settlement_currency="EUR"))
    clock.advance(seconds=1)
    await refunded(runtime, first, 600, 100)
    clock.advance(seconds=1)
    await sold(runtime, order(runtime, merchant.tenant, [line(subtotal=1000, tax=0)]))
    assert told(await read(merchant.client)) == [
        ("payment", 1000, 1500, 2500),
        ("tax_reversal", 100, 1400, 1500),
        ("refund", -600, 2000, 1400),
        ("tax", -400, 2400, 2000),
        ("payment", 2400, 0, 2400),
        ("tax", -400, 2400, 2000),
        ("payment", 2400, 0, 2400),
    ]
    assert {(item["currency"], item["after_balance"]) for item in await read(merchant.client, currency="EUR")} == {
        ("EUR", 2400),
        ("EUR", 2000),
    }


async def test_a_free_payment_moves_no_money(runtime: Runtime, merchant: Merchant) -> None:
    await sold(runtime, order(runtime, merchant.tenant, [line(subtotal=1000, discount=1000, tax=0)]))
    assert await read(merchant.client) == []


async def test_pages_and_filters(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    payments = []
    moments = []
    for _ in range(6):
        clock.advance(seconds=60)
        moments.append(clock.now())
        payments.append(await sold(runtime, taxed(runtime, merchant)))
    clock.advance(seconds=60)
    refund_id = await refunded(runtime, payments[0], 2400, 400)
    everything = await read(merchant.client, limit=100)
    assert len(everything) == 14
    assert told(everything)[0] == ("tax_reversal", 400, 9600, 10_000)
    client = merchant.client
    assert await read(client) == everything[:10]
    assert await read(client, page_number=1) == everything[10:]
    assert await read(client, page_number=2) == []
    assert await read(client, page_size=5, page_number=1) == everything[5:10]
    assert await read(client, page_size=5, limit=3, page_number=1) == everything[3:6]
    # Balances are those of the account, whatever is left out of the page.
    assert await read(client, event_type="payment", limit=3) == everything[3:9:2]
    assert await read(client, event_type="tax", page_size=2, page_number=1) == everything[6:10:2]
    assert await read(client, event_type="tax_reversal") == everything[:1]
    assert await read(client, event_type="refund") == everything[1:2]
    assert await read(client, event_type="payout") == []
    assert await read(client, reference_object_id=refund_id) == everything[:2]
    assert await read(client, reference_object_id=payments[2].payment_id) == everything[8:10]
    assert await read(client, currency="GBP") == []
    since, until = moments[1].isoformat(), moments[2].isoformat()
    assert await read(client, created_at_gte=since, created_at_lte=until) == everything[8:12]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"page_size": 0}, "page_size"),
        ({"event_type": "gift"}, "event_type"),
        ({"currency": "XXX"}, "currency"),
        ({"created_at_gte": "yesterday"}, "created_at_gte"),
        ({"limit": 100, "page_number": 101}, "page_number"),
    ],
)
async def test_a_query_that_means_nothing_is_refused(
    runtime: Runtime, merchant: Merchant, query: dict[str, Any], path: str
) -> None:
    before = await dump(runtime)
    response = await merchant.client.get("/balances/ledger", params=query)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_QUERY_PARAMS")
    assert path in response.json()["message"]
    assert response.headers["x-should-retry"] == "false"
    assert await dump(runtime) == before


async def test_nobody_sees_the_account_of_another(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    await sold(runtime, taxed(runtime, merchant))
    await sold(runtime, order(runtime, other_merchant.tenant, [line(subtotal=500, tax=0)]))
    await sold(runtime, order(runtime, merchant.live_tenant, [line(subtotal=700, tax=0)]))
    assert told(await read(merchant.client)) == [("tax", -400, 2400, 2000), ("payment", 2400, 0, 2400)]
    assert told(await read(other_merchant.client)) == [("payment", 500, 0, 500)]
    assert told(await read(merchant.live_client)) == [("payment", 700, 0, 700)]
    assert await read(merchant.read_only_client) == await read(merchant.client)


async def test_a_conversion_is_settled_as_the_payment_says(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant
) -> None:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo")
    await shop.rates(EXAMPLE_RATES)
    created = await shop.purchase(await shop.product(10_000), country="CA", billing_currency="CAD")
    assert created["total_amount"] == 14_248
    (settled,) = await read(merchant.client)
    assert (settled["amount"], settled["currency"], settled["usd_equivalent_amount"]) == (10_000, "USD", 10_000)


async def test_dollars_are_those_of_the_rates_at_the_time(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant
) -> None:
    shop = Shop(runtime, app, clock, merchant)
    euros = {"currency": "EUR", "settlement_currency": "EUR"}
    yen = {"currency": "JPY", "settlement_currency": "JPY"}
    await shop.rates(EXAMPLE_RATES)
    await sold(runtime, taxed(runtime, merchant, **euros))
    clock.advance(seconds=1)
    await shop.rates({"EUR": "0.80"})
    await sold(runtime, taxed(runtime, merchant, **euros))
    clock.advance(seconds=1)
    await sold(runtime, taxed(runtime, merchant, **yen))
    assert [
        (item["amount"], item["currency"], item["usd_equivalent_amount"]) for item in await read(merchant.client)
    ] == [
        (400, "JPY", 268),
        (2400, "JPY", 1607),
        (400, "EUR", 500),
        (2400, "EUR", 3000),
        (400, "EUR", 435),  # 4.00 / 0.92 = 4.3478
        (2400, "EUR", 2609),
    ]


def test_the_types_are_those_of_the_library() -> None:
    assert get_args(LedgerEventType) == get_args(BalanceLedgerEntry.model_fields["event_type"].annotation)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_the_official_library_reads_it(server: Server, client: DodoPayments) -> None:
    def create() -> str:
        product = client.products.create(
            name="Field Guide",
            tax_category="e_book",
            price={"type": "one_time_price", "currency": "USD", "price": 1999},
        )
        made = client.payments.create(
            billing={"country": "US"},
            customer={"email": "ana@example.com"},
            product_cart=[{"product_id": product.product_id, "quantity": 1}],
            payment_link=True,
        )
        assert made.payment_link is not None
        with httpx.Client() as browser:
            page = browser.get(made.payment_link)
            form = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "A", "token": token_of(page)}
            browser.post(made.payment_link, data=form)
        return made.payment_id

    def everything() -> list[BalanceLedgerEntry]:
        return list(client.balances.retrieve_ledger(limit=1))

    payment_id = await asyncio.to_thread(create)
    (entry,) = await asyncio.to_thread(everything)
    assert (entry.amount, entry.is_credit, entry.event_type) == (1999, True, "payment")
    assert (entry.before_balance, entry.after_balance, entry.usd_equivalent_amount) == (0, 1999, 1999)
    assert entry.reference_object_id == payment_id
    raw = client.balances.with_raw_response.retrieve_ledger(event_type="payment", currency="USD")
    assert set(raw.http_response.json()["items"][0]) == set(BalanceLedgerEntry.model_fields)
