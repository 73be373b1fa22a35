"""Reverse the entry of a refund that came back, in the transaction that records it."""

from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.ledger.reversals import Refunded, refund_reversal_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.ledger.ledger import entries_of, insert_entry


async def book_refund_reversal(runtime: Runtime, tx: Tx, tenant: Tenant, refund: Refunded, at: datetime) -> None:
    """Store the mirror image of a refund's entry. The caller holds the payment's row.

    Raises ValueError when the refund is not in the books, or came back before.
    """
    booked = await entries_of(tx, tenant, refund.payment_id)
    await insert_entry(tx, tenant, refund_reversal_entry(runtime.new_id("led", at), refund.refund_id, booked, at))
