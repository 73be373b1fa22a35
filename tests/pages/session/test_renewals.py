"""What the pages say of subscriptions: what is due today, and what is renewed when, in the customer's language."""

import html
import re
from typing import Any

import httpx
import pytest

from api.subscriptions.subscribing import Club, open_session
from nicobar.flows.business import load_policy as policy_loading
from nicobar.pages.texts.texts import load_texts, sentences_of
from nicobar.reference import locales
from nicobar.reference.rate_seed import seed
from orders import pay, token_of
from pages.session.filling import send, total_of
from shop import Shop, item

TYPED = {"email": "kim@example.com", "customer_name": "Kim Park", "country": "US"}
PLACE = {"street": "1 Main St", "zipcode": "94601", "city": "Oakland", "state": "CA"}


def said(page: httpx.Response) -> list[str]:
    """Return what a page says below the heading of the subscriptions, without what it asks to allow."""
    found = re.search(r'<section class="renewals".*?</section>', page.text, re.DOTALL)
    if found is None:
        return []
    return [html.unescape(text) for text in re.findall(r"<(?:h3|p)>(.*?)</(?:h3|p)>", found[0])]


MONTHLY = "Then $30.00 every month. Next payment: April 14, 2026."


async def test_session_payment_and_receipt_say_the_same(club: Club) -> None:
    page = await open_session(club, item(await club.product()))
    assert (said(page), total_of(page)) == ([MONTHLY], "$30.00")
    assert "Due today" in page.text and "By completing this order you allow" in page.text
    link = (await send(club.browser, page, **TYPED, **PLACE)).headers["location"]
    payable = await club.browser.get(link)
    assert said(payable) == [MONTHLY] and "By completing this order you allow" in payable.text
    await pay(club.browser, link)
    receipt = await club.browser.get(link)
    assert said(receipt) == [MONTHLY] and "By completing this order you allow" not in receipt.text
    (own,) = (await club.call("GET", "/subscriptions"))["items"]
    assert own["next_billing_date"].startswith("2026-04-14")
    await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"cancel_at_next_billing_date": True})
    assert said(await club.browser.get(link)) == []


@pytest.mark.parametrize(("price", "charged", "amount"), [(1000, 1000, "$10.00"), (30, 50, "$0.50")])
async def test_the_receipt_knows_of_credit_and_of_a_scheduled_change(
    club: Club, price: int, charged: int, amount: str
) -> None:
    product_id, cheaper = await club.product(), await club.small_product(price)
    page = await open_session(club, item(product_id))
    link = (await send(club.browser, page, **TYPED, **PLACE)).headers["location"]
    await pay(club.browser, link)
    (own,) = (await club.call("GET", "/subscriptions"))["items"]
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    for wanted, mode in ((cheaper, "difference_immediately"), (product_id, "do_not_bill")):
        club.clock.advance(minutes=1)
        await club.call("POST", path, {"product_id": wanted, "quantity": 1, "proration_billing_mode": mode})
    told = [f"Then {amount} every month. Next payment: April 14, 2026.", "Without the discount: $30.00 every month."]
    assert said(await club.browser.get(link)) == told
    later = {"proration_billing_mode": "full_immediately", "effective_at": "next_billing_date"}
    await club.call("POST", path, {"product_id": cheaper, "quantity": 1} | later)
    assert said(await club.browser.get(link)) == []
    await club.call("DELETE", f"{path}/scheduled", status=204)
    assert said(await club.browser.get(link)) == told
    await club.work(days=31)
    assert (await club.payments(own["subscription_id"]))[-1]["total_amount"] == charged


@pytest.mark.parametrize(
    ("price", "fields", "total", "sentences"),
    [
        ({"trial_period_days": 14}, {}, "$0.00", ["Free until March 28, 2026, then $30.00 every month."]),
        (
            {"trial_period_days": 14, "trial_amount": 100},
            {},
            "$1.00",
            ["Trial until March 28, 2026, then $30.00 every month."],
        ),
        (
            {"payment_frequency_count": 3},
            {},
            "$30.00",
            ["Then $30.00 every 3 months. Next payment: June 14, 2026."],
        ),
        (
            {"subscription_period_count": 1, "subscription_period_interval": "Month"},
            {},
            "$30.00",
            ["It ends on April 14, 2026 and is not renewed."],
        ),
        (
            {},
            {"discount_codes": ["TWICE"]},
            "$15.00",
            ["Then $15.00 every month. Next payment: April 14, 2026.", "Without the discount: $30.00 every month."],
        ),
        ({}, {"discount_codes": ["ONCE"]}, "$15.00", [MONTHLY]),
        (
            {},
            {"discount_codes": ["ALWAYS"]},
            "$15.00",
            ["Then $15.00 every month. Next payment: April 14, 2026."],
        ),
        (
            {},
            {"subscription_data": {"on_demand": {"mandate_only": True}}},
            "$0.00",
            ["Dodo Records charges it when something is due, without fixed dates."],
        ),
    ],
)
async def test_each_kind_says_its_own(
    club: Club, shop: Shop, price: dict[str, Any], fields: dict[str, Any], total: str, sentences: list[str]
) -> None:
    await shop.percentage("TWICE", 5000, subscription_cycles=2)
    await shop.percentage("ONCE", 5000, subscription_cycles=1)
    await shop.percentage("ALWAYS", 5000)
    page = await open_session(club, item(await club.product(**price)), **fields)
    assert (total_of(page), said(page)) == (total, sentences)
    link = (await send(club.browser, page, **TYPED, **PLACE)).headers["location"]
    assert said(await club.browser.get(link)) == sentences


