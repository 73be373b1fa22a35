"""Methods that end later: bank accounts, UPI IDs and references to pay by; and what the form says about bad input."""

import re
from typing import Any

import httpx
import pytest

from due_work import run_due
from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.reference import failures
from orders import attempts_of, dump, pay, reload, token_of
from pages.paying import choose, chosen_on, payment_for

JSON = {"accept": "application/json"}

ACH_ENDS = {
    "000123456789": ("succeeded", None),
    "000222222227": ("failed", "INSUFFICIENT_FUNDS"),
    "000111111113": ("failed", "INVALID_ACCOUNT"),
    "000111111116": ("failed", "INVALID_ACCOUNT"),
    "000333333335": ("failed", "TRANSACTION_NOT_ALLOWED"),
    "000444444440": ("failed", "INVALID_REQUEST"),
    "000555555559": ("succeeded", None),
    "000000000009": ("processing", None),
}
"""The published accounts and how their debits end (contract, test mode, section 3)."""


@pytest.mark.parametrize(("account", "end"), ACH_ENDS.items())
async def test_a_bank_debit_is_processing_first_and_ends_as_published(
    runtime: Runtime,
    tenant: Tenant,
    browser: httpx.AsyncClient,
    clock: FakeClock,
    account: str,
    end: tuple[str, str | None],
) -> None:
    payment = await payment_for(runtime, tenant, "ach")
    answer = await choose(browser, payment, "ach", routing="110000000", account=account)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{payment.link_id}")
    begun = await reload(runtime, payment)
    assert begun.status == "processing"
    assert (begun.payment_method, begun.payment_method_type, begun.card) == ("bank_debit", "ach", None)
    page = await browser.get(f"/{payment.link_id}")
    assert "about 4 business days" in page.text
    assert f"Ending in {account[-4:]}" in page.text
    assert "<input" not in page.text and "refresh" not in page.text
    assert (await reload(runtime, payment)).status == "processing"
    clock.advance(seconds=60)
    await sweep(runtime)
    ended = await reload(runtime, payment)
    assert (ended.status, ended.error_code) == end
    if end[0] == "processing":
        clock.advance(days=30)
        await sweep(runtime)
        assert (await reload(runtime, payment)).status == "processing"
    if end[0] == "failed":
        assert failures.get(end[1] or "").customer_message in (await browser.get(f"/{payment.link_id}")).text
    if end[0] == "succeeded":
        receipt = (await browser.get(f"/{payment.link_id}")).text
        assert "<dd>US bank account (ACH)</dd>" in receipt
    stored = await dump(runtime)
    assert account not in stored and "110000000" not in stored


@pytest.mark.parametrize(
    ("iban", "seconds", "end"),
    [
        ("DE89 3704 0044 0532 0130 00", 60, ("succeeded", None)),
        ("de62370400440532013001", 60, ("failed", "INVALID_ACCOUNT")),
        ("DE08370400440532013003", 180, ("succeeded", None)),
        ("DE35370400440532013002", 60, ("succeeded", None)),
    ],
)
async def test_a_european_debit_ends_as_published(
    runtime: Runtime,
    tenant: Tenant,
    browser: httpx.AsyncClient,
    clock: FakeClock,
    iban: str,
    seconds: int,
    end: tuple[str, str | None],
) -> None:
    payment = await payment_for(runtime, tenant, "sepa")
    form = (await browser.get(f"/{payment.link_id}")).text
    assert "You allow Dodo Records to debit this account once for €99.00" in form
    assert (await choose(browser, payment, "sepa", iban=iban)).status_code == 303
    assert f"Ending in {iban.replace(' ', '')[-4:]}" in (await browser.get(f"/{payment.link_id}")).text
    clock.advance(seconds=seconds - 1)
    await sweep(runtime)
    assert (await reload(runtime, payment)).status == "processing"
    clock.advance(seconds=60 if seconds > 60 else 1)
    await sweep(runtime)
    await run_due(runtime)  # the bank tells at the end
    ended = await reload(runtime, payment)
    assert (ended.status, ended.error_code) == end
    assert (ended.payment_method, ended.payment_method_type) == ("bank_debit", "sepa")
    assert iban.replace(" ", "").upper() not in (await dump(runtime)).upper()


