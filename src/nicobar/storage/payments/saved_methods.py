"""Saved payment methods."""

from datetime import datetime
from typing import Any, Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import CardDetails
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.storage.database import Read, Record, Tx

MAXIMUM_LISTED: Final = 100
"""Saved methods of one customer that are listed: the contract's list has no pages, and nobody has that many cards."""

_COLUMNS: Final = "payment_method_id, customer_id, processor, account, token, fingerprint, card, last_used_at"

# The same card again is the method that it was, charged by the newest token and shown as it was typed last: a bank
# sends a new expiry date for an old number.
_KEEP: Final = """
INSERT INTO saved_methods (business_id, mode, payment_method_id, customer_id, processor, token, fingerprint, card,
                           created_at, last_used_at, account)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)
ON CONFLICT ON CONSTRAINT saved_methods_card DO UPDATE SET
    token = excluded.token, card = excluded.card,
    last_used_at = greatest(saved_methods.last_used_at, excluded.last_used_at)
RETURNING payment_method_id
"""

_TOUCH: Final = """
UPDATE saved_methods SET last_used_at = greatest(last_used_at, $4), card = coalesce($5, card)
WHERE business_id = $1 AND mode = $2 AND payment_method_id = $3
"""

_OF_CUSTOMER: Final = f"SELECT {_COLUMNS} FROM saved_methods WHERE business_id = $1 AND mode = $2 AND customer_id = $3"
_LIST: Final = f"{_OF_CUSTOMER} ORDER BY last_used_at DESC, payment_method_id DESC LIMIT {MAXIMUM_LISTED}"
_GET: Final = f"{_OF_CUSTOMER} AND payment_method_id = $4"

_DELETE: Final = """
DELETE FROM saved_methods WHERE business_id = $1 AND mode = $2 AND customer_id = $3 AND payment_method_id = $4
"""


async def keep_method(tx: Tx, tenant: Tenant, method: SavedMethod) -> str:
    """Save a card and return its id: the earlier one when the customer saved the same card before."""
    kept: str = await tx.fetchval(
        _KEEP,
        tenant.business_id,
        tenant.mode,
        method.payment_method_id,
        method.customer_id,
        method.processor,
        method.token,
        method.fingerprint,
        method.card,
        method.last_used_at,
        method.account,
    )
    return kept


async def touch_method(tx: Tx, tenant: Tenant, payment_method_id: str, at: datetime, card: CardDetails | None) -> None:
    """Note that a saved method has paid; one that was deleted meanwhile stays deleted.

    `card` is what the processor told of the card that paid: banks replace cards, and networks pass the new ones on.
    """
    await tx.execute(_TOUCH, tenant.business_id, tenant.mode, payment_method_id, at, card)


async def list_methods(read: Read, tenant: Tenant, customer_id: str) -> list[SavedMethod]:
    """Return a customer's saved methods, the last used first, at most `MAXIMUM_LISTED`."""
    return [_method(row) for row in await read.fetch(_LIST, tenant.business_id, tenant.mode, customer_id)]


async def get_method(read: Read, tenant: Tenant, customer_id: str, payment_method_id: str) -> SavedMethod | None:
    """Return one saved method of this customer, None when it is unknown, deleted, or somebody else's."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, customer_id, payment_method_id)
    return None if row is None else _method(row)


async def delete_method(tx: Tx, tenant: Tenant, customer_id: str, payment_method_id: str) -> bool:
    """Forget a saved method of this customer and its token; return whether there was one."""
    deleted: str = await tx.execute(_DELETE, tenant.business_id, tenant.mode, customer_id, payment_method_id)
    return deleted != "DELETE 0"


def _method(row: Record) -> SavedMethod:
    fields: dict[str, Any] = dict(row)
    return msgspec.convert(fields, SavedMethod)
