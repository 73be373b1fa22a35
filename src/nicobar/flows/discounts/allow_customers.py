"""Put customers on the list of those who may use a discount."""

from collections.abc import Sequence

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import refuse_unknown, unique_ids
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts import discounts


async def allow_customers(runtime: Runtime, tenant: Tenant, discount_id: str, ids: Sequence[str]) -> tuple[str, ...]:
    """Put all these customers on the discount's list, or none; return their ids, each once.

    The list matters while `customer_eligibility` is `specific`. Who is on it already stays, so a repeated call changes
    nothing. Raises Problem NOT_FOUND for the discount and INVALID_REQUEST_PARAMETERS for an unknown customer.
    """
    customer_ids = unique_ids(ids)
    async with runtime.database.transaction() as tx:
        if await discounts.lock_discount(tx, tenant, discount_id) is None:
            raise Problem("NOT_FOUND", what="Discount")
        unknown = await discounts.unknown_customers(tx, tenant, customer_ids)
        refuse_unknown(ids, unknown, "customer", "customer_ids")
        await discounts.allow_customers(tx, tenant, discount_id, customer_ids, runtime.now(tenant))
        await write_audit_entry(runtime, tx, tenant, "discount.allow", [discount_id, *customer_ids])
    return customer_ids
