"""Payment links: their ids and QR codes, and how often somebody may try one."""

import asyncio
import re
import string
import zlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import dodopayments
import httpx
import pytest
import segno
from starlette.requests import Request
from structlog.testing import capture_logs

from harness import FakeClock
from nicobar.allowance import Allowance
from nicobar.client_address import client_address
from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.pages.entry.links import API_WORDS, qr_code
from orders import attempts_of, dump, line, order, pay, place, reload, token_of

DECLINED = "4000000000009995"
JSON = {"accept": "application/json"}


async def test_ids_have_eight_characters_of_random_bytes(runtime: Runtime) -> None:
    ids = [runtime.new_link_id() for _ in range(500)]
    assert len(set(ids)) == 500
    assert {len(link_id) for link_id in ids} == {8}
    assert set("".join(ids)) == set(string.ascii_letters + string.digits)


@pytest.mark.parametrize("short", [True, False])
async def test_a_short_link_is_the_link(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, short: bool
) -> None:
    """Links are as short as clients allow, so that `short_link` has nothing left to shorten."""
    payment = await place(runtime, order(runtime, tenant, options={"short_link": short}))
    assert runtime.link_url(payment.link_id or "") == f"http://pay.test/{payment.link_id}"
    assert (await browser.get(f"/{payment.link_id}")).status_code == 200


# --- QR codes --------------------------------------------------------------------------------------------------------


def modules_of_svg(picture: str) -> list[list[int]]:
    """Draw the picture's path: `m` and `M` move, `h` draws a row of dark modules."""
    (width,), (drawing,) = re.findall(r'width="(\d+)"', picture), re.findall(r'stroke="#000" d="([^"]+)"', picture)
    size = int(width) // 10
    grid = [[0] * size for _ in range(size)]
    x, y = 0, 0.0
    text = drawing.replace("h", " h ").replace("m", " m ").replace("M", " M ").replace("-", " -")
    words = iter(text.split())
    for word in words:
        if word == "h":
            length = int(next(words))
            for column in range(x, x + length):
                grid[int(y)][column] = 1
            x += length
        else:
            step, rise = int(next(words)), float(next(words))
            x, y = (step, rise) if word == "M" else (x + step, y + rise)
    return grid


def modules_of_png(picture: bytes) -> list[list[int]]:
    """Read one pixel of each module of a picture in black and white, 1 bit a pixel."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    data, place, header = b"", 8, b""
    while place < len(picture):
        length, kind = int.from_bytes(picture[place : place + 4], "big"), picture[place + 4 : place + 8]
        content = picture[place + 8 : place + 8 + length]
        header, data = (content, data) if kind == b"IHDR" else (header, data + content if kind == b"IDAT" else data)
        place += 12 + length
    width, height, depth = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big"), header[8]
    assert (width, depth) == (height, 1)
    stride, packed = 1 + (width + 7) // 8, zlib.decompress(data)
    rows, above = [], bytes(stride - 1)
    for start in range(0, stride * height, stride):
        way, row = packed[start], packed[start + 1 : start + stride]
        assert way in (0, 2), "a row as it is, or its difference to the one above"
        above = row if way == 0 else bytes((byte + over) % 256 for byte, over in zip(row, above, strict=True))
        rows.append(above)
    return [[1 - (rows[y][x // 8] >> (7 - x % 8) & 1) for x in range(5, width, 10)] for y in range(5, height, 10)]


def with_border(matrix: Sequence[Sequence[int]]) -> list[list[int]]:
    size = len(matrix) + 8
    blank = [[0] * size] * 4
    return [*blank, *[[0] * 4 + [int(module) for module in row] + [0] * 4 for row in matrix], *blank]


async def test_a_link_has_its_qr_code_in_two_forms(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    expected = with_border(segno.make_qr(f"http://pay.test/{payment.link_id}", error="m").matrix)
    svg = await browser.get(f"/{payment.link_id}/qr.svg")
    png = await browser.get(f"/{payment.link_id}/qr.png")
    assert (svg.headers["content-type"], png.headers["content-type"]) == ("image/svg+xml", "image/png")
    assert modules_of_svg(svg.text) == expected
    assert modules_of_png(png.content) == expected
    for answer in (svg, png):
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "<script" not in svg.text and "style" not in svg.text


async def test_the_code_of_a_link_that_is_over_is_gone(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    paid = await place(runtime, order(runtime, tenant))
    await pay(browser, f"/{paid.link_id}")
    clock.advance(hours=24)
    for kind in ("svg", "png"):
        assert (await browser.get(f"/{payment.link_id}/qr.{kind}", headers=JSON)).status_code == 410
        assert (await browser.get(f"/{paid.link_id}/qr.{kind}")).status_code == 200, "it leads to the receipt"
        assert (await browser.get(f"/AAAAAAAA/qr.{kind}", headers=JSON)).status_code == 404
    assert (await browser.get(f"/{payment.link_id}/qr.gif")).status_code == 404


@pytest.mark.parametrize("url", ["https://pay.example.com/AbCdEfGh", f"https://example.com/{'x' * 900}/AbCdEfGh"])
def test_an_address_of_any_length_fits(url: str) -> None:
    assert qr_code(url, "png").startswith(b"\x89PNG")


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_a_link_takes_ten_attempts_an_hour(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    payment, other = await place(runtime, order(runtime, tenant)), await place(runtime, order(runtime, tenant))
    for _ in range(10):
        clock.advance(seconds=1)
        assert (await pay(browser, f"/{payment.link_id}", number=DECLINED)).status_code == 303
    token = token_of(await browser.get(f"/{payment.link_id}"))
    form = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Ana Lima", "token": token}
    before = await dump(runtime)
    refused = await browser.post(f"/{payment.link_id}", data=form)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "351")
    assert "Please wait a moment" in refused.text and "Nothing was charged." in refused.text
    as_json = await browser.post(f"/{payment.link_id}", data=form, headers=JSON)
    assert (as_json.status_code, as_json.headers["retry-after"]) == (429, "351")
    assert as_json.json() == {"code": "TOO_MANY_REQUESTS", "message": "Too many requests. Try again in 351 seconds"}
    assert await dump(runtime) == before
    assert len(await attempts_of(runtime, payment)) == 10
    assert (await browser.get(f"/{payment.link_id}")).status_code == 200, "the page can be read"
    assert (await pay(browser, f"/{other.link_id}")).status_code == 303, "other links are not concerned"
    clock.advance(seconds=351)
    assert (await browser.post(f"/{payment.link_id}", data=form)).status_code == 303
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_a_card_that_is_no_test_card_is_an_attempt_and_a_mistake_is_none(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    for _ in range(11):
        assert (await pay(browser, f"/{payment.link_id}", cvc="")).status_code == 422
    for _ in range(10):
        assert (await pay(browser, f"/{payment.link_id}", number="4111111111111111")).status_code == 422
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 429
    assert await attempts_of(runtime, payment) == []


async def test_an_address_may_fail_sixty_times_an_hour_through_whatever_links(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    """A payment that succeeds does not count, so that a shop's own computer may pay as often as it likes."""
    form = {"number": "4111111111111111", "expiry": "06/32", "cvc": "123", "name": "Ana Lima"}
    for _ in range(6):
        link = f"/{(await place(runtime, order(runtime, tenant))).link_id}"
        sent = form | {"token": token_of(await browser.get(link))}
        assert [(await browser.post(link, data=sent)).status_code for _ in range(10)] == [422] * 10
    links = [f"/{(await place(runtime, order(runtime, tenant))).link_id}" for _ in range(4)]
    before = await dump(runtime)
    refused = await pay(browser, links[0])
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert await dump(runtime) == before
    elsewhere = {"x-forwarded-for": "198.51.100.7"}
    token = token_of(await browser.get(links[0]))
    other = await browser.post(links[0], data=form | {"number": "4242424242424242", "token": token}, headers=elsewhere)
    assert other.status_code == 303
    clock.advance(seconds=60)
    numbers = ["4242424242424242", DECLINED, "4242424242424242"]
    answers = [await pay(browser, link, number=number) for link, number in zip(links[1:], numbers, strict=True)]
    assert [answer.status_code for answer in answers] == [303, 303, 429]


