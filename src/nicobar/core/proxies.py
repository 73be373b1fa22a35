"""Who asked, where there are proxies between: read from what trusted ones say, and from nobody else."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import msgspec

MAXIMUM_PROXIES: Final = 16

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that count as one client: a connection is handed this much, and may use all of it."""

_LONGEST: Final = 100
"""Characters of an entry that is no address; longer ones are cut."""

_PORT: Final = re.compile(r":\d{1,5}")
_HIDDEN: Final = re.compile(r"unknown|_[A-Za-z0-9._-]{1,30}")
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_ELEMENTS: Final = re.compile(rf'(?:{_QUOTED}|[^",])+')
_FOR: Final = re.compile(rf'(?:^|;)\s*for\s*=\s*({_QUOTED}|[^";\s]*)', re.IGNORECASE)


class TrustedProxies(msgspec.Struct, frozen=True):
    """Which of those who connect speak for others: so many in a row, whoever they are, or those of some networks."""

    count: int = 0
    networks: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

    def trusts(self, entry: str) -> bool:
        """Return whether an entry is an address in the networks."""
        address = _address(entry)
        return address is not None and any(address in network for network in self.networks)


def parse_proxies(text: str) -> TrustedProxies:
    """Read a count, or addresses and networks separated by commas or blanks; `0` and nothing trust nobody.

    Raises ValueError, whose text names the word that is neither.
    """
    words = text.replace(",", " ").split()
    if len(words) == 1 and words[0].isascii() and words[0].isdigit():
        if len(words[0]) > 2 or int(words[0]) > MAXIMUM_PROXIES:
            raise ValueError(f"There can be {MAXIMUM_PROXIES} proxies in a row.")
        return TrustedProxies(int(words[0]), ())
    networks = []
    for word in words:
        try:
            networks.append(ip_network(word))
        except ValueError:
            raise ValueError(f"{word[:60]!r} is neither an address nor a network.") from None
    return TrustedProxies(0, tuple(networks))


def client_of(
    peer: str | None, x_forwarded_for: Sequence[str], forwarded: Sequence[str], trusted: TrustedProxies
) -> str | None:
    """Return who asked: an address, or the name that a proxy has for one that it hides; None when nobody can tell.

    `peer` is the other end of the connection, the headers are lists of lines. They are read from the right, as far as
    trusted proxies have written them. A proxy writes one of the two and lets the other pass, which then is the client's
    own: when they disagree, neither is believed.
    """
    if peer is None:
        return None
    if not (x_forwarded_for or forwarded) or not (trusted.count or trusted.trusts(peer)):
        return _plain(peer)
    chains = [chain for chain in (_listed(x_forwarded_for), _elements(forwarded)) if chain]
    found = {_through([*chain, peer], trusted) for chain in chains}
    return found.pop() if len(found) == 1 else _plain(peer)


@lru_cache(maxsize=1024)
def limit_key(client: str | None) -> str | None:
    """Return what a limit counts a client by: an IPv6 address stands for its network; None when it is unknown."""
    address = None if client is None else _address(client)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), IPV6_PREFIX), strict=False))
    return client


@lru_cache(maxsize=1024)
def told_client(client: str | None) -> str | None:
    """Return a client for the log and the audit log: an address or network, or a proxy's name for one that it hides.

    Anything else is only said to be unreadable: whoever sent it, it may be a secret that came to the wrong place.
    """
    if client is None or _HIDDEN.fullmatch(client):
        return client
    try:
        return str(ip_network(client, strict=False)) if "/" in client else str(ip_address(client))
    except ValueError:
        return "unreadable"


def _through(chain: list[str], trusted: TrustedProxies) -> str:
    if trusted.count:
        return _plain(chain[max(0, len(chain) - 1 - trusted.count)])
    place = len(chain) - 1
    while place > 0 and trusted.trusts(chain[place]):
        place -= 1
    return _plain(chain[place])


def _listed(lines: Sequence[str]) -> list[str]:
    return [entry.strip() for entry in ",".join(lines).split(",") if entry.strip()]


def _elements(lines: Sequence[str]) -> list[str]:
    """Return the `for` of each element of `Forwarded` (RFC 7239); one without is empty."""
    found = []
    for element in _ELEMENTS.findall(",".join(lines)):
        match = _FOR.search(element)
        value = "" if match is None else match[1]
        found.append(re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value)
    return found


def _plain(entry: str) -> str:
    """Return an entry as an address without port and brackets, or as it is when it is none."""
    return _spelled(entry) if len(entry) <= _LONGEST else entry[:_LONGEST]


@lru_cache(maxsize=1024)
def _spelled(entry: str) -> str:
    address = _read(entry)
    return entry if address is None else str(address)


def _address(entry: str) -> IPv4Address | IPv6Address | None:
    """Return the address of an entry in any spelling: with a port, with brackets, IPv4 within IPv6."""
    return _read(entry) if len(entry) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _read(entry: str) -> IPv4Address | IPv6Address | None:
    text = entry.strip().strip('"')
    if text.startswith("["):
        text, closed, rest = text[1:].partition("]")
        if not closed or not (rest == "" or _PORT.fullmatch(rest)):
            return None
    elif text.count(":") == 1 and _PORT.fullmatch(text[text.index(":") :]):
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