async def test_a_trial_is_free_or_paid_by_the_codes_that_are_used_now(club: Club, shop: Shop) -> None:
    await shop.percentage("TRY", 10_000, subscription_cycles=1)
    trial = {"trial_period_days": 14, "trial_amount": 100, "trial_apply_discounts": True}
    page = await open_session(club, item(await club.product(**trial)), discount_codes=["TRY"])
    free = ["Free until March 28, 2026, then $0.00 every month.", "Without the discount: $30.00 every month."]
    assert (total_of(page), said(page)) == ("$0.00", free)
    link = (await send(club.browser, page, **TYPED, **PLACE)).headers["location"]
    page = await club.browser.get(link)
    assert said(page) == free
    removing = f"{link.partition('?')[0]}/discount"
    answer = await club.browser.post(removing, data={"token": token_of(page), "remove": "TRY"})
    assert answer.status_code == 303
    page = await club.browser.get(link)
    assert (total_of(page), said(page)) == ("$1.00", ["Trial until March 28, 2026, then $30.00 every month."])


async def test_tax_is_part_of_what_is_renewed(club: Club, shop: Shop) -> None:
    await shop.settings(tax="table")
    await shop.taxes("country,name,standard_percent\nDE,VAT,19\n")
    page = await open_session(club, item(await club.product()), billing_address={"country": "DE"})
    assert (total_of(page), said(page)) == (
        "$35.70",
        ["Then $35.70 every month. Next payment: April 14, 2026."],
    )


async def first_charge_in_euros(club: Club) -> tuple[list[str], str, dict[str, Any]]:
    """Sell a plan in francs whose first charge on demand is 7 euros; return what the receipt says, and what began."""
    terms = {"on_demand": {"mandate_only": False, "product_price": 700, "product_currency": "EUR"}}
    page = await open_session(club, item(await club.product(currency="CHF")), subscription_data=terms)
    assert (page.status_code, total_of(page)) == (200, "€7.00")
    link = (await send(club.browser, page, **TYPED, **PLACE)).headers["location"]
    assert (await pay(club.browser, link)).status_code == 303
    receipt = await club.browser.get(link)
    assert receipt.status_code == 200 and 'class="card receipt"' in receipt.text
    (own,) = (await club.call("GET", "/subscriptions"))["items"]
    return said(receipt), own["status"], own


async def test_a_first_charge_in_another_currency_begins_the_subscription(club: Club, shop: Shop) -> None:
    await shop.rates({"EUR": "0.92", "CHF": "0.8"})
    sentences, status, own = await first_charge_in_euros(club)
    on_demand = "Dodo Records charges it when something is due, without fixed dates."
    assert (sentences, status, own["currency"]) == ([on_demand], "active", "EUR")
    assert own["recurring_pre_tax_amount"] == 3450  # 30 francs x 0.92 / 0.8


async def test_a_renewal_that_cannot_be_priced_is_not_foretold(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """No rate leads from the plan's currency to that of the first charge: what was paid is recorded all the same."""
    plain = seed()
    rest = {code: rate for code, rate in plain.rates.items() if code != "CHF"}
    monkeypatch.setattr(policy_loading, "seed", lambda: plain._replace(rates=rest))
    sentences, status, own = await first_charge_in_euros(club)
    assert (sentences, status, own["recurring_pre_tax_amount"]) == ([], "active", 700)


async def test_several_are_named(club: Club, shop: Shop) -> None:
    page = await open_session(club, item(await club.product()), item(await shop.product(500)))
    assert said(page) == ["Club", MONTHLY]


async def test_a_charge_on_demand_need_not_be_called_so(club: Club) -> None:
    terms = {"on_demand": {"mandate_only": False, "product_price": 700}}
    custom = {"show_on_demand_tag": False}
    page = await open_session(club, item(await club.product()), subscription_data=terms, customization=custom)
    assert (total_of(page), said(page)) == ("$7.00", [])
    assert "By completing this order you allow" in page.text
    link = (await send(club.browser, page, **TYPED, **PLACE)).headers["location"]
    assert said(await club.browser.get(link)) == []


async def test_an_order_without_subscriptions_says_nothing(club: Club, shop: Shop) -> None:
    page = await open_session(club, item(await shop.product(500)))
    assert said(page) == [] and "Total due" in page.text


@pytest.mark.parametrize("code", [locale.code for locale in locales.ALL])
async def test_it_is_said_in_every_language(club: Club, code: str) -> None:
    page = await open_session(club, item(await club.product(payment_frequency_count=3)), language=code)
    texts = load_texts(code)
    assert texts("renewal.heading") in html.unescape(page.text)
    assert texts("renewal.due_today") in html.unescape(page.text)
    (sentence,) = said(page)
    fixed = [part for part in re.split(r"\{\w+\}", sentences_of(code)["renewal.next"]) if part.strip()]
    assert [part for part in fixed if part.strip() not in sentence] == []
    assert "30" in sentence and "3" in sentence
