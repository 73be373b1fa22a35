"""One POST to a receiver: what counts as an answer, what is refused, and what the merchant is told."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness import VAULT_KEYS, FakeClock
from nicobar.clock import SystemClock
from nicobar.core.webhooks.delivery import Answer
from nicobar.processors.webhooks import http_post
from nicobar.processors.webhooks import webhooks as module
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.vault import Vault
from receiver import Got, answer, receiving

BODY = b'{"type":"payment.succeeded"}'


@pytest.fixture
def webhooks() -> Webhooks:
    return Webhooks(Vault(VAULT_KEYS, None), SystemClock(), allow_private=True)


@pytest.fixture(autouse=True)
async def closed(webhooks: Webhooks) -> AsyncIterator[None]:
    yield
    webhooks.close()


async def post(webhooks: Webhooks, url: str) -> Answer:
    return await webhooks.post(url, {"webhook-id": "msg_1"}, BODY)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_2xx_is_a_success(webhooks: Webhooks, status: int) -> None:
    content = b"" if status == 204 else b"thanks"
    async with receiving(answer(status, content)) as receiver:
        told = await post(webhooks, receiver.url)
    assert (told.status, told.content, told.failure) == (status, content.decode(), None)
    assert receiver.got[0].body == BODY


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (301, "It answered 301, a redirect, which is not followed. Give the address that it leads to."),
        (307, "It answered 307, a redirect, which is not followed. Give the address that it leads to."),
        (304, "It answered 304 instead of 2xx."),
        (401, "It answered 401 instead of 2xx."),
        (500, "It answered 500 instead of 2xx."),
    ],
)
async def test_every_other_status_is_a_failure_and_no_redirect_is_followed(
    webhooks: Webhooks, status: int, reason: str
) -> None:
    async with receiving() as elsewhere:
        content = b"" if status == 304 else b"no"
        async with receiving(answer(status, content, f"location: {elsewhere.url}")) as receiver:
            told = await post(webhooks, receiver.url)
    assert (told.status, told.content, told.failure) == (status, content.decode(), reason)
    assert (len(receiver.got), len(elsewhere.got)) == (1, 0)


async def test_an_answer_is_read_to_16_kib_and_kept_to_1(webhooks: Webhooks) -> None:
    async with receiving(answer(200, b"x" * 50_000_000)) as receiver:
        told = await post(webhooks, receiver.url)
        again = await post(webhooks, receiver.url)
    assert (told.status, told.failure, told.content) == (200, None, "x" * 1024)
    assert (again.status, again.content) == (told.status, told.content)
    assert receiver.connections == 2  # what was not read to its end is not used again


async def test_what_is_no_text_is_kept_without_harm(webhooks: Webhooks) -> None:
    async with receiving(answer(200, b"\xff\x00a" + "é".encode() * 600)) as receiver:
        told = await post(webhooks, receiver.url)
    assert told.content.startswith("\ufffd\ufffdaé")
    assert "\x00" not in told.content


@pytest.mark.parametrize(
    ("raw", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, None),
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200, None),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, None),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, None),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n",
            500,
            "It answered 500 instead of 2xx.",
        ),
        (b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok", 204, None),
        (b"SSH-2.0-OpenSSH\r\n", None, "HTTP: the answer cannot be read."),
        (b"\x16\x03\x01", None, "HTTP: the answer cannot be read."),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000, None, "HTTP: the head of the answer is too long."),
        (b"HTTP/1.1 200 OK\r\ncontent-", None, "HTTP: the connection was closed in the middle of the answer."),
        (b"HTTP/1.1 2", None, "HTTP: the connection was closed in the middle of the answer."),
    ],
)
async def test_answers_of_all_sorts(webhooks: Webhooks, raw: bytes, status: int | None, reason: str | None) -> None:
    async def once(_got: Got) -> bytes:
        return raw

    async with receiving(by=once) as receiver:
        receiver.closes = True
        told = await post(webhooks, receiver.url)
    assert (told.status, told.failure) == (status, reason)


async def test_a_receiver_that_hangs_up_or_is_not_there(webhooks: Webhooks) -> None:
    async def hang_up(_got: Got) -> None:
        return None

    async with receiving(by=hang_up) as receiver:
        told = await post(webhooks, receiver.url)
        assert (told.status, told.failure) == (None, "The receiver hung up without an answer.")
        assert len(receiver.got) == 1
    told = await post(webhooks, receiver.url)
    assert (told.status, told.failure) == (None, "Connecting failed: connection refused.")


async def test_a_receiver_that_never_answers(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)

    async def never(_got: Got) -> bytes:
        await asyncio.sleep(60)
        raise AssertionError

    async with receiving(by=never) as receiver:
        told = await post(webhooks, receiver.url)
    assert (told.status, told.failure) == (None, "No complete answer within 0 seconds.")
    assert told.duration_ms >= 200


async def test_a_receiver_that_drips_gets_no_more_time(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx: ")
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    try:
        told = await post(webhooks, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    finally:
        server.close()
    assert told.status is None
    assert told.failure == "No complete answer within 0 seconds."


async def test_a_connection_is_used_again_and_replaced_when_it_was_closed(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        for _ in range(3):
            assert (await post(webhooks, receiver.url)).failure is None
        assert receiver.connections == 1
        receiver.answers = [answer(200, b"ok", "connection: close")]
        await post(webhooks, receiver.url)
        receiver.answers = [answer()]
        await post(webhooks, receiver.url)
        assert receiver.connections == 2
        monkeypatch.setattr(module, "CONNECTION_SECONDS", 0.0)
        await post(webhooks, receiver.url)
        assert receiver.connections == 3
    assert len(receiver.got) == 6


async def test_a_connection_that_the_receiver_closed_costs_no_try(webhooks: Webhooks) -> None:
    """It is closed at the very moment at which the next request is on its way."""
    first = True

    async def then_hang_up(_got: Got) -> bytes | None:
        nonlocal first
        if first:
            first = False
            return answer()
        first = True
        return None

    async with receiving(by=then_hang_up) as receiver:
        assert (await post(webhooks, receiver.url)).failure is None
        told = await post(webhooks, receiver.url)
    assert told.failure is None
    assert len(receiver.got) == 3


@pytest.mark.parametrize(
    "addresses", [["10.1.2.3"], ["::ffff:169.254.169.254"], ["93.184.216.34", "127.0.0.1"], ["64:ff9b::7f00:1"]]
)
async def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks = Webhooks(Vault(VAULT_KEYS, None), SystemClock(), allow_private=False)
    _resolving(monkeypatch, addresses)
    opened = _connecting(monkeypatch)
    told = await post(webhooks, "https://hooks.shop.example/x")
    assert told.failure == "The host hooks.shop.example leads into a private network, which is not allowed."
    assert opened == []


async def test_what_was_looked_up_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, so that a second look-up cannot answer something else; the name is kept for TLS and Host."""
    webhooks = Webhooks(Vault(VAULT_KEYS, None), SystemClock(), allow_private=False)
    _resolving(monkeypatch, ["93.184.216.34", "93.184.216.35"])
    opened = _connecting(monkeypatch)
    told = await post(webhooks, "https://hooks.shop.example./x")
    assert told.failure == "Connecting failed: network is unreachable."
    assert opened == [
        ("93.184.216.34", 443, "hooks.shop.example"),
        ("93.184.216.35", 443, "hooks.shop.example"),
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
async def test_every_spelling_of_this_computer_is_refused(host: str) -> None:
    webhooks = Webhooks(Vault(VAULT_KEYS, None), SystemClock(), allow_private=False)
    async with receiving() as receiver:
        told = await post(webhooks, f"http://{host}:{receiver.port}/")
    assert told.failure is not None
    assert told.failure.endswith("leads into a private network, which is not allowed.") or "DNS" in told.failure
    assert receiver.connections == 0


async def test_a_host_that_does_not_exist(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_arguments: Any, **_named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail, raising=False)
    told = await post(webhooks, "https://nowhere.example/")
    assert (told.status, told.failure) == (None, "DNS: the host nowhere.example is not found.")


async def test_proxies_of_the_environment_are_ignored(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with receiving() as receiver:
        assert (await post(webhooks, receiver.url)).failure is None


async def test_retry_after_in_seconds_and_as_a_date(webhooks: Webhooks) -> None:
    clock = FakeClock("x")
    webhooks = Webhooks(Vault(VAULT_KEYS, None), clock, allow_private=True)
    for text, wish in (
        ("120", timedelta(seconds=120)),
        ("Sat, 14 Mar 2026 15:10:26 GMT", timedelta(seconds=59, microseconds=464103)),
        ("Sat, 14 Mar 2020 15:10:26 GMT", timedelta(0)),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("9" * 400, timedelta(seconds=999999999)),
    ):
        async with receiving(answer(503, b"", f"retry-after: {text}")) as receiver:
            assert (await post(webhooks, receiver.url)).retry_after == wish, text
            webhooks.close()


async def test_certificates_are_verified(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server_side = _certificate(tmp_path)
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    try:
        told = await post(webhooks, f"https://localhost:{port}/")
        assert told.failure is not None
        assert told.failure.startswith("TLS: the certificate is not accepted: ")
        assert heard == []
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        monkeypatch.setattr(http_post, "_trust", lambda: trusting)
        assert (await post(webhooks, f"https://localhost:{port}/a?b=c")).failure is None
        assert heard[0].startswith(f"POST /a?b=c HTTP/1.1\r\nhost: localhost:{port}\r\n".encode())
        told = await post(webhooks, f"https://127.0.0.1:{port}/")
        assert told.failure is not None
        assert "IP address mismatch" in told.failure
        told = await post(webhooks, f"http://localhost:{port}/")
        assert told.failure is not None
    finally:
        server.close()


def _certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for localhost that signs itself, and return the server's side of it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def _resolving(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    async def found(_host: str, port: int, **_named: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found, raising=False)


def _connecting(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    opened: list[tuple[str, int, str]] = []

    async def refuse(host: str, port: int, *, server_hostname: str, **_named: Any) -> Any:
        opened.append((host, port, server_hostname))
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(asyncio, "open_connection", refuse)
    return opened
