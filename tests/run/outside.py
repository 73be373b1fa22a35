"""What a redirected program must not reach: a proxy that leads to a host of the hosted service, played by us."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pages.browsing import make_certificate

_HANDSHAKE = b"\x16"
"""The first byte of TLS: the vendor's host is asked without the proxy."""


class Outside(NamedTuple):
    """A proxy and what came to it; `asked` are the bytes that a client has sent to the vendor through it."""

    proxy: str
    called: list[bytes]
    asked: list[bytes]


@contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    """Let a proxy listen that plays the vendor's host itself, with a certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(folder, "live.dodopayments.com"))
    listener = socket.create_server(("127.0.0.1", 0))
    found = Outside(f"http://127.0.0.1:{listener.getsockname()[1]}", [], [])
    thread = threading.Thread(target=_serve, args=(listener, context, found), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _serve(listener: socket.socket, context: ssl.SSLContext, found: Outside) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, suppress(OSError):
            client.settimeout(10)
            if client.recv(1, socket.MSG_PEEK) != _HANDSHAKE:
                found.called.append(client.recv(65536).partition(b"\r\n")[0])
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            with context.wrap_socket(client, server_side=True) as safe:
                found.asked.append(safe.recv(65536))
