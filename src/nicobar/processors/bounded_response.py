"""Reads the answers of others, up to a bound: what they send is held in memory, and they may be anybody."""

from typing import Final

import httpx

UNPACKED: Final = {"accept-encoding": "identity"}
"""Asks for an answer that is not packed: a few packed bytes can unfold to a thousand times as many."""


class ResponseRefused(Exception):
    """An answer that is not read; the message says why, as the end of a sentence."""


async def read_response(response: httpx.Response, maximum: int) -> bytes:
    """Return the content of an answer that is being streamed. Raises ResponseRefused, and what httpx raises."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ResponseRefused("a packed answer, which was not asked for")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > maximum:
            raise ResponseRefused(f"more than {maximum} bytes")
    return bytes(data)
