"""What many tests lean on does what it says: a website that closes, and the length of a run."""

import asyncio
import socket
from urllib.parse import urlsplit

import pytest

import proof
from fake_site import TURNS_TO_ACCEPT, fake_site


def _connected(url: str) -> socket.socket:
    return socket.create_connection((urlsplit(url).hostname, urlsplit(url).port or 0), timeout=10)


@pytest.mark.parametrize("turns", range(TURNS_TO_ACCEPT + 1))
async def test_a_site_that_closes_ends_every_connection(turns: int) -> None:
    """However far the loop has come with accepting it. A socket that is only forgotten is a warning, so an error."""
    async with fake_site(b"body") as site:
        client = _connected(site.url)
        for _ in range(turns):
            await asyncio.sleep(0)
    with client:
        try:
            received = client.recv(1)
        except ConnectionResetError:
            received = b""
    assert received == b""
    assert site.asked == []


async def test_a_site_answers_what_it_is_told_to() -> None:
    async with fake_site(b"body", status=418) as site:
        reader, writer = await asyncio.open_connection(urlsplit(site.url).hostname, urlsplit(site.url).port)
        writer.write(b"GET /a?b=c HTTP/1.1\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 418 Prepared\r\n"
        assert await reader.read() == b"content-length: 4\r\n\r\nbody"
        writer.close()
        await writer.wait_closed()
    assert site.asked == ["/a?b=c"]


@pytest.mark.parametrize(("full", "tenth"), [(10_000, 1000), (350, 35), (6, 1), (101, 11)])
def test_a_run_is_a_tenth_of_a_proof_and_never_nothing(monkeypatch: pytest.MonkeyPatch, full: int, tenth: int) -> None:
    monkeypatch.setattr(proof, "PROVING", False)
    assert proof.length(full) == tenth
    monkeypatch.setattr(proof, "PROVING", True)
    assert proof.length(full) == full
