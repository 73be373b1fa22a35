"""POST /refunds, its preview, and reading refunds: whole answers, lists, tenants, and what payments show of them."""

from typing import Any

import pytest

from api.answers import answered
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from orders import dump, line, paid, pay
from returning import Returning
from shop import EXAMPLE_RATES, Shop, item, order_request


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    return runtime._replace(processors={"simulator": Returning(runtime)})


async def post(merchant: Merchant, path: str = "/refunds", **body: Any) -> dict[str, Any]:
    return answered(await merchant.client.post(path, json=body))


async def get(merchant: Merchant, path: str, **query: Any) -> dict[str, Any]:
    return answered(await merchant.client.get(path, params=query))


async def buy(shop: Shop, *items: dict[str, Any], **fields: Any) -> str:
    """Buy a cart and pay it on the hosted page; return the payment's id."""
    created = await shop.create(order_request(*items, payment_link=True, **fields))
    await pay(shop.browser, created["payment_link"])
    payment_id: str = created["payment_id"]
    assert (await shop.read(f"/payments/{payment_id}"))["status"] == "succeeded"
    return payment_id


async def test_a_refund_is_answered_read_and_shown_with_its_payment(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    payment = await paid(runtime, merchant.tenant)
    clock.advance(days=1)
    made = await post(
        merchant,
        payment_id=payment.payment_id,
        reason="torn",
        items=[{"item_id": "pdt_0", "amount": 1000, "tax_inclusive": None}],
        metadata={"ticket": 7, "angry": False},
        unknown="ignored",
    )
    assert made == {
        "brand_id": merchant.business_id,
        "business_id": merchant.business_id,
        "created_at": "2026-03-15T15:09:26.535897Z",
        "customer": {
            "customer_id": payment.customer.customer_id,
            "email": "ana.lima@example.com",
            "name": "Ana Lima",
            "metadata": {},
            "phone_number": None,
        },
        "is_partial": True,
        "metadata": {"ticket": 7, "angry": False},
        "payment_id": payment.payment_id,
        "refund_id": made["refund_id"],
        "status": "succeeded",
        "amount": 1000,
        "currency": "USD",
        "network_reference": None,
        "network_reference_type": None,
        "network_reference_updated_at": None,
        "reason": "torn",
    }
    assert made["refund_id"].startswith("ref_")
    assert len(made["refund_id"]) == 25
    assert await get(merchant, f"/refunds/{made['refund_id']}") == made
    row = {name: value for name, value in made.items() if name not in ("brand_id", "customer", "metadata")}
    assert await get(merchant, "/refunds") == {"items": [row]}
    shown = await get(merchant, f"/payments/{payment.payment_id}")
    assert (shown["refunds"], shown["refund_status"], shown["status"]) == ([row], "partial", "succeeded")
    assert (await get(merchant, "/payments"))["items"][0]["refund_status"] == "partial"
    clock.advance(seconds=1)
    rest = await post(merchant, payment_id=payment.payment_id, reason="  ", metadata=None, items=None, currency=None)
    assert (rest["amount"], rest["is_partial"], rest["reason"], rest["metadata"]) == (1400, True, None, {})
    shown = await get(merchant, f"/payments/{payment.payment_id}")
    assert ([refund["amount"] for refund in shown["refunds"]], shown["refund_status"]) == ([1000, 1400], "full")
    assert (await get(merchant, "/payments"))["items"][0]["refund_status"] == "full"


async def test_line_items_say_what_is_left(runtime: Runtime, merchant: Merchant) -> None:
    lines = [line(), line(1, 500, 0, 35), line(2, 0, 0, 0)]
    payment = await paid(runtime, merchant.tenant, lines)
    path = f"/payments/{payment.payment_id}/line-items"
    await post(merchant, payment_id=payment.payment_id, items=[{"item_id": "pdt_0", "amount": 900}])
    for query in ({}, {"currency": "USD"}):
        found = await get(merchant, path, **query)
        assert [row["refundable_amount"] for row in found["items"]] == [1500, 535, 0]
        assert [(row["amount"], row["tax"]) for row in found["items"]] == [(2000, 400), (500, 35), (0, 0)]
        assert found["partial_refund_allowed"] is True


async def test_a_method_that_only_gives_all_back(runtime: Runtime, merchant: Merchant) -> None:
    payment = await paid(runtime, merchant.tenant)
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE payments SET payment_method = 'crypto', payment_method_type = 'crypto_currency'")
    found = await get(merchant, f"/payments/{payment.payment_id}/line-items")
    assert found["partial_refund_allowed"] is False
    assert (await post(merchant, payment_id=payment.payment_id))["amount"] == 2400


async def test_a_preview_says_what_a_refund_does_and_stores_nothing(runtime: Runtime, merchant: Merchant) -> None:
    payment = await paid(runtime, merchant.tenant, [line(), line(1, 500, 0, 35)])
    item = {"item_id": "pdt_0", "amount": 1000, "tax_inclusive": False}
    body: dict[str, Any] = {"payment_id": payment.payment_id, "items": [item]}
    before = await dump(runtime)
    told = await post(merchant, "/refunds/preview", **body)
    assert await dump(runtime) == before
    assert told == {
        "payment_id": payment.payment_id,
        "currency": "USD",
        "amount": 1200,
        "tax": 200,
        "settlement_currency": "USD",
        "settlement_amount": 1200,
        "settlement_tax": 200,
        "remaining_amount": 1735,
        "is_partial": True,
        "lines": [
            {
                "item_id": "pdt_0",
                "name": "Solo Flight, digital album",
                "amount": 1200,
                "tax": 200,
                "settlement_amount": 1200,
                "settlement_tax": 200,
                "remaining_amount": 1200,
            },
            {
                "item_id": "pdt_1",
                "name": "Solo Flight, digital album",
                "amount": 0,
                "tax": 0,
                "settlement_amount": 0,
                "settlement_tax": 0,
                "remaining_amount": 535,
            },
        ],
    }
    assert (await post(merchant, **body))["amount"] == 1200
    rest = await post(merchant, "/refunds/preview", payment_id=payment.payment_id)
    assert (rest["amount"], rest["remaining_amount"], rest["is_partial"]) == (1735, 0, True)


@pytest.mark.parametrize(
    ("inclusive", "whole", "first"),
    [
        ("false", (9146, 1460, 9559, 1526), (957, 153, 1000, 160)),
        ("true", (8772, 1400, 9154, 1522), (958, 153, 1000, 166)),
    ],
)
async def test_the_worked_example_of_everything_goes_back_at_its_own_rate(
    shop: Shop, merchant: Merchant, inclusive: str, whole: tuple[int, ...], first: tuple[int, ...]
) -> None:
    """Example 18: two products with discounts, two codes, tax, and conversion from US dollars to euros."""
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", fees_inclusive=inclusive, tax="table")
    one, two = await shop.product(4900, discount_bps=1000), await shop.product(1500)
    await shop.percentage("TWENTY", 2000, restricted_to=[one])
    await shop.flat("MINUS5", 500, "EUR")
    payment_id = await buy(shop, item(one, 2), item(two), discount_codes=["TWENTY", "MINUS5"])
    figures = ("amount", "tax", "settlement_amount", "settlement_tax")
    told = await post(merchant, "/refunds/preview", payment_id=payment_id)
    assert tuple(told[name] for name in figures) == whole
    wanted = [{"item_id": one, "amount": 1000}]  # in the settlement currency, US dollars
    told = await post(merchant, "/refunds/preview", payment_id=payment_id, items=wanted)
    assert tuple(told[name] for name in figures) == first
    assert (told["currency"], told["settlement_currency"]) == ("EUR", "USD")
    made = await post(merchant, payment_id=payment_id, items=wanted)
    assert (made["amount"], made["currency"]) == (first[0], "EUR")
    rest = await post(merchant, "/refunds/preview", payment_id=payment_id)
    assert tuple(rest[name] for name in figures) == tuple(a - b for a, b in zip(whole, first, strict=True))
    await post(merchant, payment_id=payment_id)
    left = [await get(merchant, f"/payments/{payment_id}/line-items", **query) for query in ({}, {"currency": "EUR"})]
    assert [row["refundable_amount"] for side in left for row in side["items"]] == [0, 0, 0, 0]


async def test_a_code_stays_used_after_a_refund(shop: Shop, merchant: Merchant) -> None:
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    payment_id = await buy(shop, item(await shop.product(2000)), discount_codes=["ONCE"])
    await post(merchant, payment_id=payment_id)
    assert await shop.uses(discount_id) == (1, 0)


async def test_refunds_are_listed_newest_first_by_page_and_filter(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    payment = await paid(runtime, merchant.tenant)
    ids = []
    for amount in (100, 200, 300):
        clock.advance(hours=1)
        items = [{"item_id": "pdt_0", "amount": amount}]
        ids.append((await post(merchant, payment_id=payment.payment_id, items=items))["refund_id"])

    async def found(**query: Any) -> list[str]:
        return [row["refund_id"] for row in (await get(merchant, "/refunds", **query))["items"]]

    assert await found() == ids[::-1]
    assert [await found(page_size=2, page_number=page) for page in (0, 1, 2)] == [ids[:0:-1], ids[:1], []]
    second = "2026-03-14T17:09:26.535897Z"
    assert await found(created_at_gte=second) == [ids[2], ids[1]]
    assert await found(created_at_lte=second) == [ids[1], ids[0]]
    assert await found(created_at_gte="2026-03-15") == []
    assert await found(status="succeeded") == ids[::-1]
    assert [await found(status=status) for status in ("pending", "failed", "review")] == [[], [], []]
    assert await found(customer_id=payment.customer.customer_id) == ids[::-1]
    assert await found(customer_id="cus_unknown") == []
    assert await found(subscription_id="sub_1") == []
    for query in ({"page_size": 101}, {"status": "lost"}, {"page_number": 10**6}):
        response = await merchant.client.get("/refunds", params=query)
        assert (response.status_code, response.json()["code"]) == (422, "INVALID_QUERY_PARAMS")


async def test_tenants_and_modes_do_not_see_each_other(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    payment = await paid(runtime, merchant.tenant)
    items = [{"item_id": "pdt_0", "amount": 1}]
    refund_id = (await post(merchant, payment_id=payment.payment_id, items=items))["refund_id"]
    before = await dump(runtime)
    for client in (other_merchant.client, merchant.live_client):
        response = await client.get(f"/refunds/{refund_id}")
        assert (response.status_code, response.json()) == (404, {"code": "NOT_FOUND", "message": "Refund not found"})
        assert (await client.get("/refunds")).json() == {"items": []}
        for path in ("/refunds", "/refunds/preview"):
            response = await client.post(path, json={"payment_id": payment.payment_id})
            message = f"Payment {payment.payment_id} not found"
            assert (response.status_code, response.json()) == (404, {"code": "NOT_FOUND", "message": message})
    reader = merchant.read_only_client
    response = await reader.post("/refunds", json={"payment_id": payment.payment_id})
    assert (response.status_code, response.json()["code"]) == (403, "UNAUTHORIZED")
    response = await reader.post("/refunds/preview", json={"payment_id": payment.payment_id})
    assert response.status_code == 200, response.text
    assert await dump(runtime) == before
    assert (await merchant.read_only_client.get(f"/refunds/{refund_id}")).status_code == 200
