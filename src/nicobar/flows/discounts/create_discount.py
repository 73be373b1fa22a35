"""Create a discount code."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import CODE_RANDOM_BITS, DiscountRecord, check_record, random_code
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import UniqueViolation
from nicobar.storage.discounts import discounts
from nicobar.wire.common import blank_to_none, checked_metadata
from nicobar.wire.discounts.discounts import (
    DiscountCreate,
    checked_code,
    checked_moment,
    checked_type,
    options_from,
    refuse_unknown,
    unique_ids,
)


async def create_discount(runtime: Runtime, tenant: Tenant, body: DiscountCreate) -> DiscountRecord:
    """Store a new discount, with a random code when none is given, and return it.

    Raises Problem UNSUPPORTED_DISCOUNT_TYPE, INVALID_REQUEST_BODY for a malformed value, MAXIMUM_KEYS_REACHED, what
    `core.discount_record.check_record` raises, INVALID_REQUEST_PARAMETERS for an unknown product, and
    DISCOUNT_CODE_ALREADY_EXISTS; nothing is stored then.
    """
    discount = _discount(runtime, tenant, body)
    check_record(discount)
    try:
        async with runtime.database.transaction() as tx:
            if body.restricted_to:
                unknown = await discounts.unknown_products(tx, tenant, discount.restricted_to)
                refuse_unknown(body.restricted_to, unknown, "product", "restricted_to")
            await discounts.insert_discount(tx, tenant, discount)
    except UniqueViolation as violation:
        if violation.constraint != "discounts_code":
            raise
        raise Problem("DISCOUNT_CODE_ALREADY_EXISTS", path="code") from violation
    return discount


def _discount(runtime: Runtime, tenant: Tenant, body: DiscountCreate) -> DiscountRecord:
    kind = checked_type(body.type)
    moment = runtime.clock.now()
    return DiscountRecord(
        business_id=tenant.business_id,
        discount_id=runtime.new_id("dsc", moment),
        code=checked_code(body.code) or random_code(runtime.clock.random_bits(CODE_RANDOM_BITS)),
        name=blank_to_none(body.name),
        type=kind,
        amount=body.amount,
        currency_options=options_from(body.currency_options or ()),
        restricted_to=unique_ids(body.restricted_to or ()),
        usage_limit=body.usage_limit,
        per_customer_usage_limit=body.per_customer_usage_limit,
        starts_at=checked_moment(body.starts_at, "starts_at"),
        expires_at=checked_moment(body.expires_at, "expires_at"),
        customer_eligibility=body.customer_eligibility or "any",
        subscription_cycles=body.subscription_cycles,
        preserve_on_plan_change=bool(body.preserve_on_plan_change),
        metadata=checked_metadata(body.metadata),
        times_used=0,
        times_reserved=0,
        created_at=moment,
        updated_at=moment,
    )
