"""Discount codes on the payment page: entered and removed by the customer, and never in the way of paying."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from orders import attempts_of, dump, pay, token_in, token_of
from pages.changing import can_pay, error_of, link, nothing_changes, send_code, total_of
from repricing import current
from shop import Shop, item


def value_of(page: httpx.Response) -> str:
    """Return what is in the field for a code."""
    return page.text.partition('<input id="code"')[2].partition('value="')[2].partition('"')[0]


async def test_a_code_lowers_the_total_and_is_counted_once_paid(shop: Shop, browser: httpx.AsyncClient) -> None:
    code = await shop.percentage("WELCOME10", 1000, usage_limit=1)
    payment = await link(shop)
    answer = await send_code(browser, payment, code=" welcome10 ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{payment.link_id}#discounts")
    page = await browser.get(f"/{payment.link_id}")
    assert total_of(page) == "$18.00"
    assert "Discount (WELCOME10)" in page.text and "Pay $18.00" in page.text
    assert await shop.uses(code) == (0, 1)
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    paid = await current(shop, payment.payment_id)
    assert (paid.status, paid.discount, paid.total_amount) == ("succeeded", 200, 1800)
    assert [attempt["amount"] for attempt in await attempts_of(shop.runtime, paid)] == [1800]
    assert await shop.uses(code) == (1, 0)
    read = await shop.read(f"/payments/{payment.payment_id}")
    assert [applied["code"] for applied in read["discounts"]] == ["WELCOME10"]


async def test_codes_are_removed_one_by_one(shop: Shop, browser: httpx.AsyncClient) -> None:
    one, two = await shop.percentage("ONE", 1000), await shop.percentage("TWO", 5000)
    payment = await link(shop, discount_codes=["ONE", "TWO"])
    page = await browser.get(f"/{payment.link_id}")
    assert total_of(page) == "$9.00"
    assert 'aria-label="Remove ONE"' in page.text and 'aria-label="Remove TWO"' in page.text
    assert (await send_code(browser, payment, remove="ONE")).status_code == 303
    page = await browser.get(f"/{payment.link_id}")
    assert (total_of(page), "Remove ONE" in page.text) == ("$10.00", False)
    assert (await shop.uses(one), await shop.uses(two)) == ((0, 0), (0, 1))
    await send_code(browser, payment, remove="TWO")
    await send_code(browser, payment, remove="TWO")
    assert total_of(await browser.get(f"/{payment.link_id}")) == "$20.00"
    assert await shop.uses(two) == (0, 0)


async def test_only_codes_that_are_tried_are_guesses(
    shop: Shop, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.percentage("HALF", 5000)
    payment = await link(shop)

    async def refuse(*_: object) -> None:
        raise Problem("UNSUPPORTED_ACTION", status=409, detail="It is being changed.")

    with monkeypatch.context() as patched:
        patched.setattr("nicobar.pages.changes.changes.reprice_payment", refuse)
        for _ in range(21):
            assert (await send_code(browser, payment, remove="HALF")).status_code == 422
            assert (await send_code(browser, payment, code="HALF")).status_code == 422
    assert (await send_code(browser, payment, code="HALF")).status_code == 303
    assert total_of(await browser.get(f"/{payment.link_id}")) == "$10.00"


async def test_a_refusal_at_a_field_that_the_page_lacks_is_said(
    shop: Shop, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an order of nothing no country is asked that could be marked."""
    await shop.percentage("ALL", 10_000)
    payment = await link(shop, discount_codes=["ALL"], customer={"email": "bo@example.com"})

    async def refuse(*_: object) -> None:
        raise Problem("UNSUPPORTED_ACTION", status=409, detail="It is being changed.")

    monkeypatch.setattr("nicobar.pages.changes.changes.reprice_payment", refuse)
    token = token_of(await browser.get(f"/{payment.link_id}"))
    form = {"token": token, "customer_name": "Bo"}
    refused = await browser.post(f"/{payment.link_id}/details", data=form)
    assert refused.status_code == 422
    assert "Your order was being changed at the same moment. Please try again." in refused.text


REFUSALS = [
    ("", "Enter a discount code."),
    ("NOPE", "This code is not valid."),
    ("<script>", "This code is not valid."),
    ("X" * 65, "This code is not valid."),
    ("ONE", "This code is in your order already."),
    ("LATE", "This code has expired."),
    ("EARLY", "This code is not valid yet."),
    ("TAKEN", "This code has been used up."),
    ("OTHER", "This code is for other products."),
    ("LARGE", "Your order is too small for this code."),
    ("FRIENDS", "This code is not meant for your order."),
    ("ONCE", "You have used this code before."),
    ("MOST", "With this code the total would be too small to be charged."),
]


