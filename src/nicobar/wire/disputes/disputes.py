"""The wire types of disputes (contract, "Disputes"). Their amounts are texts, unlike all others."""

from datetime import datetime

from nicobar.core.disputes.dispute import Dispute, DisputeStage, DisputeStatus
from nicobar.core.payments.payment import Payment
from nicobar.wire.codes import PaymentProvider, provider_of
from nicobar.wire.common import ObjectId, PageQuery, ResponseBody
from nicobar.wire.customers.buyers import CustomerLimitedDetails, render_buyer


class PaymentDispute(ResponseBody, frozen=True, kw_only=True):
    """A dispute as its payment shows it."""

    amount: str
    """Minor units of its currency, as a text."""
    business_id: str
    created_at: datetime
    currency: str
    dispute_id: str
    dispute_stage: DisputeStage
    dispute_status: DisputeStatus
    payment_id: str
    is_resolved_by_rdr: bool | None
    """Null: no processor tells whether Visa's Rapid Dispute Resolution ended it."""
    remarks: str | None
    """Null: nobody remarks on disputes here."""


class DisputeListItem(ResponseBody, frozen=True, kw_only=True):
    """One dispute in the list."""

    amount: str
    """Minor units of its currency, as a text."""
    business_id: str
    created_at: datetime
    currency: str
    dispute_id: str
    dispute_stage: DisputeStage
    dispute_status: DisputeStatus
    payment_id: str
    payment_provider: PaymentProvider
    is_resolved_by_rdr: bool | None


class DisputeRead(ResponseBody, frozen=True, kw_only=True):
    """One dispute, with the customer who filed it."""

    amount: str
    """Minor units of its currency, as a text."""
    brand_id: str
    business_id: str
    created_at: datetime
    currency: str
    customer: CustomerLimitedDetails
    dispute_id: str
    dispute_stage: DisputeStage
    dispute_status: DisputeStatus
    payment_id: str
    payment_provider: PaymentProvider
    is_resolved_by_rdr: bool | None
    reason: str | None
    remarks: str | None


class DisputeListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /disputes; dates are inclusive."""

    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None
    dispute_status: DisputeStatus | None = None
    dispute_stage: DisputeStage | None = None
    customer_id: ObjectId | None = None


def render_dispute(dispute: Dispute, payment: Payment) -> DisputeRead:
    """Render the whole dispute of a payment."""
    return DisputeRead(
        amount=str(dispute.amount),
        brand_id=payment.brand_id,
        business_id=dispute.business_id,
        created_at=dispute.created_at,
        currency=dispute.currency,
        customer=render_buyer(payment.customer),
        dispute_id=dispute.dispute_id,
        dispute_stage=dispute.stage,
        dispute_status=dispute.status,
        payment_id=dispute.payment_id,
        payment_provider=provider_of(dispute.processor),
        is_resolved_by_rdr=None,
        reason=dispute.reason,
        remarks=None,
    )


def render_dispute_item(dispute: Dispute) -> DisputeListItem:
    """Render one row of the list."""
    return DisputeListItem(
        amount=str(dispute.amount),
        business_id=dispute.business_id,
        created_at=dispute.created_at,
        currency=dispute.currency,
        dispute_id=dispute.dispute_id,
        dispute_stage=dispute.stage,
        dispute_status=dispute.status,
        payment_id=dispute.payment_id,
        payment_provider=provider_of(dispute.processor),
        is_resolved_by_rdr=None,
    )


def render_payment_dispute(dispute: Dispute) -> PaymentDispute:
    """Render a dispute for the list in its payment."""
    return PaymentDispute(
        amount=str(dispute.amount),
        business_id=dispute.business_id,
        created_at=dispute.created_at,
        currency=dispute.currency,
        dispute_id=dispute.dispute_id,
        dispute_stage=dispute.stage,
        dispute_status=dispute.status,
        payment_id=dispute.payment_id,
        is_resolved_by_rdr=None,
        remarks=None,
    )
