"""The wire types of refunds (contract, "Refunds"), and how refunds are rendered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from nicobar.core.payments.payment import Payment
from nicobar.core.refunds.refund import (
    NetworkReferenceType,
    NewRefund,
    Refund,
    RefundInstruction,
    RefundItem,
    RefundLine,
    RefundStatus,
)
from nicobar.wire.codes import CurrencyCode
from nicobar.wire.common import (
    INT32_MAX,
    Metadata,
    ObjectId,
    PageQuery,
    RequestBody,
    ResponseBody,
)
from nicobar.wire.customers.buyers import CustomerLimitedDetails, render_buyer
from nicobar.wire.misnamed import names


class RefundItemRequest(RequestBody, frozen=True, kw_only=True):
    """One item of a refund."""

    instead: ClassVar[Mapping[str, str]] = names(
        "amount refund_amount total total_amount price unit_price quantity percent percentage partial is_partial",
        "An item goes back whole unless items[].amount says how much of it.",
    ) | names("currency", "The currency of all amounts is the refund's, in currency.")
    item_id: ObjectId
    """The product's id, as the line items of the payment have it in `items_id`."""
    amount: Annotated[int, Meta(ge=-INT32_MAX, le=INT32_MAX)] | None = None
    """Minor units; without it everything that is left of the item. An amount below one gets an answer of its own."""
    tax_inclusive: bool | None = None
    """Whether `amount` contains the tax, as it does by default, or the tax is given back on top."""


class RefundCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /refunds. Null equals "not sent" everywhere."""

    instead: ClassVar[Mapping[str, str]] = names(
        "amount refund_amount total_amount settlement_amount price quantity percent percentage partial is_partial item "
        "items item_id item_ids refund_items line_items lines product products product_id product_ids product_cart",
        "To give back a part, send items[].item_id and items[].amount.",
    ) | names("currency refund_currency", "Send currency.")
    payment_id: ObjectId
    reason: Annotated[str, Meta(max_length=3000)] | None = None
    items: Annotated[list[RefundItemRequest], Meta(min_length=1, max_length=100)] | None = None
    """Without it everything that is left of the payment. An empty list is refused, so that a shop which lost its items
    on the way does not give everything back."""
    currency: CurrencyCode | None = None
    """The currency of the amounts: the one that was paid. Without it they are in the settlement currency."""
    metadata: Metadata | None = None


class RefundRead(ResponseBody, frozen=True, kw_only=True):
    """A refund."""

    brand_id: str
    business_id: str
    created_at: datetime
    customer: CustomerLimitedDetails
    is_partial: bool
    metadata: dict[str, Any]
    payment_id: str
    refund_id: str
    status: RefundStatus
    amount: int | None
    currency: str | None
    network_reference: str | None
    network_reference_type: NetworkReferenceType | None
    network_reference_updated_at: datetime | None
    reason: str | None


class RefundListItem(ResponseBody, frozen=True, kw_only=True):
    """One refund in a list, and with its payment."""

    business_id: str
    created_at: datetime
    is_partial: bool
    payment_id: str
    refund_id: str
    status: RefundStatus
    amount: int | None
    currency: str | None
    network_reference: str | None
    network_reference_type: NetworkReferenceType | None
    network_reference_updated_at: datetime | None
    reason: str | None


class RefundListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /refunds; dates are inclusive."""

    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None
    status: Literal["succeeded", "failed", "pending", "review"] | None = None
    customer_id: str | None = None
    subscription_id: str | None = None


class RefundPreviewLine(ResponseBody, frozen=True, kw_only=True):
    """What a refund would give back of one line of the payment, and what would be left of it."""

    item_id: str
    name: str | None
    amount: int
    """With tax, in the currency that was paid."""
    tax: int
    settlement_amount: int
    """The same in the settlement currency, at the payment's own rate."""
    settlement_tax: int
    remaining_amount: int
    """What would be left to refund, in the currency that was paid."""


class RefundPreview(ResponseBody, frozen=True, kw_only=True):
    """The answer of POST /refunds/preview: what the same body would give back."""

    payment_id: str
    currency: str
    """The currency that was paid."""
    amount: int
    tax: int
    settlement_currency: str
    settlement_amount: int
    settlement_tax: int
    remaining_amount: int
    is_partial: bool
    lines: list[RefundPreviewLine]
    """Every line of the payment, in the order of the cart."""


def read_refund(body: RefundCreate) -> NewRefund:
    """Return the refund that a request asks for."""
    return NewRefund(body.payment_id, _wish(body), body.reason, body.metadata or {})


def _wish(body: RefundCreate) -> RefundInstruction:
    if body.items is None:
        return RefundInstruction(None, body.currency)
    items = [RefundItem(item.item_id, item.amount, item.tax_inclusive is not False) for item in body.items]
    return RefundInstruction(tuple(items), body.currency)


def render_refund(refund: Refund, payment: Payment) -> RefundRead:
    """Render a refund of `payment`."""
    return RefundRead(
        brand_id=payment.brand_id,
        business_id=payment.business_id,
        created_at=refund.created_at,
        customer=render_buyer(payment.customer),
        is_partial=refund.is_partial,
        metadata=refund.metadata,
        payment_id=refund.payment_id,
        refund_id=refund.refund_id,
        status=refund.status,
        amount=refund.amount,
        currency=refund.currency,
        network_reference=refund.network_reference,
        network_reference_type=refund.network_reference_type,
        network_reference_updated_at=refund.network_reference_updated_at,
        reason=refund.reason,
    )


def render_refund_item(refund: Refund, business_id: str) -> RefundListItem:
    """Render one row of a list."""
    return RefundListItem(
        business_id=business_id,
        created_at=refund.created_at,
        is_partial=refund.is_partial,
        payment_id=refund.payment_id,
        refund_id=refund.refund_id,
        status=refund.status,
        amount=refund.amount,
        currency=refund.currency,
        network_reference=refund.network_reference,
        network_reference_type=refund.network_reference_type,
        network_reference_updated_at=refund.network_reference_updated_at,
        reason=refund.reason,
    )


def render_refund_preview(payment: Payment, planned: Sequence[RefundLine]) -> RefundPreview:
    """Render what a refund would give back of `payment`."""
    parts = {part.position: part for part in planned}
    nothing = RefundLine(0, 0, 0, 0, 0)
    lines = []
    for line in payment.lines:
        part = parts.get(line.position, nothing)
        lines.append(
            RefundPreviewLine(
                item_id=line.product_id,
                name=line.name,
                amount=part.amount,
                tax=part.tax,
                settlement_amount=part.settlement_amount,
                settlement_tax=part.settlement_tax,
                remaining_amount=line.total - line.refund_reserved_amount - part.amount,
            )
        )
    amount = sum(part.amount for part in planned)
    return RefundPreview(
        payment_id=payment.payment_id,
        currency=payment.currency,
        amount=amount,
        tax=sum(part.tax for part in planned),
        settlement_currency=payment.settlement_currency,
        settlement_amount=sum(part.settlement_amount for part in planned),
        settlement_tax=sum(part.settlement_tax for part in planned),
        remaining_amount=payment.total_amount - payment.refund_reserved_amount - amount,
        is_partial=amount < payment.total_amount,
        lines=lines,
    )
