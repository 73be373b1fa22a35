"""Subscriptions. The columns next to `details` are what lists, workers and checks ask for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.storage.database import Read, Record, Tx
from nicobar.storage.listing import Condition, CreatedBetween, equal, fetch_joined_page

# `OFFSET 0` has the customer looked up by its key: without statistics, reading all of a seller's looks as good.
_COLUMNS: Final = """
    s.details, s.brand_id, c.customer_id, c.email, c.name, c.phone_number, c.metadata
    FROM subscriptions s CROSS JOIN LATERAL (
        SELECT customer_id, email, name, phone_number, metadata FROM customers
        WHERE (business_id, mode, customer_id) = (s.business_id, s.mode, s.customer_id) OFFSET 0
    ) c
"""
_GET: Final = f"SELECT {_COLUMNS} WHERE s.business_id = $1 AND s.mode = $2 AND s.subscription_id = $3"
_LOCK: Final = f"{_GET} FOR UPDATE OF s"
_KEY: Final = "s.subscription_id"

_INSERT: Final = """
INSERT INTO subscriptions (business_id, mode, subscription_id, brand_id, customer_id, product_id, status, created_at,
    updated_at, next_billing_date, cancel_at_next_billing_date, payment_method_id, open_payment_id, first_payment_id,
    credit, details, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""

_UPDATE: Final = """
UPDATE subscriptions SET product_id = $6, status = $7, updated_at = $9, next_billing_date = $10,
    cancel_at_next_billing_date = $11, payment_method_id = $12, open_payment_id = $13, credit = $15, details = $16,
    due_at = $17, tries = 0
WHERE business_id = $1 AND mode = $2 AND subscription_id = $3
  AND brand_id = $4 AND customer_id = $5 AND created_at = $8 AND first_payment_id = $14
RETURNING true
"""

_LIVE: Final = """
SELECT EXISTS (SELECT FROM subscriptions WHERE business_id = $1 AND mode = $2 AND customer_id = $3
    AND status IN ('active', 'past_due', 'on_hold', 'paused'))
"""

# What the first payment is under way for may begin at any moment.
_OTHER: Final = """
SELECT EXISTS (
    SELECT FROM subscriptions s JOIN payments p
        ON (p.business_id, p.mode, p.payment_id) = (s.business_id, s.mode, s.first_payment_id)
    WHERE s.business_id = $1 AND s.mode = $2 AND s.customer_id = $3 AND s.first_payment_id <> $4
      AND (s.status IN ('active', 'past_due', 'on_hold', 'paused')
           OR s.status = 'pending' AND p.status IN ('processing', 'requires_customer_action')))
"""

_WAITING: Final = """
SELECT DISTINCT s.first_payment_id
FROM subscriptions own
JOIN subscriptions s ON (s.business_id, s.mode, s.customer_id) = (own.business_id, own.mode, own.customer_id)
JOIN payments p ON (p.business_id, p.mode, p.payment_id) = (s.business_id, s.mode, s.first_payment_id)
WHERE own.business_id = $1 AND own.mode = $2 AND own.subscription_id = ANY($3::text[])
  AND s.first_payment_id <> own.first_payment_id AND s.status = 'pending' AND p.status = 'requires_customer_action'
ORDER BY 1
"""

_HOLD_FIRST: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2 || '/' || $3, 0))"

_NOT_ENDED: Final = "status NOT IN ('cancelled', 'failed', 'expired')"

_USES_METHOD: Final = f"""
SELECT subscription_id FROM subscriptions WHERE business_id = $1 AND mode = $2 AND payment_method_id = $3
    AND {_NOT_ENDED} ORDER BY subscription_id LIMIT 1
"""

_OF_BRAND: Final = f"""
SELECT EXISTS (SELECT FROM subscriptions WHERE business_id = $1 AND mode = $2 AND brand_id = $3
    AND {_NOT_ENDED})
"""

# Rows are locked in the order of their ids, as a payment that starts several locks them.
# An array, because a join of `held` reads all subscriptions for each of them where PostgreSQL expects a single one.
_MOVE: Final = f"""
WITH held AS (
    SELECT subscription_id FROM subscriptions WHERE business_id = $1 AND mode = $2 AND brand_id = $3
        AND {_NOT_ENDED} ORDER BY subscription_id FOR UPDATE
), moved AS (
    UPDATE subscriptions SET brand_id = $4 WHERE business_id = $1 AND mode = $2
        AND subscription_id = ANY(ARRAY(SELECT subscription_id FROM held)) RETURNING subscription_id
)
SELECT array_agg(subscription_id) FROM moved
"""

_OF_IDS: Final = f"""
SELECT {_COLUMNS} WHERE s.business_id = $1 AND s.mode = $2 AND s.subscription_id = ANY($3::text[])
ORDER BY s.subscription_id
"""


