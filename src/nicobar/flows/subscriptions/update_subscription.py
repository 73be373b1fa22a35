"""Change what can be changed of a subscription: its dates, its end, whom it bills; pause, resume and cancel it."""

import msgspec
from msgspec import UNSET

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import checked_metadata
from nicobar.core.problems import Problem
from nicobar.core.simulator.simulated_scenario import check_scenario
from nicobar.core.subscriptions.change_request import SubscriptionChange, changed, check_change
from nicobar.core.subscriptions.subscription import CancelledBy, Moved, Subscription
from nicobar.core.tax.tax_place import REGION_MISSING
from nicobar.core.typed_text import tidy
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.place_charge import OpenLink
from nicobar.flows.subscriptions.require_subscription import require_subscription
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.flows.tax.check_tax_id import check_tax_id
from nicobar.reference import failures
from nicobar.reference.tax_regions import tax_regions
from nicobar.storage.customers.customers import lock_customer, update_customer
from nicobar.storage.database import Tx
from nicobar.storage.subscriptions.charges import free_moment
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
        link = await OpenLink.lock(tx, known)
        own = await lock_subscription(tx, tenant, subscription_id)
        if own is None:
            raise Problem("NOT_FOUND", what="Subscription")
        at = runtime.now(tenant)
        result = await _after_what_is_paid(tx, own, changed(own, change, at, by))
        if result.subscription == own:
            return own
        if own.open_charge is not None and result.subscription.open_charge is None:
            await link.end(tx, own.open_charge, at)
        if change.customer_name is not UNSET:
            customer = await lock_customer(tx, tenant, own.customer.customer_id)
            if customer is not None:
                renamed = msgspec.structs.replace(customer, name=change.customer_name, updated_at=at)
                await update_customer(tx, tenant, renamed)
        await save_move(runtime, tx, result, at)
        await write_audit_entry(runtime, tx, tenant, "subscription.update", [subscription_id], sorted(change.given()))
    return result.subscription


async def _after_what_is_paid(tx: Tx, own: Subscription, result: Moved) -> Moved:
    """Return the change with a next period that begins after all that are paid.

    One of a plan change may have begun at that very moment, where a clock stands, or later than a date that test mode
    tolerates: no two are paid for one moment.
    """
    wanted = result.subscription.next_billing_date
    if wanted == own.next_billing_date:
        return result
    free = await free_moment(tx, own.tenant, own.subscription_id, wanted)
    if free == wanted:
        return result
    return Moved(msgspec.structs.replace(result.subscription, next_billing_date=free, anchor=free), result.events)


async def _checked(runtime: Runtime, known: Subscription, change: SubscriptionChange) -> SubscriptionChange:
    """Return the change in its checked form; a tax id belongs to the country of the bill as it will be."""
    if change.customer_name is not UNSET:
        name = tidy(change.customer_name)
        if not name:
            raise Problem("INVALID_REQUEST_BODY", path="customer_name", detail="It is blank.")
        change = msgspec.structs.replace(change, customer_name=name)
    if change.metadata is not UNSET:
        metadata = checked_metadata(change.metadata)
        check_scenario(known.mode, metadata, failures.CODES)
        change = msgspec.structs.replace(change, metadata=metadata)
    billing, policy = (known.billing if change.billing is UNSET else change.billing), None
    if change.billing is not UNSET:
        policy = await load_policy(runtime, known.tenant)
        if policy.settings.tax != "off" and tax_regions().find(billing).is_open:
            raise Problem("INVALID_REQUEST_BODY", path="billing.zipcode", detail=REGION_MISSING)
    if change.tax_id is not UNSET and change.tax_id is not None:
        policy = policy or await load_policy(runtime, known.tenant)
        checked = await check_tax_id(runtime, billing.country, change.tax_id, policy.settings)
        change = msgspec.structs.replace(change, tax_id=checked.number)
    return change
