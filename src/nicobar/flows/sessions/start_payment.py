"""Make the payment of a session, once its buyer has told what was missing."""

from nicobar.core.fields import blank_to_none
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.payment_request import CreatedPayment
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.place_order import place_order
from nicobar.reference.contacts import checked_phone
from nicobar.storage.database import Tx
from nicobar.storage.payments.repricing import complete_customer
from nicobar.storage.sessions.sessions import claim_session


async def start_payment(runtime: Runtime, session: CheckoutSession, told: ToldDetails) -> CreatedPayment:
    """Create the payment as POST /payments does, with its subscriptions, and give it to the session in that commit.

    A session has one payment, whoever asks for it at the same moment. A customer whom the session names by an id, and
    whose name or phone number nobody knew, gets what the buyer told. Raises Problem as `place_order`, and
    CHECKOUT_SESSION_CONSUMED when the session has its payment already or has expired; nothing is stored then.
    """
    if session.request.billing is None and told.billing is None:
        raise Problem("INVALID_REQUEST_BODY", path="billing.country", detail="The country is missing.")
    otherwise = told.billing.country if told.billing is not None else ""
    phone_number = _told_phone_number(session, told)
    named = session.request.customer.customer_id if session.request.customer is not None else None

    async def claim(tx: Tx, payment: Payment) -> None:
        if not await claim_session(tx, session, payment.payment_id, payment.created_at):
            raise Problem("CHECKOUT_SESSION_CONSUMED")
        buyer = payment.customer
        name = (told.name or "") if buyer.customer_id == named and not buyer.name else ""
        number = phone_number if buyer.phone_number is None else None
        if name or number is not None:
            await complete_customer(tx, session.tenant, buyer, name, number, payment.created_at)

    return await place_order(runtime, session, told, claim, otherwise=otherwise)


def _told_phone_number(session: CheckoutSession, told: ToldDetails) -> str | None:
    """Return what the buyer told of a customer who is named by an id; creating a payment looks at nothing but the id.

    Raises Problem INVALID_REQUEST_BODY for what is no phone number.
    """
    customer, flags = session.request.customer, session.request.flags
    if customer is None or blank_to_none(customer.customer_id) is None or not flags.allow_phone_number_collection:
        return None
    return checked_phone(blank_to_none(told.phone_number), "customer.phone_number")
