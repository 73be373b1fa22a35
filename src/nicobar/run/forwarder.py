"""Where requests for the vendor's hosts arrive: two ports on the loopback, with and without TLS, in front of a server.

The hooks and the browser only lead connections here. What is allowed is decided in this one place: hosts, keys, and
which links an answer shows.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple

import httpx
import uvicorn
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from nicobar.run.certificate import Certificate
from nicobar.run.target import LIVE_KEY, TEST_KEY, RunTarget
from nicobar.run.vendor_hosts import CHECKOUT_OF, REDIRECTED

_OF_THE_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)
"""Headers that are about one connection and not about the request (RFC 9110, section 7.6.1)."""

_SECONDS: Final = 120
"""How long the server may take for an answer; clients give up before."""

_TEXTS: Final = ("application/json", "text/html")

Headers = list[tuple[bytes, bytes]]


class Ports(NamedTuple):
    """Where a forwarder listens on 127.0.0.1."""

    tls: int
    plain: int


class Forwarder:
    """The ASGI application that hands requests on to a target, and counts them by the host that they were meant for.

    A key that is none of Nicobar's is replaced by the target's test key, and one for live mode is refused. `say` is
    told of the first request for each host and of everything that is refused. With `own_links` links in answers keep
    the address of the server; without, they lead to the vendor's checkout host, as the overlay script demands.
    """

    def __init__(self, target: RunTarget, say: Callable[[str], object], *, own_links: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._target = target
        self._say = say
        self._own_links = own_links
        self._client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)
        self._client.headers.clear()  # a request has the headers of its client and no others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on, and its answer back."""
        request = Request(scope, receive)
        await (await self._answer(request))(scope, receive, send)

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._client.aclose()

    async def _answer(self, request: Request) -> Response:
        host = request.headers.get("host", "").partition(":")[0].lower().rstrip(".")
        if host not in REDIRECTED:  # a website in some browser may ask a port of this computer under any name
            return self._refuse(421, f"This port stands for {', '.join(REDIRECTED)} and nothing else.", host)
        if _key_in(request.headers.get("authorization", "")).startswith(LIVE_KEY):
            return self._refuse(403, "nicobar run takes test keys only, and this is a key for live mode.", host)
        if not self.counts[host]:
            what = request.url.path if host in CHECKOUT_OF else ""  # the path of a link is its key
            self._say(f"first request: {request.method} {host}{what}")
        self.counts[host] += 1
        outgoing = self._client.build_request(
            request.method,
            self._target.base_url + _raw_path(request.scope),
            headers=self._headers(request),
            content=request.stream() if _has_body(request) else None,
        )
        try:
            answer = await self._client.send(outgoing, stream=True)
        except httpx.TransportError as error:
            return self._refuse(502, f"The server at {self._target.base_url} does not answer: {error!r}.", host)
        return await self._handed_back(answer, f"https://{CHECKOUT_OF.get(host, host)}")

    def _refuse(self, status: int, message: str, host: str) -> Response:
        self._say(f"refused a request for {host or 'no host'}: {message}")
        return JSONResponse({"code": "NICOBAR_RUN", "message": message}, status, {"x-should-retry": "false"})

    def _headers(self, request: Request) -> Headers:
        dropped = _OF_THE_CONNECTION if self._own_links else _OF_THE_CONNECTION | {b"accept-encoding"}
        headers = [(name, value) for name, value in request.headers.raw if name not in dropped]
        for index, (name, value) in enumerate(headers):
            if name == b"authorization" and not _key_in(value.decode("latin-1")).startswith(TEST_KEY):
                headers[index] = (name, f"Bearer {self._target.api_key}".encode())
        return headers

    async def _handed_back(self, answer: httpx.Response, checkout: str) -> Response:
        headers = [(name.lower(), value) for name, value in answer.headers.raw]
        headers = [(name, value) for name, value in headers if name not in _OF_THE_CONNECTION]
        back: Response
        if self._own_links:
            back = StreamingResponse(answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose))
        else:
            own, theirs = self._target.base_url.encode(), checkout.encode()
            headers = [(name, value.replace(own, theirs)) for name, value in headers if name != b"content-length"]
            content = await answer.aread()
            if answer.headers.get("content-type", "").startswith(_TEXTS):
                content = content.replace(own, theirs)
            back = Response(content, answer.status_code)
            if content:
                headers.append((b"content-length", str(len(content)).encode()))
        back.raw_headers = headers
        return back


def _raw_path(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    path: str = scope["raw_path"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _key_in(authorization: str) -> str:
    return authorization.rpartition(" ")[2]


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


@asynccontextmanager
async def forwarding(forwarder: Forwarder, certificate: Certificate) -> AsyncIterator[Ports]:
    """Let a forwarder listen on two free ports of the loopback while the block runs."""
    servers = [
        _Server(_config(forwarder, ssl_certfile=certificate.certificate, ssl_keyfile=certificate.key)),
        _Server(_config(forwarder)),
    ]
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in servers]
    serving = [
        asyncio.create_task(server.serve([listener])) for server, listener in zip(servers, listening, strict=True)
    ]
    try:
        yield Ports(*(listener.getsockname()[1] for listener in listening))
    finally:
        for server in servers:
            server.should_exit = server.force_exit = True  # clients keep connections open for the next request
        await asyncio.gather(*serving)
        await forwarder.close()
        for listener in listening:
            listener.close()


def _config(forwarder: Forwarder, **tls: object) -> uvicorn.Config:
    return uvicorn.Config(
        forwarder,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # what is refused is said by the forwarder
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # the server behind has written it
        **tls,  # type: ignore[arg-type]
    )


class _Server(uvicorn.Server):
    """uvicorn without its handling of signals, which belong to the command."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
