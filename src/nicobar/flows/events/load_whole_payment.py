"""A payment with all that belongs to it, as GET /payments/{payment_id} and events show it."""

from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Read
from nicobar.storage.discounts.redemptions import applied_discounts
from nicobar.storage.disputes.disputes import disputes_of
from nicobar.storage.refunds.refunds import refunds_of
from nicobar.storage.subscriptions.charges import charges_of_payments


async def load_whole_payment(runtime: Runtime, read: Read, payment: Payment) -> WholePayment:
    """Read what belongs to a payment.

    For an event that is done in the transaction of the change that it reports, so it shows the payment as of that
    change.
    """
    used_codes = payment.options.discount_codes
    charges = payment.options.charges_subscription
    return WholePayment(
        payment=payment,
        link=None if payment.link_id is None else runtime.link_url(payment.link_id),
        discounts=await applied_discounts(read, payment.tenant, payment.payment_id) if used_codes else (),
        disputes=await disputes_of(read, payment.tenant, payment.payment_id),
        refunds=await refunds_of(read, payment.tenant, payment.payment_id),
        charges=await charges_of_payments(read, payment.tenant, [payment.payment_id]) if charges else (),
    )
