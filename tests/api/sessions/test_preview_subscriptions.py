"""POST /checkouts/preview of subscriptions: it says what session, payment and renewals come to, and stores nothing."""

import random
import re
from typing import Any

import dodopayments
import pytest
from babel import Locale
from dodopayments.types import CheckoutSessionPreviewResponse
from dodopayments.types import checkout_session_preview_response as theirs

from api.sessions.opening import ADDRESS
from api.subscriptions.subscribing import Club, addon_of
from nicobar.pages.frame.view import amount_text
from orders import dump, pay
from shop import EXAMPLE_RATES, Shop, item

SEED = 20_260_315
CARTS = 150

ANA = {"email": "ana@example.com", "name": "Ana"}
KNOWN = {"billing_address": ADDRESS, "customer": ANA}


async def preview_of(club: Club, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    before = await dump(club.runtime)
    told: dict[str, Any] = await club.call("POST", "/checkouts/preview", body, status)
    assert await dump(club.runtime) == before
    return told


async def agreed(club: Club, body: dict[str, Any]) -> tuple[dict[str, Any], list[list[int]]]:
    """Preview, open, confirm and pay a cart, and let a month and a week pass.

    Return the preview, and for each subscription its first two charges.
    """
    told = await preview_of(club, body)
    opened = await club.call("POST", "/checkouts", body)
    page = (await club.browser.get(opened["checkout_url"])).text
    due = re.search(r'<p class="due"><span class="amount">([^<]+)<', page)
    assert due is not None and due[1] == amount_text(told["total_price"], told["currency"], Locale("en"))
    made = await club.call("POST", "/checkouts", body | {"confirm": True})
    payment = await club.call("GET", f"/payments/{made['payment_id']}")
    assert (payment["total_amount"], payment["tax"], payment["currency"]) == (
        told["total_price"],
        told["total_tax"],
        told["currency"],
    )
    if payment["status"] != "succeeded":  # a trial without a card has begun
        onward = await club.browser.get(made["checkout_url"])
        await pay(club.browser, onward.headers["location"])
    ids = (await club.call("GET", f"/payments/{made['payment_id']}"))["subscription_ids"]
    owns = [await club.read(each) for each in ids]
    assert told["next_billing_date"][:10] == min(own["next_billing_date"] for own in owns)[:10]
    await club.work(days=38)
    return told, [[paid["total_amount"] for paid in await club.payments(each)][:2] for each in ids]


def sums(breakup: dict[str, int]) -> tuple[int, int, int, int]:
    assert breakup["subtotal"] - breakup["discount"] + breakup["tax"] == breakup["total_amount"]
    return breakup["subtotal"], breakup["discount"], breakup["tax"], breakup["total_amount"]


async def test_a_plain_subscription_costs_the_same_today_and_at_its_renewal(club: Club, shop: Shop) -> None:
    await shop.settings(tax="table", seller_country="DE")
    plan = await club.product()
    told, charged = await agreed(club, {"product_cart": [item(plan, 2)]} | KNOWN)
    assert sums(told["current_breakup"]) == sums(told["recurring_breakup"]) == (6000, 0, 1140, 7140)
    assert charged == [[7140, 7140]]
    assert (told["trial_period_days"], told["trial_amount"], told["subscriptions"]) == (None, None, None)
    assert (told["payment_method_required"], told["next_billing_date"][:10]) == (True, "2026-04-14")
    (line,) = told["product_cart"]
    assert (line["is_subscription"], line["addons"], line["discounted_price"]) == (True, None, 6000)


@pytest.mark.parametrize("amount", [None, 100])
async def test_a_trial(club: Club, amount: int | None) -> None:
    plan = await club.product(trial_period_days=7, trial_amount=amount, trial_payment_method_optional=amount is None)
    told, charged = await agreed(club, {"product_cart": [item(plan, 3)]} | KNOWN)
    due = 3 * (amount or 0)
    assert (sums(told["current_breakup"]), sums(told["recurring_breakup"])) == ((due, 0, 0, due), (9000, 0, 0, 9000))
    assert (told["trial_period_days"], told["trial_amount"]) == (7, amount)
    assert (told["payment_method_required"], told["next_billing_date"][:10]) == (amount is not None, "2026-03-21")
    assert charged == ([[0]] if amount is None else [[300, 9000]])  # without a card nothing can be charged


@pytest.mark.parametrize(
    ("price", "codes", "unit", "due"),
    [
        ({"trial_apply_discounts": True}, ["HALF"], 500, 1500),
        ({"trial_apply_discounts": True, "discount_bps": 1000}, ["HALF"], 450, 1350),
        ({"trial_apply_discounts": True, "tax_inclusive": True}, ["HALF"], 500, 1500),
        ({"trial_apply_discounts": True, "currency": "EUR"}, ["HALF"], 500, 1630),  # 15.00 EUR are 16.30 USD
        ({"trial_apply_discounts": True}, ["FLAT"], 900, 2700),
        ({"trial_apply_discounts": True}, ["FREE"], None, 0),
        ({"discount_bps": 1000}, ["HALF"], 1000, 3000),
        ({"trial_apply_discounts": True}, [], 1000, 3000),
    ],
)
async def test_what_a_unit_of_a_trial_costs_is_told_after_discounts(
    club: Club, shop: Shop, price: dict[str, Any], codes: list[str], unit: int | None, due: int
) -> None:
    """The first payment got the codes, and the trial was told as without them."""
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", adaptive_fees="none")
    await shop.percentage("HALF", 5000)
    await shop.percentage("FREE", 10_000)
    await shop.flat("FLAT", 300)
    plan = await club.product(trial_period_days=7, trial_amount=1000, **price)
    wanted = {"discount_codes": codes, "billing_currency": "USD"}
    told = await preview_of(club, {"product_cart": [item(plan, 3)]} | wanted | KNOWN)
    assert (told["trial_amount"], told["total_price"], told["currency"]) == (unit, due, "USD")
    body = {"product_id": plan, "quantity": 3, "customer": ANA, "billing": {"country": "US"}}
    made = await club.call("POST", "/subscriptions", body | wanted)
    assert made["trial_amount"] == unit
    assert (await club.read(made["subscription_id"]))["trial_amount"] == unit
    assert (await club.call("GET", f"/payments/{made['payment_id']}"))["total_amount"] == due


@pytest.mark.parametrize(("cycles", "renewal"), [(1, 3000), (2, 1500), (None, 1500)])
async def test_a_code_lasts_as_many_cycles_as_it_says(club: Club, cycles: int | None, renewal: int) -> None:
    code = {"type": "percentage", "amount": 5000, "code": "HALF", "subscription_cycles": cycles}
    await club.call("POST", "/discounts", code)
    body = {"product_cart": [item(await club.product())], "discount_codes": ["half"]} | KNOWN
    told, charged = await agreed(club, body)
    assert (told["current_breakup"]["discount"], told["recurring_breakup"]["total_amount"]) == (1500, renewal)
    assert charged == [[1500, renewal]]
    (line,) = told["product_cart"]
    assert (line["discount_amount"], line["discount_cycle"], line["discounted_price"]) == (5000, cycles, 1500)


async def test_addons_and_what_is_sold_once(club: Club, shop: Shop) -> None:
    plan, guide = await club.product(), await shop.product(1000)
    seat = await addon_of(club, plan)
    line = item(plan) | {"addons": [{"addon_id": seat, "quantity": 3}]}
    told, charged = await agreed(club, {"product_cart": [item(guide, 2), line]} | KNOWN)
    assert (told["current_breakup"]["total_amount"], told["recurring_breakup"]["total_amount"]) == (6500, 4500)
    assert charged == [[6500, 4500]]
    once, sold = told["product_cart"]
    assert (once["product_id"], once["is_subscription"], once["discounted_price"]) == (guide, False, 2000)
    assert (sold["product_id"], sold["is_subscription"], sold["discounted_price"]) == (plan, True, 3000)
    (addon,) = sold["addons"]
    assert (addon["addon_id"], addon["quantity"], addon["discounted_price"]) == (seat, 3, 1500)
    assert (addon["single_quantity_price"], addon["og_price"], addon["name"]) == (500, 500, "Seat")


@pytest.mark.parametrize(
    ("terms", "og_price", "single"),
    [({}, 500, 460), ({"trial_period_days": 7}, 0, 0), ({"on_demand": {"mandate_only": True}}, 0, 0)],
)
async def test_an_addon_of_which_none_is_taken_has_the_price_of_today(
    club: Club, shop: Shop, terms: dict[str, Any], og_price: int, single: int
) -> None:
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", tax="table", seller_country="DE")
    plan, guide = await club.product(), await shop.product(1000)
    seat = await addon_of(club, plan)
    none = {"addons": [{"addon_id": each, "quantity": 0} for each in [seat]]}
    once = [] if "on_demand" in terms else [item(guide)]
    rest = KNOWN | {"subscription_data": terms}
    without = await preview_of(club, {"product_cart": [item(plan, 2), *once]} | rest)
    told = await preview_of(club, {"product_cart": [item(plan, 2) | none, *[each | none for each in once]]} | rest)
    (listed,) = told["product_cart"][0].pop("addons")
    assert (listed["addon_id"], listed["quantity"], listed["og_price"]) == (seat, 0, og_price)
    assert (listed["currency"], listed["single_quantity_price"]) == ("EUR", single)
    assert (listed["discounted_price"], listed["tax"]) == (0, 0)
    assert without["product_cart"][0].pop("addons") is None
    assert told == without


@pytest.mark.parametrize("addon_id", ["adn_unknown", None])
async def test_an_addon_of_which_none_is_taken_makes_no_cart_be_refused(club: Club, addon_id: str | None) -> None:
    plan = await club.product()
    seat = await addon_of(club, plan)
    two, none = ({"addon_id": each, "quantity": count} for each, count in ((seat, 2), (addon_id or seat, 0)))
    told = await preview_of(club, {"product_cart": [item(plan) | {"addons": [two, none]}]} | KNOWN)
    assert told == await preview_of(club, {"product_cart": [item(plan) | {"addons": [two]}]} | KNOWN)


@pytest.mark.parametrize(("code", "due", "renewal"), [(None, 178_296, 9568), ("ONCE", 90_022, 9568)])
async def test_a_renewal_has_the_conversion_fee_of_its_own_value(
    club: Club, shop: Shop, code: str | None, due: int, renewal: int
) -> None:
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo")
    await shop.percentage("ONCE", 5000, subscription_cycles=1)
    cart = [item(await club.product(price=10_000)), item(await shop.product(180_000))]
    body = {"product_cart": cart, "discount_codes": [code] if code else []} | KNOWN
    told, charged = await agreed(club, body)
    assert (told["currency"], told["recurring_breakup"]["total_amount"]) == ("EUR", renewal)
    assert charged == [[due, renewal]]


async def test_several_subscriptions_are_told_one_by_one(club: Club, shop: Shop) -> None:
    await shop.settings(tax="table", seller_country="DE")
    monthly, weekly = await club.product(trial_period_days=5), await club.product(price=20_000)
    told, charged = await agreed(club, {"product_cart": [item(monthly), item(weekly)]} | KNOWN)
    assert (told["trial_period_days"], told["trial_amount"]) == (None, None)
    assert (told["total_price"], sums(told["recurring_breakup"])) == (23_800, (23_000, 0, 4370, 27_370))
    first, second = told["subscriptions"]
    assert first | {"next_billing_date": first["next_billing_date"][:10]} == {
        "product_id": monthly,
        "amount_due_now": 0,
        "tax_due_now": 0,
        "recurring_amount": 3570,
        "recurring_tax": 570,
        "next_billing_date": "2026-03-19",
        "trial_period_days": 5,
    }
    assert (second["amount_due_now"], second["tax_due_now"], second["recurring_amount"]) == (23_800, 3800, 23_800)
    assert (second["next_billing_date"][:10], second["trial_period_days"]) == ("2026-04-14", None)
    assert told["next_billing_date"] == first["next_billing_date"]
    assert charged == [[23_800, 3570], [23_800, 23_800]]


async def test_a_term_of_one_cycle_is_not_renewed(club: Club) -> None:
    plan = await club.product(subscription_period_count=1, subscription_period_interval="Month")
    told, charged = await agreed(club, {"product_cart": [item(plan)]} | KNOWN)
    assert (told["total_price"], sums(told["recurring_breakup"])) == (3000, (0, 0, 0, 0))
    assert charged == [[3000]]


@pytest.mark.parametrize(("currency", "due"), [("EUR", 700), ("USD", 644), ("JPY", 431)])
async def test_a_first_charge_on_demand_may_have_its_own_currency(
    club: Club, shop: Shop, currency: str, due: int
) -> None:
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on")
    terms = {"mandate_only": False, "product_price": 700, "product_currency": currency}
    body = {"product_cart": [item(await club.product())], "subscription_data": {"on_demand": terms}} | KNOWN
    told, charged = await agreed(club, body)
    assert (told["currency"], told["total_price"], told["recurring_breakup"]["total_amount"]) == ("EUR", due, 2760)
    assert charged == [[due]]


async def test_what_a_session_refuses(club: Club, shop: Shop) -> None:
    plan, guide = await club.product(), await shop.product(1000)
    seat = {"addons": [{"addon_id": "adn_unknown", "quantity": 1}]}
    on_demand = {"subscription_data": {"on_demand": {"mandate_only": True}}}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("INVALID_REQUEST_BODY", {"product_cart": [item(plan, 0), item(guide)]}),
        ("INVALID_REQUEST_BODY", {"product_cart": [item(plan), item(plan)]}),
        ("MISSING_ADDON_IDS", {"product_cart": [item(guide), item(plan) | seat]}),
        ("MISSING_ADDON_IDS", {"product_cart": [item(guide) | seat]}),
        ("PRODUCT_CART_EMTPY", {"product_cart": [item(guide, 0)]}),
        ("ONE_TIME_PRODUCTS_NOT_ALLOWED_FOR_ON_DEMAND", {"product_cart": [item(plan), item(guide)]} | on_demand),
        (
            "DISCOUNT_NOT_AVAILABLE_FOR_ON_DEMAND",
            {"product_cart": [item(plan)], "discount_codes": ["ANY"]} | on_demand,
        ),
        ("UNSUPPORTED_ACTION", {"product_cart": [item(plan)], "product_collection_id": "pdc_any"}),
        ("NO_ELIGIBLE_PAYMENT_METHODS", {"product_cart": [item(plan)], "allowed_payment_method_types": ["ideal"]}),
    ]
    for code, body in bodies:
        told = await club.merchant.client.post("/checkouts", json=body)
        assert told.json()["code"] == code, told.text
        assert await preview_of(club, body, told.status_code) == told.json()
    own = await club.subscribe()
    await shop.settings(multiple_subscriptions="false")
    body = {"product_cart": [item(plan)], "customer": {"customer_id": own["customer"]["customer_id"]}}
    assert (await preview_of(club, body, 409))["code"] == "CUSTOMER_HAS_EXISTING_SUBSCRIPTION"


