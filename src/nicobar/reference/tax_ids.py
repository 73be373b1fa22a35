"""Buyers' tax ids: checked offline by python-stdnum, for every country whose numbers it knows.

The check covers form and check digits, not whether the number was ever issued. One module of a country that accepts
the number is enough; a few countries without a module have a known form instead; the others take any short number,
because nothing is known to hold it against.

A number that passes is kept in one canonical form however it was written: without blanks and punctuation, and in the
European Union and the United Kingdom with the prefix of its country. Greece writes EL, Monaco has French numbers, and a
company in Northern Ireland may give its number with XI.
"""

import re
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Final

from stdnum.exceptions import ValidationError

from nicobar.core.problems import Problem
from nicobar.reference import countries
from nicobar.reference.tax_id_forms import EXAMPLES, FORMS

LONGEST: Final = 40
"""Characters of the longest text that is looked at."""

NORTHERN_IRELAND: Final = "XI"
"""Prefix under which numbers of the United Kingdom take part in the European Union's trade in goods."""

_BRITISH: Final = frozenset({"GB", "IM"})
_UNKNOWN_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./-]{1,29}")
_SEPARATORS: Final = re.compile(r"[ ./-]")


def checked_tax_id(country: str, tax_id: str) -> str:
    """Return the canonical form of a tax id of this billing country (ISO 3166-1 alpha-2).

    Raises Problem INVALID_TAX_ID, whose message names the number's usual name and an example of its form.
    """
    known = countries.get(country)
    number = _accepted(known, tax_id.strip())
    if number is None:
        raise Problem("INVALID_TAX_ID", path="tax_id", detail=_expected(known, tax_id.strip()))
    return number


def is_checked(country: str) -> bool:
    """Return whether tax ids of this country can fail a check: their form is known, or their check digits are."""
    return country in FORMS or bool(countries.get(country).tax_id_modules)


def vies_number(country: str, number: str) -> tuple[str, str] | None:
    """Split a checked tax id for the European Union's register: its prefix and the rest.

    None when the register does not know numbers of this kind: outside the Union, but for Monaco and Northern Ireland.
    """
    prefix = number[:2]
    if countries.get(country).eu or country == "MC" or (country in _BRITISH and prefix == NORTHERN_IRELAND):
        return prefix, number[2:]
    return None


def _accepted(country: countries.Country, text: str) -> str | None:
    """Return the number in its canonical form, or None when it is not one of this country."""
    code = country.alpha2
    if not text or len(text) > LONGEST:
        return None
    if code in FORMS:
        form = FORMS[code]
        bare = _SEPARATORS.sub("", text).upper()
        return bare if bare.isascii() and form.pattern.fullmatch(bare) else _validated(form.modules, text)
    if not country.tax_id_modules:
        return text if _UNKNOWN_FORM.fullmatch(text) else None
    text, prefix = text.upper(), _prefix(country)
    if code in _BRITISH and text[:2] == NORTHERN_IRELAND:
        prefix, text = NORTHERN_IRELAND, text[2:]
    if code == "JP":
        text = text.removeprefix("T")  # invoices put this letter before the corporate number
    number = _validated(country.tax_id_modules, text)
    return None if number is None else prefix + number.removeprefix(prefix)


def _prefix(country: countries.Country) -> str:
    """Return what goes before the numbers of a country; some modules leave it out and some, as Monaco's, keep it."""
    if country.alpha2 in _BRITISH:
        return "GB"
    if not country.eu:
        return ""
    return "EL" if country.alpha2 == "GR" else country.alpha2


def _validated(modules: tuple[str, ...], text: str) -> str | None:
    for name in modules:
        try:
            number: str = _module(name).validate(text)
        except ValidationError:
            continue
        if all(character.isascii() or character.isalpha() for character in number):  # no digits of other scripts
            return number
    return None


def _expected(country: countries.Country, text: str) -> str:
    """Describe what was expected, and whose number it is instead when that can be told."""
    example = FORMS[country.alpha2].example if country.alpha2 in FORMS else EXAMPLES.get(country.alpha2)
    if example is None:
        return f"For {country.name} give 2 to 30 letters, digits, blanks, dots, slashes or hyphens."
    other = _other_member(country, text)
    hint = "" if other is None else f" This is a number of {other.name}, and the billing country is another."
    return f"For {country.name} give the {country.tax_id_name or 'tax id'}, such as {example}.{hint}"


def _other_member(country: countries.Country, text: str) -> countries.Country | None:
    """Return the member state whose prefix and number a refused text has."""
    for other in countries.ALL:
        if other.eu and other != country and text[:2].upper() == _prefix(other) and _accepted(other, text) is not None:
            return other
    return None


@cache
def _module(name: str) -> ModuleType:
    return import_module(name)
