"""The 22 languages in which the hosted page can speak."""

from typing import Final, Literal

import msgspec

from nicobar.reference.table import Confidence, load


class Locale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `locales.csv`."""

    code: str
    """The contract's code, such as `zh`."""
    babel: str
    """Babel's locale of the language, such as `zh_Hans`."""
    babel_territory: str
    """Babel's locale for formatting dates and amounts, such as `zh_Hans_CN`; the territory is our choice."""
    name: str
    """English name."""
    native_name: str
    """Name in the language itself."""
    direction: Literal["ltr", "rtl"]
    source: str
    confidence: Confidence

    @property
    def tag(self) -> str:
        """The language as web pages name it, such as `zh-Hans` (RFC 5646)."""
        return self.babel.replace("_", "-")


ALL: Final[tuple[Locale, ...]] = load("locales.csv", Locale)
"""The languages in the contract's order."""

_BY_CODE: Final = {locale.code: locale for locale in ALL}


def get(code: str) -> Locale:
    """Return the language with one of the contract's codes. Raises KeyError for another code."""
    return _BY_CODE[code]