async def test_a_cart_has_at_most_twenty_lines(club: Club, shop: Shop) -> None:
    product = await shop.product(100)
    assert (await preview_of(club, {"product_cart": [item(product)] * 20}))["total_price"] == 2000
    assert (await preview_of(club, {"product_cart": [item(product)] * 21}, 422))["code"] == "INVALID_REQUEST_BODY"


async def test_the_library_takes_subscriptions(club: Club, shop: Shop, sdk: dodopayments.AsyncDodoPayments) -> None:
    plan, other = await club.product(), await club.product(price=900)
    seat = await addon_of(club, plan)
    answer = await sdk.checkout_sessions.with_raw_response.preview(
        product_cart=[
            {"product_id": plan, "quantity": 1, "addons": [{"addon_id": seat, "quantity": 2}]},
            {"product_id": other, "quantity": 1},
        ],
        subscription_data={"trial_period_days": 14},
    )
    parsed, raw = await answer.parse(), await answer.json()
    assert isinstance(raw, dict)
    assert raw.keys() == CheckoutSessionPreviewResponse.model_fields.keys()
    assert raw["recurring_breakup"].keys() == theirs.RecurringBreakup.model_fields.keys()
    assert [each.keys() for each in raw["subscriptions"]] == [theirs.Subscription.model_fields.keys()] * 2
    assert [each.keys() for each in raw["product_cart"][0]["addons"]] == [theirs.ProductCartAddon.model_fields.keys()]
    assert parsed.total_price == 0 and parsed.recurring_breakup is not None and parsed.subscriptions is not None
    assert parsed.recurring_breakup.total_amount == 4900
    assert [each.trial_period_days for each in parsed.subscriptions] == [14, 14]


