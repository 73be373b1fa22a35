"""Which addresses a webhook may be sent to: those of the public internet, in whatever spelling they come.

Merchants choose where this server connects to. Without a rule they could make it speak to what only it can reach:
itself, the database, the neighbours in its network, the service that gives a cloud computer its passwords (server-side
request forgery). What counts is the address that a connection is made to, so it is judged after every look-up.
"""

import ipaddress
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REFUSED_V4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # carrier-grade NAT (RFC 6598), with the metadata service of one cloud in it
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # the host of a virtual machine at one cloud, public as it looks
            "169.254.0.0/16",  # link-local, with the metadata service of most clouds in it
            "172.16.0.0/12",  # private (RFC 1918)
            "192.0.0.0/24",  # protocol assignments, with the metadata service of one cloud in it
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays, given up
            "192.168.0.0/16",  # private (RFC 1918)
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
"""IANA's registry of special addresses, and what clouds have made special in addition."""

_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that was given out for the public; whatever lies outside is refused."""

_REFUSED_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID and others
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address in disguise, and nobody needs it any more
            "3fff::/20",  # documentation
        ),
    )
)

_WITH_V4_INSIDE: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "::ffff:0:0/96",  # IPv4-mapped
            "64:ff9b::/96",  # NAT64
        ),
    )
)
"""Where the last 32 bits are the IPv4 address that is really reached."""

LOCAL_NAMES: Final = ("localhost", "local", "internal", "lan", "home.arpa", "localdomain")
"""Last parts of names that lead nowhere outside."""


def is_public(text: str) -> bool:
    """Return whether an address, as a look-up returns it, belongs to the public internet."""
    try:
        address: _Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _WITH_V4_INSIDE):
            return _is_public_v4(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)
    return _is_public_v4(address)


def _is_public_v4(address: ipaddress.IPv4Address) -> bool:
    return not any(address in network for network in _REFUSED_V4)


def is_local_host(host: str) -> bool:
    """Return whether the host of an address is refused without a look-up.

    That is a name of the own computer or network, an address that is not public, and a number that only old programs
    take for an address (`127.1`, `0x7f000001`, `2130706433`): there is no honest use for it.
    """
    name = host.rstrip(".").lower()
    if not name or ":" in name:
        return not is_public(name)
    last = name.rpartition(".")[2]
    if last[:1].isdigit() and (last.isdigit() or last.startswith("0x")):
        return not is_public(name)
    return any(name == local or name.endswith(f".{local}") for local in LOCAL_NAMES)