@pytest.mark.parametrize("by_page", [True, False])
@pytest.mark.parametrize(
    ("upi_id", "status", "code"),
    [("success@upi", "succeeded", None), (" Failure@UPI ", "failed", "PAYMENT_METHOD_PROVIDER_DECLINED")],
)
async def test_a_upi_id_is_answered_after_a_minute(
    runtime: Runtime,
    tenant: Tenant,
    browser: httpx.AsyncClient,
    clock: FakeClock,
    upi_id: str,
    status: str,
    code: str | None,
    by_page: bool,
) -> None:
    payment = await payment_for(runtime, tenant, "upi_collect")
    assert (await choose(browser, payment, "upi_collect", upi_id=upi_id)).status_code == 303
    page = await browser.get(f"/{payment.link_id}")
    assert "Approve the payment in your UPI app" in page.text
    assert 'data-again="3"' in page.text
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page.text
    clock.advance(seconds=59)
    await sweep(runtime)
    await browser.get(f"/{payment.link_id}")
    begun = await reload(runtime, payment)
    assert begun.status == "processing"
    assert (begun.payment_method, begun.payment_method_type) == ("upi", "upi_collect")
    if by_page:
        clock.advance(seconds=1)
        page = await browser.get(f"/{payment.link_id}")
        assert ("Payment received" if code is None else "Your payment was not made") in page.text
    else:
        clock.advance(seconds=61)  # the visit above counts as a sign of life
        await sweep(runtime)
    ended = await reload(runtime, payment)
    assert (ended.status, ended.error_code) == (status, code)
    assert upi_id.strip().lower() not in (await dump(runtime)).lower()


async def test_a_reference_to_pay_by_is_shown_as_long_as_it_is_open(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await payment_for(runtime, tenant, "multibanco", options={"return_url": "https://shop.example/thanks"})
    assert (await choose(browser, payment, "multibanco")).status_code == 303
    page = await browser.get(f"/{payment.link_id}")
    assert "Pay with this reference" in page.text
    (code,) = re.findall(r'<dd class="code">(\d{3}\u00a0\d{3}\u00a0\d{3})</dd>', page.text)
    assert '<dd class="code">12345</dd>' in page.text
    assert '<time datetime="2026-03-21">March 21, 2026</time>' in page.text
    assert "€99.00" in page.text
    assert 'href="https://shop.example/thanks?payment_id=' in page.text
    assert "status=processing" in page.text
    assert "data-again" not in page.text and "refresh" not in page.text
    begun = await reload(runtime, payment)
    assert (begun.status, begun.payment_method, begun.payment_method_type) == (
        "processing",
        "bank_transfer",
        "multibanco",
    )
    assert code in (await browser.get(f"/{payment.link_id}")).text
    clock.advance(seconds=179)
    await sweep(runtime)
    assert (await reload(runtime, payment)).status == "processing"
    clock.advance(seconds=60)
    await sweep(runtime)
    await run_due(runtime)  # the bank tells at the end
    assert (await reload(runtime, payment)).status == "succeeded"
    assert "<dd>Multibanco</dd>" in (await browser.get(f"/{payment.link_id}")).text


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [("approve", "succeeded", None), ("fail", "failed", "AUTHENTICATION_TIMEOUT")],
)
async def test_the_cash_machine_of_test_mode_decides(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, answer: str, status: str, code: str | None
) -> None:
    payment = await payment_for(runtime, tenant, "multibanco")
    await choose(browser, payment, "multibanco")
    page = await browser.get(f"/{payment.link_id}")
    (away,) = re.findall(r'href="(http://pay\.test/simulator/pay/sim_[^"]+)"', page.text)
    machine = await browser.get(away)
    assert "Payment arrives" in machine.text and "Nobody pays in time" in machine.text
    back = await browser.post(away, data={"answer": answer})
    assert back.headers["location"] == f"http://pay.test/{payment.link_id}"
    await browser.get(back.headers["location"])
    ended = await reload(runtime, payment)
    assert (ended.status, ended.error_code) == (status, code)
    if code is not None:
        again = await choose(browser, payment, "multibanco")
        assert again.status_code == 303
        assert (await reload(runtime, payment)).status == "processing"
        assert len(await attempts_of(runtime, payment)) == 2


