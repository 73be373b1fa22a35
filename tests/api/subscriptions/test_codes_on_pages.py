"""What a page that charges a subscription leaves to its customer: no code, and no other market, lowers what is owed."""

from typing import Any

import httpx
import pytest

from api.subscriptions.subscribing import PRICE, RENEWALS_FAIL, Club, plan
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import PaymentChange
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.payments.reprice_payment import reprice_payment
from orders import token_of

INDIA = Address("IN", "Pune", "MH", "Main Road 1", "411001")


async def code(club: Club, name: str, percent: int, **limits: Any) -> None:
    await club.call("POST", "/discounts", {"type": "percentage", "amount": percent * 100, "code": name, **limits})


async def type_code(club: Club, made: dict[str, Any], name: str) -> httpx.Response:
    """Send a code from the page of a payment, as its form would if it had one."""
    page = f"/{made['payment_link'].rpartition('/')[2]}"
    shown = await club.browser.get(page)
    assert 'name="code"' not in shown.text
    return await club.browser.post(f"{page}/discount", data={"token": token_of(shown), "code": name})


async def owed_page(club: Club, own: dict[str, Any]) -> dict[str, Any]:
    club.clock.advance(seconds=1)  # payments are in the order in which they were made
    made: dict[str, Any] = await club.call(
        "POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"}
    )
    return made


async def move(club: Club, made: dict[str, Any], address: Address) -> Payment:
    """Let the customer give another address on the page."""
    change = PaymentChange(billing=address)
    return await reprice_payment(club.runtime, club.merchant.tenant, made["payment_id"], change)


async def switch(club: Club, **settings: str) -> None:
    for name, value in settings.items():
        await change_setting(club.runtime, club.merchant.tenant, name, value)


async def test_no_code_lowers_what_is_owed(club: Club) -> None:
    await code(club, "NINETY", 90)
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    made = await owed_page(club, own)
    assert (await type_code(club, made, "NINETY")).status_code == 422
    await club.pay(made)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [3000, 3000, 3000]
    assert (await club.read(own["subscription_id"]))["status"] == "active"
    assert (await club.call("GET", "/discounts"))["items"][0]["times_used"] == 0
    await club.books_agree()


async def test_no_code_lowers_what_is_owed_of_a_plan_change(club: Club) -> None:
    await code(club, "NINETY", 90)
    own = await club.subscribe(await plan(club, 3000), RENEWALS_FAIL)
    change = {"product_id": await plan(club, 9000), "quantity": 1, "proration_billing_mode": "full_immediately"}
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    await club.call("POST", path, change | {"on_payment_failure": "apply_change"})
    made = await owed_page(club, own)
    assert (await type_code(club, made, "NINETY")).status_code == 422
    await club.pay(made)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [3000, 9000, 9000]
    await club.books_agree()


async def test_no_code_is_used_up_where_only_the_card_is_new(club: Club) -> None:
    await code(club, "NINETY", 90)
    own = await club.subscribe()
    assert (await type_code(club, await owed_page(club, own), "NINETY")).status_code == 422


async def test_no_other_market_lowers_what_is_owed(club: Club) -> None:
    await switch(club, adaptive_pricing="on", purchasing_power="on", purchasing_power_table="IN=40")
    own = await club.subscribe(await club.product(purchasing_power_parity=True), RENEWALS_FAIL)
    await club.work(days=31)
    made = await owed_page(club, own)
    moved = await move(club, made, INDIA)
    assert (moved.total_amount, moved.currency, moved.billing) == (3000, "USD", INDIA)


async def test_no_localized_price_takes_the_place_of_what_is_owed(club: Club) -> None:
    await switch(club, adaptive_pricing="on")
    body = {"name": "Club", "tax_category": "saas", "price": PRICE, "pricing_mode": "by_country"}
    product_id = (await club.call("POST", "/products", body))["product_id"]
    price = {"amount": 900, "currency": "USD", "country_code": "IN"}
    await club.call("POST", f"/products/{product_id}/localized-prices", price)
    own = await club.subscribe(product_id, RENEWALS_FAIL)
    await club.work(days=31)
    moved = await move(club, await owed_page(club, own), INDIA)
    assert (moved.total_amount, moved.currency, moved.billing) == (3000, "USD", INDIA)


