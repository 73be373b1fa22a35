"""Bring the books to where a dispute's money is, in the transaction that records the dispute."""

from datetime import datetime

from nicobar.core.disputes.dispute import Dispute
from nicobar.core.ledger.reversals import dispute_entry, is_taken
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.ledger.ledger import entries_of, insert_entry


async def book_dispute(runtime: Runtime, tx: Tx, payment: Payment, dispute: Dispute, at: datetime) -> None:
    """Store an entry when the dispute's money was taken away or came back since it was last booked.

    The caller holds the payment's row. The books are compared with `Dispute.money_out`, so a step of the dispute that
    moves no money changes nothing, and neither does a second call.
    """
    booked = await entries_of(tx, payment.tenant, payment.payment_id)
    if dispute.money_out == is_taken(dispute.dispute_id, booked):
        return
    entry_id = runtime.new_id("led", at)
    entry = dispute_entry(entry_id, dispute, payment.payment_id, booked, at, returned=not dispute.money_out)
    await insert_entry(tx, payment.tenant, entry)
