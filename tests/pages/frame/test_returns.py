"""Going back to the merchant: how `return_url` is completed, and who is sent where."""

import html
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Scope

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Buyer
from nicobar.flows.runtime import Runtime
from nicobar.pages.frame.returns import with_parameters
from orders import order, pay, place, reload

ADDED = {"payment_id": "pay_1", "status": "succeeded", "email": "ana b+c@example.com"}
TEXT = "payment_id=pay_1&status=succeeded&email=ana%20b%2Bc%40example.com"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example", f"https://shop.example?{TEXT}"),
        ("https://shop.example/thanks", f"https://shop.example/thanks?{TEXT}"),
        ("https://shop.example/?order=17", f"https://shop.example/?order=17&{TEXT}"),
        ("https://shop.example/?a=1&a=2#top", f"https://shop.example/?a=1&a=2&{TEXT}#top"),
        ("https://shop.example/#/route?x=1", f"https://shop.example/?{TEXT}#/route?x=1"),
        ("https://shop.example/?status=old&order=17", f"https://shop.example/?order=17&{TEXT}"),
        ("https://shop.example/?pay%6Dent_id=x&email", f"https://shop.example/?{TEXT}"),
        ("https://shop.example/?q=a+b%20c&empty=&flag", f"https://shop.example/?q=a+b%20c&empty=&flag&{TEXT}"),
        ("https://shop.example/?&&", f"https://shop.example/?{TEXT}"),
        ("https://shop.example/?q=%E4%BD%A0", f"https://shop.example/?q=%E4%BD%A0&{TEXT}"),
        ("https://shop.example/?x=1#status=old", f"https://shop.example/?x=1&{TEXT}#status=old"),
        ("https://shop.example/a%2Fb;v=1?x=%2B+%26", f"https://shop.example/a%2Fb;v=1?x=%2B+%26&{TEXT}"),
        ("https://shop.example:8443/?x&y#a%20b", f"https://shop.example:8443/?x&y&{TEXT}#a%20b"),
        ("https://shop.example/?status&status=a&x=payment_id", f"https://shop.example/?x=payment_id&{TEXT}"),
        ("http://localhost:3000/done", f"http://localhost:3000/done?{TEXT}"),
        ("http://[::1]:3000/done", f"http://[::1]:3000/done?{TEXT}"),
        ("myapp://paid", f"myapp://paid?{TEXT}"),
        ("myapp://paid?from=web", f"myapp://paid?from=web&{TEXT}"),
        ("myapp:done", f"myapp:done?{TEXT}"),
        ("javascript:alert(1)", None),
        ("JavaScript://x/%0aalert(1)", None),
        ("data:text/html,x", None),
        ("/only/a/path", None),
        ("https://shop.example/\r\nset-cookie: a=b", None),
        ("https://[broken", None),
    ],
)
def test_parameters_are_merged_into_the_address(url: str, expected: str | None) -> None:
    assert with_parameters(url, ADDED) == expected