async def test_a_payment_that_waits_takes_no_second_attempt(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await payment_for(runtime, tenant, "sepa")
    token = token_of(await browser.get(f"/{payment.link_id}"))
    form = {"token": token, "method": "sepa", "iban": "DE89370400440532013000"}
    for _ in range(3):
        assert (await browser.post(f"/{payment.link_id}", data=form)).status_code == 303
    assert len(await attempts_of(runtime, payment)) == 1


BAD = [
    ("upi_collect", {}, "upi_id", "Enter your UPI ID."),
    ("upi_collect", {"upi_id": "ana"}, "upi_id", "Check the UPI ID: it looks like name@bank."),
    ("upi_collect", {"upi_id": "ana@okbank"}, "upi_id", "Only test IDs work here. Try success@upi."),
    ("ach", {"account": "000123456789"}, "routing", "Enter the routing number."),
    ("ach", {"routing": "110000001", "account": "000123456789"}, "routing", "Check the routing number"),
    ("ach", {"routing": "110000000"}, "account", "Enter the account number."),
    ("ach", {"routing": "110000000", "account": "123"}, "account", "it has 4 to 17 digits."),
    ("ach", {"routing": "021000021", "account": "000123456789"}, "account", "Only test accounts work here."),
    ("sepa", {}, "iban", "Enter the IBAN."),
    ("sepa", {"iban": "DE89370400440532013001"}, "iban", "Check the IBAN: it has a mistake in it."),
    ("sepa", {"iban": "GB33BUKB20201555555555"}, "iban", "Only test accounts work here."),
    ("blik", {}, "blik_code", "Enter the BLIK code."),
    ("blik", {"blik_code": "12345"}, "blik_code", "it has 6 digits."),
    ("pix", {}, "tax_number", "Enter your CPF or CNPJ."),
    ("pix", {"tax_number": "abc"}, "tax_number", "Check your CPF or CNPJ"),
    ("pix", {"tax_number": "529.982.247-25"}, "tax_number", "Only a test number works here."),
]


@pytest.mark.parametrize(("method", "fields", "field", "sentence"), BAD)
async def test_bad_input_is_told_at_its_field_and_changes_nothing(
    runtime: Runtime,
    tenant: Tenant,
    browser: httpx.AsyncClient,
    method: str,
    fields: dict[str, Any],
    field: str,
    sentence: str,
) -> None:
    payment = await payment_for(runtime, tenant, method)
    answer = await choose(browser, payment, method, **fields)
    assert answer.status_code == 422
    assert chosen_on(answer) == method
    summary = answer.text.split('id="errors"')[1].split("</ul>")[0]
    assert f'<a href="#{field}">' in summary and sentence in summary
    (error,) = re.findall(rf'<p class="field-error" id="{field}-error">([^<]+)</p>', answer.text)
    assert sentence in error
    assert re.search(
        rf'<input id="{field}"[^>]* aria-describedby="{field}-error"[^>]* aria-invalid="true">', answer.text
    )
    for name, typed in fields.items():
        if name not in ("upi_id", "routing"):
            assert f'value="{typed}"' not in answer.text, "an account is not shown again"
    assert await reload(runtime, payment) == payment
    assert await attempts_of(runtime, payment) == []
    form = {"token": token_of(answer), "method": method} | fields
    as_json = await browser.post(f"/{payment.link_id}", data=form, headers=JSON)
    assert (as_json.status_code, as_json.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert as_json.json()["message"].startswith(f"{field}: ")


async def test_a_card_number_in_a_field_of_another_method_is_not_shown_again(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    number = "4000000320000021"
    payment = await payment_for(runtime, tenant, "upi_collect")
    answer = await choose(browser, payment, "upi_collect", upi_id=f"{number}@upi")
    assert answer.status_code == 422
    assert number not in answer.text and number not in await dump(runtime)
    kept = await choose(browser, payment, "upi_collect", upi_id="9876543210@okbank")
    assert 'value="9876543210@okbank"' in kept.text


async def test_digits_of_every_script_are_read(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await payment_for(runtime, tenant, "ach")
    answer = await choose(browser, payment, "ach", routing="١١٠٠٠٠٠٠٠", account="०००१२३४५६७८९")
    assert answer.status_code == 303
    assert (await reload(runtime, payment)).status == "processing"


async def test_the_fields_of_other_methods_do_not_matter(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    """Without a script a browser sends every field, whatever was chosen."""
    payment = await payment_for(runtime, tenant, "sepa")
    answer = await pay(browser, f"/{payment.link_id}", iban="nonsense", method="card")
    assert answer.status_code == 303
    assert (await reload(runtime, payment)).payment_method == "card"


@pytest.mark.parametrize("method", ["apple_pay", "ideal", "pix"])
async def test_a_method_that_is_pending_for_once_has_a_page_that_waits(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock, method: str
) -> None:
    """The customer has decided, and the end comes later; no words of the method's own tell of that."""
    payment = await payment_for(runtime, tenant, method, metadata={"nicobar_scenario": "late_success:2m"})
    typed = {"tax_number": "1234567890"} if method == "pix" else {}
    await choose(browser, payment, method, **typed)
    (attempt,) = await attempts_of(runtime, payment)
    reference = attempt["outcome"]["reference"]
    await browser.post(f"/simulator/pay/{reference}", data={"answer": "approve"})
    page = await browser.get(f"/{payment.link_id}")
    assert page.status_code == 200 and 'data-again="3"' in page.text
    assert (await reload(runtime, payment)).status == "processing"
    clock.advance(minutes=2)
    await sweep(runtime)
    assert (await reload(runtime, payment)).status == "succeeded"
