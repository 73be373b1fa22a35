"""Read what disputes hold of a payment."""

from nicobar.core.payments.payment import Attempt, Payment
from nicobar.storage.database import Read
from nicobar.storage.disputes.disputes import disputes_of


async def load_disputed_amount(read: Read, payment: Payment, attempt: Attempt | None) -> int:
    """Return what disputes hold of a payment; one that counts in another currency holds all of it.

    Only those about the charge that paid it, `attempt`: the money of another charge is given back whatever becomes of
    this one.
    """
    disputes = await disputes_of(read, payment.tenant, payment.payment_id)
    return sum(
        dispute.amount if dispute.currency == payment.currency else payment.total_amount
        for dispute in disputes
        if dispute.money_out and attempt is not None and dispute.attempt_id == attempt.attempt_id
    )
