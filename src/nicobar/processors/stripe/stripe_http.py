"""How Stripe's library reaches Stripe: one pool of connections, which all accounts of a process share."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
import stripe

from nicobar.processors.bounded_response import UNPACKED, ResponseRefused, read_response

LARGEST_RESPONSE: Final = 1024 * 1024
"""Bytes of an answer that are read; the largest one that is asked for, a list of 100 objects, has about a third."""

TIMEOUT: Final = 8.0
"""Seconds for each part of one request. With one repetition it stays below `CHARGE_TIMEOUT`."""

CONNECTIONS: Final = 20
"""Connections that are open at once at most; further requests wait for one, `TIMEOUT` seconds at most."""

stripe.enable_telemetry = False  # nothing is told to Stripe but what is asked of it


_broken: Callable[..., stripe.APIConnectionError] = stripe.APIConnectionError


class StripeHTTP(stripe.HTTPClient):
    """The library's own client for httpx passes bodies in a way that httpx has given up; this one does not."""

    name = "httpx"

    def __init__(self) -> None:
        super().__init__()
        limits = httpx.Limits(max_connections=CONNECTIONS)
        self._client = httpx.AsyncClient(timeout=TIMEOUT, limits=limits, follow_redirects=False)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request. Raises stripe.APIConnectionError, after which nobody knows whether it arrived."""
        asked = {**headers, **UNPACKED}
        try:
            async with self._client.stream(method, url, headers=asked, content=post_data or None) as response:
                return await read_response(response, LARGEST_RESPONSE), response.status_code, response.headers
        except httpx.HTTPError as error:
            raise _broken(f"Stripe did not answer: {type(error).__name__}", should_retry=True) from error
        except ResponseRefused as error:
            raise _broken(f"Stripe sent {error}", should_retry=False) from error

    async def sleep_async(self, secs: float) -> None:
        """Wait before a repetition."""
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Close every connection."""
        await self._client.aclose()
