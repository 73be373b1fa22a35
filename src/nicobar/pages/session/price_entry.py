"""Prices that the buyer names: what is typed in units of a currency, and what it is in minor units."""

import re
from typing import Final

from nicobar.core.typed_text import plain
from nicobar.reference import currencies

_WHOLE: Final = r"\d{1,3}(?:[ .,']\d{3})+|\d{1,12}"
LONGEST: Final = 24
"""Characters of a price."""


def read_price(text: str, currency: str) -> int | None:
    """Return a price in minor units; None for what is none, or has more decimals than its currency.

    Point and comma both divide, as people write; what has three digits behind it is a thousand where the currency has
    fewer decimals.
    """
    exponent = currencies.exponent(currency)
    decimals = rf"(?:[.,](\d{{1,{exponent}}}))?" if exponent else ""
    match = re.fullmatch(rf"({_WHOLE}){decimals}", plain(text).replace("\u2019", "'"), re.ASCII)
    if match is None or len(text) > LONGEST:
        return None
    whole = re.sub(r"\D", "", match[1])
    behind = (match[2] or "") if exponent else ""
    return int(whole + behind.ljust(exponent, "0"))


def price_text(minor: int, currency: str) -> str:
    """Return a price as its field shows it: with a point, and without the currency."""
    exponent = currencies.exponent(currency)
    digits = str(minor).rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits
