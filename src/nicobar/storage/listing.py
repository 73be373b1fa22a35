"""Pages of lists, newest first: conditions with their values, and dates as ranges of ids."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.ids import lowest_id
from nicobar.storage.database import Read, Record

Condition = tuple[str, Any]
"""A condition in SQL with `{}` where its value belongs, and the value."""

_IDS_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_IDS_END: Final = datetime(2109, 1, 1, tzinfo=UTC)
"""The moments that object ids can hold."""


class CreatedBetween(msgspec.Struct, frozen=True, kw_only=True):
    """The moments of creation that a list is narrowed to, both inclusive; None means no bound."""

    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None

    def dates(self, key: str, prefix: str) -> list[Condition]:
        """Return the conditions on a table whose ids are in the column `key`, such as `p.payment_id`.

        Ids hold their moment, so a range of dates is also a range of the primary key, which finds the rows fast.
        """
        created_at = f"{_qualifier(key)}created_at"
        found: list[Condition] = []
        if (since := self.created_at_gte) is not None:
            found.append((f"{created_at} >= {{}}", since))
            if _IDS_BEGIN <= since < _IDS_END:
                found.append((f"{key} >= {{}}", lowest_id(prefix, since)))
        if (until := self.created_at_lte) is not None:
            found.append((f"{created_at} <= {{}}", until))
            if _IDS_BEGIN <= until < _IDS_END:
                found.append((f"{key} < {{}}", lowest_id(prefix, until + timedelta(milliseconds=1))))
        return found


def equal(columns: Mapping[str, object]) -> list[Condition]:
    """Return the condition that each column has its value; None means any value."""
    return [(f"{column} = {{}}", value) for column, value in columns.items() if value is not None]


def where(key: str, tenant: Tenant, conditions: Iterable[Condition]) -> tuple[str, list[Any]]:
    """Return the tenant's condition and all others, joined and numbered, with their values."""
    qualifier = _qualifier(key)
    joined = [f"{qualifier}business_id = $1", f"{qualifier}mode = $2"]
    values: list[Any] = [tenant.business_id, tenant.mode]
    for template, value in conditions:
        values.append(value)
        joined.append(template.format(f"${len(values)}"))
    return " AND ".join(joined), values


async def fetch_page(
    read: Read, select: str, key: str, tenant: Tenant, conditions: Iterable[Condition], limit: int, offset: int
) -> Sequence[Record]:
    """Return rows of `select` (up to its FROM) that meet the conditions, the newest ids in `key` first."""
    joined, values = where(key, tenant, conditions)
    query = f"SELECT {select} WHERE {joined} ORDER BY {key} DESC LIMIT {limit:d} OFFSET {offset:d}"
    return await read.fetch(query, *values)


async def fetch_joined_page(
    read: Read,
    select: str,
    table: str,
    key: str,
    tenant: Tenant,
    conditions: Iterable[Condition],
    limit: int,
    offset: int,
) -> Sequence[Record]:
    """Return rows as `fetch_page` does, where `select` is joined from several tables: its FROM begins with `table`.

    The rows of the page are found in that table alone, so that nothing is joined to those before the page.
    """
    joined, values = where(key, tenant, conditions)
    alias, column = key.split(".")
    identity = f"{alias}.business_id, {alias}.mode, {alias}.{column}"
    found = f"SELECT {identity} FROM {table} {alias} WHERE {joined}"
    page = f"{found} ORDER BY {key} DESC LIMIT {limit:d} OFFSET {offset:d}"
    query = f"SELECT {select} JOIN ({page}) page USING (business_id, mode, {column}) ORDER BY {column} DESC"
    return await read.fetch(query, *values)


def _qualifier(key: str) -> str:
    """Return what precedes the column of a key: the alias of its table and a dot, or nothing."""
    return key[: key.rfind(".") + 1]
