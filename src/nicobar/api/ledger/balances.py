"""The operation on the seller's account."""

from typing import Final

from msgspec.structs import replace

from nicobar.api.routing import Call, Operation
from nicobar.flows.ledger.read_ledger import read_ledger
from nicobar.storage.ledger.seller_account import LineFilters
from nicobar.wire.common import Items, in_utc
from nicobar.wire.ledger.balances import BalanceLedgerEntry, LedgerQuery, render_line


async def list_ledger(call: Call[None, LedgerQuery]) -> Items[BalanceLedgerEntry]:
    """Return a page of the lines of the seller's account, newest first."""
    query = call.query
    if query.limit is not None:
        query = replace(query, page_size=query.limit)
    offset = query.offset
    filters = LineFilters(
        created_at_gte=in_utc(query.created_at_gte),
        created_at_lte=in_utc(query.created_at_lte),
        currency=query.currency,
        event_type=query.event_type,
        reference_object_id=query.reference_object_id,
    )
    lines = await read_ledger(call.runtime, call.tenant, filters, query.page_size, offset)
    return Items(items=[render_line(call.tenant.business_id, line, cents) for line, cents in lines])


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "GET",
        "/balances/ledger",
        list_ledger,
        Items[BalanceLedgerEntry],
        query=LedgerQuery,
        summary="List the movements of the seller's account, newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
]
"""The balances' part of the table in `app.py`."""
