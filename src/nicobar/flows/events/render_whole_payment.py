"""A payment as GET /payments/{payment_id} shows it, which is also how events tell about it."""

from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Read
from nicobar.storage.discounts.redemptions import applied_discounts
from nicobar.storage.disputes.disputes import disputes_of
from nicobar.storage.refunds.refunds import refunds_of
from nicobar.wire.discounts.discounts import render_discount_detail
from nicobar.wire.disputes.disputes import render_payment_dispute
from nicobar.wire.payments.payment_reads import PaymentRead, render_payment
from nicobar.wire.refunds.refunds import render_refund_item


async def render_whole_payment(runtime: Runtime, read: Read, payment: Payment) -> PaymentRead:
    """Read what belongs to a payment and render all of it.

    An event is rendered in the transaction of the change that it reports, so it shows the payment as of that change.
    """
    discounts = []
    if payment.options.discount_codes:
        applied = await applied_discounts(read, payment.tenant, payment.payment_id)
        discounts = [render_discount_detail(discount) for discount in applied]
    link = None if payment.link_id is None else runtime.link_url(payment.link_id)
    disputes = await disputes_of(read, payment.tenant, payment.payment_id)
    refunds = await refunds_of(read, payment.tenant, payment.payment_id)
    return render_payment(
        payment,
        link,
        discounts,
        [render_payment_dispute(dispute) for dispute in disputes],
        [render_refund_item(refund, payment.business_id) for refund in refunds],
    )
