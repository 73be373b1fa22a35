"""Rows that a check for `nicobar doctor` finds wrong."""

from typing import Any, Final

import msgspec

from nicobar.core.business.tenant import Mode
from nicobar.storage.database import Read

REPORTED: Final = 20
"""How many rows a check names at most."""

_TIMEOUT: Final = 600.0
"""Seconds that a check may take; a million entries of the books need a few."""


class WrongRow(msgspec.Struct, frozen=True):
    """One row that is wrong."""

    mode: Mode | None
    """None for what belongs to no tenant."""
    object_id: str
    detail: str
    """What is wrong with it, for people."""


async def wrong_rows(read: Read, query: str, *values: Any) -> list[WrongRow]:
    """Return the rows of a query that selects the fields of `WrongRow`; its last parameter is the most rows."""
    rows = await read.fetch(query, *values, REPORTED, timeout=_TIMEOUT)
    return [msgspec.convert(dict(row), WrongRow) for row in rows]
