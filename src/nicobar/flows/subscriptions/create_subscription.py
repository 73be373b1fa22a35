"""Start a subscription: it waits for its first payment, which is a payment like every other."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.customers.buyer import Buyer
from nicobar.core.payments.payment import Succeeded
from nicobar.core.pricing.cart import RequestedItem
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.charge_record import ChargeRecord
from nicobar.core.subscriptions.due import wake_at
from nicobar.core.subscriptions.subscription_request import CreatedSubscription, SubscriptionRequest
from nicobar.flows.discounts.reserve_codes import reserve_codes
from nicobar.flows.payments.charge_saved_method import charge_saved_method
from nicobar.flows.payments.check_payment_request import check_payment_request
from nicobar.flows.payments.decide_creation import PaymentIds
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.pricing.find_runnable_methods import find_runnable_methods
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.decide_subscription import DecidedSubscription, decide_subscription
from nicobar.flows.subscriptions.load_subscription_facts import load_subscription_facts
from nicobar.storage.database import Tx
from nicobar.storage.payments.payments import insert_payment
from nicobar.storage.payments.saved_methods import get_method
from nicobar.storage.subscriptions.charges import insert_charge
from nicobar.storage.subscriptions.subscriptions import has_live_subscription, insert_subscription


async def create_subscription(
    runtime: Runtime,
    tenant: Tenant,
    request: SubscriptionRequest,
    answer: Callable[[CreatedSubscription], msgspec.Struct] | None = None,
) -> CreatedSubscription:
    """Price it, store it with its first payment, and charge a saved method at once if one is named.

    `answer` makes what the caller is told: it is kept in the same commit for a request that comes again. Raises
    Problem for what on-demand excludes, then for the first check that fails, in the order of `decide_subscription`,
    NOT_FOUND for an unknown saved method, and CUSTOMER_HAS_EXISTING_SUBSCRIPTION; nothing is stored then.
    """
    _check_on_demand(request)
    checked = check_payment_request(tenant.mode, request.payment)
    items = [RequestedItem(request.product_id, request.quantity), *request.one_time_items]
    cart = msgspec.structs.replace(checked.cart, items=items)
    facts = await load_subscription_facts(runtime, tenant, cart, request.product_id, list(request.addons))
    at = runtime.now(tenant)
    runnable = find_runnable_methods(runtime, facts.pricing.policy, tenant.mode)
    subscription_id = runtime.new_id("sub", at)
    ids = PaymentIds(runtime.new_id("pay", at), runtime.new_id("cus", at), runtime.new_link_id())
    decided = decide_subscription(tenant, request, checked, facts, runnable, ids, subscription_id, at)
    secret = f"{ids.payment_id}_secret_{runtime.new_secret()}"
    created = CreatedSubscription(
        decided.subscription,
        decided.first.payment,
        secret,
        [use.discount_id for use in decided.uses],
        request.one_time_items,
    )

    def know(buyer: Buyer) -> CreatedSubscription:
        known = created._replace(
            subscription=msgspec.structs.replace(created.subscription, customer=buyer),
            payment=msgspec.structs.replace(created.payment, customer=buyer),
        )
        if answer is not None and runtime.first_commit is not None:
            runtime.first_commit.answer_with(answer(known))
        return known

    multiple = facts.pricing.policy.settings.multiple_subscriptions
    stored = _Record(runtime, tenant, decided, secret, know, multiple)
    await stored.record(at)
    return know(stored.buyer)


def _check_on_demand(request: SubscriptionRequest) -> None:
    """Refuse what an on-demand subscription cannot have."""
    if request.on_demand is None:
        return
    if request.addons:
        raise Problem("ADDONS_NOT_ALLOWED_FOR_ON_DEMAND", path="addons")
    if request.one_time_items:
        raise Problem("ONE_TIME_PRODUCTS_NOT_ALLOWED_FOR_ON_DEMAND", path="one_time_product_cart")
    if request.payment.discount_codes or request.payment.discount_code:
        detail = "On-demand subscriptions take no discount codes"
        raise Problem("UNSUPPORTED_ACTION", detail=detail, path="discount_codes")


class _Record:
    """Writes the subscription with its first payment, in one transaction."""

    def __init__(
        self,
        runtime: Runtime,
        tenant: Tenant,
        decided: DecidedSubscription,
        secret: str,
        know: Callable[[Buyer], object],
        multiple: bool,
    ) -> None:
        self._runtime, self._tenant, self._decided = runtime, tenant, decided
        self._hash, self._know, self._multiple = secret_hash(secret), know, multiple
        self.buyer = decided.first.payment.customer

    async def record(self, at: datetime) -> None:
        """Store everything; charge a saved method where one is named and something is due."""
        payment = self._decided.first.payment
        method = payment.options.payment_method_id
        if method is not None and payment.total_amount > 0:
            await charge_saved_method(self._runtime, payment, method, self._write)
            return
        async with self._runtime.database.transaction() as tx:
            if method is not None and await get_method(tx, self._tenant, self.buyer.customer_id, method) is None:
                raise Problem("NOT_FOUND", what=f"Payment method {method}", path="payment_method_id")
            await self._write(tx)
            if self._decided.succeeds_at_once:
                stored = msgspec.structs.replace(payment, customer=self.buyer)
                await record_payment_outcome(self._runtime, tx, stored, None, Succeeded("free"), at)

    async def _write(self, tx: Tx) -> None:
        tenant, first = self._tenant, self._decided.first
        payment = first.payment
        self.buyer = await insert_payment(tx, payment, self._hash, first.quote.inputs, first.customer)
        if not self._multiple and await has_live_subscription(tx, tenant, self.buyer.customer_id):
            raise Problem("CUSTOMER_HAS_EXISTING_SUBSCRIPTION", customer_id=self.buyer.customer_id)
        subscription = msgspec.structs.replace(self._decided.subscription, customer=self.buyer)
        await insert_subscription(tx, subscription, wake_at(subscription))
        charge = ChargeRecord(
            payment_id=payment.payment_id,
            subscription_id=subscription.subscription_id,
            charge_type="new",
            state="open",
            created_at=payment.created_at,
        )
        await insert_charge(tx, tenant, charge)
        await reserve_codes(
            tx,
            tenant,
            payment.payment_id,
            self.buyer.customer_id,
            self._decided.uses,
            payment.expires_on,
            payment.created_at,
            for_later=not payment.options.discount_codes,
        )
        self._know(self.buyer)
