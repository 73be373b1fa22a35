"""How many connections the process has, and how long and how much each may hold.

Room is never refused to a newcomer as long as somebody only waits: whoever has waited longest then goes. An honest
client is served in milliseconds, so that is a client that idles, or one that means to hold the place.
"""

import asyncio
from collections import Counter
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, Protocol

import structlog

from nicobar.program.http.http_turns import ReadingTurns

MAXIMUM_CONNECTIONS: Final = 2048
"""Connections of a process. One that is open costs tens of kilobytes, one that is stuck up to the bounds of each."""

MAXIMUM_PER_ADDRESS: Final = 512
"""Connections from one public address, or one IPv6 network of 64 bits. The official SDKs keep at most 100 idle ones.

Addresses of this computer and of private networks are a proxy's, which speaks for everybody: for them only the bound of
the process holds. A proxy with a public address has 512 at a time, and its idle connections make room for new ones.
"""

MAXIMUM_HELD: Final = 32 * 1024 * 1024
"""Bytes of requests that are being sent or served and of answers that are not taken, in all connections together."""

_SWEEP_SECONDS: Final = 1.0
_IPV6_PREFIX: Final = 64

_log = structlog.get_logger(__name__)


class ClientConnection(Protocol):
    """What is counted and ended here."""

    loop: asyncio.AbstractEventLoop
    held: int
    """Bytes that it keeps in memory."""
    deadline: float
    """When the request has to be complete, by the loop's clock."""
    write_deadline: float
    """When the client has to have taken more of its answer, by the loop's clock."""

    @property
    def address(self) -> str:
        """The address at the other end, a client's or a proxy's; empty when there is none."""

    waiting_since: float
    """Since when its client has been waited for, by the loop's clock."""

    @property
    def is_waiting(self) -> bool:
        """Whether its client is waited for."""

    def end(self) -> None:
        """Close it at once."""


class Connections:
    """The open connections of one server process."""

    def __init__(
        self,
        maximum: int = MAXIMUM_CONNECTIONS,
        per_address: int = MAXIMUM_PER_ADDRESS,
        maximum_held: int = MAXIMUM_HELD,
    ) -> None:
        self._maximum = maximum
        self._per_address = per_address
        self._maximum_held = maximum_held
        self._open: dict[ClientConnection, str] = {}
        """Each with the address it counts for; empty for one that does not count."""
        self._by_address: Counter[str] = Counter()
        self._held = 0
        self._ended_for_room = 0
        """Since the last sweep, which tells the log: a line for each would be a flood of its own."""
        self._sweeping: asyncio.TimerHandle | None = None
        self.turns = ReadingTurns()
        """Who of them is read next."""

    def admit(self, connection: ClientConnection) -> None:
        """Take a new connection in, at the cost of one that waits when there are too many, or else at its own."""
        address = counted_address(connection.address)
        if address and self._by_address[address] >= self._per_address:
            self._make_room(connection, address)
        elif len(self._open) >= self._maximum:
            self._make_room(connection, "")
        self._open[connection] = address
        self._by_address[address] += 1
        if self._sweeping is None:
            self._sweeping = connection.loop.call_later(_SWEEP_SECONDS, self._sweep, connection.loop)

    def release(self, connection: ClientConnection) -> None:
        """Forget a connection."""
        self.give_back(connection)
        address = self._open.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if self._by_address[address] <= 0:
                del self._by_address[address]

    def hold(self, connection: ClientConnection, size: int) -> None:
        """Count bytes of a request or an answer. Beyond the bound, whoever has been waited for longest ends."""
        connection.held += size
        self._held += size
        if self._held > self._maximum_held:
            self._make_room(connection, "", holding=True)

    def give_back(self, connection: ClientConnection) -> None:
        """Count its bytes no more."""
        self._held -= connection.held
        connection.held = 0

    def _make_room(self, newcomer: ClientConnection, address: str, *, holding: bool = False) -> None:
        waiting = [
            other
            for other, counted in self._open.items()
            if other.is_waiting and (not address or counted == address) and (not holding or other.held)
        ]
        ended = min(waiting, key=lambda other: other.waiting_since, default=newcomer)
        self._ended_for_room += 1
        self.release(ended)
        ended.end()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what has taken too long."""
        now = loop.time()
        for connection in [each for each in self._open if min(each.deadline, each.write_deadline) <= now]:
            self.release(connection)
            connection.end()
        if self._ended_for_room:
            _log.warning("connections_ended_for_room", count=self._ended_for_room, open=len(self._open))
            self._ended_for_room = 0
        self._sweeping = loop.call_later(_SWEEP_SECONDS, self._sweep, loop) if self._open else None


def counted_address(address: str) -> str:
    """Return what a connection from an address counts for: itself, its IPv6 network, or nothing for a private one."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if not found.is_global:
        return ""
    return str(ip_network((int(found), _IPV6_PREFIX), strict=False)) if isinstance(found, IPv6Address) else str(found)
