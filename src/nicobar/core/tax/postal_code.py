"""Postal codes as people type them, and as the post of their country writes them."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from nicobar.core.tax.tax_place import bare_code
from nicobar.core.typed_text import plain

_SPLIT: Final[Mapping[str, tuple[int, str]]] = {
    "BR": (5, "-"),
    "CA": (3, " "),
    "CZ": (3, " "),
    "GB": (-3, " "),
    "GG": (-3, " "),
    "GR": (3, " "),
    "IE": (3, " "),
    "IM": (-3, " "),
    "JE": (-3, " "),
    "JP": (3, "-"),
    "NL": (4, " "),
    "PL": (2, "-"),
    "PT": (4, "-"),
    "SE": (3, " "),
    "SK": (3, " "),
    "US": (5, "-"),
}
"""Where a country's post parts its codes, and by what: before this character, or that many from the end."""


def written_code(country: str, typed: str, pattern: re.Pattern[str] | None) -> str | None:
    """Return a typed postal code as the country's post writes it; None for one that is none of its codes.

    Digits of other scripts, blanks, dashes and the letters of the country do not matter. A French CEDEX stays, because
    it belongs to the address. Without a pattern every code is taken, with single blanks and in capitals.
    """
    text = plain(typed).upper()
    if pattern is None:
        return text
    if "CEDEX" in text:
        return text if pattern.fullmatch(bare_code(country, text)) else None
    return next((code for code in _spellings(country, text) if pattern.fullmatch(code)), None)


def _spellings(country: str, text: str) -> Iterator[str]:
    """Yield how a code could be written, the country's own way first."""
    bare = bare_code(country, text)
    at, mark = _SPLIT.get(country, (0, ""))
    if at and bare[at:] and bare[:at]:
        yield f"{bare[:at]}{mark}{bare[at:]}"
    yield bare
    yield text
    for code in (bare, "".join(char for char in text if char.isalnum())):
        for place in range(1, len(code)):
            for mark in "- ":
                yield f"{code[:place]}{mark}{code[place:]}"
    yield f"{country}-{bare}"
    yield f"{country}{bare}"
