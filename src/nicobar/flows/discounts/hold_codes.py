"""Hold the discount codes of a declined payment again, because somebody wants to pay or to change it."""

from datetime import datetime

from nicobar.core.discounts.discount_record import check_room
from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.flows.discounts.drop_codes import drop_codes
from nicobar.flows.discounts.lock_codes import lock_codes
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import released_codes, retake, standing_of_customer


async def hold_codes(tx: Tx, payment: Payment, at: datetime) -> Payment:
    """Take the uses again that a decline has given back, and return the payment.

    A code of which nothing is left by now, because others have used it meanwhile, is lost: the payment is stored and
    returned at the price without it. The caller holds its row and has seen that no attempt is live. That the code has
    ended or was deleted does not matter: it was agreed on when the payment got it.

    Raises Problem DISCOUNT_CONCURRENT_REDEMPTION (503); the transaction must then roll back.
    """
    tenant, payment_id = payment.tenant, payment.payment_id
    if payment.status != "failed" or not payment.options.discount_codes:
        return payment
    released = await released_codes(tx, tenant, payment_id)
    if not released:
        return payment
    limits = await lock_codes(tx, tenant, released)
    customer_id = payment.customer.customer_id
    standing = await standing_of_customer(tx, tenant, released, customer_id, payment_id)
    lost = []
    for discount_id in released:
        try:
            check_room(limits[discount_id], standing[discount_id], "discount_codes", agreed=True)
        except Problem:
            lost.append(discount_id)
    await retake(tx, tenant, payment_id, [discount_id for discount_id in released if discount_id not in lost], at)
    return await drop_codes(tx, payment, lost, at) if lost else payment
