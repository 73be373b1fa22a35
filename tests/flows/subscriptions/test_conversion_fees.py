"""The conversion fee is a part of every converted charge of a subscription, and never the merchant's."""

from typing import Any

import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club, halfway, plan
from nicobar.storage.ledger.ledger import entries_of
from orders import pay
from pages.changing import fields_of
from shop import EXAMPLE_RATES, Shop

GERMAN: dict[str, Any] = {"billing": {"country": "DE", "city": "Bonn", "street": "Weg 1", "zipcode": "53111"}}


async def convert(club: Club, app: Any, **more: str) -> Shop:
    """Let Germans pay in euros, at 0.92 for a dollar, for a fee of 4 percent."""
    shop = Shop(club.runtime, app, club.clock, club.merchant)
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", **more)
    return shop


async def change(club: Club, own: dict[str, Any], price: int, mode: str, **more: Any) -> dict[str, Any]:
    """Change the plan; return the payment of it."""
    body = {"product_id": await plan(club, price), "quantity": 1, "proration_billing_mode": mode}
    club.clock.advance(seconds=1)
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body | more)
    return (await club.payments(own["subscription_id"]))[-1]


def settled(payment: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return total and tax, and what they settle at."""
    return payment["total_amount"], payment["tax"], payment["settlement_amount"], payment["settlement_tax"]


async def booked(club: Club, payment: dict[str, Any]) -> dict[str, int]:
    """Return what the ledger holds of the payment in its settlement currency, by account."""
    async with club.runtime.database.read() as read:
        (entry,) = await entries_of(read, club.merchant.tenant, payment["payment_id"])
    return {posting.account: posting.amount for posting in entry.postings if posting.currency == "USD"}


@pytest.mark.parametrize(
    ("mode", "more", "gross", "expected"),
    [
        ("full_immediately", {}, 8320, (7654, 0, 8000, 0)),
        ("difference_immediately", {}, 5200, (4784, 0, 5000, 0)),
        ("prorated_immediately", {}, 2600, (2392, 0, 2500, 0)),
        ("full_immediately", {"adaptive_currency_fees_inclusive": True}, 8000, (7360, 0, 7680, 0)),
    ],
)
async def test_a_plan_change_settles_without_the_fee(
    club: Club, app: Any, mode: str, more: dict[str, Any], gross: int, expected: tuple[int, int, int, int]
) -> None:
    await convert(club, app)
    own = await halfway(club, **GERMAN)
    assert settled((await club.payments(own["subscription_id"]))[0]) == (2870, 0, 3000, 0)
    paid = await change(club, own, 8000, mode, **more)
    assert settled(paid) == expected
    assert await booked(club, paid) == {
        "conversion_clearing": gross,
        "fee_income": expected[2] - gross,
        "merchant_payable": -expected[2],
    }
    explained = await club.call("GET", f"/payments/{paid['payment_id']}/explain")
    assert explained["recomputed"] is True
    assert "less the conversion fee of 4 %" in explained["steps"][-1]["sentence"]
    await club.books_agree()


async def test_so_does_its_tax(club: Club, app: Any) -> None:
    shop = await convert(club, app, tax="table", seller_country="US")
    await shop.taxes("country,name,standard_percent\nDE,VAT,19\n")
    own = await halfway(club, **GERMAN)
    paid = await change(club, own, 8000, "prorated_immediately")
    assert settled(paid) == (2846, 454, 2974, 474)
    await club.call("POST", "/refunds", {"payment_id": paid["payment_id"]})
    await club.books_agree()


async def test_a_price_moved_to_a_clean_ending_bears_the_fee_within_it(club: Club, app: Any) -> None:
    """The customer pays exactly the price that is shown, also for a part of it."""
    await convert(club, app, charm_pricing="whole")
    own = await halfway(club, **GERMAN)
    first = (await club.payments(own["subscription_id"]))[0]
    assert settled(first) == (3000, 0, 3131, 0)  # 32.61 dollars less 4 percent
    paid = await change(club, own, 8000, "difference_immediately")
    assert settled(paid) == (4000, 0, 4174, 0)  # 70 euros, which cost 30 before: 43.48 dollars less 4 percent
    await club.books_agree()


async def test_cycles_that_are_charged_together_bear_it(club: Club, app: Any) -> None:
    await convert(club, app)
    own = await club.subscribe(await club.product(price=1000), **GERMAN)
    body = {"product_id": await club.small_product(30), "quantity": 1, "proration_billing_mode": "do_not_bill"}
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body)
    for _ in range(2):
        await club.work(days=31)
    payments = await club.payments(own["subscription_id"])
    assert [settled(each) for each in payments] == [(957, 0, 1000, 0), (0, 0, 0, 0), (58, 0, 61, 0)]
    await club.books_agree()


@pytest.mark.parametrize("moved", [False, True])
async def test_what_is_owed_bears_it_on_a_page(club: Club, app: Any, moved: bool) -> None:
    """Also when the customer gives another address there, whose taxes are asked for."""
    shop = await convert(club, app, tax="table", seller_country="US")
    await shop.taxes("country,name,standard_percent\nAT,VAT,20\n")
    own = await club.subscribe(number=RENEWALS_FAIL, **GERMAN)
    await club.work(days=31)
    club.clock.advance(seconds=1)
    made = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    path = "/" + made["payment_link"].rpartition("/")[2]
    if moved:
        shown = fields_of((await club.browser.get(path)).text)
        form = shown | {"country": "AT", "city": "Graz", "street": "Weg 1", "zipcode": "8010"}
        answer = await club.browser.post(f"{path}/details", data=form)
        assert answer.status_code == 303, answer.text
    answer = await pay(club.browser, path)
    assert answer.status_code == 303, answer.text
    owed, paid = (await club.payments(own["subscription_id"]))[-2:]
    assert settled(owed) == (2870, 0, 3000, 0)
    assert settled(paid) == ((3444, 574, 3599, 600) if moved else (2870, 0, 3000, 0))
    explained = await club.call("GET", f"/payments/{paid['payment_id']}/explain")
    assert explained["recomputed"] is True
    await club.books_agree()
