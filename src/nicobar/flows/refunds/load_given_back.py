"""Read what refunds and disputes took back of what the current period of a subscription cost."""

from nicobar.core.subscriptions.given_back import given_back
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.flows.refunds.load_disputed_amount import load_disputed_amount
from nicobar.storage.database import Read
from nicobar.storage.payments.attempts import paying_attempt
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.subscriptions.charges import charges_of_period


async def load_given_back(read: Read, subscription: Subscription, *, tax_inclusive: bool) -> int:
    """Return by how much less the period cost than `period_price` says; the charges of changes count.

    `tax_inclusive` says whether the result contains the tax.
    """
    tenant, amount = subscription.tenant, 0
    starts_at = subscription.previous_billing_date
    for charge in await charges_of_period(read, tenant, subscription.subscription_id, starts_at):
        payment = await get_payment(read, tenant, charge.payment_id)
        if payment is None:
            raise LookupError(charge.payment_id)
        attempt = await paying_attempt(read, tenant, charge.payment_id)
        disputed = await load_disputed_amount(read, payment, attempt)
        amount += given_back(charge, payment, disputed, tax_inclusive=tax_inclusive)
    return amount
