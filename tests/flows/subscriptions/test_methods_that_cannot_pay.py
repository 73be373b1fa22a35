"""A card that cannot pay in the subscription's currency is refused at once, not at the first renewal."""

from typing import Any

import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from orders import dump, pay

RUPAY = "6074825972083818"
"""Of a network whose cards pay in rupees alone."""


async def rupay_of(club: Club) -> tuple[str, str]:
    """Return a customer with a subscription in rupees, and the card that pays for it."""
    rupees = await club.product(currency="INR", price=50_000)
    own = await club.subscribe(rupees, RUPAY, billing={"country": "IN"})
    return own["customer"]["customer_id"], own["payment_method_id"]


async def refused(club: Club, path: str, body: dict[str, Any]) -> None:
    before = await dump(club.runtime)
    told = await club.call("POST", path, body, 422)
    assert (told["code"], told["message"].split(":")[0]) == ("NO_ELIGIBLE_PAYMENT_METHODS", "payment_method_id")
    assert await dump(club.runtime) == before


async def refused_on_page(club: Club, made: dict[str, Any]) -> None:
    before = await dump(club.runtime)
    answer = await pay(club.browser, "/" + made["payment_link"].rpartition("/")[2], number=RUPAY)
    assert answer.status_code == 422
    assert "This card cannot pay in the currency of this order. Please use another one." in answer.text
    assert await dump(club.runtime) == before


@pytest.mark.parametrize("state", ["active", "paused", "on_hold"])
async def test_it_takes_no_others_place(club: Club, state: str) -> None:
    customer_id, rupay = await rupay_of(club)
    number = RENEWALS_FAIL if state == "on_hold" else "4242424242424242"
    own = await club.subscribe(number=number, customer={"customer_id": customer_id})
    path = f"/subscriptions/{own['subscription_id']}"
    if state == "paused":
        await club.call("PATCH", path, {"status": "paused"})
    if state == "on_hold":
        await club.work(days=31)
    assert (await club.read(own["subscription_id"]))["status"] == state
    await refused(club, f"{path}/update-payment-method", {"type": "existing", "payment_method_id": rupay})


@pytest.mark.parametrize(
    "changes", [{}, {"trial_period_days": 7}, {"on_demand": {"mandate_only": True}}, {"discount_codes": ["FREE"]}]
)
async def test_it_starts_nothing(club: Club, changes: dict[str, Any]) -> None:
    await club.call("POST", "/discounts", {"type": "percentage", "amount": 10_000, "code": "FREE"})
    customer_id, rupay = await rupay_of(club)
    body = {
        "billing": {"country": "US"},
        "customer": {"customer_id": customer_id},
        "product_id": await club.product(),
        "quantity": 1,
        "payment_method_id": rupay,
    }
    await refused(club, "/subscriptions", body | changes)


@pytest.mark.parametrize("changes", [{}, {"trial_period_days": 7}, {"on_demand": {"mandate_only": True}}])
async def test_typed_into_the_first_payments_page_it_starts_nothing(club: Club, changes: dict[str, Any]) -> None:
    made = await club.request(await club.product(), **changes)
    await refused_on_page(club, made)
    assert (await club.read(made["subscription_id"]))["status"] == "pending"
    await club.pay(made)
    assert (await club.read(made["subscription_id"]))["status"] == "active"


@pytest.mark.parametrize("number", ["4242424242424242", RENEWALS_FAIL])
async def test_typed_into_the_page_for_another_card_it_changes_nothing(club: Club, number: str) -> None:
    """With the second card something is owed, which the page asks for."""
    own = await club.subscribe(number=number)
    await club.work(days=31)
    path = f"/subscriptions/{own['subscription_id']}"
    made = await club.call("POST", f"{path}/update-payment-method", {"type": "new"})
    await refused_on_page(club, made)
    assert (await club.read(own["subscription_id"]))["payment_method_id"] == own["payment_method_id"]


