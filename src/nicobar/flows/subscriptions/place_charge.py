"""Charge a subscription: a payment like every other, and the row that says what it is for, in one commit."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import secret_hash
from nicobar.core.payments.methods import CARD_TYPES
from nicobar.core.payments.payment import PAYABLE, ChargeType, Payment, PaymentOptions, Succeeded
from nicobar.core.payments.renewal_try import RenewalTry
from nicobar.core.payments.repricing import priced_lines
from nicobar.core.pricing.cart import RequestedItem
from nicobar.core.pricing.quote import KeptProduct
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.calendar import ServicePeriod
from nicobar.core.subscriptions.charge_record import ChargeRecord
from nicobar.core.subscriptions.lifecycle import close_link, open_charge
from nicobar.core.subscriptions.plan import Plan
from nicobar.core.subscriptions.proration import CreditUse
from nicobar.core.subscriptions.subscription import Moved, OpenCharge, PlanChange, Subscription
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.accounts.find_charging_processor import find_charging_processor
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.customers.require_saved_method import require_saved_method
from nicobar.flows.payments.charge_saved_method import charge_saved_method
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.plans.price_due import PricedDue
from nicobar.flows.refunds.load_given_back import load_given_back
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.storage.database import Tx
from nicobar.storage.payments.hosted_pages import end_payment_link
from nicobar.storage.payments.payment_insertion import insert_payment
from nicobar.storage.payments.payments import lock_payment
from nicobar.storage.subscriptions.charges import charges_of_payments, end_charge, insert_charge
from nicobar.storage.subscriptions.subscriptions import lock_subscription

LIFETIME: Final = timedelta(days=1)
"""How long a charge without a link may wait for its processor before it counts as given up."""


CHANGED_METHOD: Final = "subscription.change_method"
"""What the audit log calls the change of the method that a subscription is charged by."""


class Overtaken(Exception):
    """The subscription has changed since it was read; nothing was written."""


class OpenLink(NamedTuple):
    """The link through which somebody may pay what a subscription owes, with its payment locked."""

    payment: Payment | None
    """None where there is no such link."""

    @classmethod
    async def lock(cls, tx: Tx, known: Subscription) -> "OpenLink":
        """Lock the payment of the link that the subscription has: payments are locked before subscriptions."""
        opened = known.open_charge
        if opened is None or opened.link_until is None:
            return cls(None)
        return cls(await lock_payment(tx, known.tenant, opened.payment_id))

    async def end(self, tx: Tx, opened: OpenCharge, at: datetime) -> None:
        """End the link of the open charge, which nobody is to pay any more; the sweep cancels its payment.

        Raises Problem PREVIOUS_PAYMENT_PENDING when somebody is paying it, or it was opened just now.
        """
        payment = self.payment
        if payment is None or payment.payment_id != opened.payment_id or payment.status not in PAYABLE:
            raise Problem("PREVIOUS_PAYMENT_PENDING")
        await end_payment_link(tx, payment.tenant, payment.payment_id, at)
        for charge in await charges_of_payments(tx, payment.tenant, [payment.payment_id]):
            await end_charge(tx, payment.tenant, charge, "failed")


class ChargeOrder(NamedTuple):
    """A charge that is decided: what it is for and what it costs."""

    charge_type: ChargeType | None
    plan: Plan
    priced: PricedDue
    period: ServicePeriod | None
    number: int
    credit_use: CreditUse
    """How it moves the credit when it is paid."""
    payment_method_id: str | None
    """The saved method to charge; None for a payment of nothing, and for one with a link."""
    metadata: dict[str, Any]
    change: PlanChange | None = None
    factor: str = "1"
    retry_attempt: int = 0
    renewal: RenewalTry | None = None
    """Which renewal it is, where a scenario of test mode asks."""
    is_manual: bool = False
    replaces_method: bool = False
    link_lifetime: timedelta | None = None
    """How long its link works; None for a charge without a link."""
    return_url: str | None = None
    allowed_types: tuple[str, ...] | None = None
    description: str | None = None
    """What the line says in place of the product's description."""
    given_back: int | None = None
    """What refunds and disputes had taken back of the period when the price was decided, counted as that is; None where
    it is no part of it."""
    credit_otherwise: int = 0
    """By how much more the credit is when it is counted as the prices of the new plan are: with tax, or before it."""
    carried_otherwise: int = 0
    """The same of what is carried on."""
    action: str | None = None
    """What the audit log calls the change that it is charged for; None where nobody changes anything."""


