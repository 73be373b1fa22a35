"""Do subscriptions, their charges and payments agree, and is nothing due for too long? For `nicobar doctor`."""

from datetime import datetime
from typing import Final

from nicobar.storage.database import Read
from nicobar.storage.wrong_rows import WrongRow, wrong_rows

# A charge that was paid after it had been given up is credited; a first payment with a link may fail and be tried
# again.
_CHARGES: Final = """
SELECT c.mode, c.payment_id AS object_id,
    'its charge of ' || c.subscription_id || ' is ' || c.state || ', and the payment ' || p.status AS detail
FROM subscription_charges c JOIN payments p USING (business_id, mode, payment_id)
WHERE (c.state IN ('paid', 'credited')) <> (p.status = 'succeeded')
   OR (c.state = 'open' AND p.status = 'cancelled')
   OR (c.state = 'open' AND p.status = 'failed' AND p.link_id IS NULL)
ORDER BY c.payment_id LIMIT $1
"""

_SUBSCRIPTIONS: Final = """
SELECT s.mode, s.subscription_id AS object_id, CASE
    WHEN s.status <> s.details ->> 'status' OR s.credit <> (s.details ->> 'credit')::bigint
        OR s.next_billing_date <> (s.details ->> 'next_billing_date')::timestamptz
        OR s.open_payment_id IS DISTINCT FROM s.details -> 'open_charge' ->> 'payment_id'
        THEN 'its columns and its details differ'
    WHEN s.open_payment_id IS NOT NULL AND c.payment_id IS NULL
        THEN 'it waits for the payment ' || s.open_payment_id || ', which does not charge it'
    WHEN s.status IN ('past_due', 'on_hold') AND s.details -> 'arrears' ->> 'created_at' IS NULL
        THEN 'it is ' || s.status || ' and owes nothing'
    ELSE 'it is ' || s.status || ', and its current period was neither paid nor is it owed'
    END AS detail
FROM subscriptions s LEFT JOIN subscription_charges c ON (c.business_id, c.mode, c.payment_id, c.subscription_id)
    = (s.business_id, s.mode, s.open_payment_id, s.subscription_id) AND c.state = 'open'
WHERE s.status <> s.details ->> 'status' OR s.credit <> (s.details ->> 'credit')::bigint
   OR s.next_billing_date <> (s.details ->> 'next_billing_date')::timestamptz
   OR s.open_payment_id IS DISTINCT FROM s.details -> 'open_charge' ->> 'payment_id'
   OR (s.open_payment_id IS NOT NULL AND c.payment_id IS NULL)
   OR (s.status IN ('past_due', 'on_hold') AND s.details -> 'arrears' ->> 'created_at' IS NULL)
   OR (s.status = 'active' AND NOT EXISTS (
        SELECT FROM subscription_charges o WHERE o.business_id = s.business_id AND o.mode = s.mode
            AND o.subscription_id = s.subscription_id AND o.state = 'paid'))
ORDER BY s.subscription_id LIMIT $1
"""

_OVERDUE: Final = """
SELECT mode, subscription_id AS object_id,
    'it is ' || status || ', and something is due since ' || to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
        || ' UTC' AS detail
FROM subscriptions WHERE due_at < $1 ORDER BY due_at LIMIT $2
"""


async def charges_that_disagree(read: Read) -> list[WrongRow]:
    """Return charges that ended otherwise than their payment."""
    return await wrong_rows(read, _CHARGES)


async def subscriptions_that_disagree(read: Read) -> list[WrongRow]:
    """Return subscriptions that contradict themselves or their charges, such as an active one that nobody paid."""
    return await wrong_rows(read, _SUBSCRIPTIONS)


async def overdue_subscriptions(read: Read, before: datetime) -> list[WrongRow]:
    """Return subscriptions of which something is due since then or longer."""
    return await wrong_rows(read, _OVERDUE, before)
