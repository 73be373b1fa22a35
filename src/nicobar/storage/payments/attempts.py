"""Attempts: each row is one try at charging a payment, committed before the processor is called."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, Outcome, Succeeded
from nicobar.storage.database import Read, Record, Tx
from nicobar.storage.test_clocks import reckoned, reckoned_value

ATTEMPT_COLUMNS: Final = (
    "attempt_id, payment_id, processor, account, amount, currency, card, outcome, created_at, resolved_at, save_method"
)

_GET: Final = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE business_id = $1 AND mode = $2 AND attempt_id = $3"

_OF_PAYMENT: Final = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE business_id = $1 AND mode = $2 AND payment_id = $3"
_LIVE: Final = f"{_OF_PAYMENT} AND resolved_at IS NULL"
_PAID_BY: Final = f"{_OF_PAYMENT} AND outcome ->> 'type' = 'succeeded' AND NOT is_surplus"

# Of the attempt that paid, or else of the newest: the index of a payment's attempts has them in their order.
_PROCESSOR: Final = """
SELECT coalesce(
    (SELECT processor FROM attempts WHERE business_id = $1 AND mode = $2 AND payment_id = {0}
     AND outcome ->> 'type' = 'succeeded' AND NOT is_surplus LIMIT 1),
    (SELECT processor FROM attempts WHERE business_id = $1 AND mode = $2 AND payment_id = {0}
     ORDER BY attempt_id DESC LIMIT 1)
)
"""
PROCESSOR_OF_PAYMENT: Final = _PROCESSOR.format("$3")
_PROCESSORS: Final = f"""
SELECT payment_id, ({_PROCESSOR.format("page.payment_id")}) AS processor
FROM json_array_elements_text($3) AS page (payment_id)
"""

_UPDATE: Final = """
UPDATE attempts SET outcome = $4, updated_at = $5, resolved_at = $6
WHERE business_id = $1 AND mode = $2 AND attempt_id = $3 AND resolved_at IS NULL
RETURNING true
"""

# Of a charge of nothing, which only keeps a card, nothing has to go back.
_OVERRULE: Final = """
UPDATE attempts SET outcome = $4, updated_at = $5, is_surplus = $6,
    return_due_at = CASE WHEN $6 AND amount > 0 THEN $5::timestamptz END,
    returned_at = CASE WHEN $6 AND amount = 0 THEN $5::timestamptz END
WHERE business_id = $1 AND mode = $2 AND attempt_id = $3 AND resolved_at IS NOT NULL
"""

_RETURNED: Final = """
UPDATE attempts SET returned_at = $4, return_due_at = NULL
WHERE business_id = $1 AND mode = $2 AND attempt_id = $3 AND is_surplus AND returned_at IS NULL
"""

# What the processor itself calls pending may take days, and it sends a notice at the end. So it is asked again after as
# long as it has been pending, and at last once an hour.
SPARED: Final = """
CASE outcome ->> 'type' WHEN 'pending' THEN least(updated_at - created_at, interval '1 hour') ELSE interval '0' END
"""

_CLAIM: Final = f"""
UPDATE attempts SET updated_at = $5
WHERE business_id = $1 AND mode = $2 AND attempt_id = $3 AND resolved_at IS NULL AND updated_at + {SPARED} <= $4
RETURNING true
"""

# Every question moves `asked_until` on by one pause ($5), and is refused while it is more than two pauses ahead of the
# clock ($6). So three questions may come at once, and then one for each pause.
_ASK: Final = """
UPDATE attempts SET asked_until = greatest(asked_until, $4) + $5::interval
WHERE business_id = $1 AND mode = $2 AND attempt_id = $3 AND resolved_at IS NULL
  AND (asked_until IS NULL OR asked_until <= $6)
