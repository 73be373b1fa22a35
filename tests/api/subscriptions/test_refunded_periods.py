"""A plan change gives back a share of what the seller kept of the period, and nothing of what went back before."""

from datetime import timedelta
from typing import Any

import pytest

from api.subscriptions.subscribing import Club, halfway, plan
from disputing import Disputing, open_dispute
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.subscriptions import change_plan as module
from nicobar.flows.subscriptions.decide_plan_change import DecidedChange, decide_plan_change
from nicobar.storage.payments.payments import get_payment
from orders import dump


async def refund(club: Club, payment_id: str, amount: int | None = None) -> None:
    """Refund a payment of one line, or an amount of it with the tax in it."""
    (line,) = (await club.call("GET", f"/payments/{payment_id}/line-items"))["items"]
    items = [{"item_id": line["items_id"], "amount": amount, "tax_inclusive": True}]
    body = {"payment_id": payment_id} | ({} if amount is None else {"items": items})
    assert (await club.call("POST", "/refunds", body))["status"] == "succeeded"


async def change(
    club: Club, own: dict[str, Any], price: int, mode: str = "prorated_immediately", **frequency: Any
) -> tuple[int | None, int]:
    """Change the plan as its preview said; return what was charged, None for no payment, and what became credit."""
    path = f"/subscriptions/{own['subscription_id']}"
    body = {"product_id": await plan(club, price, **frequency), "quantity": 1, "proration_billing_mode": mode}
    preview = await club.call("POST", f"{path}/change-plan/preview", body)
    before = await club.payments(own["subscription_id"])
    await club.call("POST", f"{path}/change-plan", body)
    assert await club.read(own["subscription_id"]) == preview["new_plan"]
    made = (await club.payments(own["subscription_id"]))[len(before) :]
    summary = preview["immediate_charge"]["summary"]
    assert [each["total_amount"] for each in made] == ([summary["total_amount"]] if made else [])
    assert made or summary["total_amount"] == 0
    return (made[0]["total_amount"] if made else None), summary["customer_credits"]


@pytest.mark.parametrize(
    ("old", "refunded", "new", "mode", "charged", "credit"),
    [
        (3000, None, 8000, "prorated_immediately", 4000, 0),
        (3000, 1000, 8000, "prorated_immediately", 4000 - 1000, 0),
        (3000, 1000, 8000, "prorated_immediately_keep_cycle", 4000 - 1000, 0),
        (3000, 1000, 8000, "difference_immediately", 8000 - 2000, 0),
        (3000, 1000, 8000, "full_immediately", 8000, 0),
        (8000, None, 2000, "prorated_immediately", 1000, 0),
        (8000, None, 2000, "difference_immediately", 2000, 0),
        (8000, 5000, 2000, "prorated_immediately", None, 1500 - 1000),
        (8000, 5000, 2000, "difference_immediately", None, 3000 - 2000),
        (8000, 5000, 2000, "do_not_bill", None, 0),
    ],
)
async def test_a_share_of_what_was_kept_is_given_back(
    club: Club, old: int, refunded: int | None, new: int, mode: str, charged: int | None, credit: int
) -> None:
    own = await halfway(club, old)
    await refund(club, (await club.payments(own["subscription_id"]))[0]["payment_id"], refunded)
    assert await change(club, own, new, mode) == (charged, credit)
    await club.books_agree()


async def test_tax_that_goes_back_was_no_part_of_the_price(club: Club) -> None:
    for name, value in (("seller_country", "DE"), ("tax", "table")):
        await change_setting(club.runtime, club.merchant.tenant, name, value)
    club.clock.advance(seconds=10)
    own = await halfway(club, billing={"country": "DE"})
    (first,) = await club.payments(own["subscription_id"])
    assert (first["total_amount"], first["tax"]) == (3570, 570)
    await refund(club, first["payment_id"], 1190)
    assert await change(club, own, 8000) == (3570, 0), "4000 - 1000, and 19 %"


