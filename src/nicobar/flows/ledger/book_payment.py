"""Enter a payment that was paid into the books, in the transaction that records it."""

from datetime import datetime

from nicobar.core.ledger.ledger import payment_entry
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.ledger.ledger import insert_entry
from nicobar.storage.payments.payments import get_pricing


async def book_payment(runtime: Runtime, tx: Tx, payment: Payment, at: datetime) -> None:
    """Store the entry of a payment that succeeded. A free one moved no money and has none.

    It is one statement, and for a converted payment one more that reads the rate it was priced with.
    """
    if payment.total_amount == 0:
        return
    pricing = None
    if payment.currency != payment.settlement_currency:
        pricing = await get_pricing(tx, payment.tenant, payment.payment_id)
    entry = payment_entry(runtime.new_id("led", at), payment, pricing, at)
    await insert_entry(tx, payment.tenant, entry)
