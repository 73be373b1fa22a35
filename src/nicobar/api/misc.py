"""The operations that answer from reference data alone: accepted countries and languages."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.reference import countries, locales
from nicobar.wire.common import NoQuery, ResponseBody


class LocaleRead(ResponseBody, frozen=True, kw_only=True):
    """A language that the hosted page speaks."""

    code: str
    name: str
    """In English."""
    native_name: str
    """In the language itself."""


async def supported_countries(_call: Call[None, NoQuery]) -> list[str]:
    """Return the ISO 3166-1 codes of the countries that payments are accepted from."""
    return [country.alpha2 for country in countries.accepted()]


async def list_locales(_call: Call[None, NoQuery]) -> list[LocaleRead]:
    """Return the languages of the hosted page."""
    return [LocaleRead(code=locale.code, name=locale.name, native_name=locale.native_name) for locale in locales.ALL]


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "GET",
        "/checkout/supported_countries",
        supported_countries,
        list[str],
        summary="List the countries that payments are accepted from",
        is_public=True,
    ),
    Operation("GET", "/locales", list_locales, list[LocaleRead], summary="List the languages of the hosted page"),
]
"""The part of the table in `app.py` without a noun of its own."""