async def test_what_one_change_has_counted_the_next_does_not_count_again(club: Club) -> None:
    own = await halfway(club)
    (first,) = await club.payments(own["subscription_id"])
    await refund(club, first["payment_id"])
    assert await change(club, own, 8000) == (4000, 0)
    club.clock.advance(days=7.5)
    assert await change(club, own, 12_000) == (3000 - 2000, 0)
    club.clock.advance(days=3.75)
    assert await change(club, own, 4000) == (None, 1500 - 500)


async def test_a_change_that_bills_nothing_counts_nothing(club: Club) -> None:
    own = await halfway(club)
    (first,) = await club.payments(own["subscription_id"])
    await refund(club, first["payment_id"], 1000)
    assert await change(club, own, 8000, "do_not_bill") == (None, 0)
    assert await change(club, own, 12_000) == (6000 - 1000, 0)


async def test_a_refunded_change_leaves_what_the_period_cost_before_it(club: Club) -> None:
    own = await halfway(club)
    assert await change(club, own, 8000) == (2500, 0)
    await refund(club, (await club.payments(own["subscription_id"]))[1]["payment_id"])
    club.clock.advance(days=7.5)
    assert await change(club, own, 12_000) == (3000 - 750, 0), "a quarter of 30.00, not of 80.00 or of 55.00"


async def test_refunds_of_earlier_periods_do_not_count(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "refund_window_days", "90")
    own = await halfway(club)
    await club.work(days=15)
    first, renewal = await club.payments(own["subscription_id"])
    await refund(club, first["payment_id"])
    club.clock.advance(days=15)
    assert await change(club, own, 8000, "full_immediately") == (8000, 0)
    await refund(club, renewal["payment_id"])
    club.clock.advance(days=15)
    assert await change(club, own, 12_000) == (6000 - 4000, 0)
    new_cycle = (await club.payments(own["subscription_id"]))[2]
    await refund(club, new_cycle["payment_id"], 6000)
    club.clock.advance(days=7.5)
    assert await change(club, own, 20_000) == (5000 - 1500, 0), "a quarter of 120.00 less 60.00"


async def test_a_new_cycle_that_costs_nothing_is_paid_by_the_old_one(club: Club) -> None:
    own = await halfway(club, 8000)
    (first,) = await club.payments(own["subscription_id"])
    await refund(club, first["payment_id"], 2000)
    assert await change(club, own, 700, payment_frequency_count=7) == (None, 3000 - 700)
    club.clock.advance(days=3.5)
    await refund(club, first["payment_id"], 100)
    assert await change(club, own, 1400, payment_frequency_count=7) == (None, -(700 - 300)), "credit pays for it"


async def test_what_a_dispute_holds_was_not_kept(club: Club) -> None:
    own = await halfway(club)
    processor = Disputing(club.runtime)
    async with club.runtime.database.read() as read:
        payment_id = (await club.payments(own["subscription_id"]))[0]["payment_id"]
        payment = await get_payment(read, club.merchant.tenant, payment_id)
    assert payment is not None
    await open_dispute(club.runtime, processor, payment, amount=2000)
    path, product = f"/subscriptions/{own['subscription_id']}/change-plan/preview", await plan(club, 8000)
    body = {"product_id": product, "quantity": 1, "proration_billing_mode": "prorated_immediately"}

    async def due() -> int:
        total: int = (await club.call("POST", path, body))["immediate_charge"]["summary"]["total_amount"]
        return total

    assert await due() == 4000 - 500
    await refund(club, payment_id, 1000)
    assert await due() == 4000
    await open_dispute(club.runtime, processor, payment, amount=2000, status="dispute_won")
    assert await due() == 4000 - 1000