async def test_preview_and_confirmed_session_never_disagree(club: Club, shop: Shop) -> None:
    rng = random.Random(SEED)  # noqa: S311 - carts want to repeat
    await shop.rates(EXAMPLE_RATES)
    plan, trial = await club.product(), await club.product(price=999, trial_period_days=7, trial_amount=99)
    euros = await club.product(price=4990, currency="EUR", discount=10, tax_inclusive=True)
    codes = await club.product(price=1999, trial_period_days=3, trial_amount=333, trial_apply_discounts=True)
    seat = await addon_of(club, plan, euros, price=333)
    guide, gift = await shop.product(1999), await shop.product(500, pay_what_you_want=True)
    await shop.percentage("TEN", 1000, subscription_cycles=1)
    await shop.percentage("THIRD", 3333, restricted_to=[plan, guide])
    await shop.flat("FLAT", 777)
    seen: set[str] = set()
    for turn in range(CARTS):
        if turn % 30 == 0:
            kind = rng.choice(("off", "table"))
            await shop.settings(tax=kind, adaptive_pricing="on", adaptive_fees=rng.choice(("none", "dodo")))
        cart = []
        for product in rng.sample([plan, trial, euros, codes], k=rng.choice((1, 1, 2, 3))):
            line = item(product, rng.choice((1, 1, 2, 7)))
            if rng.random() < 0.4:
                line |= {"addons": [{"addon_id": seat, "quantity": rng.choice((0, 1, 3))}]}
            cart.append(line)
        cart += rng.sample([item(guide), item(gift, amount=1234), item(gift, amount=10)], k=rng.choice((0, 0, 1)))
        rng.shuffle(cart)
        picked = rng.sample(["TEN", "THIRD", "FLAT", "NOPE"], k=rng.choice((0, 0, 1, 2)))
        body: dict[str, Any] = {"product_cart": cart, "discount_codes": picked, "customer": ANA}
        body["billing_address"] = ADDRESS | {"country": rng.choice(("DE", "GB", "IN", "US", "JP"))}
        if rng.random() < 0.3:
            body["subscription_data"] = {"trial_period_days": rng.choice((0, 14))}
        told = await club.merchant.client.post("/checkouts/preview", json=body)
        made = await club.merchant.client.post("/checkouts", json=body | {"confirm": True})
        if made.status_code != 200:
            assert (told.status_code, told.json()) == (made.status_code, made.json()), body
            seen.add(made.json()["code"])
            continue
        seen.add("sold")
        payment, preview = await club.call("GET", f"/payments/{made.json()['payment_id']}"), told.json()
        assert told.status_code == 200, (told.text, body)
        assert [preview[name] for name in ("total_price", "total_tax", "currency")] == [
            payment[name] for name in ("total_amount", "tax", "currency")
        ], body
        sums(preview["current_breakup"])
        sums(preview["recurring_breakup"])
        for each in preview["subscriptions"] or ():
            assert 0 <= each["amount_due_now"] <= preview["total_price"]
    assert seen >= {"sold", "INVALID_DISCOUNT_CODE", "MISSING_ADDON_IDS", "REQUEST_AMOUNT_BELOW_MINIMUM"}
