"""Everything that the tables have of a person, and taking it out of them.

Amounts, currencies, moments, ids, products, the country and state that decided the tax, and what the tax rests on (tax
id, business name) stay: the books need them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read, Tx

# What may still move money, or be paid: somebody needs the data.
_OPEN: Final = """
SELECT p.payment_id FROM payments p
WHERE p.business_id = $1 AND p.mode = $2 AND p.customer_id = $3 AND (
    p.status NOT IN ('succeeded', 'failed', 'cancelled')
    OR (p.status = 'failed' AND p.expires_on > $4)
    OR EXISTS (SELECT FROM attempts a WHERE (a.business_id, a.mode, a.payment_id) = ($1, $2, p.payment_id)
        AND a.resolved_at IS NULL)
    OR EXISTS (SELECT FROM refunds r WHERE (r.business_id, r.mode, r.payment_id) = ($1, $2, p.payment_id)
        AND r.status = 'pending')
    OR EXISTS (SELECT FROM disputes d WHERE (d.business_id, d.mode, d.payment_id) = ($1, $2, p.payment_id)
        AND d.status NOT IN ('dispute_won', 'dispute_lost', 'dispute_expired', 'dispute_accepted', 'dispute_cancelled'))
)
ORDER BY p.payment_id LIMIT 1
"""

_OPEN_SUBSCRIPTION: Final = """
SELECT subscription_id FROM subscriptions WHERE business_id = $1 AND mode = $2 AND customer_id = $3
    AND status NOT IN ('cancelled', 'failed', 'expired') ORDER BY subscription_id LIMIT 1
"""

_LOCK: Final = """
SELECT payment_id FROM payments WHERE business_id = $1 AND mode = $2 AND customer_id = $3 FOR NO KEY UPDATE
"""

_CUSTOMER: Final = """
UPDATE customers SET email = $4, email_key = $4, additional_id = '', name = $5, phone_number = NULL, metadata = '{}',
    preferred_locale = NULL, updated_at = $6
