"""Charges on demand that are smaller than their currency allows: nobody pays more than was asked for."""

from typing import Any

import pytest

from api.subscriptions.subscribing import Club
from orders import dump


@pytest.mark.parametrize(
    ("body", "minimum"),
    [
        ({"product_price": 1}, "$0.50"),
        ({"product_price": 49}, "$0.50"),
        ({"product_price": 1, "product_currency": "JPY"}, "$0.50"),  # less than a cent
    ],
)
async def test_a_demanded_price_below_the_smallest_charge_is_refused(
    club: Club, body: dict[str, Any], minimum: str
) -> None:
    """As a payment of it is; nobody is charged more than the merchant asked for."""
    own = await club.subscribe(on_demand={"mandate_only": True})
    path = f"/subscriptions/{own['subscription_id']}/charge"
    before = await dump(club.runtime)
    refused = await club.call("POST", path, body, 422)
    assert refused["code"] == "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"
    assert refused["message"] == f"Minimum amount of {minimum} is required to process payment"
    assert await dump(club.runtime) == before
    for price in (50, 0):
        made = await club.call("POST", path, {"product_price": price})
        assert (await club.call("GET", f"/payments/{made['payment_id']}"))["total_amount"] == price
    await club.books_agree()


async def test_so_is_one_at_the_start(club: Club) -> None:
    product_id = await club.product()
    body = {
        "billing": {"country": "US"},
        "customer": {"email": "ana@example.com", "name": "Ana"},
        "product_id": product_id,
        "quantity": 1,
        "on_demand": {"mandate_only": False, "product_price": 49},
    }
    before = await dump(club.runtime)
    refused = await club.call("POST", "/subscriptions", body, 422)
    assert refused["code"] == "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"
    assert await dump(club.runtime) == before


@pytest.mark.parametrize(("price", "charged", "left"), [(40, 0, 40), (80, 0, 0), (100, 50, 30), (200, 120, 0)])
async def test_credit_may_leave_less_than_the_smallest_charge(club: Club, price: int, charged: int, left: int) -> None:
    """Then the charge is raised, and the difference becomes credit, as at a plan change."""
    own = await club.subscribe(on_demand={"mandate_only": True})
    async with club.runtime.database.transaction() as tx:
        await tx.execute("UPDATE subscriptions SET credit = 80, details = jsonb_set(details::jsonb, '{credit}', '80')")
    path = f"/subscriptions/{own['subscription_id']}/charge"
    made = await club.call("POST", path, {"product_price": price})
    assert (await club.call("GET", f"/payments/{made['payment_id']}"))["total_amount"] == charged
    async with club.runtime.database.read() as read:
        assert await read.fetchval("SELECT credit FROM subscriptions") == left
