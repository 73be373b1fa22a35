"""Enter a refund that succeeded into the books, in the transaction that records it."""

from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.ledger.reversals import Refunded, refund_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.ledger.ledger import entries_of, insert_entry


async def book_refund(runtime: Runtime, tx: Tx, tenant: Tenant, refund: Refunded, at: datetime) -> None:
    """Store the entry of a refund; its amount is above zero. The caller holds the payment's row."""
    booked = await entries_of(tx, tenant, refund.payment_id)
    await insert_entry(tx, tenant, refund_entry(runtime.new_id("led", at), refund, booked, at))
