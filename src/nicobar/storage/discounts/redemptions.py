"""What payments do with discount codes: reserve a use, redeem it, give it back; and the counters of the discounts.

A use is reserved in the transaction that creates the payment, redeemed in the one that records its success, and
released in the one that brings the payment to a dead end. A declined payment can still be paid: then its uses are taken
again. `times_used` and `times_reserved` of a discount are the numbers of its redeemed and reserved uses, moved in the
same statement as the uses themselves.

A limit holds because every reservation checks it under the lock of the discount's row, and because PostgreSQL checks
it once more (`discounts_uses`). One way past it is left open on purpose: when a payment succeeds after its reservation
was given back, the money was taken, so the use counts even if others have filled the limit meanwhile. Such a row is
marked `over_limit`.

Locks are taken in one order everywhere: the payment, its uses, then the discounts by their ids.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.discounts.discount_record import CodeLimits, CodeUse
from nicobar.core.discounts.discounts import CodeHistory, CustomerStanding, DiscountCode
from nicobar.storage.database import Read, Tx
from nicobar.storage.test_clocks import reckoned, reckoned_value

LOCK_TIMEOUT: Final = "5s"
"""How long a reservation waits for a code that other payments hold."""

# What open payments of the customer hold. One that nobody is paying gives it to a newer payment.
_OWN: Final = """
SELECT r.discount_id, r.payment_id,
       p.status = ANY('{requires_payment_method,failed}') AND NOT EXISTS (
           SELECT FROM attempts a WHERE (a.business_id, a.mode, a.payment_id) = (p.business_id, p.mode, p.payment_id)
             AND a.resolved_at IS NULL) AS idle
FROM discount_redemptions r JOIN payments p USING (business_id, mode, payment_id)
WHERE r.business_id = $1 AND r.mode = $2 AND r.customer_id = $4 AND r.state = 'reserved'
  AND r.payment_id IS DISTINCT FROM $5
"""

_HAS_PURCHASED: Final = """
EXISTS (SELECT FROM payments p
        WHERE p.business_id = $1 AND p.mode = $2 AND p.customer_id = $4 AND p.status = 'succeeded')
"""

_IS_LISTED: Final = """
EXISTS (SELECT FROM discount_customers c
        WHERE c.business_id = $1 AND c.mode = $2 AND c.discount_id = d.discount_id AND c.customer_id = $4)
"""

# The purchases are asked for once a query, the customer's uses and place on the list once a code.
_CODES: Final = f"""
WITH own AS MATERIALIZED ({_OWN})
SELECT d.discount_id, d.code, d.type, d.amount, d.currency_options, d.restricted_to, d.usage_limit,
       d.per_customer_usage_limit, d.starts_at, d.expires_at, d.customer_eligibility,
       d.times_used + d.times_reserved - idle.uses AS times_used,
       (SELECT count(*) FROM discount_redemptions r
        WHERE r.business_id = $1 AND r.mode = $2 AND r.discount_id = d.discount_id AND r.customer_id = $4
          AND r.state <> 'released') - idle.uses AS customer_uses,
       {_HAS_PURCHASED} AS customer_has_purchased,
       EXISTS (SELECT FROM own WHERE NOT own.idle) AS customer_holds_codes,
       {_IS_LISTED} AS customer_listed,
       d.deleted_at IS NOT NULL AS deleted,
       EXISTS (SELECT FROM discount_redemptions o
               WHERE o.business_id = $1 AND o.mode = $2 AND o.payment_id = $5 AND o.discount_id = d.discount_id
                 AND o.state = 'reserved') AS held
FROM discounts d
CROSS JOIN LATERAL (SELECT count(*) AS uses FROM own WHERE own.discount_id = d.discount_id AND own.idle) AS idle
WHERE d.business_id = $1 AND d.mode = $2 AND d.code = ANY($3::text[])
"""
_USABLE_CODES: Final = f"{_CODES} AND d.deleted_at IS NULL"
# What an open payment was promised stays promised: it keeps a code that was deleted meanwhile, even when a new discount
# has its name by now. The one that is held comes last and so takes the name.
_HELD_CODES: Final = f"SELECT * FROM ({_CODES}) c WHERE c.held OR NOT c.deleted ORDER BY c.held"

# The time limit is set on the way: rows are locked after they have been joined with it. That saves a round trip.
_LIMITS: Final = """
WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', $4, true))
SELECT d.discount_id, d.deleted_at IS NOT NULL AS deleted, d.code, d.usage_limit, d.per_customer_usage_limit,
       d.customer_eligibility, d.times_used + d.times_reserved AS taken
