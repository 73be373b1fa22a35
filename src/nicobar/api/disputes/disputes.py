"""Disputes: read and list. They are opened and moved by processors, and answered there."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.storage.disputes.disputes import DisputeFilters, get_dispute, list_disputes
from nicobar.storage.payments.payments import get_payment
from nicobar.wire.common import Items, NoQuery, in_utc
from nicobar.wire.disputes.disputes import (
    DisputeListItem,
    DisputeListQuery,
    DisputeRead,
    render_dispute,
    render_dispute_item,
)


async def retrieve(call: Call[None, NoQuery]) -> DisputeRead:
    """Return one dispute."""
    async with call.runtime.database.snapshot() as read:
        dispute = await get_dispute(read, call.tenant, call.path["dispute_id"])
        payment = None if dispute is None else await get_payment(read, call.tenant, dispute.payment_id)
    if dispute is None or payment is None:
        raise Problem("NOT_FOUND", what="Dispute")
    return render_dispute(dispute, payment)


async def list_(call: Call[None, DisputeListQuery]) -> Items[DisputeListItem]:
    """Return a page of disputes, newest first."""
    query = call.query
    offset = query.offset
    filters = DisputeFilters(
        created_at_gte=in_utc(query.created_at_gte),
        created_at_lte=in_utc(query.created_at_lte),
        status=query.dispute_status,
        stage=query.dispute_stage,
        customer_id=query.customer_id,
    )
    async with call.runtime.database.read() as read:
        disputes = await list_disputes(read, call.tenant, filters, query.page_size, offset)
    return Items(items=[render_dispute_item(dispute) for dispute in disputes])


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "GET",
        "/disputes",
        list_,
        Items[DisputeListItem],
        query=DisputeListQuery,
        summary="List disputes, newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation(
        "GET", "/disputes/{dispute_id}", retrieve, DisputeRead, summary="Read a dispute", problems=("NOT_FOUND",)
    ),
]
"""The disputes' part of the table in `app.py`."""
