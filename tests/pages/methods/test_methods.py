"""Choosing how to pay on the page, and every method that leads the customer away and back."""

from typing import Any

import httpx
import pytest
import segno

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.reference import failures, methods
from orders import attempts_of, pay, reload, token_of
from pages.paying import HOMES, choose, chosen_on, offered_on, payment_for, payment_in

JSON = {"accept": "application/json"}


@pytest.mark.parametrize(
    ("country", "currency", "total", "offered"),
    [
        (
            "US",
            "USD",
            9900,
            "apple_pay google_pay card cashapp amazon_pay klarna afterpay_clearpay ach we_chat_pay crypto_currency",
        ),
        ("US", "USD", 2400, "apple_pay google_pay card cashapp amazon_pay ach we_chat_pay crypto_currency"),
        ("DE", "EUR", 2400, "apple_pay google_pay card satispay sepa"),
        ("NL", "EUR", 2400, "apple_pay google_pay card ideal satispay sepa"),
        ("PL", "PLN", 2400, "apple_pay google_pay card blik"),
        ("IN", "INR", 90_000, "card upi_collect"),
        ("KR", "KRW", 24_000, "apple_pay google_pay card kakao_pay naver_pay payco"),
        ("CN", "CNY", 2400, "apple_pay google_pay card we_chat_pay"),
        ("GB", "GBP", 9900, "apple_pay google_pay card revolut_pay klarna afterpay_clearpay"),
    ],
)
async def test_wallets_come_first_then_cards_and_what_the_country_pays_by(
    runtime: Runtime,
    tenant: Tenant,
    browser: httpx.AsyncClient,
    country: str,
    currency: str,
    total: int,
    offered: str,
) -> None:
    payment = await payment_in(runtime, tenant, country, currency, total)
    page = await browser.get(f"/{payment.link_id}")
    assert offered_on(page) == offered.split()
    assert chosen_on(page) == "card"
    assert page.text.count('<fieldset class="methods"') == 1
    folded = len(offered.split()) > 5
    assert ("More ways to pay" in page.text) == folded
    if folded:
        first, _, rest = page.text.partition('<details class="more-methods">')
        assert (first.count("data-method"), rest.count("data-method")) == (4, len(offered.split()) - 4)


