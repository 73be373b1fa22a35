"""Refunds: create, preview, read, list."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.flows.refunds.preview_refund import preview_refund
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.refunds.refunds import RefundFilters, get_refund, list_refunds
from nicobar.wire.common import Items, NoQuery, in_utc
from nicobar.wire.refunds.refunds import (
    RefundCreate,
    RefundListItem,
    RefundListQuery,
    RefundPreview,
    RefundRead,
    read_refund,
    render_refund,
    render_refund_item,
    render_refund_preview,
)


async def create(call: Call[RefundCreate, NoQuery]) -> RefundRead:
    """Refund a payment or items of it."""
    made = await refund_payment(call.runtime, call.tenant, read_refund(call.body))
    return render_refund(made.refund, made.payment)


async def preview(call: Call[RefundCreate, NoQuery]) -> RefundPreview:
    """Return what the same body would give back, and store nothing."""
    planned = await preview_refund(call.runtime, call.tenant, read_refund(call.body))
    return render_refund_preview(planned.payment, planned.lines)


async def retrieve(call: Call[None, NoQuery]) -> RefundRead:
    """Return one refund."""
    async with call.runtime.database.snapshot() as read:
        refund = await get_refund(read, call.tenant, call.path["refund_id"])
        payment = None if refund is None else await get_payment(read, call.tenant, refund.payment_id)
    if refund is None or payment is None:
        raise Problem("NOT_FOUND", what="Refund")
    return render_refund(refund, payment)


async def list_(call: Call[None, RefundListQuery]) -> Items[RefundListItem]:
    """Return a page of refunds, newest first."""
    query = call.query
    offset = query.offset
    if query.subscription_id is not None:
        return Items(items=[])  # no payment of this server belongs to a subscription
    filters = RefundFilters(
        created_at_gte=in_utc(query.created_at_gte),
        created_at_lte=in_utc(query.created_at_lte),
        status=query.status,
        customer_id=query.customer_id,
    )
    async with call.runtime.database.read() as read:
        refunds = await list_refunds(read, call.tenant, filters, query.page_size, offset)
    return Items(items=[render_refund_item(refund, call.tenant.business_id) for refund in refunds])


_REFUSALS: Final = (
    "MAXIMUM_KEYS_REACHED",
    "NOT_FOUND",
    "PAYMENT_NOT_SUCCEEDED",
    "ZERO_AMOUNT_PAYMENT_REFUND_NOT_ALLOWED",
    "REFUND_WINDOW_EXPIRED",
    "EXISTING_REFUND_REQUEST_PROCESSING",
    "PAYMENT_ALREADY_REFUNDED",
    "NOTHING_TO_REFUND",
    "UNSUPPORTED_ACTION",
    "UNSUPPORTED_CURRENCY",
    "DUPLICATE_LINE_ITEMS_IN_REQUEST",
    "LINE_ITEM_NOT_FOUND",
    "LINE_ITEM_PRORATED",
    "LINE_ITEM_FULLY_REFUNDED",
    "LINE_ITEM_REFUND_AMOUNT_TOO_LOW",
    "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH",
    "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT",
    "PARTIAL_REFUND_NOT_ALLOWED",
    "AMOUNT_NOT_CHARGEABLE",
)
"""In the order in which they are looked at."""

OPERATIONS: Final = [
    Operation(
        "POST", "/refunds", create, RefundRead, body=RefundCreate, summary="Refund a payment", problems=_REFUSALS
    ),
    Operation(
        "POST",
        "/refunds/preview",
        preview,
        RefundPreview,
        body=RefundCreate,
        summary="Preview what a refund gives back (an addition of this server)",
        problems=_REFUSALS,
        is_preview=True,
    ),
    Operation("GET", "/refunds/{refund_id}", retrieve, RefundRead, summary="Get a refund", problems=("NOT_FOUND",)),
    Operation(
        "GET",
        "/refunds",
        list_,
        Items[RefundListItem],
        query=RefundListQuery,
        summary="List refunds",
        problems=("INVALID_QUERY_PARAMS",),
    ),
]
"""The refunds' part of the table in `app.py`."""
