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


def object_id(prefix: str, moment: datetime, random_bits: int) -> str:
    """Return `prefix` + `_` + 21 characters, ordered by `moment` to the millisecond.

    `random_bits` is an integer of `RANDOM_BITS` random bits; surplus bits are ignored.
    """
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    value = ((milliseconds & (1 << 42) - 1) << RANDOM_BITS) | (random_bits & (1 << RANDOM_BITS) - 1)
    head = ALPHABET[value >> 120]
    pairs = _PAIRS
    return f"{prefix}_{head}" + "".join([pairs[value >> shift & 4095] for shift in range(108, -1, -12)])


def text_secret(random: bytes, length: int) -> str:
    """Return `length` characters of `LINK_ALPHABET`, evenly distributed, from random bytes.

    `random` must hold at least `length` + 8 bytes: the whole is read as one number, whose excess of 64 bits makes
    the unevenness of the division remainder smaller than one in 10^19.
    """
    if len(random) < length + 8:
        raise ValueError(f"{length} characters need {length + 8} random bytes, got {len(random)}")
    value = int.from_bytes(random, "big")
    characters = []
    for _ in range(length):
        value, index = divmod(value, len(LINK_ALPHABET))
        characters.append(LINK_ALPHABET[index])
    return "".join(characters)


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
