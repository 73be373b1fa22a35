"""Names under which callers try to set how much money moves: refused with what to send, and nothing is changed."""

from typing import Any

import pytest

from harness import FakeClock, Merchant
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.wire.misnamed import refuse_misnamed
from nicobar.wire.refunds.refunds import RefundCreate
from orders import dump, line, paid
from returning import Returning

WHY = "Your request body is invalid. There is no such field, and without it more money could move than you mean."
PART = f"{WHY} To give back a part, send items[].item_id and items[].amount."
CART = f"{WHY} Products have their own prices; a pay-what-you-want product takes product_cart[].amount."
LINE = f"{WHY} Products have their own prices, in their own currency; a pay-what-you-want product takes amount."
CODES = f"{WHY} Send discount_codes, a list of codes."
DEMAND = f"{WHY} Send product_price."
PLAN = f"{WHY} A plan has its own price; a charge on demand takes on_demand.product_price."
CHANGE = f"{WHY} POST /subscriptions/{{subscription_id}}/change-plan changes what it costs."
CANCEL = f"{WHY} Send cancel_at_next_billing_date, or status: cancelled to end it now."

ITEM = {"product_id": "pdt_0", "quantity": 1}
PAYMENT = {"billing": {"country": "DE"}, "customer": {"email": "ana@example.com"}, "product_cart": [ITEM]}
SUBSCRIPTION = {"billing": {"country": "DE"}, "customer": {"email": "ana@example.com"}} | ITEM
SESSION = {"product_cart": [ITEM]}
PERCENTAGE = {"type": "percentage", "amount": 500}
RECURRING = {
    "type": "recurring_price",
    "currency": "USD",
    "price": 900,
    "payment_frequency_count": 1,
    "payment_frequency_interval": "Month",
    "subscription_period_count": 1,
    "subscription_period_interval": "Year",
}
PLAN_CHANGE = ITEM | {"proration_billing_mode": "full_immediately"}


async def refused(merchant: Merchant, runtime: Runtime, method: str, path: str, body: dict[str, Any]) -> str:
    """Send a body that is refused without a trace, and return the message."""
    before = await dump(runtime)
    response = await merchant.client.request(method, path, json=body)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY"), response.text
    assert await dump(runtime) == before
    message: str = response.json()["message"]
    return message


@pytest.mark.parametrize("path", ["/refunds", "/refunds/preview"])
@pytest.mark.parametrize(
    "name", ["amount", "Amount", "refund_amount", "refundAmount", "item", "itmes", "line-items", "is_partial"]
)
async def test_a_part_of_a_payment_is_not_taken_for_all_of_it(
    merchant: Merchant, runtime: Runtime, path: str, name: str
) -> None:
    payment = await paid(runtime, merchant.tenant, [line(), line(1)])
    body: dict[str, Any] = {"payment_id": payment.payment_id, name: 500}
    assert await refused(merchant, runtime, "POST", path, body) == f"{name}: {PART}"


@pytest.mark.parametrize("name", ["quantity", "refund_amount", "ammount"])
async def test_a_part_of_an_item_is_not_taken_for_all_of_it(merchant: Merchant, runtime: Runtime, name: str) -> None:
    payment = await paid(runtime, merchant.tenant, [line(), line(1)])
    items: list[dict[str, Any]] = [{"item_id": "pdt_1", "amount": 1}, {"item_id": "pdt_0", name: 1}]
    told = await refused(merchant, runtime, "POST", "/refunds", {"payment_id": payment.payment_id, "items": items})
    assert told == f"items[1].{name}: {WHY} An item goes back whole unless items[].amount says how much of it."


