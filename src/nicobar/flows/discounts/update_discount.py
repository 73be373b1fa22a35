"""Change a discount code."""

import msgspec
from msgspec import UNSET

from nicobar.core.audit.entry import changed_fields
from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import (
    DiscountChange,
    DiscountRecord,
    check_new_limit,
    check_record,
    checked_code,
    checked_moment,
    checked_type,
)
from nicobar.core.fields import blank_to_none, checked_metadata, given, refuse_unknown, unique_ids
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import UniqueViolation
from nicobar.storage.discounts import discounts


async def update_discount(runtime: Runtime, tenant: Tenant, discount_id: str, change: DiscountChange) -> DiscountRecord:
    """Store the change and return the whole discount. Payments that exist keep their prices.

    Raises Problem NOT_FOUND, DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED for a limit below `times_used`, and what
    `create_discount` raises; nothing is changed then.
    """
    try:
        async with runtime.database.transaction() as tx:
            stored = await discounts.lock_discount(tx, tenant, discount_id)
            if stored is None:
                raise Problem("NOT_FOUND", what="Discount")
            changed = _changed(stored, change)
            if changed == stored:
                return stored
            check_record(changed)
            check_new_limit(stored, changed.usage_limit)
            if change.restricted_to is not UNSET and change.restricted_to:
                unknown = await discounts.unknown_products(tx, tenant, changed.restricted_to)
                refuse_unknown(change.restricted_to, unknown, "product", "restricted_to")
            changed = msgspec.structs.replace(changed, updated_at=runtime.now(tenant))
            await discounts.update_discount(tx, tenant, changed)
            fields = changed_fields(stored, changed)
            await write_audit_entry(runtime, tx, tenant, "discount.update", [discount_id], fields)
            return changed
    except UniqueViolation as violation:
        if violation.constraint != "discounts_code":
            raise
        raise Problem("DISCOUNT_CODE_ALREADY_EXISTS", path="code") from violation


def _changed(stored: DiscountRecord, change: DiscountChange) -> DiscountRecord:
    return msgspec.structs.replace(
        stored,
        code=checked_code(given(change.code, None)) or stored.code,
        name=blank_to_none(given(change.name, stored.name)),
        type=stored.type if change.type is UNSET else checked_type(change.type),
        amount=given(change.amount, stored.amount),
        currency_options=given(change.currency_options, stored.currency_options),
        restricted_to=unique_ids(given(change.restricted_to, stored.restricted_to)),
        usage_limit=given(change.usage_limit, stored.usage_limit),
        per_customer_usage_limit=given(change.per_customer_usage_limit, stored.per_customer_usage_limit),
        starts_at=checked_moment(given(change.starts_at, stored.starts_at), "starts_at"),
        expires_at=checked_moment(given(change.expires_at, stored.expires_at), "expires_at"),
        customer_eligibility=given(change.customer_eligibility, stored.customer_eligibility),
        subscription_cycles=given(change.subscription_cycles, stored.subscription_cycles),
        preserve_on_plan_change=given(change.preserve_on_plan_change, stored.preserve_on_plan_change),
        metadata=checked_metadata(given(change.metadata, stored.metadata)),
    )
