"""Object ids, link ids and secrets, made from a moment and random bits that the caller supplies.

An object id is a prefix and 21 characters of `A-Za-z0-9_-` (contract, "Object ids"). The first 7 characters hold
42 bits of milliseconds since 1970 (enough until 2109), the other 14 hold 84 random bits, and the alphabet is in
ASCII order: ids that are made later sort later, so B-trees in PostgreSQL (`COLLATE "C"`) grow at one end.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

ALPHABET: Final = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
"""The 64 URL-safe characters in ASCII order."""

LINK_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The 62 characters of link ids and secrets: no punctuation that a mail client could cut off."""

RANDOM_BITS: Final = 84
"""Random bits that `object_id` needs."""

LINK_LENGTH: Final = 8
"""Characters of a payment link's id; the checkout script accepts exactly this length."""

SESSION_LENGTH: Final = 21
"""Characters of a checkout session's id after its prefix; the checkout script accepts exactly this length."""

SECRET_LENGTH: Final = 32
"""Characters of an API key's or client secret's random part: 190 bits."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_PAIRS: Final = [a + b for a in ALPHABET for b in ALPHABET]

_CHARACTERS: Final = bytes(ord(LINK_ALPHABET[byte % len(LINK_ALPHABET)]) for byte in range(256))
_UNEVEN: Final = bytes(range(256 - 256 % len(LINK_ALPHABET), 256))


def object_id(prefix: str, moment: datetime, random_bits: int) -> str:
    """Return `prefix` + `_` + 21 characters, ordered by `moment` to the millisecond.

    `random_bits` is an integer of `RANDOM_BITS` random bits; surplus bits are ignored.
    """
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    value = ((milliseconds & (1 << 42) - 1) << RANDOM_BITS) | (random_bits & (1 << RANDOM_BITS) - 1)
    head = ALPHABET[value >> 120]
    pairs = _PAIRS
    return f"{prefix}_{head}" + "".join([pairs[value >> shift & 4095] for shift in range(108, -1, -12)])


def bytes_for_text(length: int) -> int:
    """Return how many random bytes `text_secret` needs: one in 32 cannot be used, and this many never run short."""
    return 2 * length + 24


def text_secret(random: bytes, length: int) -> str:
    """Return `length` characters of `LINK_ALPHABET`, evenly distributed, from `bytes_for_text(length)` random bytes.

    Bytes beyond the last multiple of 62 are left out, so each character is exactly as likely as every other.
    """
    if len(random) < bytes_for_text(length):
        raise ValueError(f"{length} characters need {bytes_for_text(length)} random bytes, got {len(random)}")
    return random.translate(_CHARACTERS, _UNEVEN)[:length].decode("ascii")


def is_session_id(text: str) -> bool:
    """Return whether `text` has the form of a checkout session's id: `cks_` and 21 characters of `ALPHABET`."""
    return len(text) == 4 + SESSION_LENGTH and text.startswith("cks_") and set(text[4:]) <= set(ALPHABET)


def is_object_id(text: str, prefix: str) -> bool:
    """Return whether `text` could be an id of this kind: a quick refusal before the database is asked.

    Ids are opaque to clients and may come from an import, so only the alphabet and the length (<= 64) count.
    """
    return (
        len(text) <= 64
        and text.startswith(f"{prefix}_")
        and text.isascii()
        and text.replace("-", "").replace("_", "").isalnum()
    )
