"""Place the order of a session: its payment, and the subscriptions that the payment starts."""

from collections.abc import Awaitable, Callable

import msgspec

from nicobar.core.payments.payment import Payment
from nicobar.core.payments.payment_request import CreatedPayment
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.core.sessions.told_details import ToldDetails, payment_request, told_items
from nicobar.core.subscriptions.subscription_request import CreatedSubscription
from nicobar.flows.payments.create_payment import create_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.sort_cart import sort_cart
from nicobar.flows.subscriptions.create_subscription import create_subscription
from nicobar.storage.database import Tx


async def place_order(
    runtime: Runtime,
    session: CheckoutSession,
    told: ToldDetails,
    also_record: Callable[[Tx, Payment], Awaitable[None]],
    answer: Callable[[CreatedPayment], msgspec.Struct] | None = None,
    *,
    otherwise: str,
) -> CreatedPayment:
    """Create the payment of a session with what its buyer has told, and its subscriptions in the same commit.

    The arguments are those of `payment_request` and of `create_payment`. Raises Problem as `sort_cart`,
    `create_payment` and `create_subscription`; nothing is stored then.
    """
    wanted = payment_request(session, told, otherwise=otherwise)
    cart = await sort_cart(runtime, session.tenant, told_items(session.request, told))
    if cart is None:
        return await create_payment(runtime, session.tenant, wanted, answer, also_record)

    def told_of(created: CreatedSubscription) -> msgspec.Struct:
        assert answer is not None  # noqa: S101 - it is passed on only where it is one
        return answer(_payment(created))

    asked = cart.request(session.request, wanted)
    with cart.blaming_items():
        created = await create_subscription(
            runtime, session.tenant, asked, None if answer is None else told_of, also_record
        )
    return _payment(created)


def _payment(created: CreatedSubscription) -> CreatedPayment:
    return CreatedPayment(created.payment, created.client_secret, list(created.discount_ids))
