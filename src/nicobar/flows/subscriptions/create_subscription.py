"""Start subscriptions: they wait for their first payment, which is a payment like every other."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.catalog.brand import check_usable
from nicobar.core.customers.buyer import Buyer
from nicobar.core.payments.payment import Payment, Succeeded
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.charge_record import ChargeRecord
from nicobar.core.subscriptions.due import wake_at
from nicobar.core.subscriptions.subscription_request import CreatedSubscription, SubscriptionRequest
from nicobar.flows.accounts.find_charging_processor import find_charging_processor
from nicobar.flows.customers.check_only_subscription import check_only_subscription
from nicobar.flows.customers.require_saved_method import require_saved_method
from nicobar.flows.discounts.reserve_codes import reserve_codes
from nicobar.flows.payments.charge_saved_method import charge_saved_method
from nicobar.flows.payments.decide_creation import PaymentIds
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.decide_subscription import DecidedSubscriptions
from nicobar.flows.subscriptions.draft_subscription import draft_subscription
from nicobar.storage.catalog.brands import lock_brand
from nicobar.storage.database import Tx
from nicobar.storage.payments.payment_insertion import insert_payment
from nicobar.storage.subscriptions.charges import insert_charge
from nicobar.storage.subscriptions.subscriptions import has_live_subscription, insert_subscription


async def create_subscription(
    runtime: Runtime,
    tenant: Tenant,
    request: SubscriptionRequest,
    answer: Callable[[CreatedSubscription], msgspec.Struct] | None = None,
    also_record: Callable[[Tx, Payment], Awaitable[None]] | None = None,
) -> CreatedSubscription:
    """Price what is asked for, store it with its first payment, and charge a saved method at once if one is named.

    `answer` makes what the caller is told: it is kept in the same commit for a request that comes again.
    `also_record` writes what belongs into that commit, too, and what it raises undoes everything. Raises Problem as
    `draft_subscription`, NOT_FOUND for an unknown saved method, NO_ELIGIBLE_PAYMENT_METHODS for one that cannot pay,
    CUSTOMER_HAS_EXISTING_SUBSCRIPTION, and BRAND_NOT_ENABLED for a brand that was archived meanwhile; nothing is stored
    then.
    """
    at = runtime.now(tenant)
    # In their order, in which whoever holds several locks them.
    subscription_ids = sorted(runtime.new_id("sub", at) for _ in request.plans)
    ids = PaymentIds(runtime.new_id("pay", at), runtime.new_id("cus", at), runtime.new_link_id())
    decided = await draft_subscription(runtime, tenant, request, ids, subscription_ids, at)
    secret = f"{ids.payment_id}_secret_{runtime.new_secret()}"
    created = CreatedSubscription(
        decided.subscriptions,
        decided.first.payment,
        secret,
        [use.discount_id for use in decided.uses],
        request.one_time_items,
    )

    def know(buyer: Buyer) -> CreatedSubscription:
        known = created._replace(
            subscriptions=[msgspec.structs.replace(each, customer=buyer) for each in created.subscriptions],
            payment=msgspec.structs.replace(created.payment, customer=buyer),
        )
        if answer is not None and runtime.first_commit is not None:
            runtime.first_commit.answer_with(answer(known))
        return known

    brand_field = "product_cart" if request.in_session else "product_id"
    stored = _Record(runtime, tenant, decided, secret, brand_field, know, also_record)
    await stored.record(at)
    return know(stored.buyer)


class _Record:
    """Writes the subscriptions with their first payment, in one transaction."""

    def __init__(
        self,
        runtime: Runtime,
        tenant: Tenant,
        decided: DecidedSubscriptions,
        secret: str,
        brand_field: str,
        know: Callable[[Buyer], object],
        also_record: Callable[[Tx, Payment], Awaitable[None]] | None,
    ) -> None:
        self._runtime, self._tenant, self._decided = runtime, tenant, decided
        self._hash, self._know, self._also_record = secret_hash(secret), know, also_record
        self._brand_field = brand_field
        self.buyer = decided.first.payment.customer

    async def record(self, at: datetime) -> None:
        """Store everything; charge a saved method where one is named and something is due."""
        payment = self._decided.first.payment
        method = payment.options.payment_method_id
        if method is not None and payment.total_amount > 0:
            await charge_saved_method(self._runtime, payment, method, self._write)
            return
        processor = None if method is None else await find_charging_processor(self._runtime, self._tenant)
        async with self._runtime.database.transaction() as tx:
            if method is not None:
                customer_id, allowed = self.buyer.customer_id, payment.options.allowed_payment_method_types
                await require_saved_method(tx, self._tenant, customer_id, method, processor, payment.currency, allowed)
            await self._write(tx)
            if self._decided.succeeds_at_once:
                stored = msgspec.structs.replace(payment, customer=self.buyer)
                await check_only_subscription(tx, stored, multiple=self._decided.multiple)
                await record_payment_outcome(self._runtime, tx, stored, None, Succeeded("free"), at)

    async def _write(self, tx: Tx) -> None:
        tenant, first = self._tenant, self._decided.first
        payment = first.payment
        # Held until the commit: a brand that is archived meanwhile takes no subscription along.
        check_usable(await lock_brand(tx, tenant, payment.brand_id, "use"), self._brand_field)
        self.buyer = await insert_payment(tx, payment, self._hash, first.quote.inputs, first.customer)
        if not self._decided.multiple and await has_live_subscription(tx, tenant, self.buyer.customer_id):
            raise Problem("CUSTOMER_HAS_EXISTING_SUBSCRIPTION", customer_id=self.buyer.customer_id)
        for position, pending in enumerate(self._decided.subscriptions):
            subscription = msgspec.structs.replace(pending, customer=self.buyer)
            await insert_subscription(tx, subscription, wake_at(subscription))
            charge = ChargeRecord(
                payment_id=payment.payment_id,
                position=position,
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
            self._decided.uses_to_take,
            payment.expires_on,
            payment.created_at,
            for_later=True,
        )
        if self._also_record is not None:
            await self._also_record(tx, payment)
        self._know(self.buyer)