FROM patience CROSS JOIN discounts d
WHERE d.business_id = $1 AND d.mode = $2 AND d.discount_id = ANY($3::text[])
ORDER BY d.discount_id FOR NO KEY UPDATE OF d
"""

# A statement of its own: one that waited for the locks would still count what it saw before it waited.
_STANDING: Final = f"""
WITH own AS MATERIALIZED ({_OWN})
SELECT d.discount_id,
       (SELECT count(*) FROM discount_redemptions r
        WHERE r.business_id = $1 AND r.mode = $2 AND r.discount_id = d.discount_id AND r.customer_id = $4
          AND r.state <> 'released' AND r.payment_id <> $5) AS customer_uses,
       {_HAS_PURCHASED} AS customer_has_purchased,
       EXISTS (SELECT FROM own) AS customer_holds_codes,
       {_IS_LISTED} AS customer_listed
FROM discounts d WHERE d.business_id = $1 AND d.mode = $2 AND d.discount_id = ANY($3::text[])
"""

_HOLDINGS: Final = f"SELECT payment_id, discount_id FROM ({_OWN}) own WHERE idle AND $3::text IS NULL"

_RELEASED: Final = """
SELECT discount_id FROM discount_redemptions
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND state = 'released' ORDER BY position
"""

_OF_PAYMENT: Final = """
SELECT discount_id FROM discount_redemptions WHERE business_id = $1 AND mode = $2 AND payment_id = $3
"""

_RETAKE: Final = """
WITH taken AS (
    UPDATE discount_redemptions SET state = 'reserved', updated_at = $5
    WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND discount_id = ANY($4::text[]) AND state = 'released'
    RETURNING discount_id
)
UPDATE discounts d SET times_reserved = d.times_reserved + 1, over_limit = false
FROM taken WHERE d.business_id = $1 AND d.mode = $2 AND d.discount_id = taken.discount_id
"""

# The ids are named twice, so that the discounts are found by their key however small the tables were when planned.
_RESERVE: Final = """
WITH uses AS (
    INSERT INTO discount_redemptions (
        business_id, mode, payment_id, position, discount_id, customer_id, code, type, amount, deducted, state,
        reserved_until, created_at, updated_at)
    SELECT $1, $2, $3, $9::integer + given.ordinal - 1, d.discount_id, $4, d.code, d.type, d.amount, given.deducted,
           'reserved', $5, $6, $6
    FROM unnest($7::text[], $8::bigint[]) WITH ORDINALITY AS given (discount_id, deducted, ordinal)
    JOIN discounts d ON d.business_id = $1 AND d.mode = $2 AND d.discount_id = given.discount_id
        AND d.discount_id = ANY($7)
    RETURNING discount_id
)
UPDATE discounts d SET times_reserved = d.times_reserved + 1, over_limit = false
FROM uses
WHERE d.business_id = $1 AND d.mode = $2 AND d.discount_id = uses.discount_id AND d.discount_id = ANY($7)
"""

# $1 is the new state and $2 the moment. The discounts are locked in the order of their ids before any is changed:
# two payments with the same codes would otherwise wait for each other.
_MOVE: Final = """
WITH due AS ({due}), moved AS (
    UPDATE discount_redemptions r SET state = $1, updated_at = $2
    FROM due
    WHERE (r.business_id, r.mode, r.payment_id, r.position)
        = (due.business_id, due.mode, due.payment_id, due.position)
    RETURNING r.business_id, r.mode, r.discount_id, due.state AS origin
), counted AS (
    SELECT business_id, mode, discount_id, count(*) FILTER (WHERE origin = 'reserved') AS opened,
           CASE $1 WHEN 'redeemed' THEN count(*) ELSE 0 END AS used
    FROM moved GROUP BY business_id, mode, discount_id
), locked AS (
    SELECT d.business_id, d.mode, d.discount_id, counted.opened, counted.used
    FROM discounts d JOIN counted USING (business_id, mode, discount_id)
    ORDER BY d.business_id, d.mode, d.discount_id FOR NO KEY UPDATE OF d
), counters AS (
    UPDATE discounts d SET
        times_used = d.times_used + locked.used,
        times_reserved = d.times_reserved - locked.opened,
        over_limit = coalesce(
            d.times_used + locked.used + d.times_reserved - locked.opened > d.usage_limit, false)
    FROM locked
    WHERE (d.business_id, d.mode, d.discount_id) = (locked.business_id, locked.mode, locked.discount_id)
)
SELECT count(*) FROM moved
"""

_OF_PAYMENTS: Final = """
    SELECT business_id, mode, payment_id, position, state FROM discount_redemptions
    WHERE (business_id, mode, payment_id) IN (SELECT * FROM unnest($3::text[], $4::text[], $5::text[]))
      AND state = ANY($6::text[])
    ORDER BY business_id, mode, payment_id, position FOR NO KEY UPDATE
