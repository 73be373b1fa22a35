"""Whatever is typed, stored or sent as a header comes back escaped or not at all."""

import html
import random
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from nicobar.core.customers.buyer import Buyer
from orders import line, pay, reload, token_of
from pages.visited import Elements, Site
from proof import length

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


MIXTURES = length(100)


def mixtures(seed: str, count: int) -> Iterator[str]:
    """Yield mixtures of two nasty texts, the same ones in every run."""
    chance = random.Random(seed)  # noqa: S311 - tests want to repeat
    for _ in range(count):
        yield "".join(chance.sample(NASTY, 2))


def assert_escaped(page: httpx.Response, typed: str) -> None:
    assert page.status_code in (200, 303, 400, 403, 404, 409, 410, 413, 422, 429), (page.status_code, typed)
    assert "zqxjkv" not in str(page.headers).lower(), typed
    assert "13370007" not in page.text
    words = html.unescape(page.text).lower()
    if not any(word in words for word in ("zqxjkv", "javascript:", "data:")):
        return  # no element can hold what the page does not
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


@pytest.mark.proof
@pytest.mark.parametrize("part", FIELDS)
async def test_what_is_typed_into_a_field_comes_back_escaped_or_not_at_all(
    site: Site, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None], part: str
) -> None:
    """Every field gets every text, and then all fields get mixtures of them."""
    monkeypatch.setattr("nicobar.pages.entry.limits.Allowance.wait", lambda *_arguments: 0)
    plain = {
        "number": "4242424242424242",
        "expiry": "06/32",
        "cvc": "",
        "name": "Ana",
        "country": "US",
        "method": "card",
    }
    changes = [{field: typed} for field in FIELDS[part] for typed in NASTY]
    changes += [dict.fromkeys(FIELDS[part], typed) for typed in mixtures(part, MIXTURES)]
    payment = await site.place()
    for change in changes:
        site.clock.advance(seconds=1)
        if (await reload(site.runtime, payment)).status != "requires_payment_method":
            payment = await site.place()
        token = token_of(await site.browser.get(f"/{payment.link_id}"))
        response = await site.browser.post(f"/{payment.link_id}{part}", data=plain | {"token": token} | change)
        assert_escaped(response, str(change))
    assert_escaped(await site.browser.get(f"/{payment.link_id}"), part)
    record_property("forms", len(changes))


QUERY = ("payButtonText", "theme", "told", "manualRedirect", "showTimer", "lang", "proof", "x")


@pytest.mark.proof
async def test_what_stands_in_a_query_comes_back_escaped_or_not_at_all(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    payment = await site.place(options={"show_saved_payment_methods": True})
    queries = [{name: typed} for name in QUERY for typed in NASTY]
    queries += [dict.fromkeys(QUERY, typed) for typed in mixtures("query", MIXTURES)]
    for number, query in enumerate(queries):
        path = ("", "/overlay", "/inline")[number % 3]
        page = await site.browser.get(f"{path}/{payment.link_id}", params=query)
        assert "set-cookie" not in page.headers
        if page.status_code == 200:
            assert_escaped(page, str(query))
    record_property("queries", len(queries))


@pytest.mark.parametrize("place_of", ["seller", "name", "description", "holder", "code", "support"])
async def test_what_the_seller_or_the_order_says_is_escaped(site: Site, place_of: str) -> None:
    for typed in [text for text in NASTY if "\x00" not in text]:
        values: dict[str, Any] = {}
        if place_of in ("name", "description"):
            typed_at: dict[str, Any] = {place_of: typed}
            values["lines"] = [line(**typed_at)]
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
