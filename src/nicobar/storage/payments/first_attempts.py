"""The first attempt at a payment begins with one statement and ends with one, each for one payment or for many.

It is for payments that nobody else has a part in: `core/payments/paying.py:moves_alone`. Each was read before, and is
changed only if it is still what was read: the versions of its row and of its customer's are compared. A row that
somebody else holds is left out, so these statements wait for no payment, and no two of them for one another. What is
left out takes the transaction that every other payment takes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event
from nicobar.core.ledger.ledger import LedgerEntry
from nicobar.core.payments.payment import Attempt, CardDetails, Outcome, Payment, origins
from nicobar.core.payments.three_ds import ThreeDs
from nicobar.storage.database import Tx
from nicobar.storage.ledger.ledger import GIVEN_ENTRY, INTO_LEDGER, EntryRow, row_of_entry
from nicobar.storage.payments.payments import VersionedPayment

# Lines and amounts never change without a change of the payment's own row. What is given is narrowed to
# its tenant, and joined by whole keys alone: so PostgreSQL expects one row, and looks each up by its key.
# Subqueries, because a join could be led by the customer, who may have any number of payments.
_HELD: Final = """
held AS MATERIALIZED (
    SELECT g.* FROM {given} g
    JOIN payments p ON (p.business_id, p.mode, p.payment_id) = (g.business_id, g.mode, g.payment_id)
    WHERE p.xmin = g.version AND p.status = ANY(g.origins) AND g.customer_version = (
        SELECT c.xmin FROM customers c
        WHERE (c.business_id, c.mode, c.customer_id) = (p.business_id, p.mode, p.customer_id)) {further}
    FOR UPDATE OF p SKIP LOCKED
)
"""

_UNRESOLVED: Final = """
    AND (
        SELECT a.resolved_at IS NULL FROM attempts a
        WHERE (a.business_id, a.mode, a.attempt_id) = (g.business_id, g.mode, g.attempt_id))
"""

# As `hold_account` does, so that an account is not removed while something begins there.
_ACCOUNTS: Final = """
accounts AS MATERIALIZED (
    SELECT processor, account FROM processor_accounts
    WHERE business_id = $1 AND mode = $2 AND sealed IS NOT NULL
      AND (processor, account) IN (SELECT processor, account FROM given WHERE needs_account)
    FOR KEY SHARE SKIP LOCKED
), chargeable AS MATERIALIZED (
    SELECT * FROM given WHERE NOT needs_account OR (processor, account) IN (SELECT * FROM accounts)
)
"""

_BEGIN: Final = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset($3) AS g(
        business_id text, mode text, payment_id text, version xid, customer_version xid, origins text[],
        attempt_id text, processor text, account text, needs_account boolean, amount bigint, currency text, card jsonb,
        at timestamptz, payment_method text, payment_method_type text)
    WHERE business_id = $1 AND mode = $2
), {_ACCOUNTS}, {_HELD.format(given="chargeable", further="")}, begun AS (
    INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, account, amount, currency, card,
                          created_at, updated_at, save_method)
    SELECT $1, $2, attempt_id, payment_id, processor, account, amount, currency, card, at, at, false FROM held
)
UPDATE payments p SET status = 'processing', updated_at = h.at, error_code = NULL, error_message = NULL,
    payment_method = h.payment_method, payment_method_type = h.payment_method_type, card = h.card,
    payment_method_id = NULL, three_ds = NULL
FROM held h WHERE (p.business_id, p.mode, p.payment_id) = (h.business_id, h.mode, h.payment_id)
RETURNING h.attempt_id, p.xmin AS version
"""

