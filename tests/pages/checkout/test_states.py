"""What the page shows: the order, each state of the payment, and the headers around it."""

from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from starlette.routing import Router

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, Declined, Outcome, Succeeded, Unknown
from nicobar.flows.runtime import Runtime
from nicobar.pages.checkout.routes import page_routes
from nicobar.pages.frame.rendering import Renderer
from nicobar.processors.base import ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import attempts_of, line, order, pay, place, reload, token_of


class Slow(Simulator):
    """A processor that does not answer in time, and is asked again later."""

    answer: Outcome | None = None

    async def charge(self, request: ChargeRequest) -> Outcome:
        raise TimeoutError

    async def find(self, attempt: Attempt) -> Outcome | None:
        return self.answer


@pytest.fixture
def slow(runtime: Runtime, clock: FakeClock) -> Slow:
    processor = Slow(clock, runtime.public_url, SimulatorRecords(runtime.database))
    assert isinstance(runtime.processors, dict)
    runtime.processors["simulator"] = processor
    return processor


async def test_the_order_is_shown_as_it_was_agreed(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    lines = [
        line(0, 2400, 240, 432, name="Solo <Flight>", description="24 bit & booklet"),
        line(1, 4500, 450, 810, name="Signed vinyl", quantity=3),
        line(2, 0, 0, 0, name="Stickers", quantity=0),
    ]
    options = {"discount_codes": ["WELCOME10"], "allowed_payment_method_types": ["credit", "debit"]}
    payment = await place(runtime, order(runtime, tenant, lines, options=options))
    page = (await browser.get(f"/{payment.link_id}")).text
    for text in (
        "<title>Pay Dodo Records</title>",
        "Test mode",
        "Solo &lt;Flight&gt;",
        "24 bit &amp; booklet",
        "$24.00",
        "Signed vinyl",
        "Qty 3",
        "$45.00",
        "Stickers",
        "Qty 0",
        "Discount (WELCOME10)",
        "-$6.90",
        "Subtotal",
        "$69.00",
        "$12.42",
        "Pay $74.52</button>",
    ):
        assert text in page
    assert page.count("$74.52") == 3


async def test_a_long_order_is_folded_and_the_receipt_is_whole(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    lines = [line(position, 100, 0, 0, name=f"Song {position}") for position in range(20)]
    payment = await place(runtime, order(runtime, tenant, lines))
    page = await browser.get(f"/{payment.link_id}")
    assert "Show 14 more items" in page.text
    assert page.text.index("Song 5") < page.text.index('<details class="more">') < page.text.index("Song 6")
    await pay(browser, f"/{payment.link_id}")
    receipt = await browser.get(f"/{payment.link_id}")
    assert receipt.text.count("Song ") == 20
    assert '<details class="more">' not in receipt.text


async def test_every_field_has_its_label_and_helps_to_fill_it(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    options: dict[str, Any] = {"allowed_payment_method_types": ["credit", "debit"]}
    payment = await place(runtime, order(runtime, tenant, options=options))
    inputs: dict[str, dict[str, str | None]] = {}
    labels = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if tag == "input" and values["type"] == "text":
                inputs[str(values["id"])] = values
            if tag == "label":
                labels.append(values["for"])
            assert "style" not in values, "inline style"
            assert not [name for name in values if name.startswith("on")], "inline script"

    page = await browser.get(f"/{payment.link_id}")
    Reader().feed(page.text)
    inputs.clear()
    labels.clear()
    Reader().feed(page.text.split(" data-pay")[1].split("</form>")[0])
    assert labels == ["number", "expiry", "cvc", "name", "save"]
    assert {name: field["autocomplete"] for name, field in inputs.items()} == {
        "number": "cc-number",
        "expiry": "cc-exp",
        "cvc": "cc-csc",
        "name": "cc-name",
    }
    assert [name for name, field in inputs.items() if field.get("inputmode") == "numeric"] == [
        "number",
        "expiry",
        "cvc",
    ]
    assert all(field["value"] == "" for field in inputs.values())
    assert "autofocus" not in page.text
    wrong = await pay(browser, f"/{payment.link_id}", cvc="")
    assert 'role="alert" tabindex="-1" autofocus' in wrong.text


@pytest.mark.parametrize(("waited", "again"), [(0, 3), (59, 3), (60, 15), (599, 15), (600, 60), (86400, 60)])
async def test_an_unanswered_charge_is_shown_as_under_way(
    runtime: Runtime,
    tenant: Tenant,
    browser: httpx.AsyncClient,
    clock: FakeClock,
    slow: Slow,
    waited: int,
    again: int,
) -> None:
    slow.answer = Unknown("nobody knows")
    payment = await place(runtime, order(runtime, tenant))
    await pay(browser, f"/{payment.link_id}")
    clock.advance(seconds=waited)
    page = await browser.get(f"/{payment.link_id}")
    assert page.status_code == 200
    assert f'<meta http-equiv="refresh" content="{again}">' in page.text
    assert "Your payment is being processed" in page.text
    assert 'name="number"' not in page.text
    assert (await reload(runtime, payment)).status == "processing"


async def test_the_page_of_a_silent_charge_asks_the_processor_after_a_minute(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock, slow: Slow
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await pay(browser, f"/{payment.link_id}")
    slow.answer = Succeeded("sim_1")
    clock.advance(seconds=59)
    assert "being processed" in (await browser.get(f"/{payment.link_id}")).text
    clock.advance(seconds=1)
    assert "Payment received" in (await browser.get(f"/{payment.link_id}")).text
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_a_challenge_that_is_confirmed_pays(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> None:
    payment = await place(runtime, order(runtime, tenant))
    answer = await pay(browser, f"/{payment.link_id}", number="4000002500003155")
    challenge = answer.headers["location"]
    assert challenge.startswith("http://pay.test/simulator/challenge/sim_")
    assert (await reload(runtime, payment)).status == "requires_customer_action"
    page = await browser.get(f"/{payment.link_id}")
    assert f'href="{challenge}"' in page.text
    assert "Your bank asks for confirmation" in page.text
    bank = await browser.get(challenge)
    assert "$24.00" in bank.text
    back = await browser.post(challenge, data={"answer": "confirm"})
    assert (back.status_code, back.headers["location"]) == (303, f"http://pay.test/{payment.link_id}")
    assert (await reload(runtime, payment)).status == "requires_customer_action"
    assert "Payment received" in (await browser.get(back.headers["location"])).text
    assert (await reload(runtime, payment)).status == "succeeded"
    assert "This confirmation has ended" in (await browser.get(challenge)).text
    assert (await browser.post(challenge, data={"answer": "refuse"})).status_code == 303
    assert (await reload(runtime, payment)).status == "succeeded"


@pytest.mark.parametrize(
    ("number", "answer", "code"),
    [
        ("4000002500003155", "refuse", "AUTHENTICATION_FAILURE"),
        ("4000008260003178", "confirm", "INSUFFICIENT_FUNDS"),
        ("4000008260003178", "refuse", "AUTHENTICATION_FAILURE"),
        ("4000008400001629", "confirm", "GENERIC_DECLINE"),
    ],
)
async def test_a_challenge_that_fails_leaves_the_payment_open(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, number: str, answer: str, code: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    challenge = (await pay(browser, f"/{payment.link_id}", number=number)).headers["location"]
    await browser.post(challenge, data={"answer": answer})
    assert token_of(await browser.get(f"/{payment.link_id}"))
    failed = await reload(runtime, payment)
    assert (failed.status, failed.error_code) == ("failed", code)
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_a_challenge_nobody_answers_runs_out(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    challenge = (await pay(browser, f"/{payment.link_id}", number="4000002760003184")).headers["location"]
    clock.advance(minutes=15)
    assert "This confirmation has ended" in (await browser.get(challenge)).text
    assert token_of(await browser.get(f"/{payment.link_id}"))
    assert (await reload(runtime, payment)).error_code == "AUTHENTICATION_TIMEOUT"


async def test_a_challenge_is_answered_by_its_own_form_only(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    challenge = (await pay(browser, f"/{payment.link_id}", number="4000002500003155")).headers["location"]
    foreign = {"sec-fetch-site": "cross-site"}
    assert (await browser.post(challenge, data={"answer": "confirm"}, headers=foreign)).status_code == 403
    assert (await browser.post(challenge, data={"answer": "perhaps"})).status_code == 422
    unknown = "/simulator/challenge/sim_unknown"
    assert (await browser.post(unknown, data={"answer": "confirm"})).status_code == 404
    assert "There is nothing to confirm here" in (await browser.get(unknown)).text
    await browser.get(f"/{payment.link_id}")
    assert (await reload(runtime, payment)).status == "requires_customer_action"
    (attempt,) = await attempts_of(runtime, payment)
    assert attempt["resolved_at"] is None


async def test_a_decline_of_the_processors_own_code_reads_neutrally(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, slow: Slow, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await pay(browser, f"/{payment.link_id}")
    slow.answer = Declined("WEIRD_CODE", "raw words of a connector")
    clock.advance(minutes=1)
    page = await browser.get(f"/{payment.link_id}")
    assert "The payment was declined. Please use another payment method." in page.text
    assert "raw words" not in page.text
    failed = await reload(runtime, payment)
    assert (failed.error_code, failed.error_message) == ("WEIRD_CODE", "raw words of a connector")


@pytest.mark.parametrize("state", ["form", "paid", "gone", "unknown", "challenge"])
async def test_every_page_is_protected(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, state: str
) -> None:
    changes: dict[str, Any] = {"status": "cancelled"} if state == "gone" else {}
    payment = await place(runtime, order(runtime, tenant, **changes))
    if state == "paid":
        await pay(browser, f"/{payment.link_id}")
    path = {"unknown": "/AAAAAAAA", "challenge": "/simulator/challenge/sim_x"}.get(state, f"/{payment.link_id}")
    headers = (await browser.get(path)).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    )
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "payment=()" in headers["permissions-policy"]
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "set-cookie" not in headers


async def test_style_and_script_are_cached_by_their_content(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    page = (await browser.get(f"/{payment.link_id}")).text
    paths = [part.split('"')[0] for part in page.split('="') if part.startswith("/static/")]
    assert sorted({path.rpartition(".")[2] for path in paths}) == ["css", "js", "svg"]
    for path in paths:
        response = await browser.get(path)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["content-type"].partition(";")[0] in ("text/css", "text/javascript", "image/svg+xml")
    for path in ("/static/checkout.css", "/static/..%2Fcheckout.py", "/static/"):
        assert (await browser.get(path)).status_code == 404


async def test_the_pages_know_the_path_of_the_public_address(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    """Behind a proxy that serves this server below a path, every address of ours starts with it."""
    below = runtime._replace(public_url="https://example.com/pay")
    payment = await place(below, order(below, tenant))
    transport = httpx.ASGITransport(Router(page_routes(below, Renderer(below.public_url))))
    async with httpx.AsyncClient(transport=transport, base_url="https://example.com") as client:
        page = await client.get(f"/{payment.link_id}")
        assert 'href="/pay/static/checkout.' in page.text
        assert (await pay(client, f"/{payment.link_id}")).headers["location"] == f"/pay/{payment.link_id}"
