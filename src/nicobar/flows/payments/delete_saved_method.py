"""Forget a saved payment method and its token."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.customers import get_customer
from nicobar.storage.payments.saved_methods import delete_method


async def delete_saved_method(runtime: Runtime, tenant: Tenant, customer_id: str, payment_method_id: str) -> None:
    """Delete a customer's saved method; one that is gone already is a success.

    A charge that is under way with it goes on: the money may have been taken. Raises Problem NOT_FOUND for an unknown
    customer.
    """
    async with runtime.database.transaction() as tx:
        if await get_customer(tx, tenant, customer_id) is None:
            raise Problem("NOT_FOUND", what="Customer")
        await delete_method(tx, tenant, customer_id, payment_method_id)