async def test_a_paid_link_leads_on_at_once_when_asked_to(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    options = {"return_url": "https://shop.example/thanks?order=17#end", "redirect_immediately": True}
    payment = await place(runtime, order(runtime, tenant, options=options))
    answer = await pay(browser, f"/{payment.link_id}")
    assert answer.headers["location"] == f"/{payment.link_id}"
    address = (
        f"https://shop.example/thanks?order=17&payment_id={payment.payment_id}"
        "&status=succeeded&email=ana.lima%40example.com#end"
    )
    onward = await browser.get(f"/{payment.link_id}")
    assert (onward.status_code, onward.headers["location"]) == (303, address)
    assert onward.headers["cache-control"] == "no-store"
    assert f"Path=/{payment.link_id}; SameSite=lax" in onward.headers["set-cookie"]
    again = await browser.get(f"/{payment.link_id}")
    assert again.status_code == 200, "whoever goes back wants to see the receipt"
    assert html.escape(address) in again.text and "http-equiv" not in again.text
    browser.cookies.clear()
    assert (await browser.get(f"/{payment.link_id}")).headers["location"] == address, "another browser is led on, too"


async def test_a_declined_payment_stays_on_the_page(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    options = {"return_url": "https://shop.example/thanks", "redirect_immediately": True}
    payment = await place(runtime, order(runtime, tenant, options=options))
    await pay(browser, f"/{payment.link_id}", number="4000000000000002")
    page = await browser.get(f"/{payment.link_id}")
    assert page.status_code == 200
    back = f"https://shop.example/thanks?payment_id={payment.payment_id}&amp;status=failed&amp;email=ana.lima%40example.com"
    assert f'href="{back}"' in page.text


async def test_a_receipt_leads_back_by_itself_only_while_it_is_fresh(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    options = {"return_url": "https://shop.example/thanks"}
    payment = await place(runtime, order(runtime, tenant, options=options))
    await pay(browser, f"/{payment.link_id}")
    address = (
        f"https://shop.example/thanks?payment_id={payment.payment_id}&amp;status=succeeded"
        "&amp;email=ana.lima%40example.com"
    )
    fresh = await browser.get(f"/{payment.link_id}")
    assert f'<meta http-equiv="refresh" content="10;url={address}">' in fresh.text
    assert f'href="{address}"' in fresh.text
    back = await browser.get(f"/{payment.link_id}")
    assert "http-equiv" not in back.text and f'href="{address}"' in back.text
    browser.cookies.clear()
    clock.advance(minutes=2)
    later = await browser.get(f"/{payment.link_id}")
    assert "http-equiv" not in later.text
    assert f'href="{address}"' in later.text


async def test_an_address_that_a_browser_must_not_open_is_not_offered(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    options = {"return_url": "javascript:alert(1)", "redirect_immediately": True}
    payment = await place(runtime, order(runtime, tenant, options=options))
    await pay(browser, f"/{payment.link_id}")
    page = await browser.get(f"/{payment.link_id}")
    assert (page.status_code, "javascript:" in page.text) == (200, False)
    assert (await browser.get(f"/return/{payment.payment_id}")).status_code == 404


@pytest.mark.parametrize(
    ("options", "form_action"),
    [
        ({}, "'self'"),
        ({"return_url": "https://shop.example/"}, "'self'"),
        ({"return_url": "https://shop.example/", "redirect_immediately": True}, "'self' https:"),
        ({"return_url": "http://localhost:3000/", "redirect_immediately": True}, "'self' http:"),
        ({"return_url": "MyApp://paid", "redirect_immediately": True}, "'self' myapp:"),
        ({"return_url": "javascript:alert(1)", "redirect_immediately": True}, "'self'"),
        ({"redirect_immediately": True}, "'self'"),
    ],
)
async def test_the_form_may_lead_only_where_it_has_to(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, options: dict[str, Any], form_action: str
) -> None:
    payment = await place(runtime, order(runtime, tenant, options=options))
    page = await browser.get(f"/{payment.link_id}")
    assert page.headers["content-security-policy"].endswith(f"; form-action {form_action}")


async def test_the_hop_leads_to_the_merchant_and_tells_nothing_else(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    options = {"return_url": "https://shop.example/thanks"}
    payment = await place(runtime, order(runtime, tenant, options=options))
    response = await browser.get(f"/return/{payment.payment_id}")
    assert (response.status_code, response.text) == (303, "")
    location = f"https://shop.example/thanks?payment_id={payment.payment_id}&status=requires_payment_method"
    assert response.headers["location"] == location
    await pay(browser, f"/{payment.link_id}")
    after = await browser.get(f"/return/{payment.payment_id}")
    assert after.headers["location"].endswith("&status=succeeded")
    assert "ana" not in str(after.headers)


async def test_the_hop_is_not_found_without_a_return_url(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    response = await browser.get(f"/return/{payment.payment_id}")
    assert response.status_code == 404
    assert str(payment.link_id) not in response.text


async def test_an_unknown_address_of_the_customer_is_left_out(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    options = {"return_url": "https://shop.example/thanks", "redirect_immediately": True}
    buyer = Buyer("cus_1", "", "", None, {})
    later = clock.now() + timedelta(hours=1)
    payment = await place(runtime, order(runtime, tenant, options=options, customer=buyer, expires_on=later))
    await pay(browser, f"/{payment.link_id}")
    assert (await reload(runtime, payment)).status == "succeeded"
    onward = await browser.get(f"/{payment.link_id}")
    assert onward.headers["location"].endswith("&status=succeeded")


STORED = [
    "https://b\u00fccher.example/sch\u00f6n?\u00fc=\u4e2d#\u00df",
    "https://\u4f8b\u3048.\u30c6\u30b9\u30c8:8443/\u0645\u0631\u062d\u0628\u0627",
    "https://shop.example/\u200bthanks",
    "https://shop.example/\u00a0",
    "https://shop.example/\u202ethanks",
    "https://\u2603.example/",
    "https://shop.example/<script>\"'`{}|^\\\\",
    "myapp://\u00fcn\u00ef/paid",
    "https://shop.example:99999999/",
    "https://[broken",
]
"""Addresses as they may be in a database that an older version wrote."""


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("url", STORED)
async def test_whatever_is_stored_no_state_after_a_success_fails(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, url: str, at_once: bool
) -> None:
    options = {"return_url": url, "redirect_immediately": at_once}
    payment = await place(runtime, order(runtime, tenant, options=options))
    answers = [await pay(browser, f"/{payment.link_id}")]
    assert (await reload(runtime, payment)).status == "succeeded"
    answers += [await browser.get(f"/{payment.link_id}") for _ in range(2)]
    answers += [await browser.get(f"/overlay/{payment.link_id}"), await browser.get(f"/return/{payment.payment_id}")]
    assert [answer.status_code for answer in answers if answer.status_code not in (200, 303, 404)] == []
    assert [answer.status_code for answer in answers[:3] if answer.status_code == 404] == []
    for answer in answers:
        assert answer.headers.get("location", "").isascii()


async def test_an_address_in_any_letters_leads_back_encoded(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant, options={"return_url": STORED[0]}))
    await pay(browser, f"/{payment.link_id}")
    onward = await browser.get(f"/return/{payment.payment_id}")
    assert onward.headers["location"] == (
        f"https://xn--bcher-kva.example/sch%C3%B6n?%C3%BC=%E4%B8%AD&payment_id={payment.payment_id}"
        "&status=succeeded#%C3%9F"
    )


@pytest.mark.parametrize("path", ["/{}", "/{}/details", "/{}.", "/{}/qr.svg", "/nowhere"])
@pytest.mark.parametrize("query", [b"a=\xff", b"proof=\xe9&lang=\xff", "a=\u4e2d".encode()])
async def test_no_bytes_in_a_query_make_an_answer_fail(
    runtime: Runtime, tenant: Tenant, app: ASGIApp, path: str, query: bytes
) -> None:
    """Such bytes belong in no address; who types them by hand gets an answer all the same."""
    payment = await place(runtime, order(runtime, tenant))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "GET", "path": path.format(payment.link_id)}
    scope.update({"query_string": query, "headers": [(b"accept", b"text/html")], "client": ("127.0.0.1", 1)})
    scope.update({"scheme": "http", "server": ("pay.test", 80), "root_path": "", "http_version": "1.1"})
    await app(scope, receive, send)
    assert sent[0]["status"] in (200, 303, 404)
