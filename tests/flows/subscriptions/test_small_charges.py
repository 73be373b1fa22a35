"""Charges that are smaller than their currency allows: nobody pays more than was asked for, or than cycles cost."""

from typing import Any

import pytest

from api.subscriptions.subscribing import GOOD_CARD, RENEWALS_FAIL, Club
from nicobar.commands.terminal.subscription_screen import SubscriptionHistory, screen
from nicobar.storage.subscriptions.subscriptions import get_subscription
from orders import dump
from shop import Shop


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


async def small(club: Club, number: str = GOOD_CARD) -> dict[str, Any]:
    """Return a subscription to a plan that was made smaller, whose cycle cost 0.30: too little to be charged."""
    own = await club.subscribe(await club.product(price=1000), number)
    await change(club, own, await club.small_product(30))
    await club.work(days=31)
    return own


async def change(club: Club, own: dict[str, Any], product_id: str, mode: str = "do_not_bill") -> int:
    """Change the plan; return what the preview said that it takes."""
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    body = {"product_id": product_id, "quantity": 1, "proration_billing_mode": mode}
    summary = (await club.call("POST", f"{path}/preview", body))["immediate_charge"]["summary"]
    club.clock.advance(seconds=1)
    await club.call("POST", path, body)
    total: int = summary["total_amount"]
    return total


async def carried(club: Club, own: dict[str, Any]) -> int:
    async with club.runtime.database.read() as read:
        found = await get_subscription(read, club.merchant.tenant, own["subscription_id"])
    assert found is not None and found.credit == 0
    return found.carried


async def test_a_small_cycle_is_charged_with_the_next(club: Club) -> None:
    own = await small(club)
    assert (await club.told())[-3:] == ["payment.succeeded", "subscription.renewed", "subscription.updated"]
    assert await carried(club, own) == 30
    async with club.runtime.database.read() as read:
        found = await get_subscription(read, club.merchant.tenant, own["subscription_id"])
    assert found is not None
    shown = screen(SubscriptionHistory(found, [], {}, [])).splitlines()
    assert "  Too small to be charged, carried on to the next cycle: 0.30 USD" in shown
    for _ in range(3):
        await club.work(days=31)
    payments = await club.payments(own["subscription_id"])
    assert [each["total_amount"] for each in payments] == [1000, 0, 60, 0, 60]
    assert {each["status"] for each in payments} == {"succeeded"}
    assert [len(each["service_periods"]) for each in payments] == [1] * 5
    assert await carried(club, own) == 0
    explained = await club.call("GET", f"/payments/{payments[1]['payment_id']}/explain")
    carrying = "Line 1: code CARRIED $0.30 gives USD 0.00 (discount , charged with a later cycle)."
    assert carrying in [step["sentence"] for step in explained["steps"]]
    for each in payments:
        assert (await club.call("GET", f"/payments/{each['payment_id']}/explain"))["recomputed"] is True
    await club.books_agree()


async def test_a_buyer_is_told_what_a_small_cycle_costs(club: Club) -> None:
    """Two that are sold together can be charged together, and are renewed each by itself."""
    items = [{"product_id": await club.small_product(price), "quantity": 1} for price in (30, 40)]
    billing = {"country": "US", "state": "NY", "city": "New York", "street": "1 Road", "zipcode": "10118"}
    customer = {"email": "ana@example.com", "name": "Ana"}
    body = {"product_cart": items, "billing_address": billing, "customer": customer, "confirm": True}
    made = await club.call("POST", "/checkouts", body)
    page = (await club.browser.get(made["checkout_url"], follow_redirects=True)).text
    assert "$0.30" in page and "$0.40" in page and "$0.50" not in page
    listed = (await club.call("GET", "/subscriptions"))["items"]
    await club.pay({"payment_link": (await club.call("GET", f"/payments/{made['payment_id']}"))["payment_link"]})
    for months in range(3):
        await club.work(days=31)
        for own, price in zip(reversed(listed), (30, 40), strict=True):
            paid = sum(each["total_amount"] for each in (await club.payments(own["subscription_id"]))[1:])
            assert paid + await carried(club, own) == price * (months + 1)
    await club.books_agree()


