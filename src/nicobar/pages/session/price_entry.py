"""Prices that the buyer names: what is typed in units of a currency, and what it is in minor units."""

import re
from functools import lru_cache
from typing import Final

from nicobar.core.typed_text import plain
from nicobar.reference import currencies

LONGEST: Final = 24
"""Characters of a price."""


def read_price(text: str, currency: str) -> int | None:
    """Return a price in minor units; None for what is none, or has more decimals than its currency.

    Point and comma both divide, as people write. What could be a thousand or a fraction (`1,000`) is none: nobody pays
    a thousand times what they meant.
    """
    exponent = currencies.exponent(currency)
    match = _price(exponent).fullmatch(plain(text).replace("\u2019", "'"))
    if match is None or len(text) > LONGEST:
        return None
    whole, *decimals = (group for group in match.groups() if group is not None)
    behind = decimals[0] if decimals else ""
    return int(re.sub(r"\D", "", whole) + behind.ljust(exponent, "0"))


def price_text(minor: int, currency: str) -> str:
    """Return a price as its field shows it: with a point, and without the currency."""
    exponent = currencies.exponent(currency)
    digits = str(minor).rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits


@lru_cache
def _price(exponent: int) -> re.Pattern[str]:
    """Return the forms of a price with at most so many decimals; its groups are the whole and the decimals."""
    forms = [r"(\d{1,3}(?:,\d{3}){2,})", r"(\d{1,3}(?:\.\d{3}){2,})"]
    behind = rf"([0-9]{{1,{exponent}}})"
    end = rf"(?:[.,]{behind})?" if exponent else ""
    forms.append(rf"(\d{{1,12}}|\d{{1,3}}(?:[ ']\d{{3}})+){end}")
    if exponent:
        forms += [rf"(\d{{1,3}}(?:,\d{{3}})+)\.{behind}", rf"(\d{{1,3}}(?:\.\d{{3}})+),{behind}"]
    return re.compile("|".join(forms), re.ASCII)
