"""The forwarder decides: which hosts it stands for, which keys pass, and where links in answers lead."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from nicobar.run.forwarder import Forwarder
from nicobar.run.target import RunTarget
from pages.browsing import free_socket, port_of, serving

KEY = "nicobar_test_of_the_run"
CHECKOUT = "https://test.checkout.dodopayments.com"


class Behind:
    """A server that keeps what it was asked, and answers with links to itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Response = JSONResponse({"payment_link": f"{url}/AbCdEf12", "other": "http://127.0.0.1:1/x"})

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        request = Request(scope, receive)  # type: ignore[arg-type]
        query = f"?{request.url.query}" if request.url.query else ""
        target = scope["raw_path"].decode() + query  # type: ignore[index]
        self.asked.append((request.method, target, dict(request.headers), await request.body()))
        await self.answer(scope, receive, send)  # type: ignore[arg-type]


@pytest.fixture
async def behind() -> AsyncIterator[Behind]:
    with free_socket() as listening:
        server = Behind(f"http://127.0.0.1:{port_of(listening)}")
        async with serving(server, listening):
            yield server


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
async def forwarder(behind: Behind, told: list[str]) -> AsyncIterator[Forwarder]:
    made = Forwarder(RunTarget(behind.url, KEY, False), told.append, own_links=True)
    yield made
    await made.close()


async def ask(forwarder: Forwarder, method: str, url: str, **options: object) -> httpx.Response:
    transport = httpx.ASGITransport(forwarder)
    async with httpx.AsyncClient(transport=transport) as client:
        return await client.request(method, url, **options)  # type: ignore[arg-type]


async def test_a_request_arrives_as_it_was_sent(forwarder: Forwarder, behind: Behind, told: list[str]) -> None:
    headers = {"authorization": "Bearer nicobar_test_own", "idempotency-key": "k", "x-mine": "a"}
    body = b'{"total_amount":2033}'
    url = "https://test.dodopayments.com/payments/a%2Fb?page_size=1&status=a%20b"
    answer = await ask(forwarder, "POST", url, headers=headers, content=body)
    assert answer.status_code == 200
    assert answer.json()["payment_link"] == f"{behind.url}/AbCdEf12"
    ((method, target, seen, content),) = behind.asked
    assert (method, target, content) == ("POST", "/payments/a%2Fb?page_size=1&status=a%20b", body)
    assert {name: seen[name] for name in headers} == headers
    assert seen["host"] == "test.dodopayments.com"  # forms compare it with where they come from
    assert seen["content-length"] == str(len(body))
    assert told == ["first request: POST test.dodopayments.com/payments/a/b"]
    await ask(forwarder, "GET", "https://test.dodopayments.com/payments")
    assert len(told) == 1
    assert forwarder.counts == {"test.dodopayments.com": 2}


@pytest.mark.parametrize("key", ["key_of_the_hosted_service", "", "nicobar_", "Nicobar_test_x"])
async def test_a_foreign_key_is_replaced_and_reaches_nobody(forwarder: Forwarder, behind: Behind, key: str) -> None:
    await ask(forwarder, "GET", "https://live.dodopayments.com/products", headers={"authorization": f"Bearer {key}"})
    assert behind.asked[0][2]["authorization"] == f"Bearer {KEY}"


async def test_a_request_without_a_key_gets_none(forwarder: Forwarder, behind: Behind) -> None:
    await ask(forwarder, "POST", "https://live.dodopayments.com/licenses/validate", json={})
    assert "authorization" not in behind.asked[0][2]


@pytest.mark.parametrize("value", ["Bearer nicobar_live_x", "bearer nicobar_live_x", "Bearer  nicobar_live_x"])
async def test_a_key_for_live_mode_is_refused(
    forwarder: Forwarder, behind: Behind, told: list[str], value: str
) -> None:
    answer = await ask(forwarder, "GET", "https://live.dodopayments.com/products", headers={"authorization": value})
    message = "nicobar run takes test keys only, and this is a key for live mode."
    assert (answer.status_code, answer.json()) == (403, {"code": "NICOBAR_RUN", "message": message})
    assert answer.headers["x-should-retry"] == "false"
    assert behind.asked == []
    assert told == [f"refused a request for live.dodopayments.com: {message}"]
    assert forwarder.counts == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example", "docs.dodopayments.com", "xtest.dodopayments.com"])
async def test_other_names_for_the_port_are_refused(forwarder: Forwarder, behind: Behind, host: str) -> None:
    answer = await ask(forwarder, "GET", f"http://{host}:4711/products", headers={"authorization": "Bearer x"})
    assert answer.status_code == 421
    assert behind.asked == []


async def test_a_path_of_a_link_is_not_told(forwarder: Forwarder, told: list[str]) -> None:
    await ask(forwarder, "GET", f"{CHECKOUT}/AbCdEf12")
    assert told == ["first request: GET test.checkout.dodopayments.com"]


async def test_a_server_that_is_gone_is_told(told: list[str]) -> None:
    gone = Forwarder(RunTarget("http://127.0.0.1:9", KEY, False), told.append, own_links=True)
    answer = await ask(gone, "GET", "https://live.dodopayments.com/products")
    await gone.close()
    assert answer.status_code == 502
    assert answer.json()["message"].startswith("The server at http://127.0.0.1:9 does not answer: ConnectError")


@pytest.mark.parametrize(
    ("host", "checkout"),
    [
        ("test.dodopayments.com", CHECKOUT),
        ("live.dodopayments.com", "https://checkout.dodopayments.com"),
        ("test.checkout.dodopayments.com", CHECKOUT),
        ("checkout.dodopayments.com", "https://checkout.dodopayments.com"),
    ],
)
async def test_beside_a_browser_links_lead_to_the_checkout_host(behind: Behind, host: str, checkout: str) -> None:
    forwarder = Forwarder(RunTarget(behind.url, KEY, False), lambda _: None, own_links=False)
    answer = await ask(forwarder, "GET", f"https://{host}/payments", headers={"accept-encoding": "gzip"})
    assert answer.json() == {"payment_link": f"{checkout}/AbCdEf12", "other": "http://127.0.0.1:1/x"}
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "accept-encoding" not in behind.asked[0][2]
    behind.answer = Response(status_code=303, headers={"location": f"{behind.url}/AbCdEf12"})
    answer = await ask(forwarder, "POST", f"https://{host}/AbCdEf12")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{checkout}/AbCdEf12")
    picture = behind.url.encode()
    behind.answer = Response(picture, media_type="image/png")
    assert (await ask(forwarder, "GET", f"https://{host}/images/a")).content == picture
    behind.answer = PlainTextResponse(status_code=204)
    assert (await ask(forwarder, "DELETE", f"https://{host}/discounts/a")).status_code == 204
    await forwarder.close()
