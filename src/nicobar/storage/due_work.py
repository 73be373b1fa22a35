"""Work that is due: rows that any number of workers take in turn, each for as long as a lease.

A table takes part with a column that says when a row is due in its tenant's time, null for never, a column that counts
tries, and a partial index on the former. Taking a row moves its time on, so a row whose worker has died is simply due
again, and nothing has to be found out about workers.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Tx
from nicobar.storage.test_clocks import reckoned, reckoned_value


class DueRows(msgspec.Struct, frozen=True):
    """Where the rows of one kind of work are."""

    table: str
    key: tuple[str, ...]
    """The columns that name a row besides its tenant."""
    due: str
    """The column of the moment from which a row may be taken."""
    tries: str
    """The column of how often it was taken."""


class Claim(msgspec.Struct, frozen=True):
    """A row that was taken."""

    tenant: Tenant
    key: tuple[str, ...]
    """What names the row besides its tenant, in the order of `DueRows.key`."""
    tries: int
    """How often it was taken, this time included."""


LONGEST_PAUSE: Final = timedelta(minutes=30)
"""The longest time between two tries."""

NOTICES: Final = DueRows("notices", ("processor", "notice_id"), "due_at", "tries")
"""Notices of processors that are not handled."""

RETURNS: Final = DueRows("attempts", ("attempt_id",), "return_due_at", "return_tries")
"""Attempts whose surplus charge has to go back."""

DELIVERIES: Final = DueRows("webhook_deliveries", ("event_id", "endpoint_id"), "due_at", "tries")
"""Events on their way to endpoints of merchants; `storage/webhooks/deliveries.py` takes them endpoint by endpoint."""

SUBSCRIPTIONS: Final = DueRows("subscriptions", ("subscription_id",), "due_at", "tries")
"""Subscriptions of which something is due: a renewal, a retry, an end."""

ALL_DUE: Final = (NOTICES, RETURNS, DELIVERIES, SUBSCRIPTIONS)
"""Every kind of row that waits for a worker."""

# Rows that another worker is just taking are passed over, not waited for.
_CLAIM: Final = """
WITH taken AS (
    SELECT {key}, {due} AS due FROM {table} d WHERE {due} <= $1 AND {reckoned} ORDER BY {due} LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE {table} t SET {due} = $3, {tries} = t.{tries} + 1 FROM taken
WHERE ({row}) = ({taken})
RETURNING {row}, t.{tries} AS tries, taken.due
"""

# That it is still due is no condition: the index of what is due must not look as good as the primary key.
_PUT_OFF: Final = """
UPDATE {table} SET {due} = CASE WHEN {due} IS NULL THEN NULL ELSE ${at}::timestamptz END
WHERE ({key}) = ({values}) AND {tries} = ${tried}
"""


async def claim_due(tx: Tx, rows: DueRows, reckoning: Reckoning, lease_until: datetime, limit: int) -> list[Claim]:
    """Take up to `limit` rows that are due, the longest due first; nobody else gets them before `lease_until`."""
    columns = ("business_id", "mode", *rows.key)
    query = _CLAIM.format(
        table=rows.table,
        key=", ".join(columns),
        due=rows.due,
        reckoned=reckoned(reckoning, "d", 4),
        tries=rows.tries,
        row=", ".join(f"t.{column}" for column in columns),
        taken=", ".join(f"taken.{column}" for column in columns),
    )
    found = await tx.fetch(query, reckoning.now, limit, lease_until, reckoned_value(reckoning))
    found.sort(key=lambda row: (row["due"], *(row[column] for column in columns)))
    return [
        Claim(Tenant(row["business_id"], row["mode"]), tuple(row[column] for column in rows.key), row["tries"])
        for row in found
    ]


async def put_off(tx: Tx, rows: DueRows, claim: Claim, until: datetime) -> None:
    """Make a row due again at a moment. Nothing changes when it is done, or when another has taken it since."""
    values = (claim.tenant.business_id, claim.tenant.mode, *claim.key)
    query = _PUT_OFF.format(
        table=rows.table,
        key=", ".join(("business_id", "mode", *rows.key)),
        due=rows.due,
        tries=rows.tries,
        values=", ".join(f"${number}" for number in range(1, len(values) + 1)),
        tried=len(values) + 1,
        at=len(values) + 2,
    )
    await tx.execute(query, *values, claim.tries, until)


def pause_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries that failed: 2, 4, 8 ... seconds, at most half an hour."""
    return min(timedelta(seconds=2 ** min(tries, 12)), LONGEST_PAUSE)
