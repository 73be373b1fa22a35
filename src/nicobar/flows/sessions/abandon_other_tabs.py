"""Give up what waits for a customer in other tabs, so that this one can pay for the only subscription."""

from nicobar.core.payments.payment import Payment
from nicobar.flows.payments.abandon_attempt import abandon_attempt
from nicobar.flows.runtime import Runtime
from nicobar.storage.subscriptions.subscriptions import other_waiting_payments


async def abandon_other_tabs(runtime: Runtime, payment: Payment) -> bool:
    """Give up what waits for the customer of a payment elsewhere, where only one of several subscriptions may begin.

    Nobody waits for a bank's page that was left open in another tab. Return whether there was one.
    """
    async with runtime.database.read() as read:
        waiting = await other_waiting_payments(read, payment.tenant, payment.options.starts)
    for payment_id in waiting:
        await abandon_attempt(runtime, payment.tenant, payment_id)
    return bool(waiting)
