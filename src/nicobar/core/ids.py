"""Object ids, link ids and secrets, made from a moment and random bytes that the caller supplies.

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

ID_BYTES: Final = 14
"""Random bytes that `object_id` needs: one for each random character, of which 6 bits count."""

LINK_LENGTH: Final = 8
"""Characters of a payment link's id; the checkout script accepts exactly this length."""

SESSION_LENGTH: Final = 21
"""Characters of a checkout session's id after its prefix; the checkout script accepts exactly this length."""

SECRET_LENGTH: Final = 32
"""Characters of an API key's or client secret's random part: 190 bits."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_PAIRS: Final = [a + b for a in ALPHABET for b in ALPHABET]

_SIXTY_FOUR: Final = ALPHABET.encode() * 4
"""A character of the alphabet for each value of a byte, each as likely as every other."""
_CHARACTERS: Final = bytes(ord(LINK_ALPHABET[byte % len(LINK_ALPHABET)]) for byte in range(256))
_UNEVEN: Final = bytes(range(256 - 256 % len(LINK_ALPHABET), 256))


def object_id(prefix: str, moment: datetime, random: bytes) -> str:
    """Return `prefix` + `_` + 21 characters, ordered by `moment` to the millisecond, from `ID_BYTES` random bytes."""
    if len(random) != ID_BYTES:
        raise ValueError(f"an id needs {ID_BYTES} random bytes, got {len(random)}")
    milliseconds = (moment - _EPOCH) // _MILLISECOND & (1 << 42) - 1
    high, middle, low = milliseconds >> 24 & 4095, milliseconds >> 12 & 4095, milliseconds & 4095
    time = f"{ALPHABET[milliseconds >> 36]}{_PAIRS[high]}{_PAIRS[middle]}{_PAIRS[low]}"
    return f"{prefix}_{time}{random.translate(_SIXTY_FOUR).decode()}"


def lowest_id(prefix: str, moment: datetime) -> str:
    """Return the id before which no object of this millisecond comes in order."""
    return object_id(prefix, moment, bytes(ID_BYTES))


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