"""
_MOVE_OF_PAYMENTS: Final = _MOVE.format(due=_OF_PAYMENTS)

# The payment is locked, too, so that it stays failed while its uses go. Who is worked on now is left for next time.
_EXPIRED: Final = """
    SELECT r.business_id, r.mode, r.payment_id, r.position, r.state
    FROM discount_redemptions r JOIN payments p USING (business_id, mode, payment_id)
    WHERE r.state = 'reserved' AND r.reserved_until <= $2 AND p.status IN ('failed', 'cancelled') AND {reckoned}
    ORDER BY r.reserved_until LIMIT $3 FOR NO KEY UPDATE OF r, p SKIP LOCKED
"""

_DIFFERENCES: Final = """
SELECT d.business_id, d.mode, d.discount_id, d.code, d.times_used, d.times_reserved,
       coalesce(r.redeemed, 0) AS redeemed, coalesce(r.reserved, 0) AS reserved
FROM discounts d LEFT JOIN (
    SELECT business_id, mode, discount_id, count(*) FILTER (WHERE state = 'redeemed') AS redeemed,
           count(*) FILTER (WHERE state = 'reserved') AS reserved
    FROM discount_redemptions GROUP BY business_id, mode, discount_id
) r USING (business_id, mode, discount_id)
WHERE (d.times_used, d.times_reserved) <> (coalesce(r.redeemed, 0), coalesce(r.reserved, 0))
ORDER BY d.business_id, d.mode, d.discount_id
"""


class Holding(NamedTuple):
    """A use that an open payment holds."""

    payment_id: str
    discount_id: str


class CounterDifference(msgspec.Struct, frozen=True):
    """A discount whose counters are not the numbers of its uses: a bug, or a database changed by hand."""

    business_id: str
    mode: Mode
    discount_id: str
    code: str
    times_used: int
    times_reserved: int
    redeemed: int
    """What `times_used` should be."""
    reserved: int
    """What `times_reserved` should be."""


async def load_codes(
    read: Read, tenant: Tenant, codes: Sequence[str], customer_id: str | None, payment_id: str | None = None
) -> dict[str, tuple[DiscountCode, CodeHistory]]:
    """Return, in one query, what exists of the codes, by code, each with its history for this customer.

    The codes are normalised (`core.discounts.discounts.normalise_code`); an unknown or deleted one is absent. None
    stands for a customer who does not exist yet. The history is for the checks that a creation makes first;
    `reserve_codes` repeats those of the limits under the lock. `payment_id` is a payment that is priced again: what it
    holds counts as usable.
    """
    query = _USABLE_CODES if payment_id is None else _HELD_CODES
    rows = await read.fetch(query, tenant.business_id, tenant.mode, codes, customer_id, payment_id)
    return {row["code"]: (msgspec.convert(row, DiscountCode), msgspec.convert(row, CodeHistory)) for row in rows}


async def lock_limits(tx: Tx, tenant: Tenant, discount_ids: Sequence[str]) -> dict[str, CodeLimits] | None:
    """Hold the rows of discounts, in the order of their ids, until the transaction ends, and return their limits.

    After that the transaction waits for no lock longer than `LOCK_TIMEOUT`. None means that others held one of the
    discounts that long: the transaction must then roll back.
    """
    try:
        rows = await tx.fetch(_LIMITS, tenant.business_id, tenant.mode, discount_ids, LOCK_TIMEOUT)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        return None
    return {row["discount_id"]: msgspec.convert(row, CodeLimits) for row in rows}


async def standing_of_customer(
    tx: Tx, tenant: Tenant, discount_ids: Sequence[str], customer_id: str, payment_id: str
) -> dict[str, CustomerStanding]:
    """Return what a customer has done before with each of the discounts, apart from this payment, as of now."""
    rows = await tx.fetch(_STANDING, tenant.business_id, tenant.mode, discount_ids, customer_id, payment_id)
    return {row["discount_id"]: msgspec.convert(row, CustomerStanding) for row in rows}


async def open_holdings(tx: Tx, tenant: Tenant, customer_id: str, payment_id: str) -> list[Holding]:
    """Return the reserved uses of the customer's other open payments that nobody is paying."""
    rows = await tx.fetch(_HOLDINGS, tenant.business_id, tenant.mode, None, customer_id, payment_id)
    return [Holding(row["payment_id"], row["discount_id"]) for row in rows]


