"""Price what nobody has seen yet, and refuse what could not be sold: the same for a new session and a preview."""

from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.draft_payment import DraftedPayment, draft_payment
from nicobar.storage.subscriptions.subscriptions import has_live_subscription


async def draft_sellable(runtime: Runtime, session: CheckoutSession) -> DraftedPayment:
    """Return the payment of a new session, before its buyer has told anything.

    Raises Problem as `draft_payment`, and CUSTOMER_HAS_EXISTING_SUBSCRIPTION for a subscription that a known customer
    may not have.
    """
    drafted = await draft_payment(runtime, session, ToldDetails())
    customer_id = drafted.payment.customer.customer_id
    settings = (await load_policy(runtime, session.tenant)).settings
    if drafted.subscriptions and customer_id and not settings.multiple_subscriptions:
        async with runtime.database.read() as read:
            if await has_live_subscription(read, session.tenant, customer_id):
                raise Problem("CUSTOMER_HAS_EXISTING_SUBSCRIPTION", customer_id=customer_id)
    return drafted
