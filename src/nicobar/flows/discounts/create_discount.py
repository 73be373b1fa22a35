"""Create a discount code."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import (
    CODE_RANDOM_BITS,
    DiscountRecord,
    NewDiscount,
    check_record,
    checked_code,
    checked_moment,
    checked_type,
    random_code,
)
from nicobar.core.fields import blank_to_none, checked_metadata, refuse_unknown, unique_ids
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import UniqueViolation
from nicobar.storage.discounts import discounts


async def create_discount(runtime: Runtime, tenant: Tenant, new: NewDiscount) -> DiscountRecord:
    """Store a new discount, with a random code when none is given, and return it.

    Raises Problem UNSUPPORTED_DISCOUNT_TYPE, INVALID_REQUEST_BODY for a malformed value, MAXIMUM_KEYS_REACHED, what
    `core.discounts.discount_record.check_record` raises, INVALID_REQUEST_PARAMETERS for an unknown product, and
    DISCOUNT_CODE_ALREADY_EXISTS; nothing is stored then.
    """
    discount = _discount(runtime, tenant, new)
    check_record(discount)
    try:
        async with runtime.database.transaction() as tx:
            if new.restricted_to:
                unknown = await discounts.unknown_products(tx, tenant, discount.restricted_to)
                refuse_unknown(new.restricted_to, unknown, "product", "restricted_to")
            await discounts.insert_discount(tx, tenant, discount)
            await write_audit_entry(runtime, tx, tenant, "discount.create", [discount.discount_id])
    except UniqueViolation as violation:
        if violation.constraint != "discounts_code":
            raise
        raise Problem("DISCOUNT_CODE_ALREADY_EXISTS", path="code") from violation
    return discount


def _discount(runtime: Runtime, tenant: Tenant, new: NewDiscount) -> DiscountRecord:
    kind = checked_type(new.type)
    moment = runtime.now(tenant)
    return DiscountRecord(
        business_id=tenant.business_id,
        discount_id=runtime.new_id("dsc", moment),
        code=checked_code(new.code) or random_code(runtime.clock.random_bits(CODE_RANDOM_BITS)),
        name=blank_to_none(new.name),
        type=kind,
        amount=new.amount,
        currency_options=new.currency_options,
        restricted_to=unique_ids(new.restricted_to),
        usage_limit=new.usage_limit,
        per_customer_usage_limit=new.per_customer_usage_limit,
        starts_at=checked_moment(new.starts_at, "starts_at"),
        expires_at=checked_moment(new.expires_at, "expires_at"),
        customer_eligibility=new.customer_eligibility,
        subscription_cycles=new.subscription_cycles,
        preserve_on_plan_change=new.preserve_on_plan_change,
        metadata=checked_metadata(new.metadata),
        times_used=0,
        times_reserved=0,
        created_at=moment,
        updated_at=moment,
    )