# An attempt ends under its payment's lock; only its own row may be held by somebody who claims the next question.
_END: Final = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset($3) AS g(
        business_id text, mode text, payment_id text, version xid, customer_version xid, origins text[],
        attempt_id text, outcome jsonb, at timestamptz, status text, error_code text, error_message text,
        payment_method_type text, card jsonb, three_ds jsonb, entry json, event_id text, type text, payload json)
    WHERE business_id = $1 AND mode = $2
), {_HELD.format(given="given", further=_UNRESOLVED)}, ended AS (
    UPDATE attempts a SET outcome = h.outcome, updated_at = h.at, resolved_at = h.at
    FROM held h WHERE (a.business_id, a.mode, a.attempt_id) = (h.business_id, h.mode, h.attempt_id)
), moved AS (
    UPDATE payments p SET status = h.status, updated_at = h.at, error_code = h.error_code,
        error_message = h.error_message, payment_method_type = h.payment_method_type, card = h.card,
        three_ds = h.three_ds
    FROM held h WHERE (p.business_id, p.mode, p.payment_id) = (h.business_id, h.mode, h.payment_id)
), booked AS (
    INSERT INTO ledger_entries ({INTO_LEDGER})
    SELECT $1, $2, e.* FROM held h CROSS JOIN json_to_record(h.entry) AS e({GIVEN_ENTRY}) WHERE h.entry IS NOT NULL
), told AS (
    INSERT INTO events (business_id, mode, event_id, type, object_id, payload, created_at)
    SELECT $1, $2, event_id, type, payment_id, payload, at FROM held RETURNING event_id, type, created_at
)
SELECT event_id, schedule_webhooks($1, $2, event_id, type, created_at) AS scheduled FROM told
"""


class FirstAttempt(NamedTuple):
    """An attempt that is to begin."""

    before: VersionedPayment
    """Its payment as it was read."""
    attempt: Attempt
    payment: Payment
    """As it is from then on."""
    needs_account: bool
    """Whether the processor has keys of the seller, without which it could not tell how the attempt ends."""


class FirstEnd(NamedTuple):
    """How the attempt ended, with everything that is stored in the same commit."""

    before: VersionedPayment
    """As it was left when the attempt began."""
    attempt_id: str
    outcome: Outcome
    payment: Payment
    """As it is from then on."""
    entry: LedgerEntry | None
    """For the books; None when no money came in."""
    event: Event
    at: datetime


class _Row(msgspec.Struct, frozen=True):
    """What both statements read: the payment, what it must still be, and the attempt."""

    business_id: str
    mode: str
    payment_id: str
    version: int
    customer_version: int
    origins: Sequence[str]
    attempt_id: str


class _BeginRow(_Row, frozen=True):
    """An attempt that begins, as the statement reads it."""

    processor: str
    account: str
    needs_account: bool
    amount: int
    currency: str
    card: CardDetails | None
    at: datetime
    payment_method: str | None
    payment_method_type: str | None


class _EndRow(_Row, frozen=True):
    """An attempt that ends, as the statement reads it."""

    outcome: Outcome
    at: datetime
    status: str
    error_code: str | None
    error_message: str | None
    payment_method_type: str | None
    card: CardDetails | None
    three_ds: ThreeDs | None
    entry: EntryRow | None
    event_id: str
    type: str
    payload: msgspec.Raw


async def begin_first_attempts(tx: Tx, tenant: Tenant, new: Sequence[FirstAttempt]) -> list[VersionedPayment | None]:
    """Store new attempts and move their payments to `processing`, all in one statement.

    Return each payment as it is then; None, and no change, for one that has changed, or its customer, or that somebody
    holds, and where the account at the processor is not there any more, or just being removed. Raises UniqueViolation
    `attempts_one_live`, and stores none, when a payment has a live attempt already or is given twice.
    """
    allowed = origins("processing")
    rows = [
        _BeginRow(
            tenant.business_id,
            tenant.mode,
            one.payment.payment_id,
            one.before.version,
            one.before.customer_version,
            allowed,
            one.attempt.attempt_id,
            one.attempt.processor,
            one.attempt.account,
            one.needs_account,
            one.attempt.amount,
            one.attempt.currency,
            one.attempt.card,
            one.attempt.created_at,
            one.payment.payment_method,
            one.payment.payment_method_type,
        )
        for one in new
    ]
    begun = await tx.fetch(_BEGIN, tenant.business_id, tenant.mode, rows)
    versions: dict[str, int] = {row["attempt_id"]: row["version"] for row in begun}
    return [
        None if version is None else one.before._replace(payment=one.payment, version=version)
        for one in new
        for version in [versions.get(one.attempt.attempt_id)]
    ]


async def end_first_attempts(tx: Tx, tenant: Tenant, ended: Sequence[FirstEnd]) -> list[int | None]:
    """Store how attempts ended with all that follows: status, books, event and its deliveries, all in one statement.

    Return how many endpoints want each event; None, and no change, for a payment that has changed, or its customer, or
    that somebody holds.
    """
    rows = [_end_row(one) for one in ended]
    told = await tx.fetch(_END, tenant.business_id, tenant.mode, rows)
    scheduled: dict[str, int] = {row["event_id"]: row["scheduled"] for row in told}
    return [scheduled.get(one.event.event_id) for one in ended]


def _end_row(end: FirstEnd) -> _EndRow:
    payment = end.payment
    return _EndRow(
        payment.business_id,
        payment.mode,
        payment.payment_id,
        end.before.version,
        end.before.customer_version,
        origins(payment.status),
        end.attempt_id,
        end.outcome,
        end.at,
        payment.status,
        payment.error_code,
        payment.error_message,
        payment.payment_method_type,
        payment.card,
        payment.three_ds,
        None if end.entry is None else row_of_entry(end.entry),
        end.event.event_id,
        end.event.type,
        msgspec.Raw(end.event.payload),
    )