async def test_what_is_null_or_blank_or_about_no_money_is_ignored_as_before(
    merchant: Merchant, runtime: Runtime, clock: FakeClock
) -> None:
    runtime = runtime._replace(processors={"simulator": Returning(runtime)})
    payment = await paid(runtime, merchant.tenant, [line()])
    clock.advance(days=1)
    body: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "amount": None,
        "item": " ",
        "note": "torn",
        "x" * 5000: 1,
        "unknown": [],
    }
    told = await merchant.client.post("/refunds/preview", json=body)
    assert (told.status_code, told.json()["amount"]) == (200, 2400)


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("amount", True),
        ("a_mou-NT", True),
        ("amoun", True),  # one left out
        ("amounts", True),
        ("omount", True),
        ("maount", True),
        ("amont", True),
        ("account", False),
        ("amoutn_", True),
        ("aumonut", False),  # two slips
        ("item", True),
        ("itens", True),
        ("iten", False),  # item is too short for slips, and items is two away
        ("team", False),
        ("", False),
        ("x" * 40, False),
    ],
)
def test_a_slip_of_the_pen_is_one_letter(name: str, listed: bool) -> None:
    sent = {"payment_id": "pay_1", name: 1}
    if listed:
        with pytest.raises(Problem) as refused:
            refuse_misnamed(sent, RefundCreate(payment_id="pay_1"))
        assert (refused.value.code, refused.value.path) == ("INVALID_REQUEST_BODY", name)
    else:
        refuse_misnamed(sent, RefundCreate(payment_id="pay_1"))


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/payments", PAYMENT | {"amount": 500}, f"amount: {CART}"),
        ("/payments", PAYMENT | {"totalAmount": 0}, f"totalAmount: {CART}"),
        ("/payments", PAYMENT | {"currency": "EUR"}, f"currency: {WHY} Send billing_currency."),
        ("/payments", PAYMENT | {"billingCurrency": "EUR"}, f"billingCurrency: {WHY} Send billing_currency."),
        ("/payments", PAYMENT | {"coupon": "TEN"}, f"coupon: {CODES}"),
        ("/payments", PAYMENT | {"discountCode": "TEN"}, f"discountCode: {CODES}"),
        ("/payments", PAYMENT | {"discuont_codes": ["TEN"]}, f"discuont_codes: {CODES}"),
        ("/payments", PAYMENT | {"product_cart": [ITEM, ITEM | {"price": 5}]}, f"product_cart[1].price: {LINE}"),
        ("/checkouts", SESSION | {"amount": 500}, f"amount: {CART}"),
        ("/checkouts", SESSION | {"product_cart": [ITEM | {"unit_price": 5}]}, f"product_cart[0].unit_price: {LINE}"),
        (
            "/checkouts",
            SESSION | {"trial_period_days": 30},
            f"trial_period_days: {WHY} Send subscription_data.trial_period_days.",
        ),
        (
            "/checkouts",
            SESSION | {"subscription_data": {"trial_days": 30}},
            f"subscription_data.trial_days: {WHY} Send trial_period_days.",
        ),
        ("/checkouts/preview", SESSION | {"promo_code": "TEN"}, f"promo_code: {CODES}"),
        ("/subscriptions", SUBSCRIPTION | {"price": 500}, f"price: {PLAN}"),
        ("/subscriptions", SUBSCRIPTION | {"trial_days": 30}, f"trial_days: {WHY} Send trial_period_days."),
        (
            "/subscriptions",
            SUBSCRIPTION | {"on_demand": {"mandate_only": False, "amount": 500}},
            f"on_demand.amount: {DEMAND}",
        ),
        ("/subscriptions/sub_0/charge", {"product_price": 500, "amount": 50}, f"amount: {DEMAND}"),
        (
            "/subscriptions/sub_0/charge",
            {"product_price": 500, "currency": "JPY"},
            f"currency: {WHY} Send product_currency.",
        ),
        ("/subscriptions/sub_0/change-plan", PLAN_CHANGE | {"coupon": "TEN"}, f"coupon: {CODES}"),
        ("/subscriptions/sub_0/change-plan", PLAN_CHANGE | {"when": "later"}, f"when: {WHY} Send effective_at."),
        ("/discounts", PERCENTAGE | {"max_uses": 1}, f"max_uses: {WHY} Send usage_limit."),
        ("/discounts", PERCENTAGE | {"expiresAt": "2026-12-01"}, f"expiresAt: {WHY} Send expires_at."),
        (
            "/products",
            {"name": "Club", "tax_category": "saas", "price": RECURRING | {"trial_days": 30}},
            f"price.trial_days: {WHY} Send trial_period_days.",
        ),
    ],
)
async def test_other_names_that_set_how_much_money_moves(
    merchant: Merchant, runtime: Runtime, path: str, body: dict[str, Any], message: str
) -> None:
    assert await refused(merchant, runtime, "POST", path, body) == message


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/subscriptions/sub_0", {"cancel_at_period_end": True}, f"cancel_at_period_end: {CANCEL}"),
        ("/subscriptions/sub_0", {"quantity": 1}, f"quantity: {CHANGE}"),
        ("/discounts/dsc_0", {"value": 100}, f"value: {WHY} Send amount."),
        ("/products/pdt_0", {"amount": 100}, f"amount: {WHY} Send the whole price."),
        ("/addons/adn_0", {"amount": 100}, f"amount: {WHY} Send price."),
        ("/products/pdt_0/localized-prices/lpr_0", {"price": 100}, f"price: {WHY} Send amount."),
    ],
)
async def test_a_change_under_another_name_is_not_taken_for_none(
    merchant: Merchant, runtime: Runtime, path: str, body: dict[str, Any], message: str
) -> None:
    assert await refused(merchant, runtime, "PATCH", path, body) == message
