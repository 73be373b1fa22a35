"""The charges of subscriptions: which payment pays for which period."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.subscriptions.charge_record import ChargeRecord, ChargeState
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = """
payment_id, position, subscription_id, charge_type, retry_attempt, starts_at, ends_at, factor, state, created_at
"""

_INSERT: Final = f"""
INSERT INTO subscription_charges (business_id, mode, {_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

# `OFFSET 0` has each payment's looked up by the key: without statistics, reading all of a seller's looks as good.
_OF_PAYMENTS: Final = f"""
SELECT {_COLUMNS} FROM (SELECT DISTINCT json_array_elements_text($3) AS id) asked CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM subscription_charges
    WHERE business_id = $1 AND mode = $2 AND payment_id = asked.id OFFSET 0
) c ORDER BY payment_id, position
"""

CHARGES_OF_PAYMENT: Final = f"""
SELECT {_COLUMNS} FROM subscription_charges
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 ORDER BY position
"""

_OF_SUBSCRIPTION: Final = f"""
SELECT {_COLUMNS} FROM subscription_charges
WHERE business_id = $1 AND mode = $2 AND subscription_id = $3 ORDER BY payment_id DESC LIMIT $4
"""

# A period begins with the last paid charge that is not for a later moment than its beginning: one that begins a new
# cycle is for the moment at which it was decided, and the cycle begins when it is paid.
_OF_PERIOD: Final = f"""
SELECT {_COLUMNS} FROM subscription_charges
WHERE business_id = $1 AND mode = $2 AND subscription_id = $3 AND state = 'paid' AND starts_at >= (
    SELECT max(starts_at) FROM subscription_charges
    WHERE business_id = $1 AND mode = $2 AND subscription_id = $3 AND state = 'paid' AND starts_at <= $4)
ORDER BY payment_id, position
"""

_RENEWALS: Final = """
SELECT count(*) FROM subscription_charges
WHERE business_id = $1 AND mode = $2 AND subscription_id = $3 AND charge_type = 'renewal' AND retry_attempt = 0
"""

_LATEST_START: Final = """
SELECT max(starts_at) FROM subscription_charges
WHERE business_id = $1 AND mode = $2 AND subscription_id = $3 AND state = 'paid' AND starts_at >= $4
"""

_END: Final = """
UPDATE subscription_charges SET state = $5, starts_at = coalesce($6, starts_at), ends_at = coalesce($7, ends_at)
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND position = $4
"""


async def insert_charge(tx: Tx, tenant: Tenant, charge: ChargeRecord) -> None:
    """Store that a payment charges a subscription.

    Raises UniqueViolation when another charge of it is open.
    """
    await tx.execute(
        _INSERT,
        tenant.business_id,
        tenant.mode,
        charge.payment_id,
        charge.position,
        charge.subscription_id,
        charge.charge_type,
        charge.retry_attempt,
        charge.starts_at,
        charge.ends_at,
        charge.factor,
        charge.state,
        charge.created_at,
    )


async def end_charge(
    tx: Tx,
    tenant: Tenant,
    charge: ChargeRecord,
    state: ChargeState,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> None:
    """Store how a charge ended, and its period where that was not known before.

    Raises UniqueViolation when its period is paid already.
    """
    key = (tenant.business_id, tenant.mode, charge.payment_id, charge.position)
    await tx.execute(_END, *key, state, starts_at, ends_at)


async def charges_of_payments(read: Read, tenant: Tenant, payment_ids: Sequence[str]) -> list[ChargeRecord]:
    """Return what payments charge, by payment and position."""
    rows = await read.fetch(_OF_PAYMENTS, tenant.business_id, tenant.mode, payment_ids)
    return [msgspec.convert(dict(row), ChargeRecord) for row in rows]


async def charges_of_subscription(
    read: Read, tenant: Tenant, subscription_id: str, limit: int = 100
) -> list[ChargeRecord]:
    """Return the newest charges of a subscription, the newest first."""
    rows = await read.fetch(_OF_SUBSCRIPTION, tenant.business_id, tenant.mode, subscription_id, limit)
    return [msgspec.convert(dict(row), ChargeRecord) for row in rows]


async def count_renewals(read: Read, tenant: Tenant, subscription_id: str) -> int:
    """Return how many renewals of a subscription were charged so far, whatever became of them; retries are none."""
    counted: int = await read.fetchval(_RENEWALS, tenant.business_id, tenant.mode, subscription_id)
    return counted


async def charges_of_period(
    read: Read, tenant: Tenant, subscription_id: str, starts_at: datetime
) -> list[ChargeRecord]:
    """Return the paid charges of the period that begins at `starts_at`, those of its plan changes included."""
    rows = await read.fetch(_OF_PERIOD, tenant.business_id, tenant.mode, subscription_id, starts_at)
    return [msgspec.convert(dict(row), ChargeRecord) for row in rows]


async def free_moment(read: Read, tenant: Tenant, subscription_id: str, at: datetime) -> datetime:
    """Return when the period of a charge may begin: at `at`, or a microsecond after the last that is paid.

    The clock of a test mode may stand while a subscription is charged several times, and two charges whose periods
    begin at one moment are charges of one period.
    """
    latest: datetime | None = await read.fetchval(_LATEST_START, tenant.business_id, tenant.mode, subscription_id, at)
    return at if latest is None else latest + timedelta(microseconds=1)
