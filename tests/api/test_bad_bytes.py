"""Bytes that nobody should send get a refusal, and never a 500: in headers, paths, notices and bodies."""

from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from harness import PUBLIC_URL, Merchant
from nicobar.flows.runtime import Runtime
from orders import dump

BAD = [
    b"http://[",
    b"http://]x[",
    b"\xff\xfe",
    b"caf\xe9",
    b"http://[::1",
    b"null\x00",
    b"http://a:b:c",
    b"\xe2\x80\xae",
]


async def ask(app: ASGIApp, method: str, path: str, headers: Any = None, content: bytes | None = None) -> int:
    """Send a request past the client's own checks of it, and return the status."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content or b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw,
        "raw_path": raw.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "headers": [(b"host", b"pay.test"), *(headers or [])],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize("value", BAD)
async def test_in_headers(runtime: Runtime, app: ASGIApp, merchant: Merchant, value: bytes) -> None:
    names = [b"origin", b"authorization", b"idempotency-key", b"x-forwarded-for", b"forwarded", b"sec-fetch-site"]
    names += [
        b"accept",
        b"accept-language",
        b"cookie",
        b"content-type",
        b"x-stainless-retry-count",
        b"referer",
        b"host",
    ]
    before = await dump(runtime)
    for name in names:
        key = [] if name == b"authorization" else [(b"authorization", f"Bearer {merchant.key}".encode())]
        for method, path in (("GET", "/products"), ("POST", "/payments"), ("POST", "/AbCdEf12"), ("GET", "/AbCdEf12")):
            status = await ask(app, method, path, [*key, (name, value)], b"{}")
            assert status < 500, (name, method, path)
    assert await dump(runtime) == before


@pytest.mark.parametrize("text", ["\x00", "caf\u00e9", "[", "]", "%00", "\ufffd", "\u202e", "a" * 5000, "http://["])
async def test_in_paths_and_queries(app: ASGIApp, merchant: Merchant, text: str) -> None:
    key = [(b"authorization", f"Bearer {merchant.key}".encode())]
    paths = ["/products/{}", "/payments/{}", "/discounts/code/{}", "/{}", "/images/{}", "/AbCdEf12?proof={}"]
    paths += ["/processors/{}/notices/bus_x/test", f"/processors/stripe/notices/{merchant.business_id}/{{}}"]
    paths += ["/simulator/challenge/{}", "/payments?status={}", "/products?brand_id={}", "/customers/{}/proof"]
    for path in paths:
        for method in ("GET", "POST", "PATCH"):
            assert await ask(app, method, path.format(text), key, b"{}") < 500, (method, path)


@pytest.mark.parametrize(
    "body", [b"\xff", b"\x00", b'{"id": "\xe9"}', b'{"id": "\\u0000"}', b"[" * 100_000, b'"\xed\xa0\x80"']
)
async def test_in_notices(app: ASGIApp, merchant: Merchant, body: bytes) -> None:
    for processor in ("stripe", "simulator", "nobody"):
        for value in (b"t=1,v1=x", b"\xff", b"t=\xe9,v1=\xe9", b"t=1e999,v1=", b""):
            headers = [(b"stripe-signature", value), (b"simulator-signature", value)]
            path = f"/processors/{processor}/notices/{merchant.business_id}/test"
            assert 400 <= await ask(app, "POST", path, headers, body) < 500, (processor, value)


@pytest.mark.parametrize(
    "url",
    [
        *("feed:https://example.com/", "FEED://example.com", "intent://pay#Intent;scheme=https;end", "view-source:x"),
        *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd"),
        *("blob:https://x", "filesystem:https://x", "about:blank", "ms-settings:x", "mailto:a@example.com", "tel:1"),
        *("search:query=x&crumb=location:%5C%5Cevil", "ms-search:x", "MS-Visio:ofe|u|https://x", "applescript://x?y"),
        *("itms-services://?url=https://x", "Microsoft-Edge:https://x", "livescript:x", " \tjavascript:alert(1)"),
        *("java\tscript:alert(1)", "java\nscript:x", "\x01javascript:x", "javascript\u200b:x", "\uff4aavascript:x"),
        *("https://[", "https://]", "https://[::1", "https://exa[mple.com/", "https://example.com\\@evil.example/"),
        *(
            "https://example.com/\x00",
            "https://example.com/\u0085x",
            "https://example.com/\u202e",
        ),
    ],
)
async def test_what_is_no_return_address(runtime: Runtime, merchant: Merchant, url: str) -> None:
    body = {"billing": {"country": "DE"}, "customer": {"email": "a@example.com"}, "product_cart": [], "return_url": url}
    before = await dump(runtime)
    refused = await merchant.client.post("/payments", content=httpx.Request("POST", PUBLIC_URL, json=body).content)
    assert (refused.status_code, refused.json()["message"].partition(":")[0]) == (422, "return_url"), refused.text
    assert await dump(runtime) == before
