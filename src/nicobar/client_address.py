"""Whom a request counts for."""

from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from starlette.requests import HTTPConnection

IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that count as one client: a connection is handed this much, and may use all of it."""


def client_address(request: HTTPConnection) -> str:
    """Return the address that a request counts for; an IPv6 address stands for its network.

    A proxy in front of the server appends whom it speaks for to `X-Forwarded-For`. The header is believed only when
    the connection comes from this computer or a private network, as a proxy's does, and only its last entry, which
    the client cannot write.
    """
    peer = request.client.host if request.client is not None else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return _network(forwarded) if forwarded and not _is_global(peer) and _network(forwarded) else _network(peer)


@lru_cache(maxsize=1024)
def _is_global(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def _network(address: str) -> str:
    """Return the address, for IPv6 the network around it; empty when it is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found), IPV6_PREFIX), strict=False))
