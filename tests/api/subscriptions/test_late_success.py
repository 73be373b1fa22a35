"""A bank that takes its no back when the charge has been given up: what was paid is the subscription's credit."""

from typing import Any

import msgspec
import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from disputing import Disputing, open_dispute
from nicobar.core.events.event import Event
from nicobar.core.events.moves import RefundMove
from nicobar.core.payments.payment import Payment, Succeeded
from nicobar.core.refunds.refund import Refund, RefundLine
from nicobar.core.subscriptions.subscription import moved
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.subscriptions.follow_payment import follow_payment
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payments import get_payment, lock_payment
from nicobar.storage.subscriptions.subscriptions import get_subscription, lock_subscription
from orders import pay
from shop import item

DECLINED = "4000000000000002"
GERMANY = {"country": "DE", "state": "BE", "city": "Berlin", "street": "Torstr. 1", "zipcode": "10119"}


async def with_taxes(club: Club) -> None:
    for name, value in (("seller_country", "DE"), ("tax", "table")):
        await change_setting(club.runtime, club.merchant.tenant, name, value)
    club.clock.advance(seconds=10)


async def pay_after_all(club: Club, payment_id: str) -> None:
    """Let the bank say that the declined attempt of a payment took the money."""
    tenant, at = club.merchant.tenant, club.clock.now()
    async with club.runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, payment_id)
        attempt_id = await tx.fetchval("SELECT attempt_id FROM attempts WHERE payment_id = $1", payment_id)
        attempt = await get_attempt(tx, tenant, attempt_id)
        assert payment is not None and payment.status == "failed"
        assert await record_payment_outcome(club.runtime, tx, payment, attempt, Succeeded("late"), at)


async def credit_of(club: Club, subscription_id: str) -> int:
    async with club.runtime.database.read() as read:
        found = await get_subscription(read, club.merchant.tenant, subscription_id)
    assert found is not None
    return found.credit


async def states(club: Club, payment_id: str) -> list[str]:
    async with club.runtime.database.read() as read:
        query = "SELECT state FROM subscription_charges WHERE payment_id = $1 ORDER BY position"
        return [row["state"] for row in await read.fetch(query, payment_id)]


@pytest.mark.parametrize(("inclusive", "total", "credit"), [(True, 3000, 3000), (False, 3570, 3000)])
async def test_a_renewal_pays_the_same_period_as_credit(club: Club, inclusive: bool, total: int, credit: int) -> None:
    await with_taxes(club)
    product_id = await club.product(tax_inclusive=inclusive)
    own = await club.subscribe(product_id, RENEWALS_FAIL, billing={"country": "DE"})
    await club.work(days=31)
    failed = (await club.payments(own["subscription_id"]))[-1]
    assert (failed["status"], failed["total_amount"]) == ("failed", total)
    await pay_after_all(club, failed["payment_id"])
    assert (await credit_of(club, own["subscription_id"]), await states(club, failed["payment_id"])) == (
        credit,
        ["credited"],
    )
    owing = await club.read(own["subscription_id"])
    assert owing["status"] == "on_hold"
    answer = await club.call(
        "POST",
        f"/subscriptions/{own['subscription_id']}/update-payment-method",
        {"type": "existing", "payment_method_id": own["payment_method_id"]},
    )
    settled = await club.call("GET", f"/payments/{answer['payment_id']}")
    assert (settled["status"], settled["total_amount"]) == ("succeeded", 0)
    assert (await club.read(own["subscription_id"]))["status"] == "active"
    assert await credit_of(club, own["subscription_id"]) == 0
    await club.books_agree()


@pytest.mark.parametrize(("used", "left"), [(0, 2000), (2500, 0)])
async def test_a_refund_of_what_became_credit_takes_the_credit_back(club: Club, used: int, left: int) -> None:
    await with_taxes(club)
    own = await club.subscribe(await club.product(tax_inclusive=False), RENEWALS_FAIL, billing={"country": "DE"})
    await club.work(days=31)
    failed = (await club.payments(own["subscription_id"]))[-1]
    await pay_after_all(club, failed["payment_id"])
    async with club.runtime.database.transaction() as tx:
        payment = await lock_payment(tx, club.merchant.tenant, failed["payment_id"])
        subscription = await lock_subscription(tx, club.merchant.tenant, own["subscription_id"])
        assert payment is not None and subscription is not None and subscription.credit == 3000
        rest = moved(subscription, subscription.status, club.clock.now(), credit=3000 - used)
        await save_move(club.runtime, tx, rest, club.clock.now())
        refund = _refund_of(payment, RefundLine(0, 1190, 190, 1190, 190))
        event = Event("evt_1", "refund.succeeded", refund.refund_id, b"{}", club.clock.now())
        for status in ("succeeded", "failed"):
            done = msgspec.structs.replace(refund, status=status)
            await follow_payment(club.runtime, tx, RefundMove(done, payment, "pending", event))
    assert await credit_of(club, own["subscription_id"]) == left


