"""What the page refuses, and that a refusal changes nothing."""

import json
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.pages.frame.posted_form import MAXIMUM_FORM
from orders import order, pay, place, token_of, unchanged

JSON = {"accept": "application/json"}

GOOD = {"number": "4242 4242 4242 4242", "expiry": "06 / 32", "cvc": "123", "name": "Ana Lima"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"number": ""}, "Enter your card number."),
        ({"number": "4242 4242"}, "Check the card number: it has 12 to 19 digits."),
        ({"number": "not a number at all"}, "The card number holds “n”. Enter its digits only."),
        ({"number": "4111 1111 1111 1111"}, "Only test cards work here."),
        ({"expiry": ""}, "Enter the expiry date."),
        ({"expiry": "13/32"}, "Enter the expiry date as month and year"),
        ({"expiry": "soon"}, "Enter the expiry date as month and year"),
        ({"expiry": "02/26"}, "This card has expired."),
        ({"expiry": "03/47"}, "the year is too far in the future"),
        ({"cvc": ""}, "Enter the security code."),
        ({"cvc": "12"}, "Check the security code: it has 3 or 4 digits."),
        ({"cvc": "1234"}, "Check the security code: it is the 3 digits on the back"),
        ({"number": "378282246310005", "cvc": "123"}, "it is the 4 digits on the front"),
        ({"name": "  "}, "Enter the name on your card."),
        ({"name": "x" * 101}, "The name can have at most 100 characters."),
        ({"name": "4242 4242 4242 4242"}, "not its number"),
        ({"name": "Ana\x00Lima"}, "The name holds the character U+0000 (4), which cannot be used."),
    ],
)
async def test_a_form_with_a_mistake_comes_back_and_stores_nothing(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, fields: dict[str, str], sentence: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    answer = await pay(browser, f"/{payment.link_id}", **fields)
    assert answer.status_code == 422
    assert sentence in answer.text
    field = list(fields)[-1]
    assert f'aria-describedby="{field}-error" aria-invalid="true"' in answer.text
    assert f'<a href="#{field}">' in answer.text
    assert await unchanged(runtime, payment)


async def test_all_mistakes_show_at_once_and_what_is_harmless_is_kept(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    answer = await pay(browser, f"/{payment.link_id}", number="", cvc="", expiry="6/2032", name="Ana <Lima>")
    assert answer.text.count("field-error") == 2
    assert 'value="06 / 32"' in answer.text
    assert 'value="Ana &lt;Lima&gt;"' in answer.text


@pytest.mark.parametrize("headers", [{}, JSON])
async def test_an_expired_link_is_gone_and_stays_as_it_was(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock, headers: dict[str, str]
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    clock.advance(hours=24)
    shown = await browser.get(f"/{payment.link_id}", headers=headers)
    posted = await browser.post(f"/{payment.link_id}", data=GOOD | {"token": token}, headers=headers)
    assert (shown.status_code, posted.status_code) == (410, 410)
    for answer in (shown, posted):
        if headers:
            assert answer.json() == {"code": "NOT_FOUND", "message": "This payment link has expired"}
        else:
            assert "This payment link has expired" in answer.text
            assert "Dodo Records" in answer.text
    assert await unchanged(runtime, payment)


async def test_a_link_works_until_the_moment_it_expires(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant, expires_on=clock.now() + timedelta(minutes=1)))
    clock.advance(seconds=59.999999)
    assert (await browser.get(f"/{payment.link_id}")).status_code == 200
    clock.advance(seconds=0.000001)
    assert (await browser.get(f"/{payment.link_id}")).status_code == 410


async def test_a_cancelled_payment_is_gone(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant, status="cancelled"))
    assert (await browser.get(f"/{payment.link_id}")).status_code == 410
    assert (await browser.post(f"/{payment.link_id}", data=GOOD)).status_code == 410
    assert await unchanged(runtime, payment)


@pytest.mark.parametrize("path", ["/AAAAAAAA", "/return/pay_000000000000000000000", "/return/%00", "/return/nothing"])
async def test_an_unknown_page_is_not_found(browser: httpx.AsyncClient, tenant: Tenant, path: str) -> None:
    page = await browser.get(path)
    assert page.status_code == 404
    assert "We cannot find this page" in page.text
    response = await browser.get(path, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_an_operation_that_is_not_there_is_no_page_for_who_shows_a_key(
    browser: httpx.AsyncClient, tenant: Tenant, scheme: str
) -> None:
    key = {"authorization": f"{scheme} nicobar_test_00000000000000000000000000000000"}
    response = await browser.get("/invoices/payments", headers=key | {"accept": "*/*"})
    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")
    assert response.json()["code"] == "NOT_FOUND"
    page = await browser.get("/AAAAAAAA", headers=key | {"accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/AAAAAAA", "/AAAAAAAAA", "/AAAA.AAA", "/AAAAAAAA/x"])
async def test_only_eight_characters_are_a_link(browser: httpx.AsyncClient, path: str) -> None:
    response = await browser.get(path, headers={"accept": "*/*"})
    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")


@pytest.mark.parametrize("token", ["", "x", "1.2", "0.", "١.٢", "-5.00", "1773500966535897." + "0" * 64])
async def test_a_form_without_its_token_is_refused(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, token: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    response = await browser.post(f"/{payment.link_id}", data=GOOD | {"token": token})
    assert response.status_code == 403
    assert "This form is not valid here" in response.text
    assert await unchanged(runtime, payment)


async def test_the_token_of_another_payment_is_refused(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    other = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{other.link_id}"))
    assert (await browser.post(f"/{payment.link_id}", data=GOOD | {"token": token})).status_code == 403
    assert await unchanged(runtime, payment)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://pay.test"}, 303),
        ({"origin": "null"}, 303),
        ({}, 303),
    ],
)
async def test_a_form_from_another_site_is_refused(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    response = await browser.post(f"/{payment.link_id}", data=GOOD | {"token": token}, headers=headers)
    assert response.status_code == status
    assert await unchanged(runtime, payment) == (status == 403)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"a=" + b"b" * MAXIMUM_FORM, 413),
        ("application/x-www-form-urlencoded", b"&".join(b"a=b" for _ in range(21)), 400),
        ("application/x-www-form-urlencoded", b"name=%ff%fe", 400),
        ("application/x-www-form-urlencoded", "name=ä".encode(), 400),
        ("application/json", b'{"number": "4242424242424242"}', 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("", b"a=b", 415),
    ],
)
async def test_a_body_that_is_no_small_form_is_refused(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, content_type: str, body: bytes, status: int
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    response = await browser.post(f"/{payment.link_id}", content=body, headers={"content-type": content_type})
    assert response.status_code == status
    assert "Nothing was charged." in response.text
    as_json = await browser.post(f"/{payment.link_id}", content=body, headers={"content-type": content_type} | JSON)
    assert (as_json.status_code, as_json.json()["code"]) == (status, "INVALID_REQUEST_BODY")
    assert await unchanged(runtime, payment)


async def test_json_clients_get_the_envelope(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    form = GOOD | {"token": token_of(await browser.get(f"/{payment.link_id}")), "number": "4111111111111111"}
    response = await browser.post(f"/{payment.link_id}", data=form, headers=JSON)
    assert response.status_code == 422
    assert response.headers["x-should-retry"] == "false"
    assert json.loads(response.text)["code"] == "INVALID_REQUEST_BODY"
    assert "number: Your request body is invalid. Only test cards work here." in response.json()["message"]


async def test_a_live_payment_takes_no_card_while_no_live_processor_is_configured(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, msgspec.structs.replace(tenant, mode="live")))
    page = await browser.get(f"/{payment.link_id}")
    assert page.status_code == 200
    assert "no live processor has been configured yet" in page.text
    assert "<input" not in page.text
    assert "Test mode" not in page.text
    response = await browser.post(f"/{payment.link_id}", data=GOOD)
    assert (response.status_code, "no live processor" in response.text) == (422, True)
    as_json = await browser.post(f"/{payment.link_id}", data=GOOD, headers=JSON)
    assert (as_json.status_code, as_json.json()["code"]) == (422, "UNSUPPORTED_ACTION")
    assert await unchanged(runtime, payment)


async def test_other_methods_are_refused(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    for method in ("PUT", "PATCH", "DELETE"):
        response = await browser.request(method, f"/{payment.link_id}")
        assert (response.status_code, response.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert (await browser.head(f"/{payment.link_id}")).status_code == 200
    assert await unchanged(runtime, payment)


@pytest.mark.parametrize("headers", [{}, JSON])
async def test_a_bug_of_ours_is_told_kindly(
    runtime: Runtime,
    tenant: Tenant,
    browser: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
) -> None:
    async def broken(*_arguments: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("nicobar.pages.entry.links.find_hosted_pages", broken)
    response = await browser.get("/AAAAAAAA", headers=headers)
    assert response.status_code == 500
    assert response.headers["request-id"].startswith("req_")
    if headers:
        assert response.json()["code"] == "INTERNAL_SERVER_ERROR"
    else:
        assert "Something went wrong on our side" in response.text