class SubscriptionFilters(CreatedBetween, frozen=True, kw_only=True):
    """What a list of subscriptions is narrowed to; None means no filter."""

    status: str | None = None
    customer_id: str | None = None
    product_id: str | None = None
    brand_id: str | None = None
    cancel_at_next_billing_date: bool | None = None

    def conditions(self) -> list[Condition]:
        """Return the filters in SQL."""
        return self.dates(_KEY, "sub") + equal(
            {
                "s.status": self.status,
                "s.customer_id": self.customer_id,
                "s.product_id": self.product_id,
                "s.brand_id": self.brand_id,
                "s.cancel_at_next_billing_date": self.cancel_at_next_billing_date,
            }
        )


async def insert_subscription(tx: Tx, subscription: Subscription, due_at: datetime | None) -> None:
    """Store a new subscription; its customer and its first payment must exist. `due_at` is when it is looked at."""
    await tx.execute(_INSERT, *_values(subscription, due_at))


async def update_subscription(tx: Tx, subscription: Subscription, due_at: datetime | None) -> None:
    """Store everything that can change. Raises LookupError when there is no such subscription."""
    if await tx.fetchval(_UPDATE, *_values(subscription, due_at)) is None:
        raise LookupError(subscription.subscription_id)


def _values(subscription: Subscription, due_at: datetime | None) -> list[Any]:
    details = msgspec.to_builtins(subscription)
    del details["customer"], details["brand_id"]  # columns have them
    charge = subscription.open_charge
    return [
        subscription.business_id,
        subscription.mode,
        subscription.subscription_id,
        subscription.brand_id,
        subscription.customer.customer_id,
        subscription.plan.product_id,
        subscription.status,
        subscription.created_at,
        subscription.updated_at,
        subscription.next_billing_date,
        subscription.cancel_at_next_billing_date,
        subscription.payment_method_id,
        None if charge is None else charge.payment_id,
        subscription.first_payment_id,
        subscription.credit,
        details,
        due_at,
    ]


async def get_subscription(read: Read, tenant: Tenant, subscription_id: str) -> Subscription | None:
    """Return one subscription."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, subscription_id)
    return None if row is None else _subscription(row)


async def lock_subscription(tx: Tx, tenant: Tenant, subscription_id: str) -> Subscription | None:
    """Return one subscription and hold its row until the transaction ends. A payment of it is locked before."""
    row = await tx.fetchrow(_LOCK, tenant.business_id, tenant.mode, subscription_id)
    return None if row is None else _subscription(row)


async def list_subscriptions(
    read: Read, tenant: Tenant, filters: SubscriptionFilters, limit: int, offset: int
) -> Sequence[Subscription]:
    """Return a page of subscriptions, newest first."""
    rows = await fetch_joined_page(read, _COLUMNS, "subscriptions", _KEY, tenant, filters.conditions(), limit, offset)
    return [_subscription(row) for row in rows]


async def has_live_subscription(read: Read, tenant: Tenant, customer_id: str) -> bool:
    """Return whether a customer has a subscription that has begun and not ended."""
    found: bool = await read.fetchval(_LIVE, tenant.business_id, tenant.mode, customer_id)
    return found


async def has_other_subscription(tx: Tx, tenant: Tenant, customer_id: str, payment_id: str) -> bool:
    """Return whether a customer has a subscription that has begun and not ended, or is paying for one at this moment.

    Those that `payment_id` starts do not count. Until the transaction ends nobody else gets an answer about this
    customer, so of two payments that start one each the second sees the first.
    """
    await tx.execute(_HOLD_FIRST, tenant.business_id, tenant.mode, customer_id)
    found: bool = await tx.fetchval(_OTHER, tenant.business_id, tenant.mode, customer_id, payment_id)
    return found


async def other_waiting_payments(read: Read, tenant: Tenant, subscription_ids: Sequence[str]) -> list[str]:
    """Return the first payments of other subscriptions of the same customer that wait for the customer to act."""
    rows = await read.fetch(_WAITING, tenant.business_id, tenant.mode, subscription_ids)
    return [row["first_payment_id"] for row in rows]


async def subscription_using(read: Read, tenant: Tenant, payment_method_id: str) -> str | None:
    """Return a subscription that is charged by this saved method and has not ended; None when there is none."""
    found: str | None = await read.fetchval(_USES_METHOD, tenant.business_id, tenant.mode, payment_method_id)
    return found


async def brand_has_subscriptions(read: Read, tenant: Tenant, brand_id: str) -> bool:
    """Return whether a subscription that has not ended belongs to the brand."""
    found: bool = await read.fetchval(_OF_BRAND, tenant.business_id, tenant.mode, brand_id)
    return found


async def move_subscriptions(tx: Tx, tenant: Tenant, brand_id: str, target_id: str) -> Sequence[Subscription]:
    """Put the subscriptions of one brand that have not ended under another; return them as they are now, by id."""
    ids = await tx.fetchval(_MOVE, tenant.business_id, tenant.mode, brand_id, target_id)
    rows = [] if ids is None else await tx.fetch(_OF_IDS, tenant.business_id, tenant.mode, ids)
    return [_subscription(row) for row in rows]


def _subscription(row: Record) -> Subscription:
    fields: dict[str, Any] = dict(row)
    details = fields.pop("details")
    details["brand_id"] = fields.pop("brand_id")
    details["customer"] = fields
    return msgspec.convert(details, Subscription)