async def test_fifty_confirmations_at_once_are_one_attempt(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    form = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Ana Lima", "token": token}
    answers = await asyncio.gather(*(browser.post(f"/{payment.link_id}", data=form) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {303}
    assert (await reload(runtime, payment)).status == "succeeded"
    assert len(await attempts_of(runtime, payment)) == 1


async def test_a_free_order_is_completed_within_the_same_limit(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await place(runtime, order(runtime, tenant, [line(0, 1500, 1500, 0)]))
    token = token_of(await browser.get(f"/{payment.link_id}"))
    assert (await browser.post(f"/{payment.link_id}", data={"token": token})).status_code == 303


@pytest.mark.parametrize("path", ["/AAAAAAAA", "/AAAAAAAA/qr.svg", "/overlay/AAAAAAAA"])
async def test_an_address_may_miss_thirty_links_a_minute(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock, path: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    for _ in range(30):
        assert (await browser.get(f"/{payment.link_id}")).status_code == 200
        assert (await browser.get(path)).status_code == 404
    refused = await browser.get(path)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert (await browser.get(f"/{payment.link_id}")).status_code == 200, "nobody locks its customer out"
    assert (await pay(browser, f"/{payment.link_id}")).status_code == 303
    assert (await reload(runtime, payment)).status == "succeeded"
    other = {"x-forwarded-for": "198.51.100.7"}
    assert (await browser.get(path, headers=other)).status_code == 404
    clock.advance(seconds=2)
    assert (await browser.get(path)).status_code == 404
    assert (await browser.get(path)).status_code == 429
    clock.advance(minutes=1)
    for _ in range(30):
        assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (("203.0.113.9", 5000), "203.0.113.9"),
        (("2001:4860:1:2:3:4:5:6", 5000), "2001:4860:1:2::/64"),
        (("_hidden", 0), "_hidden"),
        (None, None),
    ],
)
def test_what_a_client_is_counted_by(client: tuple[str, int] | None, key: str | None) -> None:
    assert client_address(Request({"type": "http", "headers": [], "client": client})) == key


def test_nobody_shares_a_count_with_those_whom_nobody_knows() -> None:
    allowance, start = Allowance(1, timedelta(minutes=1)), timedelta(days=3)
    for _ in range(3):
        allowance.check(None, start)
        allowance.spend(None, start)
    allowance.give_back(None)
    assert allowance.wait(None, start) == 0


async def test_a_corrected_clock_locks_nobody_out(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    """It was three days ahead, and is set right: what was counted by the wrong time must not last for three days."""
    clock.correct(days=3)
    for _ in range(30):
        assert (await browser.get("/AAAAAAAA")).status_code == 404
    assert (await browser.get("/AAAAAAAA")).headers["retry-after"] == "2"
    clock.correct(days=-3)
    assert (await browser.get("/AAAAAAAA")).headers["retry-after"] == "2"
    clock.advance(seconds=2)
    assert (await browser.get("/AAAAAAAA")).status_code == 404


def test_an_allowance_refills_evenly_and_forgets_the_oldest() -> None:
    start = timedelta(days=3)
    allowance = Allowance(3, timedelta(seconds=30), remembered=2)
    for expected in (0, 0, 0, 10):
        assert allowance.wait("a", start) == expected
        if expected == 0:
            allowance.spend("a", start)
    with pytest.raises(Problem) as refused:
        allowance.take("a", start)
    assert (refused.value.code, refused.value.retry_after, allowance.wait("a", start)) == ("TOO_MANY_REQUESTS", 10, 10)
    later = start + timedelta(seconds=9.5)
    assert allowance.wait("a", later) == 1
    assert allowance.wait("a", start + timedelta(seconds=10)) == 0
    allowance.spend("b", start)
    allowance.spend("c", start)
    assert allowance.wait("a", start) == 0, "two keys are remembered"
    for _ in range(9):
        allowance.spend("c", start)
    assert allowance.wait("c", start) == 10, "a key never waits for longer than its next try"


@pytest.mark.parametrize("tail", ["/", ".", ")", "],", "%3E", "%22", "%C2%BB", "%E3%80%82", "%20", "%E2%80%8B"])
async def test_what_clings_to_a_link_in_a_text_leads_to_the_link(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, tail: str
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    response = await browser.get(f"/{payment.link_id}{tail}?lang=de")
    assert (response.status_code, response.headers["location"]) == (303, f"/{payment.link_id}?lang=de")


@pytest.mark.parametrize("path", ["/AAAAAAAA", "/AAAAAAAA.", "/AAAAAAA", "/AAAAAAAAA", "/pay/AAAAAAAA", "/AAAAAAAA/x"])
async def test_a_wrong_link_shows_people_a_page_and_programs_json(browser: httpx.AsyncClient, path: str) -> None:
    page = await browser.get(path, follow_redirects=True)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "We cannot find this page" in page.text
    for headers in (JSON, {"accept": "*/*", "authorization": "Bearer x"}):
        response = await browser.get(path, headers=headers, follow_redirects=True)
        assert (response.status_code, response.headers["content-type"]) == (404, "application/json")


# --- Words of the API --------------------------------------------------------------------------------------------


def words_of_the_sdk() -> set[str]:
    """Return the first words of the paths that the official library asks for."""
    folder = Path(dodopayments.__file__).parent / "resources"
    return {word for file in folder.rglob("*.py") for word in re.findall(r'"/([a-z_-]+)', file.read_text())}


def test_every_word_of_the_api_that_is_as_long_as_a_link_is_known() -> None:
    assert "webhooks" in words_of_the_sdk()
    assert sorted(word for word in words_of_the_sdk() if len(word) == 8) == sorted(API_WORDS)


@pytest.mark.parametrize("path", ["/invoices/payments", "/licenses/activate", "/webhooks", "/webhooks/qr.svg"])
async def test_a_word_of_the_api_is_no_link(browser: httpx.AsyncClient, path: str) -> None:
    served = path.startswith("/webhooks")
    missing = f"GET {path} not found; /docs lists what there is"
    refused = "You are not authorised to perform this action: there is no Authorization header. "
    message = f"{refused}Send an API key as `Authorization: Bearer KEY`" if served else missing
    with capture_logs() as logs:
        for _ in range(40):  # more than an address may miss links
            response = await browser.get(path)
            assert (response.status_code, response.headers["content-type"]) == (
                401 if served else 404,
                "application/json",
            )
            assert response.json()["message"] == message
    assert {line["path"] for line in logs if line["event"] == "request"} == {path}
    assert (await browser.get("/webhookz")).headers["content-type"].startswith("text/html")
