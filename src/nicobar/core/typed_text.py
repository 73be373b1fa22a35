"""Text as people type and paste it, and its normal form: normalised first, checked after, stored as it is here.

Phones, spreadsheets and address books put characters into texts that nobody sees: no-break blanks, marks of direction,
zero-width joiners, soft hyphens. Keyboards of the world write digits in their own script or in full width. None of that
is a mistake of the person who types.
"""

import re
import unicodedata
from typing import Final

_VISIBLE_FORMAT: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")
"""Signs of Arabic and Syriac numbers, which Unicode counts among the format characters though they are seen."""

_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks without a shape: fillers, and the grapheme joiner."""

_JOINERS: Final = frozenset("\u200c\u200d")
_VIRAMA: Final = 9
"""Canonical combining class of the sign after which a joiner decides how two letters of an Indic script are written."""

_DASHES: Final = "\u2010-\u2015\u2212\ufe58\ufe63\uff0d\u00ad"
_PUNCTUATION: Final = re.compile(rf"[\s.,'/_:;()\u00b7\u2022\u2027\u30fb\u2026\-{_DASHES}]+")
_LABEL: Final = re.compile(r"[^\W\d][^\d]{0,30}[:#\u2116.\s]+(?=\d)")


def tidy(text: str) -> str:
    """Return a text in Unicode's composed form, with single blanks and without characters that nobody sees.

    Joiners stay where they decide how a name is written: in Arabic script, and after the virama of an Indic one. A
    character that cannot be kept stays, too, for `unusable` to name.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = unicodedata.normalize("NFC", text)
    kept = (character for index, character in enumerate(text) if not _is_unseen(text, index, character))
    return unicodedata.normalize("NFC", " ".join("".join(kept).replace("\u2800", " ").split()))


def unusable(text: str) -> str | None:
    """Return the name of the first character of a tidied text that no name or address can hold; None for none.

    Such a character shows nothing by itself, so the name is its number in Unicode and its place: `U+0007 (5)`.
    """
    for place, character in enumerate(text, 1):
        if not character.isprintable() and character not in _JOINERS and character not in _VISIBLE_FORMAT:
            return f"U+{ord(character):04X} ({place})"
    return None


def western_digits(text: str) -> str:
    """Return a text with the digits of every script written as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def plain(text: str) -> str:
    """Return a number or a code in half-width letters and western digits, with plain hyphens and single blanks."""
    if text.isascii():
        return tidy(text)
    without = "".join(char for char in text if unicodedata.category(char) != "Cf" or char == "\u00ad")
    return re.sub(f"[{_DASHES}]", "-", western_digits(tidy(unicodedata.normalize("NFKC", without))))


def compact(text: str) -> str:
    """Return a number or a code without anything that only divides it: blanks, dots, dashes, slashes, brackets."""
    return _PUNCTUATION.sub("", plain(text))


def without_label(text: str) -> str:
    """Return a pasted text without the words before its number, as in `Card: 4242 ...`."""
    return _LABEL.sub("", plain(text), count=1) if _LABEL.match(plain(text)) else plain(text)


def _is_unseen(text: str, index: int, character: str) -> bool:
    if character in _UNSEEN:
        return True
    if unicodedata.category(character) != "Cf" or character in _VISIBLE_FORMAT:
        return False
    return character not in _JOINERS or not _joins(text, index)


def _joins(text: str, index: int) -> bool:
    """Return whether a joiner at this place is part of the spelling."""
    before, after = text[:index][-1:], text[index + 1 :][:1]
    if before and unicodedata.combining(before) == _VIRAMA:
        return True
    return bool(before and after) and {unicodedata.bidirectional(before), unicodedata.bidirectional(after)} == {"AL"}