async def test_money_that_comes_back_is_no_credit_that_nobody_paid(club: Club) -> None:
    """A dispute of more than the period cost, counted by a change, is won."""
    own = await halfway(club, 8000)
    assert await change(club, own, 700, payment_frequency_count=7) == (None, 4000 - 700)
    processor = Disputing(club.runtime)
    async with club.runtime.database.read() as read:
        payment_id = (await club.payments(own["subscription_id"]))[0]["payment_id"]
        payment = await get_payment(read, club.merchant.tenant, payment_id)
    assert payment is not None
    club.clock.advance(days=1)
    await open_dispute(club.runtime, processor, payment, amount=8000)
    assert await change(club, own, 800, "do_not_bill", payment_frequency_count=7) == (None, 0)
    await open_dispute(club.runtime, processor, payment, amount=8000, status="dispute_won")
    assert await change(club, own, 100, "difference_immediately", payment_frequency_count=7) == (None, 700 - 100)


@pytest.mark.parametrize("refunded", [None, 2000, 5000])
@pytest.mark.parametrize(("mode", "due"), [("prorated_immediately", 1000), ("difference_immediately", 2000)])
async def test_what_was_charged_on_demand_is_no_part_of_a_period(
    club: Club, refunded: int | None, mode: str, due: int
) -> None:
    own = await club.subscribe(await plan(club, 3000), on_demand={"mandate_only": False, "product_price": 5000})
    (first,) = await club.payments(own["subscription_id"])
    if refunded is not None:
        await refund(club, first["payment_id"], refunded)
    until = (club.clock.now() + timedelta(days=30)).isoformat()
    await club.call(
        "PATCH", f"/subscriptions/{own['subscription_id']}", {"disable_on_demand": {"next_billing_date": until}}
    )
    club.clock.advance(days=15)
    assert await change(club, own, 2000, mode) == (due, 0)
    await club.books_agree()


@pytest.mark.parametrize("price", [8000, 1000])
async def test_a_refund_at_the_same_moment_is_not_overlooked(
    club: Club, monkeypatch: pytest.MonkeyPatch, price: int
) -> None:
    own = await halfway(club)
    (first,) = await club.payments(own["subscription_id"])

    async def refunded_meanwhile(*arguments: Any) -> DecidedChange:
        decided = await decide_plan_change(*arguments)
        await refund(club, first["payment_id"])
        return decided

    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    body = {"product_id": await plan(club, price), "quantity": 1, "proration_billing_mode": "prorated_immediately"}
    with monkeypatch.context() as patch:
        patch.setattr(module, "decide_plan_change", refunded_meanwhile)
        refused = await club.call("POST", path, body, 409)
    assert refused["code"] == "PREVIOUS_PAYMENT_PENDING"
    assert await club.read(own["subscription_id"]) == own
    assert len(await club.payments(own["subscription_id"])) == 1
    assert await change(club, own, price) == ((4000, 0) if price == 8000 else (500, 0))
    await club.books_agree()


async def test_a_part_of_a_period_is_refunded_as_a_whole_only(club: Club) -> None:
    """Its item cannot be named, as the contract has it; that of a whole period can."""
    own = await halfway(club, 3000)
    assert await change(club, own, 8000) == (2500, 0)
    prorated = (await club.payments(own["subscription_id"]))[-1]["payment_id"]
    (line,) = (await club.call("GET", f"/payments/{prorated}/line-items"))["items"]
    before = await dump(club.runtime)
    for amount in (1000, 2500, None):
        items = [{"item_id": line["items_id"], "amount": amount}]
        for path in ("/refunds/preview", "/refunds"):
            refused = await club.call("POST", path, {"payment_id": prorated, "items": items}, 422)
            assert refused["code"] == "LINE_ITEM_PRORATED"
            assert refused["message"] == f"Line item {line['items_id']} cannot be refunded because its prorated"
    assert await dump(club.runtime) == before
    await refund(club, prorated)
    club.clock.advance(seconds=1)
    assert await change(club, own, 9000, "difference_immediately") == (9000 - 3000, 0)
    await refund(club, (await club.payments(own["subscription_id"]))[-1]["payment_id"], 1000)
    await club.books_agree()
