"""A payment with all that belongs to it, as GET /payments/{payment_id} and events show it."""

from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.belongings.payment_belongings import load_belongings
from nicobar.storage.database import Read


async def load_whole_payment(runtime: Runtime, read: Read, payment: Payment) -> WholePayment:
    """Read what belongs to a payment.

    For an event that is done in the transaction of the change that it reports, so it shows the payment as of that
    change.
    """
    belongings = await load_belongings(read, payment.tenant, payment.payment_id)
    return WholePayment(payment, None if payment.link_id is None else runtime.link_url(payment.link_id), *belongings)