async def released_codes(tx: Tx, tenant: Tenant, payment_id: str) -> list[str]:
    """Return the discounts whose use a payment, whose row the caller holds, has given back, in their order."""
    rows = await tx.fetch(_RELEASED, tenant.business_id, tenant.mode, payment_id)
    return [row["discount_id"] for row in rows]


async def own_codes(read: Read, tenant: Tenant, payment_id: str) -> set[str]:
    """Return the discounts of which a payment has a use, in whatever state; not those that it lost to another."""
    rows = await read.fetch(_OF_PAYMENT, tenant.business_id, tenant.mode, payment_id)
    return {row["discount_id"] for row in rows}


async def retake(tx: Tx, tenant: Tenant, payment_id: str, discount_ids: Sequence[str], at: datetime) -> None:
    """Reserve uses again that a payment gave back. The caller holds the discounts and has found room in each."""
    await tx.execute(_RETAKE, tenant.business_id, tenant.mode, payment_id, discount_ids, at)


async def insert_uses(
    tx: Tx,
    tenant: Tenant,
    payment_id: str,
    customer_id: str,
    uses: Sequence[CodeUse],
    reserved_until: datetime,
    at: datetime,
    first_position: int,
) -> None:
    """Store reserved uses of a payment, in their order from `first_position` on, and count them.

    The caller holds the discounts (`lock_limits`) and has found room in each.
    """
    await tx.execute(
        _RESERVE,
        tenant.business_id,
        tenant.mode,
        payment_id,
        customer_id,
        reserved_until,
        at,
        [use.discount_id for use in uses],
        [use.deducted for use in uses],
        first_position,
    )


async def redeem(tx: Tx, tenant: Tenant, payment_id: str, at: datetime) -> int:
    """Count the uses of a payment that succeeded, each once; return how many were counted now.

    The caller holds the payment's row and moves it to `succeeded` in the same transaction. A use that was given back
    before still counts, because the customer has paid the lowered price: the limit may then be exceeded.
    """
    return await _move_of_payments(tx, [(tenant, payment_id)], "redeemed", at, ["reserved", "released"])


async def release(tx: Tx, payments: Sequence[tuple[Tenant, str]], at: datetime) -> int:
    """Give back the reserved uses of payments that are at a dead end; return how many. What was redeemed stays so.

    The caller holds their rows. All go in one statement, so that the discounts are locked in their one order.
    """
    return await _move_of_payments(tx, payments, "released", at, ["reserved"])


async def _move_of_payments(
    tx: Tx, payments: Sequence[tuple[Tenant, str]], target: str, at: datetime, origins: list[str]
) -> int:
    names = zip(*[(tenant.business_id, tenant.mode, payment_id) for tenant, payment_id in payments], strict=True)
    moved: int = await tx.fetchval(_MOVE_OF_PAYMENTS, target, at, *[list(column) for column in names], origins)
    return moved


async def release_expired(tx: Tx, reckoning: Reckoning, limit: int) -> int:
    """Give back at most `limit` expired reservations whose payment is failed or cancelled.

    Return how many. A payment that somebody is working on at this moment, or whose end is not known yet, keeps its
    uses. It is one statement, the longest ended first, over the payments of a reckoning.
    """
    query = _MOVE.format(due=_EXPIRED.format(reckoned=reckoned(reckoning, "r", 4)))
    values = ("released", reckoning.now, limit, reckoned_value(reckoning))
    released: int = await tx.fetchval(query, *values)
    return released


async def discount_counter_differences(read: Read) -> list[CounterDifference]:
    """Return every discount, of all tenants, whose counters are not the numbers of its uses; normally none.

    It reads every use, so it is for `nicobar doctor` and tests.
    """
    return [msgspec.convert(row, CounterDifference) for row in await read.fetch(_DIFFERENCES)]