class PlacedCharge(NamedTuple):
    """A charge that was placed."""

    payment: Payment
    client_secret: str


async def place_charge(
    runtime: Runtime,
    subscription: Subscription,
    order: ChargeOrder,
    tax_id: CheckedTaxId | None,
    at: datetime,
) -> PlacedCharge:
    """Store the payment with what it is for, and charge the saved method; the outcome moves the subscription.

    `subscription` is as the order was decided by; when it has changed since, Overtaken is raised and nothing was
    written. A link for what it owes ends: the charge takes its place. Raises Problem as `charge_saved_method` and
    `OpenLink.end` do; nothing is stored then.
    """
    payment, kept = _payment(runtime, subscription, order, tax_id, at)
    secret = f"{payment.payment_id}_secret_{runtime.new_secret()}"
    inputs = msgspec.structs.replace(order.priced.charge.quote.inputs, products=kept, tax_date=at.date())

    async def store(tx: Tx) -> None:
        link, opened = await OpenLink.lock(tx, subscription), subscription.open_charge
        if await lock_subscription(tx, subscription.tenant, subscription.subscription_id) != subscription:
            raise Overtaken
        if opened is not None and order.charge_type is not None:
            await link.end(tx, opened, at)
        if order.given_back is not None:
            inclusive = order.priced.lines[0].tax_inclusive
            if await load_given_back(tx, subscription, tax_inclusive=inclusive) != order.given_back:
                raise Overtaken
        await insert_payment(tx, payment, secret_hash(secret), inputs, None)
        await _store_charge(runtime, tx, subscription, order, payment.payment_id, at)
        if order.action is not None:
            fields = ["payment_method_id"] if order.replaces_method else []
            await write_audit_entry(
                runtime, tx, subscription.tenant, order.action, [subscription.subscription_id], fields
            )

    if payment.total_amount > 0 and order.payment_method_id is not None:
        await charge_saved_method(runtime, payment, order.payment_method_id, store)
        return PlacedCharge(payment, secret)
    unseen = order.payment_method_id if order.replaces_method else None  # no charge shows whether it can pay
    processor = None if unseen is None else await find_charging_processor(runtime, payment.tenant)
    async with runtime.database.transaction() as tx:
        if unseen is not None:
            customer_id, allowed = payment.customer.customer_id, payment.options.allowed_payment_method_types
            await require_saved_method(tx, payment.tenant, customer_id, unseen, processor, payment.currency, allowed)
        await store(tx)
        if payment.total_amount == 0 and payment.link_id is None:
            await record_payment_outcome(runtime, tx, payment, None, Succeeded("free"), at)
    return PlacedCharge(payment, secret)


