"""Sends signed bodies to the receivers of merchants, and keeps what must not be read in the database: secrets, headers.

What a receiver does wrong is an answer of its own, in words for the merchant, and never an error.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final

import msgspec

from nicobar.clock import Clock
from nicobar.core.webhooks.delivery import Answer
from nicobar.core.webhooks.signature import SECRET_BYTES, make_secret
from nicobar.processors.webhooks.http_post import Connection, Response, Target, connect, request_head, words_for
from nicobar.processors.webhooks.receiver_address import DeliveryError
from nicobar.vault import NONCE_BYTES, Vault

ANSWER_SECONDS: Final = 15.0
"""How long connecting and reading may take together (contract, "Delivery")."""

KEPT_BYTES: Final = 1024
"""Bytes of an answer that the log keeps."""

IDLE_CONNECTIONS: Final = 20
"""Connections to one receiver that are kept for what comes next."""

CONNECTION_SECONDS: Final = 30.0
"""How long a connection is used: then its host is looked up, and judged, again."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Webhooks:
    """The way to all receivers of a process: its open connections and its vault."""

    def __init__(self, vault: Vault, clock: Clock, *, allow_private: bool) -> None:
        self._vault, self._clock = vault, clock
        self.allow_private = allow_private
        """Whether receivers in private networks are allowed; the operator decides."""
        self._idle: dict[tuple[str, int, bool], list[Connection]] = defaultdict(list)
        self._tidied = 0.0
        self._agent = f"Nicobar/{version('nicobar')}"

    def for_own_network(self) -> "Webhooks":
        """Return another way with connections of its own, for what a developer has forwarded to any address."""
        return Webhooks(self._vault, self._clock, allow_private=True)

    def new_secret(self) -> str:
        """Return a fresh secret."""
        return make_secret(self._clock.random_bytes(SECRET_BYTES))

    def seal(self, place: str, text: str) -> bytes:
        """Return a secret encrypted for the place of its endpoint. Raises VaultError."""
        nonce = self._clock.random_bytes(NONCE_BYTES)
        return self._vault.seal(text.encode(), place, nonce)

    def open(self, place: str, sealed: bytes) -> str:
        """Return a secret of the endpoint of this place. Raises VaultError."""
        return self._vault.open(sealed, place).decode()

    def seal_headers(self, place: str, headers: Mapping[str, str]) -> bytes | None:
        """Return headers encrypted for their endpoint; None for none. Raises VaultError."""
        if not headers:
            return None
        return self.seal(place, msgspec.json.encode(headers).decode())

    def open_headers(self, place: str, sealed: bytes | None) -> dict[str, str]:
        """Return the headers of an endpoint. Raises VaultError."""
        if sealed is None:
            return {}
        return msgspec.json.decode(self.open(place, sealed), type=dict[str, str])

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a body and return what came of it within `ANSWER_SECONDS`."""
        began = self._clock.elapsed()
        target = Target(url)
        head = request_head(target, {"user-agent": self._agent, **headers}, len(body))
        response, failure = None, None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._exchange(target, head, body)
        except TimeoutError:
            failure = f"No complete answer within {ANSWER_SECONDS:.0f} seconds."
        except DeliveryError as error:
            failure = str(error)
        except EOFError:
            failure = "The receiver hung up without an answer."
        except OSError as error:
            failure = f"The connection broke: {words_for(error)}."
        milliseconds = max(0, (self._clock.elapsed() - began) // timedelta(milliseconds=1))
        if response is None or response.status is None:
            return Answer(None, "", milliseconds, failure)
        wish = _retry_after(response, self._clock.now())
        return Answer(response.status, _kept(response.body), milliseconds, _judgement(response.status), wish)

    async def _exchange(self, target: Target, head: bytes, body: bytes) -> Response:
        """Send on a connection that is there, or on a new one. One that was closed meanwhile is replaced once."""
        self._tidy()
        idle = self._idle[target.key]
        while idle:
            connection = idle.pop()
            if connection.is_open and self._age(connection) < CONNECTION_SECONDS:
                try:
                    return await self._on(connection, target, head, body)
                except (EOFError, ConnectionError):
                    break  # closed by the receiver, who has not read it, or reads it twice and knows its id
            connection.close()
        opened = self._clock.elapsed().total_seconds()
        return await self._on(await connect(target, opened, allow_private=self.allow_private), target, head, body)

    async def _on(self, connection: Connection, target: Target, head: bytes, body: bytes) -> Response:
        try:
            return await connection.post(head, body)
        finally:
            idle = self._idle[target.key]
            if connection.kept and len(idle) < IDLE_CONNECTIONS and self._age(connection) < CONNECTION_SECONDS:
                idle.append(connection)
            else:
                connection.close()
                if not idle:
                    self._idle.pop(target.key, None)

    def _age(self, connection: Connection) -> float:
        return self._clock.elapsed().total_seconds() - connection.opened

    def _tidy(self) -> None:
        """Close what was kept for too long, from time to time."""
        now = self._clock.elapsed().total_seconds()
        if now - self._tidied < CONNECTION_SECONDS:
            return
        self._tidied = now
        for key, idle in list(self._idle.items()):
            for connection in [one for one in idle if self._age(one) >= CONNECTION_SECONDS or not one.is_open]:
                idle.remove(connection)
                connection.close()
            if not idle:
                del self._idle[key]

    def close(self) -> None:
        """Close every connection."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()


def _judgement(status: int) -> str | None:
    """Return why an answer counts as failed; None for a success."""
    if 200 <= status < 300:
        return None
    if status in _REDIRECTS:
        return f"It answered {status}, a redirect, which is not followed. Give the address that it leads to."
    return f"It answered {status} instead of 2xx."


def _kept(body: bytearray) -> str:
    """Return the beginning of an answer as text; what is none is replaced, sign by sign."""
    return bytes(body[:KEPT_BYTES]).decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _retry_after(response: Response, now: datetime) -> timedelta | None:
    """Return the pause that the answer asks for, in seconds or as a date (RFC 9110); None when it asks for none."""
    text = response.headers.get(b"retry-after", b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now, timedelta(0))