WHERE business_id = $1 AND mode = $2 AND customer_id = $3
"""

_STATEMENTS: Final = (
    # Only what decided the tax stays of the address, and of the options what the tax rests on.
    """
    UPDATE payments SET metadata = '{}', card = card - 'holder_name' || '{"holder_name": null}',
        billing = json_build_object('country', billing -> 'country', 'state', billing -> 'state'),
        options = (options::jsonb - ARRAY['return_url', 'custom_field_responses'])::json
    WHERE business_id = $1 AND mode = $2 AND payment_id = ANY ($3)
    """,
    """
    UPDATE attempts SET card = card - 'holder_name' || '{"holder_name": null}',
        outcome = CASE WHEN jsonb_typeof(outcome -> 'card') = 'object'
            THEN jsonb_set(outcome, '{card,holder_name}', 'null') ELSE outcome END
    WHERE business_id = $1 AND mode = $2 AND payment_id = ANY ($3)
    """,
    """
    UPDATE refunds SET metadata = '{}', reason = NULL
    WHERE business_id = $1 AND mode = $2 AND payment_id = ANY ($3)
    """,
    """
    UPDATE subscriptions SET details = (details::jsonb || jsonb_build_object(
        'metadata', '{}'::jsonb, 'custom_field_responses', null, 'cancellation_comment', null,
        'scheduled_change', null, 'open_charge', null,
        'cancelled_by', CASE WHEN details -> 'cancelled_by' ->> 'actor_type' = 'customer'
            THEN '{"actor_type": "customer", "email": null, "name": null}'::jsonb
            ELSE details::jsonb -> 'cancelled_by' END,
        'billing', jsonb_build_object('country', details -> 'billing' -> 'country',
                                      'state', details -> 'billing' -> 'state')))::json, open_payment_id = NULL
    WHERE business_id = $1 AND mode = $2 AND first_payment_id = ANY ($3)
    """,
    """
    UPDATE simulator.charges SET return_url = '',
        outcome = CASE WHEN jsonb_typeof(outcome -> 'card') = 'object'
            THEN jsonb_set(outcome, '{card,holder_name}', 'null') ELSE outcome END
    WHERE business_id = $1 AND $2 = 'test' AND payment_id = ANY ($3)
    """,
)

# A session without a payment is nothing but what it was asked for. Of one with a payment the cart stays.
_SESSIONS: Final = (
    """
    DELETE FROM checkout_sessions s WHERE business_id = $1 AND mode = $2 AND payment_id IS NULL AND (customer_id = $3
        OR email_key = (SELECT email_key FROM customers WHERE (business_id, mode, customer_id) = ($1, $2, $3)))
    """,
    """
    UPDATE checkout_sessions SET email_key = NULL, request = (request::jsonb
        - ARRAY['customer', 'billing', 'metadata', 'return_url', 'cancel_url'])::json
    WHERE business_id = $1 AND mode = $2 AND payment_id IN (
        SELECT payment_id FROM payments WHERE business_id = $1 AND mode = $2 AND customer_id = $3)
    """,
)

_DELETED: Final = tuple(
    f"DELETE FROM {table} WHERE business_id = $1 AND mode = $2 AND customer_id = $3"
    for table in ("saved_methods", "portal_sessions")
)

_EVENTS: Final = """
SELECT event_id, payload FROM events WHERE business_id = $1 AND mode = $2 AND object_id IN (
    SELECT unnest($3::text[])
    UNION ALL SELECT refund_id FROM refunds WHERE business_id = $1 AND mode = $2 AND payment_id = ANY ($3)
    UNION ALL SELECT subscription_id FROM subscriptions
        WHERE business_id = $1 AND mode = $2 AND first_payment_id = ANY ($3)
    UNION ALL SELECT dispute_id FROM disputes WHERE business_id = $1 AND mode = $2 AND payment_id = ANY ($3)
)
ORDER BY event_id
"""

_SET_EVENT: Final = "UPDATE events SET payload = $4 WHERE business_id = $1 AND mode = $2 AND event_id = $3"


async def open_business_with(read: Read, tenant: Tenant, customer_id: str, moment: datetime) -> str | None:
    """Return a payment that is not over yet: unpaid and payable, in doubt, with an open refund or dispute; or None."""
    found: str | None = await read.fetchval(_OPEN, tenant.business_id, tenant.mode, customer_id, moment)
    return found


async def open_subscription_of(read: Read, tenant: Tenant, customer_id: str) -> str | None:
    """Return a subscription of the customer that has not ended; None when there is none."""
    found: str | None = await read.fetchval(_OPEN_SUBSCRIPTION, tenant.business_id, tenant.mode, customer_id)
    return found


async def lock_payments_of(tx: Tx, tenant: Tenant, customer_id: str) -> list[str]:
    """Return a customer's payments, which nobody else can move until the transaction ends."""
    return [row["payment_id"] for row in await tx.fetch(_LOCK, tenant.business_id, tenant.mode, customer_id)]


async def erase_person(
    tx: Tx, tenant: Tenant, customer_id: str, payment_ids: Sequence[str], *, email: str, name: str, moment: datetime
) -> None:
    """Put `email` and `name` in place of the person, and take everything else out but for events."""
    where = (tenant.business_id, tenant.mode)
    for statement in _SESSIONS:  # before the customer, whose e-mail address finds them
        await tx.execute(statement, *where, customer_id)
    await tx.execute(_CUSTOMER, *where, customer_id, email, name, moment)
    for statement in _DELETED:
        await tx.execute(statement, *where, customer_id)
    for statement in _STATEMENTS:
        await tx.execute(statement, *where, list(payment_ids))


async def events_about(read: Read, tenant: Tenant, payment_ids: Sequence[str]) -> dict[str, Any]:
    """Return the bodies of the events of payments, their refunds and disputes, by id."""
    rows = await read.fetch(_EVENTS, tenant.business_id, tenant.mode, list(payment_ids))
    return {row["event_id"]: row["payload"] for row in rows}


async def replace_payloads(tx: Tx, tenant: Tenant, payloads: Mapping[str, Any]) -> None:
    """Store other bodies of events, by id."""
    rows = [(tenant.business_id, tenant.mode, event_id, payload) for event_id, payload in payloads.items()]
    await tx.executemany(_SET_EVENT, rows)
