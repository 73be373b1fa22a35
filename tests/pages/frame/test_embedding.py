"""The payment page in a frame: who may frame it, what it tells the seller's page, how far the official script goes."""

import html
from typing import Any

import httpx
import pytest

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, NeedsAction, Outcome, Unknown
from nicobar.flows.runtime import Runtime
from nicobar.pages.frame.embedding import Frame, read_frame
from nicobar.processors.base import ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import line, order, pay, place, token_of
from pages.frames import GOOD, SHOP, allow, names, told

# --- who may frame it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["overlay", "inline"])
async def test_only_allowed_origins_may_frame_the_page(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock, kind: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    closed = await browser.get(f"/{kind}/{payment.link_id}")
    assert closed.status_code == 200
    assert "frame-ancestors 'none';" in closed.headers["content-security-policy"]
    assert closed.headers["x-frame-options"] == "DENY"
    assert told(closed)["parents"] == []
    await allow(runtime, tenant, "https://Shop.example:443/ http://localhost:3000")
    clock.advance(seconds=5)
    framed = await browser.get(f"/{kind}/{payment.link_id}")
    policy = framed.headers["content-security-policy"]
    assert "; frame-ancestors http://localhost:3000 https://shop.example; form-action 'self'" in policy
    assert "x-frame-options" not in framed.headers
    assert told(framed)["parents"] == ["http://localhost:3000", SHOP]
    alone = await browser.get(f"/{payment.link_id}")
    assert "frame-ancestors 'none';" in alone.headers["content-security-policy"]
    assert alone.headers["x-frame-options"] == "DENY"
    assert "data-frame" not in alone.text


async def test_one_seller_cannot_allow_frames_for_another(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    await allow(runtime, tenant, SHOP)
    live = await place(runtime, order(runtime, Tenant(tenant.business_id, "live")))
    page = await browser.get(f"/overlay/{live.link_id}")
    assert "frame-ancestors 'none';" in page.headers["content-security-policy"]
    unknown = await browser.get("/overlay/AAAAAAAA")
    assert (unknown.status_code, unknown.headers["x-frame-options"]) == (404, "DENY")


async def test_a_framed_page_that_is_opened_alone_becomes_the_plain_one(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    await allow(runtime, tenant, SHOP)
    payment = await place(runtime, order(runtime, tenant))
    path = f"/overlay/{payment.link_id}?payButtonText=Free"
    response = await browser.get(path, headers={"sec-fetch-dest": "document"})
    assert (response.status_code, response.headers["location"]) == (303, f"/{payment.link_id}")
    assert (await browser.get(path, headers={"sec-fetch-dest": "iframe"})).status_code == 200


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {}),
        ({"showTimer": "false", "showSecurityBadge": "false"}, {"show_timer": False, "show_security_badge": False}),
        ({"showTimer": "0", "showSecurityBadge": ""}, {}),
        ({"manualRedirect": "true"}, {"manual_redirect": True}),
        ({"manualRedirect": "TRUE"}, {}),
        ({"payButtonText": " Buy now "}, {"pay_button_text": "Buy now"}),
        ({"payButtonText": "x" * 40}, {"pay_button_text": "x" * 40}),
        ({"payButtonText": "x" * 41}, {}),
        ({"payButtonText": "Buy\u202enow"}, {}),
        ({"payButtonText": "Buy\nnow"}, {}),
        ({"theme": "dark"}, {"theme": "dark"}),
        ({"theme": "blue"}, {}),
        ({"told": "opened"}, {"told": "opened"}),
        ({"told": "everything"}, {}),
    ],
)
def test_options_are_read_or_passed_over(query: dict[str, str], expected: dict[str, Any]) -> None:
    assert read_frame("overlay", (SHOP,), query) == Frame("overlay", (SHOP,), **expected)


def test_the_address_keeps_the_options() -> None:
    frame = Frame("inline", (SHOP,), False, False, True, "Kaufen & los", "dark")
    path = frame.path("AAAAAAAA", "opened")
    assert path == (
        "/inline/AAAAAAAA?showTimer=false&showSecurityBadge=false&manualRedirect=true"
        "&payButtonText=Kaufen+%26+los&theme=dark&told=opened"
    )
    query = dict(httpx.QueryParams(path.partition("?")[2]))
    assert read_frame("inline", (SHOP,), query) == frame._replace(told="opened")


