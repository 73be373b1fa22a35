"""Make the payment of a session, once its buyer has told what was missing."""

from nicobar.core.payments.payment import Payment
from nicobar.core.payments.payment_request import CreatedPayment
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.place_order import place_order
from nicobar.storage.database import Tx
from nicobar.storage.sessions.sessions import claim_session


async def start_payment(runtime: Runtime, session: CheckoutSession, told: ToldDetails) -> CreatedPayment:
    """Create the payment as POST /payments does, with its subscriptions, and give it to the session in that commit.

    A session has one payment, whoever asks for it at the same moment. Raises Problem as `place_order`, and
    CHECKOUT_SESSION_CONSUMED when the session has its payment already or has expired; nothing is stored then.
    """
    if session.request.billing is None and told.billing is None:
        raise Problem("INVALID_REQUEST_BODY", path="billing.country", detail="The country is missing.")
    otherwise = told.billing.country if told.billing is not None else ""

    async def claim(tx: Tx, payment: Payment) -> None:
        if not await claim_session(tx, session, payment.payment_id, payment.created_at):
            raise Problem("CHECKOUT_SESSION_CONSUMED")

    return await place_order(runtime, session, told, claim, otherwise=otherwise)
