"""Forms as browsers send them: reading them within bounds, and what no text in them may be."""

import re
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from stdnum import luhn

from nicobar.core.problems import Problem
from nicobar.core.typed_text import compact, unusable
from nicobar.pages.texts.texts import Texts

MAXIMUM_FORM: Final = 24 * 1024
"""Bytes of a form. Five parts of an address with 250 letters each have 15 000, in a script of twelve bytes a letter."""

MAXIMUM_FIELDS: Final = 20


class PostedForm:
    """The fields of a posted form. Its text form shows none of them."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def __repr__(self) -> str:
        """Show that there is a form, and nothing of it."""
        return "Form(<hidden>)"

    def text(self, name: str) -> str:
        """Return a field without surrounding blanks; empty when it was not sent."""
        return self._fields.get(name, "").strip()


async def read_form(
    request: Request, maximum_fields: int = MAXIMUM_FIELDS, maximum_bytes: int = MAXIMUM_FORM
) -> PostedForm:
    """Read a form of at most so many fields and bytes.

    Raises Problem INVALID_REQUEST_BODY for another content type (415), too many bytes (413) or a broken form (400).
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise Problem("INVALID_REQUEST_BODY", status=415, detail="Send it as application/x-www-form-urlencoded.")
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > maximum_bytes:
                raw.clear()
                raise Problem("INVALID_REQUEST_BODY", status=413, detail=f"It is larger than {maximum_bytes} bytes.")
    except ClientDisconnect:
        raise Problem("INVALID_REQUEST_BODY", status=400, detail="The connection ended too early.") from None
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=maximum_fields)
    except ValueError:
        pairs = None
    raw.clear()
    if pairs is None:  # raised outside the handler, so that no exception with the form's bytes hangs on to it
        raise Problem("INVALID_REQUEST_BODY", status=400, detail="It is not a readable form.")
    return PostedForm(dict(pairs))


def holds_card_number(text: str) -> bool:
    """Return whether a card number was typed where it does not belong, so that it is neither stored nor shown again."""
    return any(luhn.is_valid(run) or luhn.is_valid(run[:16]) for run in re.findall(r"\d{13,}", compact(text)))


def text_fault(text: str, maximum: int, texts: Texts, *, may_look_like_card: bool = False) -> str | None:
    """Return the sentence for a text that is too long, has a character that no text may have, or may be a card number.

    `may_look_like_card` is for long numbers, which have checks of their own.
    """
    if len(text) > maximum:
        return texts("details.too_long", count=maximum)
    if (strange := unusable(text)) is not None:
        return texts("details.unreadable", character=strange)
    return texts("details.card_number") if not may_look_like_card and holds_card_number(text) else None
