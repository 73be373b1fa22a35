"""The discount codes that lowered a payment, in one query with all that belongs to it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from nicobar.core.discounts.discount_record import AppliedDiscount
from nicobar.storage.database import Record

_DISCOUNT: Final = """
d.business_id, d.discount_id, d.name, d.restricted_to, d.usage_limit, d.expires_at, d.subscription_cycles,
d.preserve_on_plan_change, d.metadata, d.times_used, d.created_at
"""

_USED: Final = f"""
SELECT {_DISCOUNT}, r.position, r.code, r.type, r.amount, r.deducted, r.state
FROM discount_redemptions r JOIN discounts d USING (business_id, mode, discount_id)
WHERE r.business_id = $1 AND r.mode = $2 AND r.payment_id = $3 ORDER BY r.position
"""

# What a subscription is charged after its first payment uses no code once more: its codes are those that it was priced
# with. The LIMIT is for a plan that finds each by its key, however small the tables were when it was made.
_PRICED: Final = f"""
SELECT {_DISCOUNT}, ordinal - 1 AS position, given.code ->> 'code' AS code, given.code ->> 'type' AS type,
       (given.code ->> 'amount')::bigint AS amount, NULL AS deducted, NULL AS state
FROM payments p CROSS JOIN LATERAL json_array_elements(p.pricing -> 'codes') WITH ORDINALITY AS given (code, ordinal)
CROSS JOIN LATERAL (
    SELECT * FROM discounts
    WHERE business_id = $1 AND mode = $2 AND discount_id = given.code ->> 'discount_id' LIMIT 1) d
WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = $3 AND EXISTS (
    SELECT FROM subscription_charges c
    WHERE c.business_id = $1 AND c.mode = $2 AND c.payment_id = $3 AND c.charge_type <> 'new')
"""

_RUNNING: Final = """
SELECT s.status, s.codes
FROM subscription_charges c CROSS JOIN LATERAL (
    SELECT status, details -> 'codes' AS codes FROM subscriptions
    WHERE business_id = $1 AND mode = $2 AND subscription_id = c.subscription_id LIMIT 1) s
WHERE c.business_id = $1 AND c.mode = $2 AND c.payment_id = $3 ORDER BY c.position
"""

APPLIED_DISCOUNTS: Final = f"""
(SELECT json_agg(o) FROM ({_USED}) o) AS used_codes,
(SELECT json_agg(o) FROM ({_PRICED}) o) AS priced_codes,
(SELECT json_agg(o) FROM ({_RUNNING}) o) AS running_codes
"""
"""Columns for `discounts_of_row`, of the payment $3 of the tenant $1, $2."""


def discounts_of_row(row: Record) -> list[AppliedDiscount]:
    """Return the discounts of a payment, in the order in which their codes were applied."""
    codes = (row["used_codes"] or []) + (row["priced_codes"] or [])
    subscriptions = row["running_codes"] or []
    found = [code | {"cycles_remaining": _remaining(code, subscriptions)} for code in codes]
    return sorted(msgspec.convert(found, list[AppliedDiscount]), key=lambda applied: applied.position)


def _remaining(code: dict[str, Any], subscriptions: Sequence[dict[str, Any]]) -> int | None:
    """Return for how many charged cycles the code still works.

    A subscription takes the codes of its first payment, which may change until then. One that it has lost is over.
    """
    for subscription in subscriptions:
        for running in subscription["codes"]:
            if running["terms"]["discount_id"] == code["discount_id"]:
                remaining: int | None = running["cycles_remaining"]
                return remaining
    if any(subscription["status"] == "pending" for subscription in subscriptions):
        cycles: int | None = code["subscription_cycles"]
        return cycles
    return 0 if subscriptions else None
