"""The wire types of reading payments (contract, "Reading payments"), and how a payment is rendered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from nicobar.core.customers.buyer import Address
from nicobar.core.disputes.dispute import DisputeStatus
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.payments.payment import CardDetails, CustomFieldResponse, Payment, PaymentLine
from nicobar.core.payments.three_ds import ThreeDs
from nicobar.core.subscriptions.charge_record import ChargeRecord
from nicobar.core.subscriptions.proration import read_share
from nicobar.wire.codes import CurrencyCode, IntentStatus, PaymentProvider, provider_of
from nicobar.wire.common import (
    PageQuery,
    RequestBody,
    ResponseBody,
)
from nicobar.wire.customers.buyers import CustomerLimitedDetails, render_buyer
from nicobar.wire.discounts.discounts import DiscountDetail, render_discount_detail
from nicobar.wire.disputes.disputes import PaymentDispute, render_payment_dispute
from nicobar.wire.refunds.refunds import RefundListItem, render_refund_item

PaymentStatusName = Annotated[
    IntentStatus,
    Meta(description="`failed` is not the end while the link works: the customer can try again, and it may succeed"),
]


class PaidCartItem(ResponseBody, frozen=True, kw_only=True):
    """A cart line as a read payment shows it."""

    product_id: str
    quantity: int


class PaymentListItem(ResponseBody, frozen=True, kw_only=True):
    """One payment in the list."""

    brand_id: str
    created_at: datetime
    currency: str
    customer: CustomerLimitedDetails
    digital_products_delivered: bool
    has_license_key: bool
    includes_usage: bool
    is_multi_subscription: bool
    metadata: dict[str, Any]
    payment_id: str
    payment_provider: PaymentProvider
    retry_attempt: int
    service_periods: list[dict[str, Any]]
    subscription_ids: list[str]
    total_amount: int
    card_exp_month: str | None
    card_exp_year: str | None
    card_last_four: str | None
    card_network: str | None
    card_type: str | None
    charge_type: str | None
    checkout_session_id: str | None
    dispute_status: DisputeStatus | None
    invoice_id: str | None
    invoice_url: str | None
    payment_method: str | None
    payment_method_type: str | None
    refund_status: str | None
    status: PaymentStatusName
    subscription_id: str | None
    three_ds_flow: str | None
    three_ds_status: str | None
    three_ds_version: str | None


class PaymentRead(ResponseBody, frozen=True, kw_only=True):
    """The whole payment, with its refunds, its disputes and the subscriptions that it charges."""

    billing: Address
    brand_id: str
    business_id: str
    created_at: datetime
    currency: str
    customer: CustomerLimitedDetails
    digital_products_delivered: bool
    disputes: list[PaymentDispute]
    includes_usage: bool
    is_multi_subscription: bool
    is_update_payment_method: bool
    metadata: dict[str, Any]
    payment_id: str
    payment_provider: PaymentProvider
    refunds: list[RefundListItem]
    retry_attempt: int
    service_periods: list[dict[str, Any]]
    settlement_amount: int
    settlement_currency: str
    subscription_ids: list[str]
    total_amount: int
    card_exp_month: str | None
    card_exp_year: str | None
    card_holder_name: str | None
    card_issuing_country: str | None
    card_last_four: str | None
    card_network: str | None
    card_type: str | None
    charge_type: str | None
    checkout_session_id: str | None
    custom_field_responses: list[CustomFieldResponse] | None
    discount_id: str | None
    discounts: list[DiscountDetail] | None
    error_code: str | None
    error_message: str | None
    invoice_id: str | None
    invoice_url: str | None
    payment_link: str | None
    payment_method: str | None
    payment_method_id: str | None
    payment_method_type: str | None
    product_cart: list[PaidCartItem] | None
    refund_status: str | None
    settlement_tax: int | None
    status: PaymentStatusName
    subscription_id: str | None
    tax: int | None
    three_ds_flow: str | None
    three_ds_status: str | None
    three_ds_version: str | None
    updated_at: datetime | None


class PaymentListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /payments; dates are inclusive."""

    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None
    status: IntentStatus | None = None
    currency: CurrencyCode | None = None
    customer_id: str | None = None
    product_id: str | None = None
    brand_id: str | None = None
    subscription_id: str | None = None


class LineItem(ResponseBody, frozen=True, kw_only=True):
    """One line of a payment, as refunds need it."""

    items_id: str
    name: str | None
    description: str | None
    amount: int
    """After discounts, without tax."""
    tax: int
    refundable_amount: int


class LineItems(ResponseBody, frozen=True, kw_only=True):
    """The answer of GET /payments/{payment_id}/line-items."""

    currency: str
    partial_refund_allowed: bool
    items: list[LineItem]


class LineItemsQuery(RequestBody, frozen=True, kw_only=True):
    """The query of GET /payments/{payment_id}/line-items."""

    currency: CurrencyCode | None = None


