"""Change a discount code."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import DiscountRecord, check_new_limit, check_record
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import UniqueViolation
from nicobar.storage.discounts import discounts
from nicobar.wire.common import blank_to_none, checked_metadata, given
from nicobar.wire.discounts.discounts import (
    DiscountUpdate,
    checked_code,
    checked_moment,
    checked_type,
    options_from,
    refuse_unknown,
    unique_ids,
)


async def update_discount(runtime: Runtime, tenant: Tenant, discount_id: str, body: DiscountUpdate) -> DiscountRecord:
    """Store what the request gives and return the whole discount. Payments that exist keep their prices.

    Raises Problem NOT_FOUND, DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED for a limit below `times_used`, and what
    `create_discount` raises; nothing is changed then.
    """
    try:
        async with runtime.database.transaction() as tx:
            stored = await discounts.lock_discount(tx, tenant, discount_id)
            if stored is None:
                raise Problem("NOT_FOUND", what="Discount")
            changed = _changed(stored, body)
            if changed == stored:
                return stored
            check_record(changed)
            check_new_limit(stored, changed.usage_limit)
            if body.restricted_to:
                unknown = await discounts.unknown_products(tx, tenant, changed.restricted_to)
                refuse_unknown(body.restricted_to, unknown, "product", "restricted_to")
            changed = msgspec.structs.replace(changed, updated_at=runtime.clock.now())
            await discounts.update_discount(tx, tenant, changed)
            return changed
    except UniqueViolation as violation:
        if violation.constraint != "discounts_code":
            raise
        raise Problem("DISCOUNT_CODE_ALREADY_EXISTS", path="code") from violation


def _changed(stored: DiscountRecord, body: DiscountUpdate) -> DiscountRecord:
    restricted_to, options = body.restricted_to, body.currency_options
    preserve = body.preserve_on_plan_change
    return msgspec.structs.replace(
        stored,
        code=checked_code(body.code) or stored.code,
        name=blank_to_none(given(body.name, stored.name)),
        type=stored.type if body.type is None else checked_type(body.type),
        amount=stored.amount if body.amount is None else body.amount,
        currency_options=stored.currency_options if options is None else options_from(options),
        restricted_to=stored.restricted_to if restricted_to is None else unique_ids(restricted_to),
        usage_limit=given(body.usage_limit, stored.usage_limit),
        per_customer_usage_limit=given(body.per_customer_usage_limit, stored.per_customer_usage_limit),
        starts_at=checked_moment(given(body.starts_at, stored.starts_at), "starts_at"),
        expires_at=checked_moment(given(body.expires_at, stored.expires_at), "expires_at"),
        customer_eligibility=body.customer_eligibility or stored.customer_eligibility,
        subscription_cycles=given(body.subscription_cycles, stored.subscription_cycles),
        preserve_on_plan_change=stored.preserve_on_plan_change if preserve is None else preserve,
        metadata=stored.metadata if body.metadata is None else checked_metadata(body.metadata),
    )
