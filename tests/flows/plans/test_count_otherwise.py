"""Plan changes between prices that contain the tax and prices that do not: nobody pays the tax twice, or never."""

from typing import Any

import pytest

from api.subscriptions.subscribing import GOOD_CARD, RENEWALS_FAIL, Club, plan
from api.subscriptions.test_refunded_periods import refund
from nicobar.flows.plans.foresee_renewal import foresee_renewal
from nicobar.storage.subscriptions.subscriptions import get_subscription
from shop import Shop

pytestmark = pytest.mark.usefixtures("taxed")

GROSS = {False: 10_000, True: 11_900}
"""A price that comes to 119.00 with 19 % of tax, by whether it contains the tax."""


@pytest.fixture
async def taxed(shop: Shop) -> None:
    await shop.settings(tax="table", seller_country="DE")


async def start(club: Club, *, within: bool, number: str = GOOD_CARD) -> dict[str, Any]:
    """Return a subscription that cost 119.00, with half of its cycle left."""
    product_id = await plan(club, GROSS[within], tax_inclusive=within)
    own = await club.subscribe(product_id, number, billing={"country": "DE"})
    club.clock.advance(days=15)
    return own


async def change(
    club: Club, own: dict[str, Any], times: int, mode: str, *, within: bool, **fields: Any
) -> dict[str, Any]:
    """Change to a plan of so many times 119.00; return what the preview said of the amounts, which came true."""
    path = f"/subscriptions/{own['subscription_id']}"
    product_id = await plan(club, times * GROSS[within], tax_inclusive=within)
    body = {"product_id": product_id, "quantity": 1, "proration_billing_mode": mode} | fields
    preview = await club.call("POST", f"{path}/change-plan/preview", body)
    summary: dict[str, Any] = preview["immediate_charge"]["summary"]
    club.clock.advance(microseconds=1)
    await club.call("POST", f"{path}/change-plan", body)
    if "effective_at" not in fields and summary["total_amount"]:
        last = (await club.payments(own["subscription_id"]))[-1]
        assert (last["total_amount"], last["tax"]) == (summary["total_amount"], summary["tax"])
    return summary


def told(summary: dict[str, Any]) -> tuple[int, int, int]:
    return summary["total_amount"], summary["tax"], summary["customer_credits"]


async def credit_of(club: Club, own: dict[str, Any]) -> int:
    async with club.runtime.database.read() as read:
        found = await get_subscription(read, club.merchant.tenant, own["subscription_id"])
    assert found is not None
    return found.credit


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize(
    ("mode", "total", "tax"),
    [
        ("prorated_immediately", 11_900, 1900),
        ("difference_immediately", 23_800, 3800),
        ("full_immediately", 35_700, 5700),
    ],
)
async def test_three_times_the_price(club: Club, mode: str, total: int, tax: int, *, within: bool) -> None:
    own = await start(club, within=not within)
    assert told(await change(club, own, 3, mode, within=within)) == (total, tax, 0)
    await club.books_agree()


@pytest.mark.parametrize("within", [False, True])
async def test_credit_of_the_old_plan_is_worth_the_same_on_the_new_one(club: Club, *, within: bool) -> None:
    own = await start(club, within=not within)
    await change(club, own, 0, "difference_immediately", within=not within)
    assert await credit_of(club, own) == GROSS[not within]
    moved = GROSS[within] - GROSS[not within]
    assert told(await change(club, own, 1, "do_not_bill", within=within)) == (0, 0, moved)
    assert await credit_of(club, own) == GROSS[within]
    await club.work(days=15)
    await club.work(days=30)
    totals = [each["total_amount"] for each in await club.payments(own["subscription_id"])]
    assert totals == [11_900, 0, 11_900]
    await club.books_agree()


@pytest.mark.parametrize("within", [False, True])
async def test_a_scheduled_change_uses_the_credit_up_as_it_was_foretold(club: Club, *, within: bool) -> None:
    own = await start(club, within=not within)
    await change(club, own, 0, "difference_immediately", within=not within)
    later = {"effective_at": "next_billing_date"}
    expected = (11_900, 1900, -GROSS[not within])
    assert told(await change(club, own, 2, "full_immediately", within=within, **later)) == expected
    async with club.runtime.database.read() as read:
        waiting = await get_subscription(read, club.merchant.tenant, own["subscription_id"])
    assert waiting is not None
    foreseen = await foresee_renewal(club.runtime, waiting)
    assert foreseen is not None and foreseen.total == 11_900
    await club.work(days=15)
    last = (await club.payments(own["subscription_id"]))[-1]
    assert (last["charge_type"], last["total_amount"], last["tax"]) == ("plan_change", 11_900, 1900)
    assert await credit_of(club, own) == 0
    await club.books_agree()


@pytest.mark.parametrize("within", [False, True])
async def test_what_is_owed_of_a_change_that_failed_is_the_same(club: Club, *, within: bool) -> None:
    own = await start(club, within=not within, number=RENEWALS_FAIL)
    failed = await change(club, own, 3, "prorated_immediately", within=within, on_payment_failure="apply_change")
    assert told(failed) == (11_900, 1900, 0)
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    club.clock.advance(minutes=1)
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    await club.pay(await club.call("POST", path, {"type": "new"}))
    last = (await club.payments(own["subscription_id"]))[-1]
    assert (last["status"], last["total_amount"], last["tax"]) == ("succeeded", 11_900, 1900)
    assert await credit_of(club, own) == 0


@pytest.mark.parametrize("within", [False, True])
async def test_what_was_refunded_counts_as_the_new_prices_do(club: Club, *, within: bool) -> None:
    own = await start(club, within=not within)
    await refund(club, (await club.payments(own["subscription_id"]))[0]["payment_id"], 5950)
    assert told(await change(club, own, 1, "prorated_immediately", within=within)) == (2975, 475, 0)
    club.clock.advance(microseconds=1)
    assert told(await change(club, own, 1, "prorated_immediately", within=not within))[0] == 0
    await club.books_agree()


async def test_a_trial_that_contains_the_tax_counts_as_the_localized_price_of_its_cycles(club: Club) -> None:
    trial = {"trial_period_days": 30, "trial_amount": 11_900, "tax_inclusive": True}
    product_id = await club.product(**trial)
    await club.call("PATCH", f"/products/{product_id}", {"pricing_mode": "by_country"})
    price = {"amount": 20_000, "currency": "USD", "country_code": "DE"}
    await club.call("POST", f"/products/{product_id}/localized-prices", price)
    own = await club.subscribe(product_id, billing={"country": "DE"})
    (first,) = await club.payments(own["subscription_id"])
    assert (first["total_amount"], first["tax"]) == (11_900, 1900)
    assert (own["tax_inclusive"], own["recurring_pre_tax_amount"]) == (False, 20_000)
    club.clock.advance(days=15)
    assert told(await change(club, own, 2, "prorated_immediately", within=False)) == (17_850, 2850, 0)
    await club.books_agree()
