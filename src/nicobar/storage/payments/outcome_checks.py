"""Do payments, attempts, events and notices agree with each other, and does nothing wait for too long?

For `nicobar doctor`. Each check looks at all tenants with one query, names at most `REPORTED` rows that are wrong, and
finds nothing when all is well. What must hold is written by one commit, so a query that runs alongside a busy server
never sees half of it.
"""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.storage.database import Read
from nicobar.storage.wrong_rows import WrongRow, wrong_rows

EVENTS_MIGRATION: Final = 8
"""The migration that brought events; what had ended before has none."""


class Counts(msgspec.Struct, frozen=True):
    """How many rows there are to check."""

    ended: int
    """Payments that ended since there are events."""
    under_way: int
    """Payments that a processor works on, or the customer's bank."""
    succeeded: int
    """Payments above zero that were paid."""
    attempts: int
    open_attempts: int
    refunds: int
    pending_refunds: int
    disputes: int
    entries: int
    marks: int
    """Remembered balances of sellers."""
    notices: int
    returns: int
    """Surplus charges that have to go back."""
    deliveries: int
    """Events on their way to endpoints of webhooks."""
    discounts: int
    sessions: int
    """Checkout sessions, without those that were forgotten."""
    subscriptions: int
    charges: int
    """Charges of subscriptions."""
    customers: int
    accounts: int
    """Accounts at processors whose keys are there, retired ones too."""


_EVENTS_SINCE: Final = "SELECT applied_at FROM schema_migrations WHERE number = $1"

_COUNTS: Final = """
SELECT p.*, a.*, r.*, (SELECT count(*) FROM disputes) AS disputes, (SELECT count(*) FROM ledger_entries) AS entries,
    (SELECT count(*) FROM ledger_marks) AS marks, (SELECT count(*) FROM notices) AS notices,
    (SELECT count(*) FROM attempts WHERE return_due_at IS NOT NULL) AS returns,
    (SELECT count(*) FROM webhook_deliveries WHERE due_at IS NOT NULL) AS deliveries,
    (SELECT count(*) FROM discounts) AS discounts, (SELECT count(*) FROM checkout_sessions) AS sessions,
    (SELECT count(*) FROM subscriptions) AS subscriptions, (SELECT count(*) FROM subscription_charges) AS charges,
    (SELECT count(*) FROM customers) AS customers,
    (SELECT count(*) FROM processor_accounts WHERE sealed IS NOT NULL) AS accounts
FROM (
    SELECT count(*) FILTER (WHERE status IN ('succeeded', 'failed', 'cancelled')
                                  AND coalesce(updated_at, created_at) >= $1) AS ended,
           count(*) FILTER (WHERE status IN ('processing', 'requires_customer_action')) AS under_way,
           count(*) FILTER (WHERE status = 'succeeded' AND total_amount > 0) AS succeeded
    FROM payments
) p, (SELECT count(*) AS attempts, count(*) FILTER (WHERE resolved_at IS NULL) AS open_attempts FROM attempts) a,
    (SELECT count(*) AS refunds, count(*) FILTER (WHERE status = 'pending') AS pending_refunds FROM refunds) r
"""

_WITHOUT_EVENT: Final = """
SELECT mode, object_id, 'it is told nobody that it is ' || status AS detail
FROM (
    SELECT business_id, mode, payment_id AS object_id, status, 'payment.' || status AS type
    FROM payments WHERE status IN ('succeeded', 'failed', 'cancelled') AND coalesce(updated_at, created_at) >= $1
    UNION ALL
    SELECT business_id, mode, refund_id, status, 'refund.' || status
    FROM refunds WHERE status IN ('succeeded', 'failed')
    UNION ALL
    SELECT business_id, mode, dispute_id, status, replace(status, '_', '.') FROM disputes
) o
WHERE NOT EXISTS (
    SELECT FROM events e
    WHERE e.business_id = o.business_id AND e.mode = o.mode AND e.object_id = o.object_id AND e.type = o.type)
LIMIT $2
"""

# A free payment is paid without a charge, and every other one by exactly one.
_CHARGED_TOO_OFTEN: Final = """
SELECT p.mode, p.payment_id AS object_id,
    'it is ' || p.status || ', and was charged ' || a.charges || ' times: ' || a.ids AS detail
FROM payments p JOIN (
    SELECT business_id, mode, payment_id, count(*) AS charges, string_agg(attempt_id, ', ' ORDER BY attempt_id) AS ids
    FROM attempts WHERE outcome ->> 'type' = 'succeeded' AND returned_at IS NULL GROUP BY business_id, mode, payment_id
) a USING (business_id, mode, payment_id)
WHERE a.charges > CASE WHEN p.status = 'succeeded' THEN 1 ELSE 0 END
LIMIT $1
"""

