"""Checkout sessions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer import email_key
from nicobar.core.sessions.checkout_session import CheckoutSession, SessionRequest, SessionStatus
from nicobar.storage.database import Read, Record, Tx
from nicobar.storage.retries.kept_answers import GIVEN_ANSWER, AnswerToKeep, RowWithAnswer, keep_given
from nicobar.storage.test_clocks import reckoned, reckoned_value

# One statement for however many sessions; $1 is a JSON list of `_Row`.
_STORE: Final = f"""
WITH given AS (
    SELECT * FROM json_to_recordset($1) AS g(
        business_id text, mode text, session_id text, request json, customer_id text, email_key text, payment_id text,
        created_at timestamptz, expires_at timestamptz, {GIVEN_ANSWER})
), sessions AS (
    INSERT INTO checkout_sessions
        (business_id, mode, session_id, request, customer_id, email_key, payment_id, created_at, expires_at)
    SELECT business_id, mode, session_id, request, customer_id, email_key, payment_id, created_at, expires_at
    FROM given
), {keep_given("given")}
SELECT count(*) FROM given
"""

_COLUMNS: Final = "business_id, mode, session_id, request, payment_id, created_at, expires_at"
_FIND: Final = f"SELECT {_COLUMNS} FROM checkout_sessions WHERE session_id = $1"
_GET: Final = f"SELECT {_COLUMNS} FROM checkout_sessions WHERE business_id = $1 AND mode = $2 AND session_id = $3"

_CLAIM: Final = """
UPDATE checkout_sessions SET payment_id = $4
WHERE business_id = $1 AND mode = $2 AND session_id = $3 AND payment_id IS NULL AND expires_at > $5
RETURNING session_id
"""

# A payment's customer comes first; before there is one, a known customer as it is now, or whom the request names.
_STATUS: Final = """
SELECT s.session_id, s.created_at, s.expires_at, s.payment_id, p.status AS payment_status,
    coalesce(b.customer_id, k.customer_id) AS customer_id,
    coalesce(b.email, k.email, s.request -> 'customer' ->> 'email') AS customer_email,
    nullif(coalesce(b.name, k.name, s.request -> 'customer' ->> 'name'), '') AS customer_name
FROM checkout_sessions s
LEFT JOIN payments p USING (business_id, mode, payment_id)
LEFT JOIN customers b ON (b.business_id, b.mode, b.customer_id) = (s.business_id, s.mode, p.customer_id)
LEFT JOIN customers k ON (k.business_id, k.mode, k.customer_id) = (s.business_id, s.mode, s.customer_id)
WHERE s.business_id = $1 AND s.mode = $2
"""
_STATUS_OF: Final = f"{_STATUS} AND s.session_id = $3"
_NEWEST: Final = f"{_STATUS} ORDER BY s.created_at DESC, s.session_id LIMIT $3"

_PURGE: Final = """
DELETE FROM checkout_sessions WHERE session_id IN (
    SELECT session_id FROM checkout_sessions s WHERE payment_id IS NULL AND expires_at < $1 AND {reckoned}
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


class NewSession(NamedTuple):
    """A session that is stored, and what is stored with it."""

    session: CheckoutSession
    kept: AnswerToKeep | None = None
    """The answer to the request."""


class _Row(RowWithAnswer, frozen=True):
    """A session as the statement reads it."""

    business_id: str
    mode: str
    session_id: str
    request: SessionRequest
    customer_id: str | None
    email_key: str | None
    payment_id: str | None
    created_at: datetime
    expires_at: datetime


async def insert_sessions(tx: Tx, new: Sequence[NewSession]) -> None:
    """Store sessions in one statement: all of them, or none.

    Raises UniqueViolation when another request with the same idempotency key was faster.
    """
    await tx.fetchval(_STORE, [_row(one) for one in new])


def _row(new: NewSession) -> _Row:
    session, customer = new.session, new.session.request.customer
    customer_id = None if customer is None else (customer.customer_id or "").strip() or None
    email = None if customer is None or customer_id is not None else (customer.email or "").strip() or None
    return _Row(
        session.business_id,
        session.mode,
        session.session_id,
        session.request,
        customer_id,
        None if email is None else email_key(email),
        session.payment_id,
        session.created_at,
        session.expires_at,
        **({} if new.kept is None else new.kept.given()),
    )


async def find_session(read: Read, session_id: str) -> CheckoutSession | None:
    """Return the session with this id: the id itself is the buyer's permission, so no tenant is asked."""
    return _session(await read.fetchrow(_FIND, session_id))


async def get_session(read: Read, tenant: Tenant, session_id: str) -> CheckoutSession | None:
    """Return one session of a tenant."""
    return _session(await read.fetchrow(_GET, tenant.business_id, tenant.mode, session_id))


async def claim_session(tx: Tx, session: CheckoutSession, payment_id: str, now: datetime) -> bool:
    """Give a session its payment; return False when it has one already, or its deadline has passed."""
    key = (session.business_id, session.mode, session.session_id)
    return await tx.fetchval(_CLAIM, *key, payment_id, now) is not None


async def get_session_status(read: Read, tenant: Tenant, session_id: str) -> SessionStatus | None:
    """Return how far a session has come."""
    row = await read.fetchrow(_STATUS_OF, tenant.business_id, tenant.mode, session_id)
    return None if row is None else msgspec.convert(dict(row), SessionStatus)


async def list_session_statuses(read: Read, tenant: Tenant, limit: int) -> Sequence[SessionStatus]:
    """Return how far the newest sessions have come, the newest first."""
    rows = await read.fetch(_NEWEST, tenant.business_id, tenant.mode, limit)
    return [msgspec.convert(dict(row), SessionStatus) for row in rows]


async def purge_sessions(tx: Tx, reckoning: Reckoning, kept: timedelta, limit: int) -> int:
    """Delete at most `limit` sessions without a payment whose deadline is older than `kept`; return how many."""
    query = _PURGE.format(reckoned=reckoned(reckoning, "s", 3))
    deleted: str = await tx.execute(query, reckoning.now - kept, limit, reckoned_value(reckoning))
    return int(deleted.rpartition(" ")[2])


def _session(row: Record | None) -> CheckoutSession | None:
    return None if row is None else msgspec.convert(dict(row), CheckoutSession)
