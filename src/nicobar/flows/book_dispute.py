"""Bring the books to where a dispute's money is, in the transaction that records the dispute."""

from datetime import datetime

from nicobar.core.dispute import Dispute
from nicobar.core.ledger import dispute_entry
from nicobar.core.payment import Payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.ledger import dispute_moves, insert_entry


async def book_dispute(runtime: Runtime, tx: Tx, payment: Payment, dispute: Dispute, at: datetime) -> None:
    """Store an entry when the dispute's money was taken away or came back since the books heard of it last.

    The caller holds the payment's row. The books are compared with `Dispute.money_out`, so a step of the dispute that
    moves no money changes nothing, and neither does a second call.
    """
    taken, returned = await dispute_moves(tx, payment.tenant, dispute.dispute_id)
    if dispute.money_out == (taken > returned):
        return
    entry = dispute_entry(
        runtime.new_id("led", at),
        dispute,
        payment,
        at,
        returned=not dispute.money_out,
        turn=taken if dispute.money_out else returned,
    )
    await insert_entry(tx, payment.tenant, entry)
