"""A session in a frame of the seller's page: who may frame it, what it tells, how it leads on to its payment."""

from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from api.sessions.opening import ADDRESS, ANA, create_session, session_rows
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from pages.frames import SHOP, allow, names, told
from pages.session.filling import fields_of
from shop import Shop, item

KINDS = pytest.mark.parametrize("kind", ["overlay", "inline"])


@pytest_asyncio.fixture
async def seller(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    """A shop that may frame its pages."""
    await allow(runtime, merchant.tenant, SHOP)
    return Shop(runtime, app, clock, merchant)


async def session_path(seller: Shop, kind: str, query: str = "", **fields: object) -> str:
    """Create a session; return the address of its page in a frame."""
    created = await create_session(seller, item(await seller.product(2000)), **fields)
    return f"/{kind}/session/{created['session_id']}{query}"


def action_of(page: httpx.Response) -> str:
    """Return where the form of the page leads."""
    return page.text.partition(' action="')[2].partition('"')[0].replace("&amp;", "&")


def framed_by(page: httpx.Response) -> str:
    return page.headers["content-security-policy"].partition("frame-ancestors ")[2].partition(";")[0]


@KINDS
async def test_only_allowed_origins_may_frame_a_session(seller: Shop, kind: str) -> None:
    path = await session_path(seller, kind)
    framed = await seller.browser.get(path)
    assert (framed.status_code, framed_by(framed)) == (200, SHOP)
    assert "x-frame-options" not in framed.headers
    assert told(framed)["parents"] == [SHOP]
    assert names(told(framed)["events"]) == ["opened", "form_ready", "breakdown"]
    plain = await seller.browser.get(path.removeprefix(f"/{kind}"))
    assert (framed_by(plain), plain.headers["x-frame-options"]) == ("'none'", "DENY")
    assert "data-frame" not in plain.text
    await seller.settings(allowed_origins="")
    closed = await seller.browser.get(path)
    assert (framed_by(closed), closed.headers["x-frame-options"]) == ("'none'", "DENY")
    assert told(closed)["parents"] == []


async def test_what_was_told_is_not_told_again_and_options_stay(seller: Shop) -> None:
    options = "manualRedirect=true&payButtonText=Kaufen+%26+los&theme=dark"
    path = await session_path(seller, "overlay", f"?headless=true&{options}&lang=de", customer=ANA)
    page = await seller.browser.get(path)
    assert 'content="dark"' in page.text and '<html lang="de"' in page.text
    action = action_of(page)
    plain = path.partition("?")[0]
    assert action == f"{plain}?{options}&told=opened&lang=de"
    wanted = fields_of(page) | {"update": "yes", "country": "DE"}
    again = await seller.browser.post(action, data=wanted)
    assert (again.status_code, names(told(again)["events"])) == (200, ["breakdown"])
    assert action_of(again) == action
    refused = await seller.browser.post(action, data=fields_of(page) | {"country": "XX"})
    assert (refused.status_code, names(told(refused)["events"])) == (422, ["breakdown"])
    assert framed_by(refused) == SHOP
    address = {name: text for name, text in ADDRESS.items() if name != "state"}
    onward = await seller.browser.post(action, data=fields_of(page) | address)
    assert onward.status_code == 303
    link = urlsplit(onward.headers["location"])
    assert link.path.startswith("/overlay/") and len(link.path) == len("/overlay/AbCdEf12")
    assert link.query == f"{options}&told=opened&lang=de"
    payment = await seller.browser.get(onward.headers["location"])
    assert names(told(payment)["events"]) == ["breakdown", "payment_page_opened"]
    assert "Kaufen &amp; los</button>" in payment.text and 'content="dark"' in payment.text


@KINDS
async def test_a_session_with_a_payment_leads_to_it_in_the_frame(seller: Shop, kind: str) -> None:
    fields = {"customer": ANA, "billing_address": ADDRESS, "confirm": True}
    path = await session_path(seller, kind, "?showTimer=false", **fields)
    onward = await seller.browser.get(path)
    assert onward.status_code == 303
    link = urlsplit(onward.headers["location"])
    assert (link.path.rpartition("/")[0], link.query) == (f"/{kind}", "showTimer=false")
    payment = await seller.browser.get(onward.headers["location"])
    assert names(told(payment)["events"]) == ["opened", "form_ready", "breakdown", "payment_page_opened"]


async def test_a_framed_session_that_is_opened_alone_becomes_the_plain_one(seller: Shop) -> None:
    path = await session_path(seller, "inline", "?payButtonText=Free&lang=fr")
    alone = await seller.browser.get(path, headers={"sec-fetch-dest": "document"})
    plain = path.partition("?")[0].removeprefix("/inline")
    assert (alone.status_code, alone.headers["location"]) == (303, f"{plain}?lang=fr")
    assert (await seller.browser.get(path, headers={"sec-fetch-dest": "iframe"})).status_code == 200


async def test_what_is_over_or_unknown(seller: Shop, clock: FakeClock) -> None:
    path = await session_path(seller, "overlay", cancel_url="https://shop.example/cart")
    assert "https://shop.example/cart" not in (await seller.browser.get(path)).text
    clock.advance(seconds=24 * 3600)
    over = await seller.browser.get(path)
    assert (over.status_code, framed_by(over)) == (410, SHOP)
    assert told(over)["events"] == [["checkout.opened", {}], ["checkout.link_expired", {}]]
    unknown = await seller.browser.get(f"/overlay/session/cks_{'A' * 21}")
    assert (unknown.status_code, unknown.headers["x-frame-options"]) == (404, "DENY")


@KINDS
async def test_static_and_short_links_open_a_session_in_the_frame(seller: Shop, kind: str) -> None:
    product_id = await seller.product(2000)
    made = await seller.client.post(
        f"/products/{product_id}/short_links", json={"slug": "birds", "static_checkout_params": {"quantity": "3"}}
    )
    assert made.status_code == 200, made.text
    short = await seller.browser.get(f"/{kind}/buy/birds?theme=dark&manualRedirect=true")
    link = urlsplit(short.headers["location"])
    expected = {"theme": "dark", "manualRedirect": "true", "quantity": "3"}
    assert (short.status_code, link.path, dict(parse_qsl(link.query))) == (302, f"/{kind}/buy/{product_id}", expected)
    static = await seller.browser.get(short.headers["location"])
    session = urlsplit(static.headers["location"])
    assert (static.status_code, session.path[: len(kind) + 14]) == (303, f"/{kind}/session/cks_")
    assert dict(parse_qsl(session.query)) == {"theme": "dark", "manualRedirect": "true"}
    page = await seller.browser.get(static.headers["location"])
    assert told(page)["events"][2][1]["message"]["total"] == 6000
    await seller.client.delete(f"/products/{product_id}")
    gone = await seller.browser.get(f"/{kind}/buy/{product_id}")
    assert (gone.status_code, framed_by(gone)) == (404, SHOP)
    assert names(told(gone)["events"]) == ["error"]
    assert await session_rows(seller) == 1