@pytest.mark.parametrize(
    ("ends", "left"),
    [
        (["dispute_lost"], 2000),
        (["dispute_accepted"], 2000),
        (["dispute_expired"], 2000),
        (["dispute_challenged", "dispute_won"], 3000),
        (["dispute_won", "dispute_lost"], 2000),
        (["dispute_lost", "dispute_won", "dispute_lost"], 2000),
    ],
)
async def test_a_dispute_that_is_lost_takes_the_credit_of_its_payment_back(
    club: Club, ends: list[str], left: int
) -> None:
    await with_taxes(club)
    own = await club.subscribe(await club.product(tax_inclusive=False), RENEWALS_FAIL, billing={"country": "DE"})
    await club.work(days=31)
    failed = (await club.payments(own["subscription_id"]))[-1]
    await pay_after_all(club, failed["payment_id"])
    async with club.runtime.database.read() as read:
        payment = await get_payment(read, club.merchant.tenant, failed["payment_id"])
    assert payment is not None
    bank = Disputing(club.runtime)
    for stage, status in [("pre_dispute", "dispute_expired"), ("dispute", "dispute_opened")]:
        club.clock.advance(seconds=1)
        await open_dispute(club.runtime, bank, payment, amount=1190, stage=stage, status=status)
        assert await credit_of(club, own["subscription_id"]) == 3000
    for status in ends:
        club.clock.advance(seconds=1)
        await open_dispute(club.runtime, bank, payment, amount=1190, status=status)
    assert await credit_of(club, own["subscription_id"]) == left
    await club.books_agree()


async def test_a_first_payment_of_several_credits_each_with_its_own_lines(club: Club) -> None:
    await with_taxes(club)
    with_tax = await club.product(price=3570, tax_inclusive=True)
    without, once = await club.product(price=2000, tax_inclusive=False), await _sold_once(club)
    cart = [item(with_tax), item(without, 2), item(once)]
    body: dict[str, Any] = {"product_cart": cart, "confirm": True, "billing_address": GERMANY}
    created = await club.call("POST", "/checkouts", body | {"customer": {"email": "ana@example.com", "name": "Ana"}})
    session = await club.call("GET", f"/checkouts/{created['session_id']}")
    made = await club.call("GET", f"/payments/{session['payment_id']}")
    assert made["total_amount"] == 3570 + 4760 + 1190
    onward = await club.browser.get(created["checkout_url"])
    await pay(club.browser, onward.headers["location"], number=DECLINED)
    await club.work(days=2)
    assert [(await club.read(each))["status"] for each in made["subscription_ids"]] == ["failed", "failed"]
    await pay_after_all(club, made["payment_id"])
    assert await states(club, made["payment_id"]) == ["credited", "credited"]
    credits = [await credit_of(club, each) for each in made["subscription_ids"]]
    assert sorted(credits) == [3570, 4000]
    assert (await club.call("GET", f"/payments/{made['payment_id']}"))["status"] == "succeeded"
    assert [(await club.read(each))["status"] for each in made["subscription_ids"]] == ["failed", "failed"]
    await club.books_agree()


async def test_a_plan_change_with_more_lines_than_the_plan_credits_all_of_them(club: Club) -> None:
    await with_taxes(club)
    addon = {"name": "Seat", "price": 1000, "currency": "USD", "tax_category": "saas"}
    seat = (await club.call("POST", "/addons", addon))["id"]
    larger = await club.product(price=8000, tax_inclusive=False)
    await club.call("PATCH", f"/products/{larger}", {"addons": [seat]})
    own = await club.subscribe(await club.product(tax_inclusive=False), RENEWALS_FAIL, billing={"country": "DE"})
    club.clock.advance(days=1)
    change = {
        "product_id": larger,
        "quantity": 1,
        "addons": [{"addon_id": seat, "quantity": 3}],
        "proration_billing_mode": "full_immediately",
        "on_payment_failure": "prevent_change",
    }
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", change)
    failed = (await club.payments(own["subscription_id"]))[-1]
    assert (failed["status"], failed["total_amount"], failed["tax"]) == ("failed", 13090, 2090)
    await pay_after_all(club, failed["payment_id"])
    after = await club.read(own["subscription_id"])
    assert (after["product_id"], after["status"]) == (own["product_id"], "active")
    assert await credit_of(club, own["subscription_id"]) == 11000
    await club.books_agree()


def _refund_of(payment: Payment, line: RefundLine) -> Refund:
    return Refund(
        refund_id="ref_1",
        payment_id=payment.payment_id,
        attempt_id="att_1",
        status="pending",
        amount=line.amount,
        tax=line.tax,
        currency=payment.currency,
        settlement_amount=line.settlement_amount,
        settlement_tax=line.settlement_tax,
        settlement_currency=payment.settlement_currency,
        is_partial=True,
        reason=None,
        metadata={},
        outcome=None,
        network_reference=None,
        network_reference_type=None,
        network_reference_updated_at=None,
        created_at=payment.created_at,
        resolved_at=None,
        lines=[line],
    )


async def _sold_once(club: Club) -> str:
    price = {"type": "one_time_price", "currency": "USD", "price": 1000, "tax_inclusive": False}
    made: str = (await club.call("POST", "/products", {"name": "Guide", "tax_category": "saas", "price": price}))[
        "product_id"
    ]
    return made