async def test_a_price_of_a_poorer_market_is_not_lowered_once_more(club: Club) -> None:
    await switch(club, adaptive_pricing="on", purchasing_power="on", purchasing_power_table="IN=40")
    product_id = await club.product(purchasing_power_parity=True)
    there = {"billing": {"country": "IN", "city": "Pune", "state": "MH", "street": "Main Road 1", "zipcode": "411001"}}
    own = await club.subscribe(product_id, RENEWALS_FAIL, **there, billing_currency="USD")
    await club.work(days=31)
    made = await owed_page(club, own)
    before = (await club.call("GET", f"/payments/{made['payment_id']}"))["total_amount"]
    for address in (Address("US", "Austin", "TX", "Main Street 1", "78701"), INDIA):
        assert (await move(club, made, address)).total_amount == before
    assert before == 1200


@pytest.mark.parametrize("trial_amount", [0, 1000])
async def test_a_trial_keeps_the_code_of_its_cycles(club: Club, trial_amount: int) -> None:
    await code(club, "HALF", 50)
    await code(club, "TEN", 10)
    product_id = await club.product(trial_period_days=7, trial_amount=trial_amount or None)
    made = await club.request(product_id, discount_codes=["HALF"])
    assert (await type_code(club, made, "TEN")).status_code == 422
    await club.pay(made)
    own = await club.read(made["subscription_id"])
    assert [each["code"] for each in own["discounts"]] == ["HALF"]
    await club.work(days=8)
    assert [each["total_amount"] for each in await club.payments(made["subscription_id"])] == [trial_amount, 1500]
    used = {each["code"]: each["times_used"] for each in (await club.call("GET", "/discounts"))["items"]}
    assert used == {"HALF": 1, "TEN": 0}
    await club.books_agree()


async def codes_and_totals(club: Club, made: dict[str, Any]) -> tuple[list[str], list[int]]:
    own = await club.read(made["subscription_id"])
    paid = await club.payments(made["subscription_id"])
    return [each["code"] for each in own["discounts"] or []], [each["total_amount"] for each in paid]


@pytest.mark.parametrize("limit", ["usage_limit", "per_customer_usage_limit"])
@pytest.mark.parametrize(("price", "first"), [({}, 0), ({"trial_amount": 1000, "trial_apply_discounts": True}, 500)])
async def test_one_use_of_a_code_lowers_the_cycles_of_one_trial(
    club: Club, limit: str, price: dict[str, Any], first: int
) -> None:
    await code(club, "HALF", 50, **{limit: 1})
    product_id = await club.product(trial_period_days=7, **price)
    older = await club.request(product_id, discount_codes=["HALF"])
    newer = await club.request(product_id, discount_codes=["HALF"])  # takes the use over
    for made, renewal in ((older, "$30.00"), (newer, "$15.00")):
        shown = (await club.browser.get(f"/{made['payment_link'].rpartition('/')[2]}")).text
        assert [amount for amount in ("$30.00", "$15.00") if amount in shown] == [renewal]
        await club.pay(made)
    await club.work(days=8)
    assert await codes_and_totals(club, older) == ([], [2 * first, 3000])
    assert await codes_and_totals(club, newer) == (["HALF"], [first, 1500])
    assert (await club.call("GET", "/discounts"))["items"][0]["times_used"] == 1
    await club.books_agree()


async def test_a_trial_that_loses_one_code_keeps_the_others(club: Club) -> None:
    await code(club, "HALF", 50, usage_limit=1)
    await code(club, "TEN", 10)
    product_id = await club.product(trial_period_days=7)
    older = await club.request(product_id, discount_codes=["HALF", "TEN"])
    newer = await club.request(product_id, discount_codes=["HALF"])
    await club.books_agree()
    for made in (older, newer):
        await club.pay(made)
    await club.work(days=8)
    assert await codes_and_totals(club, older) == (["TEN"], [0, 2700])
    assert await codes_and_totals(club, newer) == (["HALF"], [0, 1500])
    used = {each["code"]: each["times_used"] for each in (await club.call("GET", "/discounts"))["items"]}
    assert used == {"HALF": 1, "TEN": 1}
    await club.books_agree()


