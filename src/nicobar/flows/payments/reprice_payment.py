"""The customer changes what decides a payment's price: address, tax id, discount codes. Price it again.

A payment is priced again by the engine that priced it at its creation, from what it was made from. Nothing is
locked meanwhile; the result is written only when the payment is still the one that was priced, can still be paid and
has no live attempt. So an attempt is always made for an amount that some form showed, and every form is tied to the
amount that it shows.
"""

from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.paying import is_payable, revision
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import (
    PaymentChange,
    completed_parts,
    next_revision,
    repriced,
    shows_the_same,
    wanted,
)
from nicobar.core.pricing.pricing import Quote, QuoteInputs
from nicobar.core.problems import Problem
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.discounts.change_code_uses import change_code_uses
from nicobar.flows.discounts.hold_codes import hold_codes
from nicobar.flows.pricing.find_runnable_methods import find_runnable_methods
from nicobar.flows.pricing.price_again import price_again
from nicobar.flows.pricing.require_method import require_method
from nicobar.flows.runtime import Runtime
from nicobar.reference.tax_regions import tax_regions
from nicobar.storage.payments.attempts import live_attempt
from nicobar.storage.payments.payments import get_payment, get_pricing, lock_payment
from nicobar.storage.payments.repricing import complete_customer, update_price

ROUNDS: Final = 5
"""How often a change that others overtook is tried again."""


async def reprice_payment(runtime: Runtime, tenant: Tenant, payment_id: str, change: PaymentChange) -> Payment:
    """Apply a customer's change and return the payment as it is then.

    Amounts are recomputed only when something changed that can decide them, or when the taxes are those of another
    day: the day of paying decides them, so a change of nothing brings them up to date. A payment that cannot be paid
    (any more) is returned as it is.

    Raises Problem NOT_FOUND for an unknown payment, every Problem of a creation's pricing, and UNSUPPORTED_ACTION with
    status 409 when others kept changing the payment; nothing is stored then.
    """
    for _ in range(ROUNDS):
        async with runtime.database.snapshot() as read:
            payment = await get_payment(read, tenant, payment_id)
            inputs = await get_pricing(read, tenant, payment_id)
        if payment is not None and payment.status == "failed" and payment.options.discount_codes:
            payment = await _held(runtime, tenant, payment_id)
        if payment is None:
            raise Problem("NOT_FOUND", what=f"Payment {payment_id}")
        new, quote = wanted(payment, change), None
        if not is_payable(payment, runtime.now(tenant)):
            return payment
        stale = await _is_taxed_for_another_day(runtime, payment, inputs)
        if not stale and new == payment and not completed_parts(payment, change):
            return payment
        if inputs is not None and (stale or await _decides_price(runtime, payment, new)):
            priced = await price_again(runtime, payment, new, inputs)
            allowed = new.options.allowed_payment_method_types
            runnable = find_runnable_methods(runtime, priced.policy, tenant.mode)
            require_method(priced, new.billing.country, allowed, runnable)
            new, quote = repriced(new, priced.quote, priced.facts.products, priced.tax_id), priced.quote
        stored = await _store(runtime, payment, new, quote, change)
        if stored is not None:
            return stored
    detail = "The payment is being changed elsewhere at this moment; try again"
    raise Problem("UNSUPPORTED_ACTION", status=409, detail=detail)


async def _held(runtime: Runtime, tenant: Tenant, payment_id: str) -> Payment | None:
    """Return a declined payment that holds its codes again, as far as there is still room for them."""
    async with runtime.database.transaction() as tx:
        payment, at = await lock_payment(tx, tenant, payment_id), runtime.now(tenant)
        if payment is None or not is_payable(payment, at) or await live_attempt(tx, tenant, payment_id) is not None:
            return payment
        return await hold_codes(tx, payment, at)


async def _is_taxed_for_another_day(runtime: Runtime, payment: Payment, inputs: QuoteInputs | None) -> bool:
    """Return whether the taxes are those of another day than this one: the day of paying decides."""
    if inputs is None or not inputs.lines or not payment.total_amount:
        return False
    taxed_on = inputs.tax_date or payment.created_at.date()
    if taxed_on == runtime.now(payment.tenant).date():
        return False
    return (await load_policy(runtime, payment.tenant)).settings.tax != "off"


async def _decides_price(runtime: Runtime, old: Payment, new: Payment) -> bool:
    """Return whether a change can move an amount. With taxes on, an address does that the table tells apart."""
    if old.billing.country != new.billing.country:
        return True
    if old.options.tax_id != new.options.tax_id or old.options.discount_codes != new.options.discount_codes:
        return True
    if old.options.tax_id_register != new.options.tax_id_register:
        return True
    before, after = tax_regions().find(old.billing), tax_regions().find(new.billing)
    if before == after:
        return False
    policy = await load_policy(runtime, old.tenant)
    return policy.settings.tax != "off" and policy.tax_table.rows_at(before) != policy.tax_table.rows_at(after)


async def _store(
    runtime: Runtime, old: Payment, new: Payment, quote: Quote | None, change: PaymentChange
) -> Payment | None:
    """Write the change in one transaction; None when the payment has changed since it was read."""
    tenant, payment_id = old.tenant, old.payment_id
    async with runtime.database.transaction() as tx:
        found = await lock_payment(tx, tenant, payment_id)
        if found is None or (revision(found), found.status) != (revision(old), old.status):
            return None
        now = runtime.now(tenant)
        if not is_payable(found, now) or await live_attempt(tx, tenant, payment_id) is not None:
            return found
        if new == old and quote is not None:  # the taxes of today are the same: no form has to be shown again
            await update_price(tx, new, quote.inputs)
        elif new != old:
            if not shows_the_same(new, old):  # a form that shows the order as it is stays good
                new = msgspec.structs.replace(new, updated_at=next_revision(found, now))
            await update_price(tx, new, None if quote is None else quote.inputs)
        parts = completed_parts(found, change)
        if parts:
            name = change.name if "name" in parts else ""
            phone_number = change.phone_number if "phone_number" in parts else None
            await complete_customer(tx, tenant, found.customer, name, phone_number, now)
        if quote is not None and (old.options.discount_codes or quote.inputs.codes):
            await change_code_uses(tx, new, quote.code_uses, now)
        return await lock_payment(tx, tenant, payment_id)
