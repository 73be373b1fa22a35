"""Where a receiver really is: its name is looked up for each connection, and only a public address is connected to."""

import asyncio
import socket
from typing import Final

from nicobar.core.webhooks.addresses import is_public

MOST_ADDRESSES: Final = 8
"""Addresses of one name that are tried."""


class DeliveryError(Exception):
    """A try that failed before there was an answer; the message says why, for the merchant."""


async def find_addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of a host, in the order of the system's preference. Raises DeliveryError.

    One address that is not public is enough to refuse them all: an honest name does not mix them.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"DNS: the host {host[:100]} is not found.") from error
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))[:MOST_ADDRESSES]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise DeliveryError(f"The host {host[:100]} leads into a private network, which is not allowed.")
    return addresses