async def test_names_are_those_of_the_country(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    american = await payment_in(runtime, tenant, "US", "USD")
    british = await payment_in(runtime, tenant, "GB", "GBP")
    assert "Continue to Afterpay</button>" in (await browser.get(f"/{american.link_id}")).text
    page = (await browser.get(f"/{british.link_id}")).text
    assert "Continue to Clearpay</button>" in page
    assert "Afterpay" not in page


async def test_a_single_method_needs_no_choice(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    options: dict[str, Any] = {"allowed_payment_method_types": ["ideal"]}
    payment = await payment_for(runtime, tenant, "ideal", options=options)
    page = await browser.get(f"/{payment.link_id}")
    assert offered_on(page) == ["ideal"]
    assert '<h2 id="pay-heading">Pay with iDEAL</h2>' in page.text
    assert 'name="number"' not in page.text and " novalidate" not in page.text
    assert (await choose(browser, payment, "ideal")).status_code == 303
    refused = await pay(browser, f"/{(await payment_for(runtime, tenant, 'ideal', options=options)).link_id}")
    assert refused.status_code == 422


async def test_nothing_to_pay_with_is_said_and_nothing_can_be_sent(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    options: dict[str, Any] = {"allowed_payment_method_types": ["ideal"]}
    payment = await payment_in(runtime, tenant, "DE", "EUR", options=options)
    page = await browser.get(f"/{payment.link_id}")
    assert page.status_code == 200
    assert "There is no way to pay for this order" in page.text
    assert offered_on(page) == []
    for method in ("card", "ideal"):
        assert (await choose(browser, payment, method)).status_code == 422
    assert await reload(runtime, payment) == payment


LEADING_AWAY = sorted(
    method.type for method in methods.offered() if method.flow in ("redirect", "wallet_sheet", "code", "qr", "upi_id")
)
FIELDS = {"blik": {"blik_code": "123 456"}, "pix": {"tax_number": "1234567890"}, "upi_collect": {"upi": "qr"}}


@pytest.mark.parametrize("method", LEADING_AWAY)
async def test_a_method_that_leads_away_pays_when_it_is_approved(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, method: str
) -> None:
    payment = await payment_for(runtime, tenant, method)
    answer = await choose(browser, payment, method, **FIELDS.get(method, {}))
    assert answer.status_code == 303
    away = answer.headers["location"]
    waiting = await reload(runtime, payment)
    known = methods.get(method)
    assert waiting.status == "requires_customer_action"
    assert (waiting.payment_method, waiting.payment_method_type, waiting.card) == (known.family, method, None)
    at_link = await browser.get(f"/{payment.link_id}")
    assert "Finish your payment" in at_link.text
    assert f'href="{away}"' in at_link.text
    assert "<input" not in at_link.text
    page = await browser.get(away)
    assert page.status_code == 200
    decision = away.replace("/simulator/qr/", "/simulator/pay/")
    if known.flow in ("qr", "upi_id"):
        assert (
            segno.make(decision, error="m", micro=False).svg_inline(
                border=4, dark="#000", light="#fff", lineclass=None, omitsize=True
            )
            in page.text
        )
        assert f'href="{decision}"' in page.text
    back = await browser.post(decision, data={"answer": "approve"})
    assert (back.status_code, back.headers["location"]) == (303, f"http://pay.test/{payment.link_id}")
    assert (await reload(runtime, payment)).status == "requires_customer_action"
    receipt = await browser.get(back.headers["location"])
    assert "Payment received" in receipt.text
    paid = await reload(runtime, payment)
    assert (paid.status, paid.error_code, paid.payment_method_type) == ("succeeded", None, method)
    (attempt,) = await attempts_of(runtime, payment)
    assert (attempt["outcome"]["type"], attempt["card"]) == ("succeeded", None)


@pytest.mark.parametrize(
    ("answer", "code"), [("fail", "PAYMENT_METHOD_PROVIDER_DECLINED"), ("cancel", "CUSTOMER_CANCELLED")]
)
@pytest.mark.parametrize("method", ["ideal", "klarna", "apple_pay", "blik", "pix", "crypto_currency"])
async def test_a_method_that_leads_away_may_fail_and_another_one_pays(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock, method: str, answer: str, code: str
) -> None:
    payment = await payment_for(runtime, tenant, method)
    away = (await choose(browser, payment, method, **FIELDS.get(method, {}))).headers["location"]
    decision = away.replace("/simulator/qr/", "/simulator/pay/")
    await browser.post(decision, data={"answer": answer})
    page = await browser.get(f"/{payment.link_id}")
    assert failures.get(code).customer_message in page.text
    assert chosen_on(page) == method
    failed = await reload(runtime, payment)
    assert (failed.status, failed.error_code) == ("failed", code)
    assert failed.error_message == failures.get(code).error_message
    assert "This confirmation has ended" in (await browser.get(decision)).text
    clock.advance(seconds=1)
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method, paid.payment_method_type) == ("succeeded", "card", "credit")
    assert paid.card is not None


async def test_a_declined_card_leaves_nothing_behind_when_another_method_pays(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await payment_for(runtime, tenant, "ideal")
    await pay(browser, f"/{payment.link_id}", number="4000000000009995")
    assert (await reload(runtime, payment)).card is not None
    clock.advance(seconds=1)
    away = (await choose(browser, payment, "ideal")).headers["location"]
    await browser.post(away, data={"answer": "approve"})
    receipt = await browser.get(f"/{payment.link_id}")
    assert "<dd>iDEAL</dd>" in receipt.text
    assert "9995" not in receipt.text
    paid = await reload(runtime, payment)
    assert (paid.status, paid.card, paid.error_code) == ("succeeded", None, None)
    assert (paid.payment_method, paid.payment_method_type) == ("bank_redirect", "ideal")


@pytest.mark.parametrize("by_closing", [True, False])
async def test_leaving_afterpay_leaves_the_payment_where_it_was(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock, by_closing: bool
) -> None:
    payment = await payment_for(runtime, tenant, "afterpay_clearpay")
    away = (await choose(browser, payment, "afterpay_clearpay")).headers["location"]
    if by_closing:
        await browser.post(away, data={"answer": "cancel"})
    else:
        clock.advance(minutes=15)
    page = await browser.get(f"/{payment.link_id}")
    assert chosen_on(page) == "afterpay_clearpay"
    assert "Your payment was not made" not in page.text
    left = await reload(runtime, payment)
    assert (left.status, left.error_code) == ("requires_payment_method", None)
    (attempt,) = await attempts_of(runtime, payment)
    assert attempt["outcome"]["type"] == "abandoned"
    assert attempt["resolved_at"] == clock.now()
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_an_abandoned_payment_still_expires(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await payment_for(runtime, tenant, "afterpay_clearpay")
    away = (await choose(browser, payment, "afterpay_clearpay")).headers["location"]
    await browser.post(away, data={"answer": "cancel"})
    await browser.get(f"/{payment.link_id}")
    clock.advance(hours=25)
    await sweep(runtime)
    assert (await reload(runtime, payment)).status == "cancelled"


async def test_klarna_declines_by_the_published_address(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await payment_for(runtime, tenant, "klarna")
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE customers SET email = 'customer+denied@email.us'")
    away = (await choose(browser, payment, "klarna")).headers["location"]
    await browser.post(away, data={"answer": "approve"})
    await browser.get(f"/{payment.link_id}")
    assert (await reload(runtime, payment)).error_code == "PAYMENT_METHOD_PROVIDER_DECLINED"


@pytest.mark.parametrize("method", ["ideal", "klarna", "affirm", "paypal", "nonsense", "credit", "upi_collect"])
async def test_a_method_that_is_not_offered_is_refused_and_nothing_changes(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, method: str
) -> None:
    payment = await payment_in(runtime, tenant, "DE", "EUR", 2400)
    answer = await choose(browser, payment, method, upi_id="success@upi")
    assert answer.status_code == 422
    assert "This way to pay is not available any more. Please choose another one." in answer.text
    assert chosen_on(answer) == "card"
    assert await reload(runtime, payment) == payment
    assert await attempts_of(runtime, payment) == []
    token = token_of(await browser.get(f"/{payment.link_id}"))
    form = {"token": token, "method": method}
    as_json = await browser.post(f"/{payment.link_id}", data=form, headers=JSON)
    assert (as_json.status_code, as_json.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert as_json.json()["message"].startswith("method: ")


async def test_a_method_that_is_switched_off_while_the_page_is_open_is_refused(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await payment_for(runtime, tenant, "ideal")
    token = token_of(await browser.get(f"/{payment.link_id}"))
    await change_setting(runtime, tenant, "disabled_payment_methods", "ideal,credit")
    clock.advance(seconds=5)
    refused = await browser.post(f"/{payment.link_id}", data={"token": token, "method": "ideal"})
    assert refused.status_code == 422
    assert "ideal" not in offered_on(refused)
    by_credit = await pay(browser, f"/{payment.link_id}")
    assert by_credit.status_code == 422
    assert "Only debit cards can pay for this order." in by_credit.text
    assert await reload(runtime, payment) == payment
    assert (await pay(browser, f"/{payment.link_id}", number="4000056655665556")).status_code == 303
    assert (await reload(runtime, payment)).payment_method_type == "debit"


async def test_the_pages_of_the_simulator_answer_to_their_own_forms_only(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await payment_for(runtime, tenant, "ideal")
    away = (await choose(browser, payment, "ideal")).headers["location"]
    page = await browser.get(away)
    for text in ("Pay with iDEAL", "€99.00", "Approve payment", "Fail payment", "Cancel and go back"):
        assert text in page.text
    foreign = {"sec-fetch-site": "cross-site"}
    assert (await browser.post(away, data={"answer": "approve"}, headers=foreign)).status_code == 403
    assert (await browser.post(away, data={"answer": "perhaps"})).status_code == 422
    for path in ("/simulator/pay/sim_unknown", "/simulator/qr/sim_unknown"):
        unknown = await browser.get(path)
        assert (unknown.status_code, "There is nothing to confirm here" in unknown.text) == (404, True)
    gone = await browser.post("/simulator/pay/sim_unknown", data={"answer": "approve"})
    assert gone.status_code == 404
    await browser.get(f"/{payment.link_id}")
    assert (await reload(runtime, payment)).status == "requires_customer_action"


async def test_a_qr_code_that_was_used_leads_back_to_the_payment(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await payment_for(runtime, tenant, "we_chat_pay")
    away = (await choose(browser, payment, "we_chat_pay")).headers["location"]
    assert (await browser.get(away)).status_code == 200
    await browser.post(away.replace("/qr/", "/pay/"), data={"answer": "approve"})
    back = await browser.get(away)
    assert (back.status_code, back.headers["location"]) == (303, f"http://pay.test/{payment.link_id}")


def test_every_method_in_service_has_a_home_in_these_tests() -> None:
    assert set(HOMES) == {method.type for method in methods.offered()} - {"credit", "debit"}
