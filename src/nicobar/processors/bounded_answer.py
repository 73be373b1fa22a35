"""Reads the answers of others, up to a bound: what they send is held in memory, and they may be anybody."""

from typing import Final

import httpx

UNPACKED: Final = {"accept-encoding": "identity"}
"""Asks for an answer that is not packed: a few packed bytes can unfold to a thousand times as many."""


class AnswerRefused(Exception):
    """An answer that is not read; the message says why, as the end of a sentence."""


async def read_answer(answer: httpx.Response, maximum: int) -> bytes:
    """Return the content of an answer that is being streamed. Raises AnswerRefused, and what httpx raises."""
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise AnswerRefused("a packed answer, which was not asked for")
    data = bytearray()
    async for chunk in answer.aiter_raw():
        data += chunk
        if len(data) > maximum:
            raise AnswerRefused(f"more than {maximum} bytes")
    return bytes(data)