RETURNING true
"""

# Live attempts are few, and only they are in the partial index that guards against two at once.
_SILENT: Final = f"""
SELECT business_id, mode, payment_id FROM attempts a
WHERE resolved_at IS NULL AND updated_at + {SPARED} <= $1 AND {{reckoned}} ORDER BY updated_at LIMIT $2
"""


async def get_attempt(read: Read, tenant: Tenant, attempt_id: str) -> Attempt | None:
    """Return one attempt."""
    return _attempt(await read.fetchrow(_GET, tenant.business_id, tenant.mode, attempt_id))


async def live_attempt(read: Read, tenant: Tenant, payment_id: str) -> Attempt | None:
    """Return the payment's attempt whose end is not known, if it has one; it never has two."""
    return _attempt(await read.fetchrow(_LIVE, tenant.business_id, tenant.mode, payment_id))


async def paying_attempt(read: Read, tenant: Tenant, payment_id: str) -> Attempt | None:
    """Return the attempt that paid a payment; None for a free payment."""
    return _attempt(await read.fetchrow(_PAID_BY, tenant.business_id, tenant.mode, payment_id))


async def processors_of_payments(read: Read, tenant: Tenant, payment_ids: Sequence[str]) -> dict[str, str]:
    """Return the name of the processor that each payment was paid or last tried at, of those that were tried."""
    rows = await read.fetch(_PROCESSORS, tenant.business_id, tenant.mode, payment_ids)
    return {row["payment_id"]: row["processor"] for row in rows if row["processor"] is not None}


async def update_attempt(
    tx: Tx, tenant: Tenant, attempt_id: str, outcome: Outcome, at: datetime, *, resolved: bool
) -> bool:
    """Store what the processor said; `resolved` ends the attempt. False, and no change, when it ended before."""
    resolved_at = at if resolved else None
    updated = await tx.fetchval(_UPDATE, tenant.business_id, tenant.mode, attempt_id, outcome, at, resolved_at)
    return updated is not None


async def overrule_attempt(
    tx: Tx, tenant: Tenant, attempt_id: str, outcome: Succeeded, at: datetime, *, surplus: bool
) -> None:
    """Replace the end of an attempt: the processor has taken the money after all.

    A surplus charge is due to be given back at once, unless it took nothing.
    """
    await tx.execute(_OVERRULE, tenant.business_id, tenant.mode, attempt_id, outcome, at, surplus)


async def mark_returned(tx: Tx, tenant: Tenant, attempt_id: str, at: datetime) -> None:
    """Note that a surplus charge was given back."""
    await tx.execute(_RETURNED, tenant.business_id, tenant.mode, attempt_id, at)


async def claim_attempt(tx: Tx, tenant: Tenant, attempt_id: str, silent_since: datetime, at: datetime) -> bool:
    """Take the right to ask the processor about a live attempt that has been silent since `silent_since`.

    One that the processor has called pending is spared for longer and longer, at most an hour.
    The claim counts as a sign of life, so of several that ask at the same moment one gets it.
    """
    claimed = await tx.fetchval(_CLAIM, tenant.business_id, tenant.mode, attempt_id, silent_since, at)
    return claimed is not None


async def claim_question(tx: Tx, tenant: Tenant, attempt_id: str, at: datetime, pause: timedelta) -> bool:
    """Take the right to ask the processor because the customer came back: three times at once, then once each pause."""
    claimed = await tx.fetchval(_ASK, tenant.business_id, tenant.mode, attempt_id, at, pause, at + 2 * pause)
    return claimed is not None


async def silent_payments(read: Read, reckoning: Reckoning, silence: timedelta, limit: int) -> list[tuple[Tenant, str]]:
    """Return payments whose live attempt has had no news during `silence`, the longest silent first."""
    rows = await read.fetch(
        _SILENT.format(reckoned=reckoned(reckoning, "a", 3)),
        reckoning.now - silence,
        limit,
        reckoned_value(reckoning),
    )
    return [(Tenant(row["business_id"], row["mode"]), row["payment_id"]) for row in rows]


def _attempt(row: Record | None) -> Attempt | None:
    if row is None:
        return None
    fields: dict[str, Any] = dict(row)
    return msgspec.convert(fields, Attempt)
