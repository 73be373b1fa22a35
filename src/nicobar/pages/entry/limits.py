"""How often the pages let somebody try: for each link card attempts and guessed codes, for each address failed attempts
and unknown links.

The counts live in the memory of one process. They are a brake and not a wall: a server of several processes allows that
much in each of them, and a restart forgets. What must never happen twice is held by the database instead.
"""

from collections import OrderedDict
from datetime import timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from math import ceil
from typing import Final

from starlette.requests import Request

from nicobar.core.problems import Problem

REMEMBERED: Final = 10_000
"""Links or addresses that one allowance remembers; beyond that, the one that tried longest ago is forgotten."""

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that count as one client: a connection is handed this much, and may use all of it."""


class Allowance:
    """So many tries in a period for each key, refilled evenly: a token bucket.

    What is remembered of a key is the moment at which its bucket is full again; a full one needs no memory. Moments are
    those of `Clock.elapsed`.
    """

    def __init__(self, tries: int, period: timedelta, remembered: int = REMEMBERED) -> None:
        self._period = period
        self._interval = period / tries
        self._remembered = remembered
        self._full_at: OrderedDict[str, timedelta] = OrderedDict()

    def wait(self, key: str, now: timedelta) -> int:
        """Return the seconds until the key has a try left, rounded up; 0 when it has one now."""
        full_at = self._full_at.get(key)
        if full_at is None:
            return 0
        return max(0, ceil((full_at - now - self._period + self._interval).total_seconds()))

    def spend(self, key: str, now: timedelta) -> None:
        """Take one try of the key, whether it has one left or not."""
        full_at = max(self._full_at.get(key, now), now) + self._interval
        self._full_at[key] = min(full_at, now + self._period)
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)

    def give_back(self, key: str) -> None:
        """Undo one `spend` of the key."""
        if key in self._full_at:
            self._full_at[key] -= self._interval

    def check(self, key: str, now: timedelta) -> None:
        """Raise Problem TOO_MANY_REQUESTS when the key has no try left."""
        seconds = self.wait(key, now)
        if seconds:
            raise Problem("TOO_MANY_REQUESTS", seconds=seconds, retry_after=seconds)


class PageLimits:
    """The allowances of one server process."""

    def __init__(self) -> None:
        self.attempts = Allowance(10, timedelta(hours=1))
        """Tries to pay, by link: enough for a customer who is looking for the right card, and few for a thief who
        tries out stolen ones."""
        self.failures = Allowance(60, timedelta(hours=1))
        """Tries to pay that failed, by the client's address: a thief could try out each stolen card on a link of its
        own. It is more than the customers behind one address of an office or a village fail."""
        self.guesses = Allowance(20, timedelta(hours=1))
        """Discount codes and tax ids that were refused, by link: codes are short enough to be guessed, and a tax id may
        cost a question to a register."""
        self.fields = Allowance(60, timedelta(minutes=10))
        """Looks at the page with a processor's own fields, by link: each is a question to the processor."""
        self.simulated_charges = Allowance(200, timedelta(hours=1))
        """Presses of the test panel, by link: more than anybody needs who tries things out, and too few for a stranger
        with a test link to fill a disk."""
        self.unknown_links = Allowance(30, timedelta(minutes=1))
        """Links that do not exist, by the client's address; one that exists opens whatever else was asked for."""


def client_address(request: Request) -> str:
    """Return the address that a request counts for; an IPv6 address stands for its network.

    A proxy in front of the server appends whom it speaks for to `X-Forwarded-For`. The header is believed only when
    the connection comes from this computer or a private network, as a proxy's does, and only its last entry, which
    the client cannot write.
    """
    peer = request.client.host if request.client is not None else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return _network(forwarded) if forwarded and not _is_global(peer) and _network(forwarded) else _network(peer)


def _is_global(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False


def _network(address: str) -> str:
    """Return the address, for IPv6 the network around it; empty when it is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found), IPV6_PREFIX), strict=False))
