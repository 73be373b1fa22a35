"""Every answer of the pages to a stranger: headers, escaping, forms from elsewhere, and where a browser may be led."""

import asyncio
import base64
import hashlib
import io
import re
from typing import Any

import httpx
import pytest
import structlog
from starlette.routing import Route
from structlog.typing import Processor

from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.problems import Problem
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from nicobar.pages.checkout.routes import page_routes
from nicobar.pages.frame.rendering import Renderer
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import attempts_of, order, pay, place, reload, token_of
from pages.visited import HEADERS, POLICY, SHOP, STATES, Elements, Site


def policy_of(answer: httpx.Response) -> dict[str, str]:
    directives = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    assert len(directives) == len({name for name, _, _ in directives})
    return {name: value for name, _, value in directives}


# --- headers and assets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
async def test_every_page_says_what_a_browser_may_do_with_it(site: Site, state: str) -> None:
    page = await getattr(site, state)()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert {name: page.headers[name] for name in HEADERS} == HEADERS
    assert page.headers["x-frame-options"] == "DENY"
    assert "payment=()" in page.headers["permissions-policy"]
    assert policy_of(page) == POLICY
    assert "unsafe" not in page.headers["content-security-policy"]
    assert ("led_on=yes" in page.headers.get("set-cookie", "")) == (state == "receipt")
    assert "set-cookie" not in page.headers or state == "receipt"
    assert "server" not in page.headers


@pytest.mark.parametrize("state", STATES)
async def test_every_page_is_free_of_inline_code_and_of_other_origins(site: Site, state: str) -> None:
    page = await getattr(site, state)()
    loaded = []
    for tag, attributes in Elements(page.text).found:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert tag not in ("style", "iframe", "object", "embed", "base")
        if tag == "script" or (tag == "link" and attributes["rel"] == "stylesheet"):
            loaded.append((attributes.get("src") or attributes.get("href") or "", attributes["integrity"]))
        elif tag in ("img", "link", "source"):
            assert (attributes.get("src") or attributes.get("href") or "").startswith("/static/")
        if tag == "form":
            assert (attributes.get("action") or "/").startswith("/")
    assert not re.search(r"<script[^>]*>[^<]", page.text)
    assert loaded
    for path, integrity in loaded:
        assert path.startswith("/static/")
        content = (await site.browser.get(path)).content
        assert integrity == f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


async def test_redirects_are_neither_stored_nor_framed(site: Site) -> None:
    payment = await site.place(options={"return_url": f"{SHOP}/thanks", "redirect_immediately": True})
    answers = [
        await pay(site.browser, f"/{payment.link_id}"),
        await site.browser.get(f"/{payment.link_id}"),
        await site.browser.get(f"/return/{payment.payment_id}"),
    ]
    for answer in answers:
        assert answer.status_code == 303
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.content == b""


# --- forms from elsewhere --------------------------------------------------------------------------------------------


def posting_paths(runtime: Runtime, link_id: str | None) -> list[str]:
    """Return an address for every route of the pages that takes forms."""
    routes = [
        route
        for route in page_routes(runtime, Renderer(runtime.public_url))
        if isinstance(route, Route) and "POST" in (route.methods or ())
    ]
    values = {"{frame:frame}": "overlay", "{link_id:link}": link_id or "", "{reference}": "sim_x"}
    values["{session_id}"] = "cks_8mJt0wq5nV2xRkLb7YcQd"
    values |= {"{subscription_id}": "sub_x", "{payment_method_id}": "pm_x"}
    paths = []
    for route in routes:
        for part in ("details", "discount") if "{part:change}" in route.path else ("",):
            path = route.path.replace("{part:change}", part)
            for name, value in values.items():
                path = path.replace(name, value)
            paths.append(path)
    return paths


