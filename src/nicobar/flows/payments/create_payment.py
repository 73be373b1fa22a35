"""Create a one-time payment: load the facts with one read, decide, record with one write.

No processor is called, unless a saved method pays.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.customers.buyer import Buyer
from nicobar.core.payments.methods import may_leave_none
from nicobar.core.payments.payment import Payment, Succeeded
from nicobar.core.payments.payment_request import CreatedPayment, PaymentRequest
from nicobar.core.pricing.policy import Policy
from nicobar.flows.discounts.reserve_codes import reserve_codes
from nicobar.flows.payments.charge_saved_method import charge_saved_method
from nicobar.flows.payments.check_payment_request import CheckedRequest, check_payment_request
from nicobar.flows.payments.decide_creation import DecidedCreation, PaymentIds, decide_creation
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.payments.store_payment import store_payment
from nicobar.flows.pricing.find_runnable_methods import find_runnable_methods
from nicobar.flows.pricing.load_pricing_facts import load_pricing_facts
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.payments.payment_insertion import NewPayment, insert_payment


async def create_payment(
    runtime: Runtime,
    tenant: Tenant,
    request: PaymentRequest,
    answer: Callable[[CreatedPayment], msgspec.Struct] | None = None,
    also_record: Callable[[Tx, Payment], Awaitable[None]] | None = None,
) -> CreatedPayment:
    """Price the cart, store the payment and, if it is new, the customer.

    `answer` makes what the caller is told: it is kept in the same commit for a request that comes again, because the
    client secret in it is known here and never again. `also_record` writes what belongs into that commit, too,
    and what it raises undoes the payment. Raises Problem for the first check that fails, in the contract's order;
    nothing is stored then.
    """
    checked = check_payment_request(tenant.mode, request)
    facts = await load_pricing_facts(runtime, tenant, checked.cart)
    runnable = _runnable(runtime, tenant, checked, facts.policy)
    at = runtime.now(tenant)
    decided = decide_creation(tenant, checked, facts, runnable, _new_ids(runtime, at), at)
    secret = f"{decided.payment.payment_id}_secret_{runtime.new_secret()}"
    discount_ids = [code.discount_id for code in decided.quote.inputs.codes]
    created = CreatedPayment(decided.payment, secret, discount_ids)

    def know(buyer: Buyer) -> CreatedPayment:
        """Return what was created for this customer, and keep the answer that tells of it."""
        known = created
        if buyer != created.payment.customer:
            known = created._replace(payment=msgspec.structs.replace(created.payment, customer=buyer))
        if answer is not None and runtime.first_commit is not None:
            runtime.first_commit.answer_with(answer(known))
        return known

    buyer = await _record(runtime, decided, secret, know, also_record)
    return created if buyer == decided.payment.customer else know(buyer)


def _runnable(runtime: Runtime, tenant: Tenant, checked: CheckedRequest, policy: Policy) -> frozenset[str]:
    """Return the types that the processor runs, where they can matter: its library may have to be loaded first."""
    allowed, disabled = checked.options.allowed_payment_method_types, policy.settings.disabled_payment_methods
    if not may_leave_none(allowed, disabled):
        return frozenset()
    return find_runnable_methods(runtime, policy, tenant.mode)


def _new_ids(runtime: Runtime, at: datetime) -> PaymentIds:
    return PaymentIds(
        payment_id=runtime.new_id("pay", at),
        customer_id=runtime.new_id("cus", at),
        link_id=runtime.new_link_id(),
    )


async def _record(
    runtime: Runtime,
    decided: DecidedCreation,
    secret: str,
    know: Callable[[Buyer], object],
    also_record: Callable[[Tx, Payment], Awaitable[None]] | None,
) -> Buyer:
    """Write everything at once and return the payment's customer. Without codes that is a single statement.

    A free payment without a link succeeds in the commit that makes it. A saved method is charged at once, and its
    attempt is in that commit. `know` is told of the customer before the commit; where that is a single statement, the
    customer that it is expected to be.
    """
    payment, quote, hashed = decided.payment, decided.quote, secret_hash(secret)
    always_new = decided.customer is not None and decided.customer.always_new
    bare = also_record is None and not always_new and not quote.inputs.codes and not decided.succeeds_at_once
    if bare and payment.options.payment_method_id is None:
        know(payment.customer)
        kept = None if runtime.first_commit is None else runtime.first_commit.row()
        return await store_payment(runtime, NewPayment(payment, hashed, quote.inputs, decided.customer, kept))

    async def write(tx: Tx) -> Buyer:
        buyer = await insert_payment(tx, payment, hashed, quote.inputs, decided.customer)
        buyer_id, until, at = buyer.customer_id, payment.expires_on, payment.created_at
        await reserve_codes(tx, payment.tenant, payment.payment_id, buyer_id, quote.code_uses, until, at)
        if also_record is not None:
            await also_record(tx, payment)
        know(buyer)
        return buyer

    if payment.options.payment_method_id is not None:
        await charge_saved_method(runtime, payment, payment.options.payment_method_id, write)
        return payment.customer
    async with runtime.database.transaction() as tx:
        buyer = await write(tx)
        if decided.succeeds_at_once:
            stored, free = msgspec.structs.replace(payment, customer=buyer), Succeeded("free")
            await record_payment_outcome(runtime, tx, stored, None, free, payment.created_at)
    return buyer