def render_payment(whole: WholePayment) -> PaymentRead:
    """Render a payment with all that belongs to it."""
    payment = whole.payment
    return PaymentRead(
        billing=payment.billing,
        brand_id=payment.brand_id,
        business_id=payment.business_id,
        created_at=payment.created_at,
        currency=payment.currency,
        customer=render_buyer(payment.customer),
        digital_products_delivered=False,
        disputes=[render_payment_dispute(dispute) for dispute in whole.disputes],
        includes_usage=False,
        is_update_payment_method=payment.options.updates_method,
        metadata=payment.metadata,
        payment_id=payment.payment_id,
        payment_provider=provider_of(whole.processor),
        refunds=[render_refund_item(refund, payment.business_id) for refund in whole.refunds],
        settlement_amount=payment.settlement_amount,
        settlement_currency=payment.settlement_currency,
        total_amount=payment.total_amount,
        charge_type=payment.options.charge_type,
        checkout_session_id=payment.options.checkout_session_id,
        custom_field_responses=payment.options.custom_field_responses,
        discount_id=whole.discounts[0].discount_id if whole.discounts else None,
        discounts=[render_discount_detail(discount) for discount in whole.discounts] or None,
        error_code=payment.error_code,
        error_message=payment.error_message,
        invoice_id=None,
        invoice_url=None,
        payment_link=whole.link,
        payment_method=payment.payment_method,
        payment_method_id=payment.payment_method_id,
        payment_method_type=payment.payment_method_type,
        product_cart=None
        if payment.options.charges_subscription
        else [PaidCartItem(product_id=line.product_id, quantity=line.quantity) for line in payment.lines],
        refund_status=payment.refund_status,
        settlement_tax=payment.settlement_tax,
        status=payment.status,
        tax=payment.tax,
        updated_at=payment.updated_at,
        **_subscription_fields(whole.charges),
        **_card_fields(payment.card),
        **_three_ds_fields(payment.three_ds),
    )


def _subscription_fields(charges: Sequence[ChargeRecord]) -> dict[str, Any]:
    """Return the fields of a payment that tell which subscriptions it charges, and for what."""
    several = len(charges) > 1
    return {
        "is_multi_subscription": several,
        "retry_attempt": charges[0].retry_attempt if charges else 0,
        "service_periods": [
            {
                "subscription_id": charge.subscription_id,
                "starts_at": charge.starts_at,
                "ends_at": charge.ends_at,
                "proration_factor": read_share(charge.factor).text(),
            }
            for charge in charges
            if charge.state == "paid" and charge.starts_at is not None
        ],
        "subscription_id": charges[0].subscription_id if charges and not several else None,
        "subscription_ids": [charge.subscription_id for charge in charges],
    }


def _card_fields(card: CardDetails | None) -> dict[str, Any]:
    """Return the fields of a payment that tell of its card."""
    return {
        "card_exp_month": card.exp_month if card else None,
        "card_exp_year": card.exp_year if card else None,
        "card_holder_name": card.holder_name if card else None,
        "card_issuing_country": card.issuing_country if card else None,
        "card_last_four": card.last_four if card else None,
        "card_network": card.network if card else None,
        "card_type": card.funding if card else None,
    }


def _three_ds_fields(three_ds: ThreeDs | None) -> dict[str, Any]:
    """Return the fields of a payment that tell of the cardholder's authentication."""
    return {
        "three_ds_flow": three_ds.flow if three_ds else None,
        "three_ds_status": three_ds.status if three_ds else None,
        "three_ds_version": three_ds.version if three_ds else None,
    }


def render_list_item(
    payment: Payment,
    dispute_status: DisputeStatus | None = None,
    charges: Sequence[ChargeRecord] = (),
    processor: str | None = None,
) -> PaymentListItem:
    """Render one row of the list, with the status of the payment's newest dispute; its lines are not needed."""
    card, three_ds = payment.card, payment.three_ds
    return PaymentListItem(
        brand_id=payment.brand_id,
        created_at=payment.created_at,
        currency=payment.currency,
        customer=render_buyer(payment.customer),
        digital_products_delivered=False,
        has_license_key=False,
        includes_usage=False,
        metadata=payment.metadata,
        payment_id=payment.payment_id,
        payment_provider=provider_of(processor),
        total_amount=payment.total_amount,
        card_exp_month=card.exp_month if card else None,
        card_exp_year=card.exp_year if card else None,
        card_last_four=card.last_four if card else None,
        card_network=card.network if card else None,
        card_type=card.funding if card else None,
        charge_type=payment.options.charge_type,
        checkout_session_id=payment.options.checkout_session_id,
        dispute_status=dispute_status,
        invoice_id=None,
        invoice_url=None,
        payment_method=payment.payment_method,
        payment_method_type=payment.payment_method_type,
        refund_status=payment.refund_status,
        status=payment.status,
        three_ds_flow=three_ds.flow if three_ds else None,
        three_ds_status=three_ds.status if three_ds else None,
        three_ds_version=three_ds.version if three_ds else None,
        **_subscription_fields(charges),
    )


def render_line_item(line: PaymentLine, total: int, tax: int, refunded: int) -> LineItem:
    """Render a line whose amounts are in the currency of the answer; `refunded` has the tax in it."""
    return LineItem(
        items_id=line.product_id,
        name=line.name,
        description=line.description,
        amount=total - tax,
        tax=tax,
        refundable_amount=total - refunded,
    )


class ManualRetryState(ResponseBody, frozen=True, kw_only=True):
    """The answer of GET /payments/{payment_id}/retry, which is about failed renewals of subscriptions."""

    can_retry: bool = False
    sends_allowed: int = 0
    sends_used: int = 0
    automatic_retry_number: int | None = None
    """Of the automatic retry that is queued, from 1; null when none is."""
    automatic_retry_total: int | None = None
    """How many automatic retries the setting `renewal_retry_days` has room for; null when none is queued."""
    next_automatic_retry_at: datetime | None = None
    reason: str | None = "UNSUPPORTED_ACTION"
    """The code with which a retry would be refused."""
    retry_available_at: datetime | None = None
    """Always null: a retry by hand need not wait for another."""


class ManualRetry(ResponseBody, frozen=True, kw_only=True):
    """The answer of POST /payments/{payment_id}/retry."""

    invoice_id: str
    """The first payment of what is owed."""
    payment_id: str
    """The new payment."""
    retry_attempt: int
    sends_allowed: int
    sends_used: int
    is_manual_retry: bool = True
    retry_available_at: datetime | None = None
    """Always null: a retry by hand need not wait for another."""
    status: IntentStatus | None = None
