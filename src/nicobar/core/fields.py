"""Checks of fields that objects of several kinds share: blanks, metadata, web addresses, lists of ids.

A malformed value is refused with the JSON path of its field, which is also the name that the other callers of a flow
know it by.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType

from nicobar.core.problems import Problem
from nicobar.core.typed_text import tidy
from nicobar.core.web_address import ascii_address

MAXIMUM_METADATA_PAIRS: Final = 50

ValueT = TypeVar("ValueT")


def given(value: ValueT | UnsetType, otherwise: ValueT) -> ValueT:
    """Return the value of a changed field, or `otherwise` when the field was left out."""
    return otherwise if value is UNSET else value


def blank_to_none(text: str | None) -> str | None:
    """Trim; nothing or only white space counts as null, because a known client sends blanks for "not given"."""
    return (text.strip() or None) if text is not None else None


def checked_name(name: str) -> str:
    """Return the name without unseen marks and needless blanks. Raises Problem INVALID_REQUEST_BODY for a blank one."""
    trimmed = tidy(name)
    if not trimmed:
        raise Problem("INVALID_REQUEST_BODY", path="name", detail="It is blank.")
    return trimmed


def checked_metadata(metadata: dict[str, Any] | None, path: str = "metadata") -> dict[str, Any]:
    """Return the pairs, {} for null. Raises Problem MAXIMUM_KEYS_REACHED above 50."""
    if not metadata:
        return {}
    if len(metadata) > MAXIMUM_METADATA_PAIRS:
        raise Problem("MAXIMUM_KEYS_REACHED", path=path)
    return metadata


def checked_web_address(text: str | None, path: str = "url") -> str | None:
    """Return the http or https address in ASCII; None for null and blanks. Raises Problem INVALID_REQUEST_BODY."""
    trimmed = blank_to_none(text)
    if trimmed is None:
        return None
    try:
        address = ascii_address(trimmed)
        parts = urlsplit(address)
    except ValueError as error:
        raise Problem("INVALID_REQUEST_BODY", path=path, detail=f"It is not a web address: {error}.") from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        detail = "It is not a full web address, such as https://example.com/."
        raise Problem("INVALID_REQUEST_BODY", path=path, detail=detail)
    return address


def unique_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the ids trimmed, each once, in the order in which they came."""
    return tuple(dict.fromkeys(text.strip() for text in ids))


def refuse_unknown(ids: Sequence[str], unknown: Collection[str], noun: str, path: str) -> None:
    """Raise Problem INVALID_REQUEST_PARAMETERS for the first of a request's ids that is among the unknown ones."""
    for index, text in enumerate(ids):
        if text.strip() in unknown:
            raise Problem("INVALID_REQUEST_PARAMETERS", path=f"{path}[{index}]", detail=f"There is no {noun} {text}.")
