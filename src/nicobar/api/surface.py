"""Headers that every answer has, whatever it is about, unless it says something of its own."""

from collections.abc import Iterable, Sequence
from typing import Final

Header = tuple[bytes, bytes]

_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_FRAMES: Final = (b"x-frame-options", b"DENY")

ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""Answers of the API hold personal data and secrets of payments, so no cache keeps what does not say otherwise."""

HSTS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
"""A year; other names of the domain are not ours to decide for."""


def standard_headers(public_url: str) -> tuple[Header, ...]:
    """Return the headers of every answer of a server that customers reach at this address."""
    return (*ALWAYS, HSTS) if public_url.startswith("https://") else ALWAYS


def missing_headers(present: Iterable[Header], standard: Sequence[Header]) -> list[Header]:
    """Return what an answer with these headers still needs.

    One without a policy of its own is no page: it shows nothing and stands in no frame. A page's policy says what may
    frame it, and `X-Frame-Options` would contradict it.
    """
    names = {name for name, _ in present}
    missing = [header for header in standard if header[0] not in names]
    return missing if _POLICY[0] in names else [*missing, _POLICY, _FRAMES]