async def test_typed_for_a_session_or_something_sold_once_it_pays_nothing(club: Club) -> None:
    price = {"type": "one_time_price", "currency": "USD", "price": 2400}
    product = await club.call("POST", "/products", {"name": "Guide", "tax_category": "e_book", "price": price})
    cart = {"product_cart": [{"product_id": product["product_id"], "quantity": 1}]}
    buyer = {"customer": {"email": "ana@example.com", "name": "Ana"}}
    once = await club.call("POST", "/payments", cart | buyer | {"billing": {"country": "US"}, "payment_link": True})
    await refused_on_page(club, once)
    address = {"country": "US", "street": "350 Fifth Avenue", "city": "New York", "state": "NY", "zipcode": "10118"}
    session = cart | buyer | {"billing_address": address, "confirm": True}
    made = await club.call("POST", "/checkouts", session)
    onward = await club.browser.get(made["checkout_url"])
    await refused_on_page(club, {"payment_link": onward.headers["location"]})


async def test_in_its_own_currency_it_is_good(club: Club) -> None:
    customer_id, rupay = await rupay_of(club)
    rupees = await club.product(currency="INR", price=50_000)
    customer = {"customer_id": customer_id}
    made = await club.request(
        rupees, billing={"country": "IN"}, customer=customer, trial_period_days=7, payment_method_id=rupay
    )
    assert (await club.read(made["subscription_id"]))["payment_method_id"] == rupay
    other = await club.subscribe(rupees, billing={"country": "IN"}, customer=customer)
    path = f"/subscriptions/{other['subscription_id']}/update-payment-method"
    await club.call("POST", path, {"type": "existing", "payment_method_id": rupay})
    assert (await club.read(other["subscription_id"]))["payment_method_id"] == rupay


async def test_of_another_processor_it_pays_nowhere(club: Club) -> None:
    own = await club.subscribe()
    async with club.runtime.database.transaction() as tx:
        await tx.execute("UPDATE saved_methods SET processor = 'another'")
    method, customer = own["payment_method_id"], {"customer_id": own["customer"]["customer_id"]}
    bought = {"billing": {"country": "US"}, "customer": customer, "quantity": 1, "payment_method_id": method}
    for changes in ({}, {"trial_period_days": 7}):
        await refused(club, "/subscriptions", bought | {"product_id": own["product_id"]} | changes)
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    await refused(club, path, {"type": "existing", "payment_method_id": method})


@pytest.mark.parametrize("whose", ["nobody's", "another customer's", "of another currency"])
async def test_nothing_that_cannot_pay_takes_a_place_where_credit_pays(club: Club, whose: str) -> None:
    """Nothing is charged to it then, but all that follows would be."""
    customer_id, rupay = await rupay_of(club)
    own = await club.subscribe(number=RENEWALS_FAIL, customer={"customer_id": customer_id})
    other = await club.subscribe(customer={"email": "bo@example.com", "name": "Bo"})
    await club.work(days=31)
    async with club.runtime.database.transaction() as tx:
        await tx.execute(
            "UPDATE subscriptions SET credit = 3000, details = jsonb_set(details::jsonb, '{credit}', '3000') "
            "WHERE subscription_id = $1",
            own["subscription_id"],
        )
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    named = {"nobody's": "pm_nobodys", "another customer's": other["payment_method_id"]}.get(whose, rupay)
    if whose == "of another currency":
        await refused(club, path, {"type": "existing", "payment_method_id": named})
    else:
        before = await dump(club.runtime)
        told = await club.call("POST", path, {"type": "existing", "payment_method_id": named}, 404)
        assert (told["code"], await dump(club.runtime)) == ("NOT_FOUND", before)
    made = await club.call("POST", path, {"type": "existing", "payment_method_id": own["payment_method_id"]})
    paid = await club.call("GET", f"/payments/{made['payment_id']}")
    assert (paid["status"], paid["total_amount"]) == ("succeeded", 0)
    after = await club.read(own["subscription_id"])
    assert (after["status"], after["payment_method_id"]) == ("active", own["payment_method_id"])
    await club.books_agree()
