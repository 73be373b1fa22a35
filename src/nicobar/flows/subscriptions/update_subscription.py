"""Change what can be changed of a subscription: its dates, its end, whom it bills; pause, resume and cancel it."""

import msgspec
from msgspec import UNSET

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import checked_metadata
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.change_request import SubscriptionChange, changed, check_change
from nicobar.core.subscriptions.subscription import CancelledBy, Subscription
from nicobar.core.typed_text import tidy
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.require_subscription import require_subscription
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.flows.tax.check_tax_id import check_tax_id
from nicobar.storage.customers.customers import lock_customer, update_customer
from nicobar.storage.subscriptions.subscriptions import lock_subscription

BY_KEY = CancelledBy("api_key")


async def update_subscription(
    runtime: Runtime, tenant: Tenant, subscription_id: str, change: SubscriptionChange, by: CancelledBy = BY_KEY
) -> Subscription:
    """Make the change and return the subscription. `by` is who cancels, should it be a cancellation.

    Raises Problem INVALID_REQUEST_PARAMETERS for what contradicts itself, NOT_FOUND, INVALID_TAX_ID, and what
    `core.subscriptions.change_request.changed` refuses; nothing is changed then.
    """
    check_change(change)
    known = await require_subscription(runtime, tenant, subscription_id)
    change = await _checked(runtime, known, change)
    async with runtime.database.transaction() as tx:
        own = await lock_subscription(tx, tenant, subscription_id)
        if own is None:
            raise Problem("NOT_FOUND", what="Subscription")
        at = runtime.now(tenant)
        result = changed(own, change, at, by)
        if result.subscription == own:
            return own
        if change.customer_name is not UNSET:
            customer = await lock_customer(tx, tenant, own.customer.customer_id)
            if customer is not None:
                renamed = msgspec.structs.replace(customer, name=change.customer_name, updated_at=at)
                await update_customer(tx, tenant, renamed)
        await save_move(runtime, tx, result, at)
        await write_audit_entry(runtime, tx, tenant, "subscription.update", [subscription_id], sorted(change.given()))
    return result.subscription


async def _checked(runtime: Runtime, known: Subscription, change: SubscriptionChange) -> SubscriptionChange:
    """Return the change in its checked form; a tax id belongs to the country of the bill as it will be."""
    if change.customer_name is not UNSET:
        name = tidy(change.customer_name)
        if not name:
            raise Problem("INVALID_REQUEST_BODY", path="customer_name", detail="It is blank.")
        change = msgspec.structs.replace(change, customer_name=name)
    if change.metadata is not UNSET:
        change = msgspec.structs.replace(change, metadata=checked_metadata(change.metadata))
    if change.tax_id is not UNSET and change.tax_id is not None:
        billing = known.billing if change.billing is UNSET else change.billing
        policy = await load_policy(runtime, known.tenant)
        checked = await check_tax_id(runtime, billing.country, change.tax_id, policy.settings)
        change = msgspec.structs.replace(change, tax_id=checked.number)
    return change