_PAID_WITHOUT_CHARGE: Final = """
SELECT p.mode, p.payment_id AS object_id,
    'no charge of ' || p.total_amount || ' ' || p.currency || ' succeeded' AS detail
FROM payments p
WHERE p.status = 'succeeded' AND p.total_amount > 0 AND NOT EXISTS (
    SELECT FROM attempts a
    WHERE a.business_id = p.business_id AND a.mode = p.mode AND a.payment_id = p.payment_id
      AND a.amount = p.total_amount AND a.currency = p.currency AND a.outcome ->> 'type' = 'succeeded')
LIMIT $1
"""

_STRANDED: Final = """
SELECT p.mode, p.payment_id AS object_id, CASE WHEN a.attempt_id IS NULL
    THEN 'it is ' || p.status || ', and no attempt is open'
    ELSE 'it is ' || p.status || ', and yet ' || a.attempt_id || ' is open' END AS detail
FROM payments p LEFT JOIN (SELECT * FROM attempts WHERE resolved_at IS NULL) a USING (business_id, mode, payment_id)
WHERE (p.status IN ('processing', 'requires_customer_action')) <> (a.attempt_id IS NOT NULL)
LIMIT $1
"""

# An attempt that the processor reports as pending, or as waiting for its customer, has its own time.
_OVERDUE: Final = """
SELECT mode, attempt_id AS object_id, payment_id || ' at ' || processor || ' since '
    || to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
    || coalesce(', last heard: ' || (outcome ->> 'why'), '') AS detail
FROM attempts
WHERE resolved_at IS NULL AND created_at < $1 AND (outcome IS NULL OR outcome ->> 'type' = 'unknown')
ORDER BY created_at LIMIT $2
"""

_OVERDUE_REFUNDS: Final = """
SELECT mode, refund_id AS object_id, payment_id || ' since '
    || to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
    || coalesce(', last heard: ' || (outcome ->> 'why'), '') AS detail
FROM refunds
WHERE status = 'pending' AND created_at < $1 AND (outcome IS NULL OR outcome ->> 'type' = 'unknown')
ORDER BY created_at LIMIT $2
"""

_NOTICES: Final = """
SELECT mode, notice_id AS object_id, 'from ' || processor || ' about the ' || subject || ' ' || reference || ', came '
    || to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC, tried ' || tries || ' times' AS detail
FROM notices WHERE due_at IS NOT NULL AND received_at < $1 ORDER BY received_at LIMIT $2
"""

# Nothing else changes an attempt that has ended, so this one was last changed when its charge came to light.
_RETURNS: Final = """
SELECT mode, attempt_id AS object_id, 'the charge of ' || payment_id || ' at ' || processor || ', known since '
    || to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC, tried ' || return_tries || ' times'
    AS detail
FROM attempts WHERE return_due_at IS NOT NULL AND updated_at < $1 ORDER BY updated_at LIMIT $2
"""


async def events_since(read: Read) -> datetime:
    """Return when this database got events."""
    since: datetime = await read.fetchval(_EVENTS_SINCE, EVENTS_MIGRATION)
    return since


async def count_all(read: Read, since: datetime) -> Counts:
    """Count what there is to check; ended payments count from `since` on."""
    return msgspec.convert(dict(await read.fetchrow(_COUNTS, since) or {}), Counts)


async def ended_without_event(read: Read, since: datetime) -> list[WrongRow]:
    """Return payments, refunds and disputes about whose status there is no event, payments that ended since then."""
    return await wrong_rows(read, _WITHOUT_EVENT, since)


async def charged_too_often(read: Read) -> list[WrongRow]:
    """Return payments that were charged twice, or charged and yet not paid."""
    return await wrong_rows(read, _CHARGED_TOO_OFTEN)


async def paid_without_charge(read: Read) -> list[WrongRow]:
    """Return paid payments of which no attempt has charged exactly the total."""
    return await wrong_rows(read, _PAID_WITHOUT_CHARGE)


async def stranded_payments(read: Read) -> list[WrongRow]:
    """Return payments that are under way without an open attempt, and those with one that are not."""
    return await wrong_rows(read, _STRANDED)


async def overdue_attempts(read: Read, before: datetime) -> list[WrongRow]:
    """Return attempts that began before then and of which nobody knows what became."""
    return await wrong_rows(read, _OVERDUE, before)


async def overdue_refunds(read: Read, before: datetime) -> list[WrongRow]:
    """Return refunds that began before then and of which nobody knows what became."""
    return await wrong_rows(read, _OVERDUE_REFUNDS, before)


async def overdue_notices(read: Read, before: datetime) -> list[WrongRow]:
    """Return notices that came before then and are not handled."""
    return await wrong_rows(read, _NOTICES, before)


async def overdue_returns(read: Read, before: datetime) -> list[WrongRow]:
    """Return surplus charges that came to light before then and are not given back."""
    return await wrong_rows(read, _RETURNS, before)