async def test_no_form_of_another_site_is_taken_anywhere(site: Site) -> None:
    payment = await site.place()
    token = token_of(await site.browser.get(f"/{payment.link_id}"))
    form = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Ana Lima", "token": token}
    form |= {"method": "card", "code": "X", "country": "DE", "answer": "confirm", "panel": "pay"}
    paths = posting_paths(site.runtime, payment.link_id)
    assert len(paths) == 22
    foreign = [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}]
    foreign += [{"origin": "http://pay.test.evil.example"}, {"origin": "http://pay.test:8000"}, {"origin": "file://"}]
    for path in paths:
        assert "{" not in path
        for headers in foreign:
            assert (await site.browser.post(path, data=form, headers=headers)).status_code == 403, (path, headers)
    assert await reload(site.runtime, payment) == payment
    assert await attempts_of(site.runtime, payment) == []


async def test_no_form_without_its_token_is_taken(site: Site) -> None:
    payment, other = await site.place(), await site.place()
    token = token_of(await site.browser.get(f"/{other.link_id}"))
    for path in posting_paths(site.runtime, payment.link_id):
        # The addresses of a simulated bank and of a session are the secret itself; `stripe` and `leave` take no order.
        # The portal lets nobody in without its cookie; its tests show what becomes of forms that have it.
        is_open = "/session/" in path or path.startswith(("/simulator/", "/portal/"))
        if not is_open and not path.endswith(("/stripe", "/leave")):
            for wrong in ("", token, token[:-1] + "0"):
                form = {"token": wrong, "code": "X", "panel": "pay", "country": "DE"}
                assert (await site.browser.post(path, data=form)).status_code == 403, path
    assert await reload(site.runtime, payment) == payment


# --- where a browser is led ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stored",
    [
        "https://shop.example/\r\nset-cookie: a=b",
        "https://shop.example/\nlocation: https://evil.example",
        "https://shop.example/\u2028x",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "//evil.example/",
        "/\\evil.example",
        "vbscript:x",
        "file:///etc/passwd",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
    ],
)
async def test_a_browser_is_never_led_to_a_dangerous_address(site: Site, stored: str) -> None:
    """The API refuses such addresses at the door; the pages do not rely on it."""
    payment = await site.place(options={"return_url": stored, "redirect_immediately": True})
    assert (await site.browser.get(f"/return/{payment.payment_id}")).status_code == 404
    await pay(site.browser, f"/{payment.link_id}")
    receipt = await site.browser.get(f"/{payment.link_id}")
    assert receipt.status_code == 200
    assert "location" not in receipt.headers
    assert "set-cookie" not in receipt.headers
    assert policy_of(receipt) == POLICY
    for _, attributes in Elements(receipt.text).found:
        target = attributes.get("href") or ""
        assert not target or target.startswith(("/static/", "#", "mailto:")), target


async def test_the_hop_leads_where_the_payment_says_and_nowhere_else(site: Site) -> None:
    payment = await site.place(options={"return_url": f"{SHOP}/thanks"})
    evil = "https://evil.example/"
    for query in (f"return_url={evil}", f"next={evil}", f"redirect_to={evil}", f"url={evil}", f"payment_id={evil}"):
        response = await site.browser.get(f"/return/{payment.payment_id}?{query}")
        assert response.headers["location"].startswith(f"{SHOP}/thanks?payment_id=pay_")
        assert "evil" not in response.headers["location"]


async def test_what_a_proxy_says_changes_no_address(site: Site) -> None:
    evil = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "x-forwarded-port": "444",
        "x-forwarded-prefix": "/evil",
        "x-original-url": "/evil",
        "x-rewrite-url": "/evil",
        "forwarded": "host=evil.example;proto=https",
        "host": "evil.example",
    }
    payment = await site.place(options={"return_url": f"{SHOP}/thanks"})
    plain = await site.browser.get(f"/{payment.link_id}")
    page = await site.browser.get(f"/{payment.link_id}", headers=evil)
    assert page.text == plain.text
    form = {"number": "4000002500003155", "expiry": "06/32", "cvc": "123", "name": "Ana", "token": token_of(page)}
    response = await site.browser.post(f"/{payment.link_id}", data=form | {"method": "card"}, headers=evil)
    assert response.headers["location"].startswith("http://pay.test/simulator/challenge/sim_")
    back = await site.browser.post(response.headers["location"], data={"answer": "confirm"}, headers=evil)
    assert back.headers["location"] == f"http://pay.test/{payment.link_id}"


