"""A shop in Python that knows only the hosted service. Prints one JSON object: how each way of asking it went."""

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

early = [name for name in ("anyio", "httpx", "httpcore", "requests", "aiohttp", "uvloop") if name in sys.modules]

import aiohttp  # noqa: E402
import httpx  # noqa: E402
import requests  # noqa: E402
import uvloop  # noqa: E402
from dodopayments import AsyncDodoPayments, DodoPayments  # noqa: E402

PROXY, OWN_PORT = sys.argv[1], int(sys.argv[2])
LIVE, TEST = "https://live.dodopayments.com/products", "https://test.dodopayments.com/products"
HEADERS = {"Authorization": "Bearer key_of_the_hosted_service"}
CHILD = "import urllib.request as u; print(u.urlopen('https://live.dodopayments.com/health').status)"


def with_urllib(address: str) -> int:
    with urllib.request.urlopen(urllib.request.Request(address, headers=HEADERS)) as answer:  # noqa: S310
        return int(answer.status)


def with_http_client(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/health")
    status = connection.getresponse().status
    connection.close()
    return status


def bare(host: str) -> int:
    """Connect to a name without looking it up."""
    with socket.socket() as plain:
        plain.connect((host, 443))
        with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as safe:
            safe.sendall(b"GET /health HTTP/1.1\r\nHost: " + host.encode() + b"\r\nConnection: close\r\n\r\n")
            return int(safe.recv(12)[9:])


def child(**options: Any) -> int:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, **options)
    return int(done.stdout)


def by_number() -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", OWN_PORT)) as plain:
        context.wrap_socket(plain, server_hostname="live.dodopayments.com").close()


async def with_httpx() -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(LIVE, headers=HEADERS)).status_code


async def with_aiohttp() -> int:
    async with aiohttp.ClientSession() as session, session.get(TEST, headers=HEADERS) as answer:
        return answer.status


async def with_streams() -> int:
    reader, writer = await asyncio.open_connection("live.dodopayments.com", 443, ssl=True)
    writer.write(b"GET /health HTTP/1.1\r\nHost: live.dodopayments.com\r\nConnection: close\r\n\r\n")
    status = int((await reader.read())[9:12])
    writer.close()
    await writer.wait_closed()
    return status


async def with_sdk() -> int:
    async with AsyncDodoPayments(environment="live_mode") as client:
        return len((await client.products.list()).items)


def on_uvloop(way: Callable[[], Awaitable[int]]) -> Callable[[], int]:
    return lambda: uvloop.run(_awaited(way))


async def _awaited(way: Callable[[], Awaitable[int]]) -> int:
    return await way()


def products(**options: Any) -> int:
    with DodoPayments(**options) as client:
        return len(client.products.list().items)


WAYS: dict[str, Callable[[], Any]] = {
    "urllib": lambda: with_urllib(LIVE),
    "http.client": lambda: with_http_client(http.client.HTTPSConnection("test.dodopayments.com")),
    "http.client without TLS": lambda: with_http_client(http.client.HTTPConnection("live.dodopayments.com")),
    "requests": lambda: requests.get(TEST, headers=HEADERS, timeout=20).status_code,
    "requests unverified": lambda: requests.get(LIVE, headers=HEADERS, timeout=20, verify=False).status_code,  # noqa: S501
    "httpx": lambda: httpx.get(LIVE, headers=HEADERS).status_code,
    "httpx unverified": lambda: httpx.get(TEST, headers=HEADERS, verify=False).status_code,  # noqa: S501
    "httpx async": lambda: asyncio.run(with_httpx()),
    "httpx on uvloop": on_uvloop(with_httpx),
    "aiohttp": lambda: asyncio.run(with_aiohttp()),
    "aiohttp on uvloop": on_uvloop(with_aiohttp),
    "asyncio": lambda: asyncio.run(with_streams()),
    "uvloop": on_uvloop(with_streams),
    "a bare socket": lambda: bare("Live.DodoPayments.com"),
    "SDK in live mode": lambda: products(environment="live_mode"),
    "SDK in test mode": lambda: products(environment="test_mode", bearer_token="x"),
    "SDK as it is": products,
    "SDK with an address": lambda: products(base_url="https://live.dodopayments.com"),
    "SDK async": lambda: asyncio.run(with_sdk()),
    "checkout page": lambda: requests.get("https://test.checkout.dodopayments.com/health", timeout=20).status_code,
    "child": child,
    "child with an environment": lambda: child(env={}),
    "address of this process": lambda: os.environ["DODO_PAYMENTS_BASE_URL"],
    "key for live mode": lambda: httpx.get(LIVE, headers={"Authorization": "Bearer nicobar_live_abc"}).status_code,
    "another host": lambda: requests.get("https://docs.dodopayments.com/", timeout=20),
    "another domain": lambda: httpx.get("https://wsserver.dodopayments.tech/"),
    "look-up": lambda: socket.gethostbyname("live.dodopayments.com"),
    "look-up below socket": lambda: __import__("_socket").getaddrinfo("test.dodopayments.com", 443),
    "TLS by number": by_number,
    "a proxy of its own": lambda: requests.get(LIVE, proxies={"https": PROXY}, verify=False, timeout=20),  # noqa: S501
    "another proxy of its own": lambda: httpx.get(LIVE, proxy=PROXY, verify=False),  # noqa: S501
}


def tried(way: Callable[[], Any]) -> Any:
    try:
        result = way()
    except Exception as error:  # noqa: BLE001 - every library has errors of its own
        text = f"{error!r} {error.__cause__!r}"
        return "refused" if "nicobar run: refused" in text else f"failed: {type(error).__name__}"
    return result if isinstance(result, int) or "http" in str(result)[:4] else "IT LEFT"


sys.stdout.write(json.dumps({"early": early} | {name: tried(way) for name, way in WAYS.items()}))
