"""Every answer of the pages to a stranger: headers, escaping, forms from elsewhere, and where a browser may be led."""

import asyncio
import base64
import hashlib
import io
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import structlog
from starlette.routing import Route

from harness import FakeClock
from nicobar.core.payment import Address, Buyer, Payment
from nicobar.core.tenant import Mode, Tenant
from nicobar.flows.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from nicobar.pages.checkout import page_routes
from nicobar.processors.simulator import Simulator
from orders import attempts_of, line, order, pay, place, reload, token_of

SHOP = "https://shop.example"

HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}

POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}

Show = Callable[[], Awaitable[httpx.Response]]


class Site:
    """A seller's pages in every state."""

    def __init__(self, runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock) -> None:
        self.runtime, self.tenant, self.browser, self.clock = runtime, tenant, browser, clock

    async def place(self, **changes: Any) -> Payment:
        return await place(self.runtime, order(self.runtime, self.tenant, **changes))

    async def payable(self) -> httpx.Response:
        return await self.browser.get(f"/{(await self.place()).link_id}")

    async def incomplete(self) -> httpx.Response:
        payment = await self.place(billing=Address("US"), options={"require_phone_number": True})
        return await self.browser.get(f"/{payment.link_id}")

    async def mistaken(self) -> httpx.Response:
        return await pay(self.browser, f"/{(await self.place()).link_id}", number="1", cvc="")

    async def declined(self) -> httpx.Response:
        payment = await self.place(options={"return_url": f"{SHOP}/thanks"})
        await pay(self.browser, f"/{payment.link_id}", number="4000000000000002")
        return await self.browser.get(f"/{payment.link_id}")

    async def action(self) -> httpx.Response:
        payment = await self.place()
        await pay(self.browser, f"/{payment.link_id}", number="4000002500003155")
        return await self.browser.get(f"/{payment.link_id}")

    async def challenge(self) -> httpx.Response:
        payment = await self.place()
        answer = await pay(self.browser, f"/{payment.link_id}", number="4000002500003155")
        return await self.browser.get(answer.headers["location"])

    async def processing(self) -> httpx.Response:
        payment = await self.place()
        token = token_of(await self.browser.get(f"/{payment.link_id}"))
        await self.browser.post(f"/{payment.link_id}", data={"token": token, "panel": "lose_answer"})
        return await self.browser.get(f"/{payment.link_id}")

    async def receipt(self) -> httpx.Response:
        payment = await self.place(options={"return_url": f"{SHOP}/thanks"})
        await pay(self.browser, f"/{payment.link_id}")
        return await self.browser.get(f"/{payment.link_id}")

    async def expired(self) -> httpx.Response:
        payment = await self.place()
        self.clock.advance(hours=24)
        return await self.browser.get(f"/{payment.link_id}")

    async def cancelled(self) -> httpx.Response:
        return await self.browser.get(f"/{(await self.place(status='cancelled')).link_id}")

    async def live(self) -> httpx.Response:
        payment = await place(self.runtime, order(self.runtime, Tenant(self.tenant.business_id, "live")))
        return await self.browser.get(f"/{payment.link_id}")

    async def unknown(self) -> httpx.Response:
        return await self.browser.get("/AAAAAAAA")

    async def unknown_challenge(self) -> httpx.Response:
        return await self.browser.get("/simulator/challenge/sim_unknown")

    async def unknown_decision(self) -> httpx.Response:
        return await self.browser.get("/simulator/pay/sim_unknown")

    async def forbidden(self) -> httpx.Response:
        return await self.browser.post(f"/{(await self.place()).link_id}", data={"token": "1.2"})

    async def unreadable(self) -> httpx.Response:
        return await self.browser.post(f"/{(await self.place()).link_id}", json={})

    async def overlay(self) -> httpx.Response:
        return await self.browser.get(f"/overlay/{(await self.place()).link_id}")

    async def broken(self) -> httpx.Response:
        return await self.browser.get("/return/pay_000000000000000000000")


STATES = [name for name in vars(Site) if not name.startswith("_") and name != "place"]


@pytest.fixture
def site(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock) -> Site:
    return Site(runtime, tenant, browser, clock)


def policy_of(answer: httpx.Response) -> dict[str, str]:
    directives = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    assert len(directives) == len({name for name, _, _ in directives})
    return {name: value for name, _, value in directives}