async def _store_charge(
    runtime: Runtime, tx: Tx, subscription: Subscription, order: ChargeOrder, payment_id: str, at: datetime
) -> None:
    opened = OpenCharge(
        payment_id=payment_id,
        charge_type=order.charge_type or "renewal",
        link_until=None if order.link_lifetime is None else at + order.link_lifetime,
        period=order.period,
        number=order.number,
        price=order.priced.charge.price,
        credit_use=order.credit_use,
        retry_attempt=order.retry_attempt,
        is_manual=order.is_manual,
        payment_method_id=order.payment_method_id,
        replaces_method=order.replaces_method,
        change=order.change,
        factor=order.factor,
        credit_otherwise=order.credit_otherwise,
        carried_otherwise=order.carried_otherwise,
    )
    record = ChargeRecord(
        payment_id=payment_id,
        subscription_id=subscription.subscription_id,
        charge_type=order.charge_type,
        retry_attempt=order.retry_attempt,
        starts_at=None if order.period is None else order.period.starts_at,
        ends_at=None if order.period is None else order.period.ends_at,
        factor=order.factor,
        state="open",
        created_at=at,
    )
    await insert_charge(tx, subscription.tenant, record)
    if order.charge_type is None:
        return  # a new card waits for its owner, and nothing waits for the card
    await save_move(runtime, tx, Moved(open_charge(close_link(subscription, at).subscription, opened, at)), at)


def _payment(
    runtime: Runtime, subscription: Subscription, order: ChargeOrder, tax_id: CheckedTaxId | None, at: datetime
) -> tuple[Payment, tuple[KeptProduct, ...]]:
    """Return the payment, and the products that it was made from."""
    quote, plan = order.priced.charge.quote, order.plan
    lines = plan.lines
    items = [
        RequestedItem(line.sold.product_id, inputs.quantity)
        for line, inputs in zip(lines, quote.inputs.lines, strict=True)
    ]
    kept = tuple(
        msgspec.structs.replace(
            line.sold,
            price=msgspec.structs.replace(
                line.price,
                currency=inputs.currency,
                price=inputs.unit_price,
                discount_bps=inputs.discount_bps,
                purchasing_power_parity=False,
            ),
            localized=(),  # another address brings other taxes, and no other market: the price was agreed on
            converted=inputs.converted,
        )
        for line, inputs in zip(lines, quote.inputs.lines, strict=True)
    )
    priced = priced_lines(quote, items, plan.products(subscription.brand_id))
    if order.description is not None:
        priced[0] = msgspec.structs.replace(priced[0], description=order.description)
    payment = Payment(
        business_id=subscription.business_id,
        mode=subscription.mode,
        payment_id=runtime.new_id("pay", at),
        brand_id=subscription.brand_id,
        customer=subscription.customer,
        status="requires_payment_method",
        currency=quote.currency,
        subtotal=quote.subtotal,
        discount=quote.discount,
        tax=quote.tax,
        total_amount=quote.total,
        settlement_currency=quote.settlement_currency,
        settlement_amount=quote.settlement_amount,
        settlement_tax=quote.settlement_tax,
        billing=subscription.billing,
        metadata=order.metadata,
        options=_options(subscription, order, tax_id),
        link_id=runtime.new_link_id() if order.link_lifetime is not None else None,
        expires_on=at + (order.link_lifetime or LIFETIME),
        payment_method=None,
        payment_method_type=None,
        card=None,
        error_code=None,
        error_message=None,
        created_at=at,
        updated_at=None,
        lines=priced,
    )
    return payment, kept


def _options(subscription: Subscription, order: ChargeOrder, tax_id: CheckedTaxId | None) -> PaymentOptions:
    return PaymentOptions(
        payment_link=order.link_lifetime is not None,
        return_url=order.return_url,
        allowed_payment_method_types=sorted(CARD_TYPES) if order.allowed_types is None else list(order.allowed_types),
        payment_method_id=order.payment_method_id,
        billing_currency=subscription.currency,
        adaptive_currency_fees_inclusive=subscription.fees_inclusive,
        tax_id=None if tax_id is None else tax_id.number,
        tax_id_register=None if tax_id is None else tax_id.register,
        customer_business_name=None if tax_id is None else subscription.customer_business_name,
        charge_type=order.charge_type,
        updates_method=order.charge_type is None,
        keeps_method=order.link_lifetime is not None,
        locked=["discount"],  # a code typed now would lower what is owed, and what was paid would not say so
        renewal=order.renewal,
    )
