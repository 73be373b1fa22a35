"""Paying on the hosted page: which statuses a payment passes, and what the customer sees."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from harness import START, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import CardDetails
from nicobar.flows.runtime import Runtime
from nicobar.reference import failures
from orders import attempts_of, line, order, pay, place, reload, token_of

DECLINES = {
    "4000000000000002": "GENERIC_DECLINE",
    "4000000000009995": "INSUFFICIENT_FUNDS",
    "4706131211212123": "GENERIC_DECLINE",
    "5105105105105100": "GENERIC_DECLINE",
    "4000000000000127": "INCORRECT_CVC",
    "4000000000000069": "EXPIRED_CARD",
    "4000000000000119": "PROCESSING_ERROR",
    "4000000000009987": "LOST_CARD",
    "4000000000009979": "STOLEN_CARD",
    "4242424242424241": "INCORRECT_NUMBER",
    "4000000000006975": "CARD_VELOCITY_EXCEEDED",
    "4100000000000019": "FRAUDULENT",
}
"""Published test cards that are declined (contract: test mode, section 2), with their codes."""


async def test_a_card_pays(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock) -> None:
    payment = await place(runtime, order(runtime, tenant))
    paid_at = clock.advance(minutes=5)
    answer = await pay(browser, f"/{payment.link_id}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{payment.link_id}")
    paid = await reload(runtime, payment)
    assert (paid.status, paid.error_code, paid.error_message, paid.updated_at) == ("succeeded", None, None, paid_at)
    assert (paid.payment_method, paid.payment_method_type) == ("card", "credit")
    assert paid.card == CardDetails("4242", "visa", "credit", "US", "Ana Lima", "06", "2032")
    (attempt,) = await attempts_of(runtime, payment)
    assert (attempt["processor"], attempt["amount"], attempt["currency"]) == ("simulator", 2400, "USD")
    assert (attempt["outcome"]["type"], attempt["resolved_at"]) == ("succeeded", paid_at)
    receipt = await browser.get(answer.headers["location"])
    assert receipt.status_code == 200
    for text in ("Payment received", "Dodo Records", "$24.00", payment.payment_id, "Visa ending in 4242"):
        assert text in receipt.text
    assert "March 14, 2026, 3:14\u202fPM UTC (Coordinated Universal Time)" in receipt.text
    assert 'name="number"' not in receipt.text


@pytest.mark.parametrize(("number", "code"), DECLINES.items())
async def test_a_declined_card_fails_the_payment_and_leaves_it_open(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, number: str, code: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    answer = await pay(browser, f"/{payment.link_id}", number=number)
    assert answer.status_code == 303
    failed = await reload(runtime, payment)
    failure = failures.get(code)
    assert (failed.status, failed.error_code) == ("failed", code)
    assert failed.error_message == f"{failure.headline} {failure.advice}"
    page = await browser.get(f"/{payment.link_id}")
    assert page.status_code == 200
    assert failure.customer_message.replace("'", "&#39;") in page.text
    assert "You have not been charged." in page.text
    assert failure.headline not in page.text
    assert token_of(page)


async def test_after_a_decline_another_card_pays(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    clock.advance(seconds=10)
    await pay(browser, f"/{payment.link_id}", number="4000000000009995")
    clock.advance(seconds=10)
    await pay(browser, f"/{payment.link_id}", number="5555555555554444")
    paid = await reload(runtime, payment)
    assert (paid.status, paid.error_code, paid.error_message) == ("succeeded", None, None)
    assert paid.card is not None
    assert (paid.card.network, paid.card.last_four) == ("mastercard", "4444")
    assert [row["outcome"]["type"] for row in await attempts_of(runtime, payment)] == ["declined", "succeeded"]


@pytest.mark.parametrize(
    ("number", "cvc", "kind", "network"),
    [("378282246310005", "1234", "credit", "amex"), ("4000056655665556", "123", "debit", "visa")],
)
async def test_the_kind_of_card_is_recorded(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, number: str, cvc: str, kind: str, network: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await pay(browser, f"/{payment.link_id}", number=number, cvc=cvc)
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method_type) == ("succeeded", kind)
    assert paid.card is not None
    assert paid.card.network == network


async def test_a_free_order_needs_no_card(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant, [line(0, 1500, 1500, 0)]))
    page = await browser.get(f"/{payment.link_id}")
    assert "Complete order" in page.text
    assert 'name="number"' not in page.text
    response = await browser.post(f"/{payment.link_id}", data={"token": token_of(page)})
    assert response.status_code == 303
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method, paid.card) == ("succeeded", None, None)
    assert await attempts_of(runtime, payment) == []
    assert "Order complete" in (await browser.get(f"/{payment.link_id}")).text


async def test_a_double_click_charges_once(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    form = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Ana Lima", "token": token}
    answers = await asyncio.gather(*(browser.post(f"/{payment.link_id}", data=form) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {303}
    assert (await reload(runtime, payment)).status == "succeeded"
    assert len(await attempts_of(runtime, payment)) == 1


async def test_a_form_is_good_for_one_try(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    """The second click on a declined card must not try it again, although a failed payment can be paid."""
    payment = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    form = {"number": "4000000000000002", "expiry": "06/32", "cvc": "123", "name": "Ana Lima", "token": token}
    clock.advance(seconds=1)
    for _ in range(3):
        response = await browser.post(f"/{payment.link_id}", data=form)
        assert (response.status_code, response.headers["location"]) == (303, f"/{payment.link_id}")
    assert len(await attempts_of(runtime, payment)) == 1


async def test_a_paid_link_shows_its_receipt_and_takes_no_second_payment(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    await pay(browser, f"/{payment.link_id}")
    before = await reload(runtime, payment)
    form = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Ana Lima", "token": token}
    assert (await browser.post(f"/{payment.link_id}", data=form)).status_code == 303
    assert await reload(runtime, payment) == before
    assert len(await attempts_of(runtime, payment)) == 1


async def test_only_an_allowed_kind_of_card_pays(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    options: dict[str, Any] = {"allowed_payment_method_types": ["credit", "klarna"]}
    payment = await place(runtime, order(runtime, tenant, options=options))
    refused = await pay(browser, f"/{payment.link_id}", number="4000056655665556")
    assert refused.status_code == 422
    assert "Only credit cards can pay for this order." in refused.text
    assert await reload(runtime, payment) == payment
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_expiry_is_judged_by_the_clock_of_the_server(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    assert START.month == 3
    payment = await place(runtime, order(runtime, tenant, expires_on=datetime(2030, 1, 1, tzinfo=UTC)))
    assert (await pay(browser, f"/{payment.link_id}", expiry="02/26")).status_code == 422
    clock.moment = datetime(2026, 4, 2, tzinfo=UTC)
    assert (await pay(browser, f"/{payment.link_id}", expiry="03/26")).status_code == 422
    clock.moment -= timedelta(seconds=1)  # somewhere on earth it is still March
    assert (await pay(browser, f"/{payment.link_id}", expiry="03/26")).status_code == 303
    assert (await reload(runtime, payment)).status == "succeeded"
