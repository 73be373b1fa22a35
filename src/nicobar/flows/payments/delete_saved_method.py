"""Forget a saved payment method and its token."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.customers import get_customer
from nicobar.storage.payments.saved_methods import delete_method
from nicobar.storage.subscriptions.subscriptions import subscription_using


async def delete_saved_method(runtime: Runtime, tenant: Tenant, customer_id: str, payment_method_id: str) -> None:
    """Delete a customer's saved method; one that is gone already is a success.

    A charge that is under way with it goes on: the money may have been taken. Raises Problem NOT_FOUND for an unknown
    customer, and UNSUPPORTED_ACTION (409) while a live subscription is charged by it.
    """
    async with runtime.database.transaction() as tx:
        if await get_customer(tx, tenant, customer_id) is None:
            raise Problem("NOT_FOUND", what="Customer")
        using = await subscription_using(tx, tenant, payment_method_id)
        if using is not None:
            detail = f"{using} is charged by this method: give it another one, or cancel it first"
            raise Problem("UNSUPPORTED_ACTION", status=409, detail=detail)
        if await delete_method(tx, tenant, customer_id, payment_method_id):
            await write_audit_entry(runtime, tx, tenant, "payment_method.delete", [payment_method_id, customer_id])