@pytest.mark.parametrize("by_page", [False, True])
async def test_what_is_carried_on_is_owed_with_the_cycle(club: Club, by_page: bool) -> None:
    own = await small(club, RENEWALS_FAIL)
    await club.work(days=31)
    failed = (await club.payments(own["subscription_id"]))[-1]
    assert (failed["status"], failed["total_amount"], await carried(club, own)) == ("failed", 60, 30)
    club.clock.advance(seconds=1)
    if by_page:
        made = await club.call(
            "POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"}
        )
        await club.pay(made)
    else:
        await club.call("POST", f"/payments/{failed['payment_id']}/retry")
    last = (await club.payments(own["subscription_id"]))[-1]
    assert (last["status"], last["total_amount"]) == ("succeeded" if by_page else "failed", 60)
    assert await carried(club, own) == (0 if by_page else 30)
    await club.books_agree()


async def test_what_is_carried_on_waits_for_a_whole_cycle(club: Club) -> None:
    """A plan change is charged as its preview says; the cycle that follows it is charged with the rest."""
    own = await small(club)
    told = await change(club, own, await club.product(price=2000), "difference_immediately")
    await club.work(days=31)
    totals = [each["total_amount"] for each in await club.payments(own["subscription_id"])]
    assert (told, totals) == (1970, [1000, 0, 1970, 2030])
    assert await carried(club, own) == 0
    await club.books_agree()


async def test_nothing_is_charged_for_it_when_no_cycle_follows(club: Club) -> None:
    own = await small(club)
    await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"cancel_at_next_billing_date": True})
    await club.work(days=31)
    assert (await club.read(own["subscription_id"]))["status"] == "cancelled"
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [1000, 0]
    await club.books_agree()


@pytest.mark.parametrize(
    ("within", "first", "then", "kept", "total"), [(True, 36, 30, 30, 71), (False, 30, 36, 36, 72)]
)
async def test_it_is_counted_as_the_prices_of_the_new_plan_are(
    club: Club, shop: Shop, within: bool, first: int, then: int, kept: int, total: int
) -> None:
    """0.36 with 19 % of tax in it is 0.30 before it, and the other way round."""
    await shop.settings(tax="table", seller_country="DE")
    own = await club.subscribe(await club.product(price=1000, tax_inclusive=within), billing={"country": "DE"})
    await change(club, own, await club.small_product(first, tax_inclusive=within))
    await club.work(days=31)
    assert await carried(club, own) == first
    await change(club, own, await club.small_product(then, tax_inclusive=not within))
    assert await carried(club, own) == kept
    await club.work(days=31)
    assert (await club.payments(own["subscription_id"]))[-1]["total_amount"] == total
    await club.books_agree()


async def test_what_was_stored_before_anything_was_carried_on_is_read(club: Club) -> None:
    """An open charge says with three numbers how it meets the credit, the subscription nothing of what it carries."""
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    club.clock.advance(seconds=1)
    made = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    async with club.runtime.database.transaction() as tx:
        await tx.execute("""
            UPDATE subscriptions SET details = jsonb_set(
                details::jsonb #- '{carried}' #- '{open_charge,carried_otherwise}' #- '{open_charge,credit_use,3}',
                '{credit}', '1000'), credit = 1000
        """)
        stored = await tx.fetchval("SELECT details::jsonb #>> '{open_charge,credit_use}' FROM subscriptions")
    assert stored == "[3000, 0, 0]"
    await club.pay(made)
    async with club.runtime.database.read() as read:
        found = await get_subscription(read, club.merchant.tenant, own["subscription_id"])
    assert found is not None
    assert (found.status, found.credit, found.carried, found.open_charge) == ("active", 1000, 0, None)
    await club.books_agree()