class Elements(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


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
    assert "set-cookie" not in page.headers
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
    routes = [route for route in page_routes(runtime) if isinstance(route, Route) and "POST" in (route.methods or ())]
    values = {"{frame:frame}": "overlay", "{link_id:link}": link_id or "", "{reference}": "sim_x"}
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
    assert len(paths) == 8
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
        if "/simulator/" not in path:  # there the address itself is the secret
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
        answer = await site.browser.get(f"/return/{payment.payment_id}?{query}")
        assert answer.headers["location"].startswith(f"{SHOP}/thanks?payment_id=pay_")
        assert "evil" not in answer.headers["location"]


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
    answer = await site.browser.post(f"/{payment.link_id}", data=form | {"method": "card"}, headers=evil)
    assert answer.headers["location"].startswith("http://pay.test/simulator/challenge/sim_")
    back = await site.browser.post(answer.headers["location"], data={"answer": "confirm"}, headers=evil)
    assert back.headers["location"] == f"http://pay.test/{payment.link_id}"


# --- what strangers type ---------------------------------------------------------------------------------------------

NASTY = [
    "<zqxjkv onzqxjkv=1>",
    '"><zqxjkv onzqxjkv=1>',
    "'><zqxjkv onzqxjkv=1>",
    '" onzqxjkv="1',
    "' onzqxjkv='1",
    " onzqxjkv=1 ",
    "</title><zqxjkv>",
    "</script><zqxjkv>",
    "--><zqxjkv>",
    "]]><zqxjkv>",
    "<!--<zqxjkv>",
    "{{ 7 * 1910001 }}<zqxjkv>",
    "{% zqxjkv %}<zqxjkv>",
    "${7*1910001}<zqxjkv>",
    "javascript:zqxjkv",
    "\u202e<zqxjkv>",
    "\ufeff<zqxjkv>",
    "\u2028<zqxjkv>",
    "%3Czqxjkv%3E",
    "&lt;zqxjkv&gt;",
    "<zqxjkv\x00>",
    "<\x00zqxjkv>",
    "＜zqxjkv＞<zqxjkv>",
    "<ZQXJKV ONZQXJKV=1>",
    "<svg/zqxjkv/onzqxjkv=1>",
    "A" * 3000 + "<zqxjkv>",
    "4242424242424242<zqxjkv>",
    "\r\nset-cookie: zqxjkv=1",
]


def mixtures(seed: str, count: int) -> Iterator[str]:
    """Yield mixtures of two nasty texts, the same ones in every run."""
    chance = random.Random(seed)  # noqa: S311 - tests want to repeat
    for _ in range(count):
        yield "".join(chance.sample(NASTY, 2))


def assert_escaped(page: httpx.Response, typed: str) -> None:
    assert page.status_code in (200, 303, 400, 403, 404, 409, 410, 413, 422, 429), (page.status_code, typed)
    assert "zqxjkv" not in str(page.headers).lower(), typed
    assert "13370007" not in page.text
    for tag, attributes in Elements(page.text).found:
        assert "zqxjkv" not in tag, typed
        assert not [name for name in attributes if "zqxjkv" in name], typed
        for name in ("href", "src", "action", "formaction"):
            assert not (attributes.get(name) or "").lower().startswith(("javascript:", "data:")), typed


FIELDS = {
    "": ("number", "expiry", "cvc", "name", "method", "save", "saved", "panel", "error_code", "account", "iban"),
    "/details": ("customer_name", "phone", "country", "city", "zipcode", "state", "street", "tax_id", "business_name"),
    "/discount": ("code", "remove"),
}


@pytest.mark.parametrize("part", FIELDS)
async def test_what_is_typed_into_a_field_comes_back_escaped_or_not_at_all(
    site: Site, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Every field gets every text, and then all fields get mixtures of them."""
    monkeypatch.setattr("nicobar.pages.limits.Allowance.wait", lambda *_arguments: 0)
    plain = {
        "number": "4242424242424242",
        "expiry": "06/32",
        "cvc": "",
        "name": "Ana",
        "country": "US",
        "method": "card",
    }
    changes = [{field: typed} for field in FIELDS[part] for typed in NASTY]
    changes += [dict.fromkeys(FIELDS[part], typed) for typed in mixtures(part, 100)]
    payment = await site.place()
    for change in changes:
        site.clock.advance(seconds=1)
        if (await reload(site.runtime, payment)).status != "requires_payment_method":
            payment = await site.place()
        token = token_of(await site.browser.get(f"/{payment.link_id}"))
        answer = await site.browser.post(f"/{payment.link_id}{part}", data=plain | {"token": token} | change)
        assert_escaped(answer, str(change))
    assert_escaped(await site.browser.get(f"/{payment.link_id}"), part)


QUERY = ("payButtonText", "theme", "told", "manualRedirect", "showTimer", "lang", "proof", "x")


async def test_what_stands_in_a_query_comes_back_escaped_or_not_at_all(site: Site) -> None:
    payment = await site.place(options={"show_saved_payment_methods": True})
    queries = [{name: typed} for name in QUERY for typed in NASTY]
    queries += [dict.fromkeys(QUERY, typed) for typed in mixtures("query", 100)]
    for number, query in enumerate(queries):
        path = ("", "/overlay", "/inline")[number % 3]
        page = await site.browser.get(f"{path}/{payment.link_id}", params=query)
        assert "set-cookie" not in page.headers
        if page.status_code == 200:
            assert_escaped(page, str(query))


@pytest.mark.parametrize("place_of", ["seller", "name", "description", "holder", "code", "support"])
async def test_what_the_seller_or_the_order_says_is_escaped(site: Site, place_of: str) -> None:
    for typed in [text for text in NASTY if "\x00" not in text]:
        values: dict[str, Any] = {}
        if place_of in ("name", "description"):
            values["lines"] = [line(**{place_of: typed})]
        if place_of == "holder":
            values["customer"] = Buyer(site.runtime.new_id("cus", site.clock.now()), typed, typed, None, {})
        if place_of == "code":
            values["options"] = {"discount_codes": [typed]}
        site.clock.advance(seconds=1)
        payment = await site.place(**values)
        if place_of in ("seller", "support"):
            column = {"seller": "name", "support": "support_email"}[place_of]
            async with site.runtime.database.read() as read:
                changed = await read.fetch(f"UPDATE brands SET {column} = $1 RETURNING true", typed)
            assert changed
        assert_escaped(await site.browser.get(f"/{payment.link_id}"), typed)
        await pay(site.browser, f"/{payment.link_id}")
        assert_escaped(await site.browser.get(f"/{payment.link_id}"), typed)


@pytest.mark.parametrize("header", ["accept-language", "user-agent", "referer", "cookie", "accept", "x-request-id"])
async def test_headers_do_not_come_back(site: Site, header: str) -> None:
    payment = await site.place()
    for typed in [text for text in NASTY if text.isascii() and text.isprintable()]:
        assert_escaped(await site.browser.get(f"/{payment.link_id}", headers={header: typed}), typed)


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
    site.runtime.processors.update({"live": Real(site.clock, site.runtime.public_url), "other": other})
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
        with pytest.raises(Exception, match="allowed_origins takes origins"):
            await change_setting(site.runtime, site.tenant, "allowed_origins", typed)


INNERMOST = [
    "nicobar.pages.card_form._digits",
    "nicobar.pages.card_form._expiry",
    "nicobar.pages.card_form._name_error",
    "nicobar.pages.card_form.parse_qsl",
    "nicobar.reference.cards.by_number",
]
"""Where a text of the form is held as it is, so that a bug has it at hand."""


@pytest.mark.parametrize("place_of_bug", INNERMOST)
async def test_a_bug_at_the_card_itself_logs_no_card(
    site: Site, monkeypatch: pytest.MonkeyPatch, place_of_bug: str
) -> None:
    """The server's log has tracebacks of source lines, and never a local variable."""

    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("a bug")

    payment = await site.place()
    token = token_of(await site.browser.get(f"/{payment.link_id}"))
    lines = io.StringIO()
    render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)]
    structlog.configure(processors=render, logger_factory=structlog.PrintLoggerFactory(lines))
    monkeypatch.setattr(place_of_bug, broken)
    form = {"number": "4000 0003 2000 0021", "expiry": "06/32", "cvc": "739", "name": "Ana Lima", "method": "card"}
    try:
        answer = await site.browser.post(f"/{payment.link_id}", data=form | {"token": token})
    finally:
        structlog.reset_defaults()
    assert answer.status_code == 500
    assert "a bug" in lines.getvalue()
    for text in (lines.getvalue(), answer.text, str(answer.headers)):
        assert not re.search(r"4000\W*0003\W*2000\W*0021|\D739\D", text)
