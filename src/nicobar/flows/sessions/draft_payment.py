"""Price a session with what its buyer has told so far: the payment that would come of it, and nothing is stored."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.quote import Quote
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.core.sessions.told_details import ToldDetails, payment_request, told_items
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.check_payment_request import check_payment_request
from nicobar.flows.payments.decide_creation import NO_IDS, decide_creation
from nicobar.flows.pricing.find_runnable_methods import find_runnable_methods
from nicobar.flows.pricing.load_pricing_facts import load_pricing_facts
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.sort_cart import sort_cart
from nicobar.flows.subscriptions.draft_subscription import draft_subscription

DEFAULT_COUNTRY: Final = "US"
"""The billing country while nobody has told one, when the seller's is not known either."""


class DraftedPayment(NamedTuple):
    """A payment that nobody has stored, and what it was priced from."""

    payment: Payment
    quote: Quote
    lines: Sequence[int]
    """For each item of the session, its line in the payment."""
    subscriptions: Sequence[Subscription] = ()
    """What it would start."""


async def draft_payment(runtime: Runtime, session: CheckoutSession, told: ToldDetails) -> DraftedPayment:
    """Return the payment as POST /payments would make it now, by the same checks and the same pricing.

    It has no ids, and its customer is empty while nobody has told one. Lines whose price the buyer has not named yet
    cost what the product suggests. Raises Problem for the first check that fails.
    """
    tenant = session.tenant
    policy = await load_policy(runtime, tenant)
    otherwise = policy.settings.seller_country or DEFAULT_COUNTRY
    wanted = payment_request(session, told, otherwise=otherwise, draft=True)
    cart = await sort_cart(runtime, tenant, told_items(session.request, told))
    if cart is not None:
        with cart.blaming_items():
            drafted = await draft_subscription(runtime, tenant, cart.request(session.request, wanted))
        return DraftedPayment(drafted.first.payment, drafted.first.quote, cart.lines, drafted.subscriptions)
    checked = check_payment_request(session.mode, wanted)
    facts = await load_pricing_facts(runtime, tenant, checked.cart)
    runnable = find_runnable_methods(runtime, facts.policy, tenant.mode)
    decided = decide_creation(tenant, checked, facts, runnable, NO_IDS, runtime.now(tenant))
    return DraftedPayment(decided.payment, decided.quote, range(len(session.request.items)))