# --- cards and charges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["test", "live"])
async def test_card_fields_are_for_the_simulator_alone(site: Site, mode: Mode) -> None:
    class Real(Simulator):
        """Stands for a processor that brings card fields of its own."""

        modes = frozenset({"live"})  # type: ignore[misc]

    class Other:
        name = "other"
        modes: frozenset[Mode] = frozenset({"test"})
        methods = frozenset({"credit", "debit"})

    other: Any = Other()
    assert isinstance(site.runtime.processors, dict)
    site.runtime.processors.clear()
    site.runtime.processors.update(
        {"live": Real(site.clock, site.runtime.public_url, SimulatorRecords(site.runtime.database)), "other": other}
    )
    payment = await place(site.runtime, order(site.runtime, Tenant(site.tenant.business_id, mode)))
    page = await site.browser.get(f"/{payment.link_id}")
    assert page.status_code == 200
    for word in ("cc-number", 'name="number"', 'name="cvc"', 'name="token"'):
        assert word not in page.text
    form = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Ana", "method": "card"}
    assert (await site.browser.post(f"/{payment.link_id}", data=form)).status_code == 422
    assert await reload(site.runtime, payment) == payment


async def test_fifty_tabs_pay_once(site: Site) -> None:
    payment = await site.place()
    token = token_of(await site.browser.get(f"/{payment.link_id}"))
    form = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Ana Lima", "token": token}
    forms = [form | {"method": "card"}, {"token": token, "panel": "pay"}]
    sent = (site.browser.post(f"/{payment.link_id}", data=forms[number % 2]) for number in range(50))
    answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} == {303}
    assert {answer.headers["location"] for answer in answers} == {f"/{payment.link_id}"}
    (attempt,) = await attempts_of(site.runtime, payment)
    assert attempt["outcome"]["type"] == "succeeded"
    assert (await reload(site.runtime, payment)).status == "succeeded"


async def test_allowed_origins_cannot_smuggle_anything_into_the_policy(site: Site) -> None:
    for typed in ("https://a.example; script-src *", "https://a.example\r\nx: y", "*", "'self'", "https://*", "data:"):
        with pytest.raises(Problem, match="allowed_origins takes origins"):
            await change_setting(site.runtime, site.tenant, "allowed_origins", typed)


INNERMOST = {
    "nicobar.pages.methods.card_form._number": "RuntimeError: a bug",
    "nicobar.pages.methods.card_form._expiry": "RuntimeError: a bug",
    "nicobar.pages.methods.card_form._name_error": "RuntimeError: a bug",
    "nicobar.pages.frame.posted_form.parse_qsl": "RuntimeError: a bug",
    "nicobar.reference.cards.by_number": "ProcessorBroken: simulator raised RuntimeError in ",
}
"""Where a text of the form is held as it is, so that a bug has it at hand; and what the log says of the bug."""


@pytest.mark.parametrize(("place_of_bug", "logged"), INNERMOST.items())
async def test_a_bug_at_the_card_itself_logs_no_card(
    site: Site, monkeypatch: pytest.MonkeyPatch, place_of_bug: str, logged: str
) -> None:
    """The server's log has tracebacks of source lines, and never a local variable or the words of a plug-in."""

    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("a bug")

    payment = await site.place()
    token = token_of(await site.browser.get(f"/{payment.link_id}"))
    lines = io.StringIO()
    render: list[Processor] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)]
    structlog.configure(processors=render, logger_factory=structlog.PrintLoggerFactory(lines))
    monkeypatch.setattr(place_of_bug, broken)
    form = {"number": "4000 0003 2000 0021", "expiry": "06/32", "cvc": "739", "name": "Ana Lima", "method": "card"}
    try:
        response = await site.browser.post(f"/{payment.link_id}", data=form | {"token": token})
    finally:
        structlog.reset_defaults()
    assert response.status_code == 500
    assert logged in lines.getvalue()
    for text in (lines.getvalue(), response.text, str(response.headers)):
        assert not re.search(r"4000\W*0003\W*2000\W*0021|\D739\D", text)
