"""Fetches exchange rates over HTTP, within bounds of time and size."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

import httpx

from nicobar.processors.bounded_response import UNPACKED, ResponseRefused, read_response
from nicobar.processors.rates.rate_files import LARGEST_BYTES

ECB_URL: Final = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
"""The reference rates of the European Central Bank, published on working days at about 16:00 in Frankfurt."""

FETCH_SECONDS: Final = 20.0
"""How long one fetch may take, with all that belongs to it."""

_HEADERS: Final = {"accept": "application/json, application/xml, text/csv", **UNPACKED}

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class FeedUnavailable(Exception):
    """A feed cannot be read; the message says why and never repeats the query, which may hold a key."""


def feed_host(url: str) -> str:
    """Return the host of a feed's address, which names the source of its rates.

    Raises FeedUnavailable for an address that is not HTTPS: whoever can change the answer on its way sets prices.
    A computer's own loopback address may be read without encryption.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
        readable = bool(host) and parts.port != 0
    except ValueError:
        readable = secure = False
    if not readable or not secure:
        raise FeedUnavailable("The address of a feed starts with https:// and names a host.")
    return host


async def fetch_rates(url: str) -> bytes:
    """Return the answer of a feed. Raises FeedUnavailable."""
    host = feed_host(url)
    try:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            httpx.AsyncClient(timeout=FETCH_SECONDS) as client,
            client.stream("GET", url, headers=_HEADERS) as response,
        ):
            if response.status_code != 200:
                raise FeedUnavailable(f"{host} answered with status {response.status_code} and no rates.")
            return await read_response(response, LARGEST_BYTES)
    except TimeoutError as error:
        raise FeedUnavailable(f"{host} did not answer within {FETCH_SECONDS:.0f} seconds.") from error
    except ResponseRefused as error:
        raise FeedUnavailable(f"{host} sent {error}, which is no list of rates.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FeedUnavailable(f"{host} cannot be reached: {type(error).__name__}.") from error
