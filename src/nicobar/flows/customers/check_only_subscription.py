"""Refuse to pay for a second subscription of a customer who may have one."""

from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.storage.database import Tx
from nicobar.storage.subscriptions.subscriptions import has_other_subscription


async def check_only_subscription(tx: Tx, payment: Payment, *, multiple: bool) -> None:
    """Refuse a payment that would start a second subscription; `multiple` says that customers may have several.

    Two that wait for their first payment are no fault yet: the customer pays one of them, in whichever tab. The
    caller's transaction records that this one is being paid, or has been.

    Raises Problem CUSTOMER_HAS_EXISTING_SUBSCRIPTION.
    """
    if multiple or not payment.options.starts:
        return
    customer_id = payment.customer.customer_id
    if await has_other_subscription(tx, payment.tenant, customer_id, payment.payment_id):
        raise Problem("CUSTOMER_HAS_EXISTING_SUBSCRIPTION", customer_id=customer_id)