async def test_a_free_trial_that_takes_codes_uses_one_up(club: Club) -> None:
    await code(club, "HALF", 50, usage_limit=1)
    product_id = await club.product(trial_period_days=7, trial_apply_discounts=True)
    one = await club.request(product_id, discount_codes=["HALF"])
    other = {"customer": {"email": "bo@example.com"}, "billing": {"country": "US"}, "product_id": product_id}
    body = other | {"quantity": 1, "payment_link": True, "discount_codes": ["HALF"]}
    refused = await club.call("POST", "/subscriptions", body, 422)
    assert refused["code"] == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED" and await club.counted("subscriptions") == 1
    await switch(club, adaptive_pricing="on")
    moved = await move(club, one, INDIA)  # which prices it again, and keeps the use
    assert (moved.total_amount, moved.currency, moved.billing) == (0, "USD", INDIA)
    await club.call("POST", "/subscriptions", body, 422)
    await club.pay(one)
    await club.work(days=8)
    assert await codes_and_totals(club, one) == (["HALF"], [0, 1500])
    assert (await club.call("GET", "/discounts"))["items"][0]["times_used"] == 1
    await club.books_agree()


async def test_a_code_for_the_trial_alone_of_two_uses_one_up(club: Club) -> None:
    trial = await club.product(trial_period_days=7, trial_apply_discounts=True)
    await code(club, "HALF", 50, usage_limit=1, restricted_to=[trial])
    once = {"type": "one_time_price", "currency": "USD", "price": 1000}
    setup = await club.call("POST", "/products", {"name": "Setup", "tax_category": "saas", "price": once})
    cart = [{"product_id": setup["product_id"], "quantity": 1}]
    made = await club.request(trial, discount_codes=["HALF"], one_time_product_cart=cart)
    await club.pay(made)
    await club.work(days=8)
    assert await codes_and_totals(club, made) == (["HALF"], [1000, 1500])
    assert (await club.call("GET", "/discounts"))["items"][0]["times_used"] == 1
    await club.books_agree()


@pytest.mark.parametrize("cycles", [1, 2])
async def test_a_code_that_makes_the_first_cycle_free_counts_it(club: Club, cycles: int) -> None:
    await code(club, "FREE", 100, subscription_cycles=cycles)
    own = await club.subscribe(discount_codes=["FREE"])
    assert (own["status"], own["discount_cycles_remaining"]) == ("active", cycles - 1)
    for _ in range(3):
        await club.work(days=31)
    totals = [each["total_amount"] for each in await club.payments(own["subscription_id"])]
    assert totals == [*[0] * cycles, *[3000] * (4 - cycles)]
    await club.books_agree()


async def test_what_takes_no_codes_takes_none_on_its_page(club: Club) -> None:
    await code(club, "NINETY", 90)
    product_id = await club.product()
    made = await club.request(product_id, on_demand={"mandate_only": False, "product_price": 700})
    assert (await type_code(club, made, "NINETY")).status_code == 422
    trial = await club.product(trial_period_days=7, trial_amount=1000)
    cart = [{"product_id": each, "quantity": 1} for each in (trial, product_id)]
    address = {"country": "US", "state": "NY", "city": "New York", "street": "350 Fifth Avenue", "zipcode": "10118"}
    customer = {"email": "bo@example.com", "name": "Bo"}
    body = {"product_cart": cart, "confirm": True, "billing_address": address, "customer": customer}
    session = await club.call("POST", "/checkouts", body)
    onward = await club.browser.get(session["checkout_url"])
    both = {"payment_link": onward.headers["location"]}
    assert (await type_code(club, both, "NINETY")).status_code == 422
    for each in (made, both):
        await club.pay(each)
    listed = (await club.call("GET", "/payments"))["items"]
    assert sorted(each["total_amount"] for each in listed) == [700, 4000]
    await club.books_agree()


async def test_what_takes_codes_takes_one_on_its_page(club: Club) -> None:
    await code(club, "HALF", 50)
    made = await club.request(await club.product())
    page = f"/{made['payment_link'].rpartition('/')[2]}"
    shown = await club.browser.get(page)
    answer = await club.browser.post(f"{page}/discount", data={"token": token_of(shown), "code": "HALF"})
    assert answer.status_code == 303
    await club.pay(made)
    await club.work(days=31)
    assert await codes_and_totals(club, made) == ([], [1500, 3000])