async def test_options_change_the_page(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    plain = (await browser.get(f"/overlay/{payment.link_id}")).text
    assert "Pay $24.00</button>" in plain
    assert 'class="privacy"' in plain
    assert 'content="light dark"' in plain
    path = f"/overlay/{payment.link_id}?showSecurityBadge=false&payButtonText=Buy+%3Cnow%3E&theme=dark"
    changed = (await browser.get(path)).text
    assert "Buy &lt;now&gt;</button>" in changed
    assert 'class="privacy"' not in changed
    assert 'content="dark"' in changed
    assert "/static/checkout.dark." in changed


async def test_a_theme_is_the_style_of_one_scheme(browser: httpx.AsyncClient, tenant: Tenant, runtime: Runtime) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = (await browser.get(f"/inline/{payment.link_id}?theme=light")).text
    style = (await browser.get("/static/checkout.light." + page.split("/static/checkout.light.")[1].split('"')[0])).text
    assert "prefers-color-scheme" not in style
    assert "color-scheme: light;" in style
    assert "@media not all {" in style


# --- what it tells ---------------------------------------------------------------------------------------------------


async def test_the_messages_of_a_payment_in_order(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    await allow(runtime, tenant, SHOP)
    lines = [line(0, 2000, 200, 360)]
    payment = await place(runtime, order(runtime, tenant, lines, options={"return_url": f"{SHOP}/thanks"}))
    first = await browser.get(f"/overlay/{payment.link_id}")
    sums = {"subTotal": 2000, "discount": 200, "tax": 360, "total": 2160, "currency": "USD"}
    assert told(first)["events"] == [
        ["checkout.opened", {}],
        ["checkout.form_ready", {}],
        ["checkout.breakdown", {"message": sums | {"finalTotal": 2160, "finalTotalCurrency": "USD"}}],
        ["checkout.payment_page_opened", {}],
    ]
    clock.advance(seconds=1)

    path = f"/overlay/{payment.link_id}"
    mistaken = await pay(browser, path, cvc="")
    assert mistaken.status_code == 422
    assert names(told(mistaken)["events"]) == ["breakdown"]

    declined = await pay(browser, path, number="4000000000009995")
    assert (declined.status_code, declined.headers["location"]) == (303, f"{path}?told=payment")
    again = await browser.get(declined.headers["location"])
    assert names(told(again)["events"]) == ["breakdown", "error"]
    assert told(again)["events"][1][1]["message"].startswith("There is not enough money available")
    clock.advance(seconds=1)

    paid = await browser.get((await pay(browser, path)).headers["location"])
    assert told(paid)["events"] == []
    assert told(paid)["leave"] == "checkout.redirect"
    target = f"{SHOP}/thanks?payment_id={payment.payment_id}&status=succeeded&email=ana.lima%40example.com"
    assert told(paid)["later"] == {"seconds": 10, "event": ["checkout.redirect", {"message": {"redirect_to": target}}]}
    assert "http-equiv" not in paid.text
    assert names(told(await browser.get(path))["events"]) == ["opened"]


async def test_a_page_that_redirects_by_itself_is_told_where(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    options = {"return_url": f"{SHOP}/thanks", "redirect_immediately": True}
    payment = await place(runtime, order(runtime, tenant, options=options))
    path = f"/inline/{payment.link_id}?manualRedirect=true"
    clock.advance(seconds=1)
    answer = await pay(browser, path, number="4000000000000002")
    assert answer.headers["location"] == f"{path}&told=payment"
    events = told(await browser.get(answer.headers["location"]))["events"]
    assert names(events) == ["breakdown", "error", "status"]
    assert events[2][1] == {"message": {"status": "failed"}}
    clock.advance(seconds=1)
    paid = await browser.get((await pay(browser, path)).headers["location"])
    assert paid.status_code == 200
    assert names(told(paid)["events"]) == ["status", "redirect_requested"]
    assert told(paid)["events"][0][1] == {"message": {"status": "succeeded"}}
    assert told(paid)["events"][1][1]["message"]["redirect_to"].startswith(f"{SHOP}/thanks?payment_id=")
    assert (told(paid)["leave"], told(paid)["later"]) == ("checkout.redirect_requested", None)
    assert "You will be taken back" not in paid.text


async def test_a_payment_that_redirects_at_once_leaves_through_the_sellers_page(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    options = {"return_url": f"{SHOP}/thanks", "redirect_immediately": True}
    payment = await place(runtime, order(runtime, tenant, options=options))
    paid = await browser.get((await pay(browser, f"/overlay/{payment.link_id}")).headers["location"])
    assert paid.status_code == 200
    assert told(paid)["later"]["seconds"] == 0
    assert "form-action 'self'" in paid.headers["content-security-policy"]


async def test_an_expired_link_says_so(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    clock.advance(hours=24)
    page = await browser.get(f"/overlay/{payment.link_id}")
    assert page.status_code == 410
    assert names(told(page)["events"]) == ["opened", "link_expired"]


async def test_a_waiting_page_tells_its_status_once(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    class Silent(Simulator):
        async def charge(self, request: ChargeRequest) -> Outcome:
            return Unknown("nobody knows")

        async def find(self, attempt: Attempt) -> Outcome | None:
            return Unknown("nobody knows")

    assert isinstance(runtime.processors, dict)
    runtime.processors["simulator"] = Silent(clock, runtime.public_url, SimulatorRecords(runtime.database))
    payment = await place(runtime, order(runtime, tenant))
    path = f"/inline/{payment.link_id}?manualRedirect=true"
    page = await browser.get((await pay(browser, path)).headers["location"])
    assert told(page)["events"] == [["checkout.status", {"message": {"status": "processing"}}]]
    onward = html.unescape(page.text.split('http-equiv="refresh" content="3;url=')[1].split('"')[0])
    assert onward == f"{path}&told=processing"
    assert told(await browser.get(onward))["events"] == []


@pytest.mark.parametrize(
    ("url", "stays"), [("http://pay.test/simulator/challenge/sim_x", True), ("https://bank.example/3ds", False)]
)
async def test_a_bank_is_framed_only_when_it_is_ours(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock, url: str, stays: bool
) -> None:
    class Asking(Simulator):
        async def charge(self, request: ChargeRequest) -> Outcome:
            self.return_url = request.return_url
            return NeedsAction("sim_x", url)

        async def find(self, attempt: Attempt) -> Outcome | None:
            return NeedsAction("sim_x", url)

    asking = Asking(clock, runtime.public_url, SimulatorRecords(runtime.database))
    assert isinstance(runtime.processors, dict)
    runtime.processors["simulator"] = asking
    payment = await place(runtime, order(runtime, tenant))
    path = f"/overlay/{payment.link_id}"
    answer = await pay(browser, path)
    assert asking.return_url == f"http://pay.test{path}?told=payment"
    assert answer.headers["location"] == (url if stays else f"{path}?told=payment")
    page = await browser.get(f"{path}?told=payment")
    redirect = [["checkout.redirect", {"message": {"redirect_to": url}}]]
    assert told(page)["events"] == ([] if stays else redirect)
    assert names(told(await browser.get(path))["events"]) == ["opened"]


async def test_the_simulated_bank_may_be_framed_by_the_same_origins(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    await allow(runtime, tenant, SHOP)
    framed, alone = [await place(runtime, order(runtime, tenant)) for _ in range(2)]
    challenge = (await pay(browser, f"/overlay/{framed.link_id}", number="4000002500003155")).headers["location"]
    bank = await browser.get(challenge)
    assert f"frame-ancestors {SHOP};" in bank.headers["content-security-policy"]
    assert (told(bank)["parents"], told(bank)["events"]) == ([SHOP], [])
    back = await browser.post(challenge, data={"answer": "confirm"})
    assert back.headers["location"] == f"http://pay.test/overlay/{framed.link_id}?told=payment"
    challenge = (await pay(browser, f"/{alone.link_id}", number="4000002500003155")).headers["location"]
    assert "frame-ancestors 'none';" in (await browser.get(challenge)).headers["content-security-policy"]


async def test_a_failure_within_a_frame_is_told(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("a bug")

    await allow(runtime, tenant, SHOP)
    payment = await place(runtime, order(runtime, tenant))
    path = f"/overlay/{payment.link_id}"
    stale = await browser.post(path, data=GOOD | {"token": "1.x"})
    assert stale.status_code == 403
    assert f"frame-ancestors {SHOP};" in stale.headers["content-security-policy"]
    assert told(stale)["events"] == [["checkout.error", {"message": "This form is not valid here"}]]
    token = token_of(await browser.get(path))
    monkeypatch.setattr("nicobar.pages.changes.charging.confirm_payment", broken)
    failed = await browser.post(path, data=GOOD | {"token": token})
    assert failed.status_code == 500
    assert told(failed)["events"] == [["checkout.error", {"message": "Something went wrong on our side"}]]
