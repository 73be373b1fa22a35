"""Buyers' tax ids: checked offline by python-stdnum, for every country whose numbers it knows.

The check covers form and check digits, not whether the number was ever issued. One module of a country that accepts
the number is enough. A country without a module takes any short number, because nothing is known to hold it against.
"""

import re
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Final

from stdnum.exceptions import ValidationError

from nicobar.core.problems import Problem
from nicobar.reference import countries

_UNKNOWN_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./-]{1,29}")

_EXAMPLE: Final = re.compile(r">>> (?:validate|compact)\(u?'([^']+)'\)\n\s*u?'")
"""The first accepted number in a module's own documentation."""


def checked_tax_id(country: str, tax_id: str) -> str:
    """Return the compact form of a tax id of this billing country (ISO 3166-1 alpha-2).

    Raises Problem INVALID_TAX_ID, whose message names the number's usual name and an example of its form.
    """
    known = countries.get(country)
    for name in known.tax_id_modules:
        try:
            compact: str = _module(name).validate(tax_id)
        except ValidationError:
            continue
        return compact
    if not known.tax_id_modules and _UNKNOWN_FORM.fullmatch(tax_id):
        return tax_id
    raise Problem("INVALID_TAX_ID", path="tax_id", detail=_expected(known))


def _expected(country: countries.Country) -> str:
    if not country.tax_id_modules:
        return f"For {country.name} give 2 to 30 letters, digits, blanks, dots, slashes or hyphens."
    name = country.tax_id_name or "tax id"
    example = _EXAMPLE.search(_module(country.tax_id_modules[0]).__doc__ or "")
    return f"For {country.name} give the {name}" + (f", such as {example[1]}." if example else ".")


@cache
def _module(name: str) -> ModuleType:
    return import_module(name)
