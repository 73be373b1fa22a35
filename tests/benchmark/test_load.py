"""The benchmark's client measures what it says: each turn once, from its intended start, and refusals are told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bench.load import Job, Load, open_pages

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Answering:
    """A server that keeps what it was asked and answers after a while."""

    def __init__(self, seconds: float, *answers: bytes) -> None:
        self.seconds, self.answers = seconds, answers
        self.asked: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length or 0))
                self.asked.append(head + body)
                await asyncio.sleep(self.seconds)
                writer.write(self.answers[(len(self.asked) - 1) % len(self.answers)])
        except asyncio.IncompleteReadError:
            writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        async with await asyncio.start_server(self, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]


async def test_a_closed_load_counts_each_answer_once() -> None:
    server = Answering(0.01, OK)
    async with server.serving() as port:
        figures = await Load(Job(port, ["GET /a HTTP/1.1\r\n\r\n", "GET /b HTTP/1.1\r\n\r\n"], 3, 0.2)).run()
    assert figures.count == len(server.asked) >= 3
    assert figures.refused == ""
    assert {one[:6] for one in server.asked} == {b"GET /a", b"GET /b"}
    assert figures.p99_ms >= figures.p50_ms >= 10


async def test_an_open_load_counts_from_the_intended_start() -> None:
    """Ten turns in a tenth of a second, for a server that takes 50 ms for each and has one connection."""
    server = Answering(0.05, OK)
    async with server.serving() as port:
        figures = await Load(Job(port, ["GET /a HTTP/1.1\r\n\r\n"], 1, 0.1, rate=100)).run()
    assert figures.count == len(server.asked) == 10
    assert figures.p99_ms >= 10 * 50 - 90  # the last one came after 90 ms and waited for nine others
    assert figures.p50_ms >= 6 * 50 - 50


async def test_a_purchase_follows_the_link_and_sends_the_form() -> None:
    created = b'{"payment_link":"http://127.0.0.1:1/Ab3","payment_id":"pay_1"}'
    page = b'<input type="hidden" name="token" value="17.abc">'
    answers = [b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body) for body in (created, page)]
    server = Answering(0.0, *answers, b"HTTP/1.1 303 See Other\r\ncontent-length: 0\r\n\r\n")
    async with server.serving() as port:
        figures = await Load(Job(port, ["POST /payments HTTP/1.1\r\n\r\n"], 1, 0.05, buys=True)).run()
    assert len(server.asked) == 3 * figures.count
    assert server.asked[1].startswith(b"GET /Ab3 HTTP/1.1\r\n")
    assert server.asked[2].startswith(b"POST /Ab3 HTTP/1.1\r\n")
    assert b"number=4242424242424242" in server.asked[2] and b"token=17.abc" in server.asked[2]


async def test_pages_are_opened_ahead_and_each_form_is_sent_once() -> None:
    """Each turn creates a payment and pays another one; the load ends with the forms, long before its seconds."""
    created = b'{"payment_link":"http://127.0.0.1:1/Ab3","payment_id":"pay_1"}'
    page = b'<input type="hidden" name="token" value="17.abc">'
    answers = [b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body) for body in (created, page)]
    server = Answering(0.0, *answers)
    request = "POST /payments HTTP/1.1\r\n\r\n"
    async with server.serving() as port:
        forms = await open_pages(port, request, 3, 1)
        opened = len(server.asked)
        server.answers = (answers[0], b"HTTP/1.1 303 See Other\r\ncontent-length: 0\r\n\r\n")
        figures = await Load(Job(port, [request], 1, 60.0, forms=forms)).run()
    assert opened == 6 and len(forms) == figures.count == 3
    assert figures.refused == ""
    paid = [one for one in server.asked[opened:] if one.startswith(b"POST /Ab3 HTTP/1.1\r\n")]
    assert sorted(paid) == sorted(form.encode() for form in forms)
    assert server.asked[opened:].count(request.encode()) == 3


@pytest.mark.parametrize("rate", [0.0, 20.0])
async def test_a_refusal_is_told(rate: float) -> None:
    refusal = json.dumps({"code": "RATE_LIMITED"}).encode()
    server = Answering(0.0, b"HTTP/1.1 429 No\r\ncontent-length: %d\r\n\r\n%b" % (len(refusal), refusal))
    async with server.serving() as port:
        figures = await Load(Job(port, ["GET /a HTTP/1.1\r\n\r\n"], 1, 0.1, rate=rate)).run()
    assert figures.refused.startswith("HTTP/1.1 429 No")
    assert figures.refused.endswith('{"code": "RATE_LIMITED"}')