@pytest.mark.parametrize(("code", "sentence"), REFUSALS)
async def test_a_refused_code_is_told_at_its_field_and_paying_goes_on(
    shop: Shop, browser: httpx.AsyncClient, clock: FakeClock, code: str, sentence: str
) -> None:
    now, product = clock.now(), await shop.product(2000)
    large = {"currency": "USD", "minimum_subtotal": 5000}
    codes: dict[str, dict[str, Any]] = {
        "ONE": {},
        "LATE": {"expires_at": (now + timedelta(minutes=1)).isoformat()},
        "EARLY": {"starts_at": (now + timedelta(days=1)).isoformat()},
        "TAKEN": {"usage_limit": 1},
        "OTHER": {"restricted_to": [await shop.product(100)]},
        "LARGE": {"currency_options": [large]},
        "FRIENDS": {"customer_eligibility": "specific"},
        "ONCE": {"per_customer_usage_limit": 1},
    }
    for name, terms in codes.items():
        await shop.percentage(name, 1000, **terms)
    await shop.percentage("MOST", 9990)
    await link(shop, item(product), discount_codes=["TAKEN"], customer={"email": "ben@example.com"})
    once = await link(shop, item(product), discount_codes=["ONCE"])
    await pay(browser, f"/{once.link_id}")
    payment = await link(shop, item(product), discount_codes=["ONE"])
    clock.advance(minutes=1)
    before = await dump(shop.runtime)
    refused = await send_code(browser, payment, code=code)
    assert await nothing_changes(shop, before)
    assert refused.status_code == 422
    assert error_of(refused, "code") == sentence
    assert "<script>" not in refused.text
    assert (total_of(refused), can_pay(refused), "Remove ONE" in refused.text) == ("$18.00", True, True)
    assert value_of(refused) == code.replace("<", "&lt;").replace(">", "&gt;")[:64]
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    paid = await current(shop, payment.payment_id)
    assert (paid.status, paid.total_amount) == ("succeeded", 1800)


async def test_an_order_takes_twenty_codes(shop: Shop, browser: httpx.AsyncClient) -> None:
    codes = [f"CODE{number}" for number in range(21)]
    for code in codes:
        await shop.percentage(code, 100)
    payment = await link(shop, discount_codes=codes[:20])
    refused = await send_code(browser, payment, code=codes[20])
    assert error_of(refused, "code") == "An order can have at most 20 codes."
    await send_code(browser, payment, remove="CODE0")
    assert (await send_code(browser, payment, code=codes[20])).status_code == 303
    assert (await current(shop, payment.payment_id)).options.discount_codes == codes[1:]


async def test_a_code_for_everything_makes_the_order_free(shop: Shop, browser: httpx.AsyncClient) -> None:
    await shop.percentage("GIFT", 10_000)
    payment = await link(shop)
    await send_code(browser, payment, code="GIFT")
    page = await browser.get(f"/{payment.link_id}")
    assert "Complete order" in page.text and not can_pay(page) and "Remove GIFT" in page.text
    await send_code(browser, payment, remove="GIFT")
    assert can_pay(await browser.get(f"/{payment.link_id}"))


async def test_codes_cannot_be_guessed_without_end(shop: Shop, browser: httpx.AsyncClient, clock: FakeClock) -> None:
    await shop.percentage("REAL", 1000)
    payment, other = await link(shop), await link(shop)
    for number in range(20):
        assert error_of(await send_code(browser, payment, code=f"GUESS{number}"), "code") == "This code is not valid."
    tired = await send_code(browser, payment, code="REAL")
    assert error_of(tired, "code").startswith("Too many codes were tried.")
    assert can_pay(tired)
    assert (await send_code(browser, other, code="REAL")).status_code == 303, "every link has tries of its own"
    clock.advance(minutes=3)
    assert (await send_code(browser, payment, code="REAL")).status_code == 303


async def test_the_codes_of_a_seller_stay_with_the_seller(
    shop: Shop, browser: httpx.AsyncClient, other_merchant: Merchant, runtime: Runtime, app: ASGIApp, clock: FakeClock
) -> None:
    await Shop(runtime, app, clock, other_merchant).percentage("THEIRS", 1000)
    payment = await link(shop)
    assert error_of(await send_code(browser, payment, code="THEIRS"), "code") == "This code is not valid."


async def test_programs_get_the_envelope(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop)
    json: dict[str, Any] = {"accept": "application/json"}
    token = {"token": token_in((await browser.get(f"/{payment.link_id}")).text)}
    refused = await browser.post(f"/{payment.link_id}/discount", data=token | {"code": "NOPE"}, headers=json)
    assert refused.status_code == 422
    assert refused.json()["code"] == "INVALID_REQUEST_BODY"
    assert refused.json()["message"] == "code: Your request body is invalid. This code is not valid."
