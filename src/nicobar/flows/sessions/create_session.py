"""Create a checkout session: check it as a payment would be, store what was asked for."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.payment_request import CreatedPayment
from nicobar.core.sessions.checkout_session import CONFIRMED_LIFETIME, LIFETIME, CheckoutSession, SessionRequest
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.check_session_request import check_session_request
from nicobar.flows.sessions.draft_sellable import draft_sellable
from nicobar.flows.sessions.place_order import place_order
from nicobar.flows.sessions.store_session import store_session
from nicobar.storage.database import Tx
from nicobar.storage.sessions.sessions import NewSession, insert_sessions


class CreatedSession(NamedTuple):
    """A session that was just made."""

    session: CheckoutSession
    payment: CreatedPayment | None
    """The payment that was made with it; None while its buyer has something to tell."""


async def create_session(
    runtime: Runtime,
    tenant: Tenant,
    request: SessionRequest,
    answer: Callable[[CreatedSession], msgspec.Struct] | None = None,
) -> CreatedSession:
    """Store a session, and with `confirm` its payment in the same commit.

    No use of a discount code is taken before there is a payment. `answer` makes what the caller is told, which is kept
    in the same commit for a request that comes again. Raises Problem for the first check that fails; nothing is
    stored then.
    """
    request = check_session_request(request)
    at = runtime.now(tenant)
    session = CheckoutSession(
        business_id=tenant.business_id,
        mode=tenant.mode,
        session_id=runtime.new_session_id(),
        request=request,
        payment_id=None,
        created_at=at,
        expires_at=at + (CONFIRMED_LIFETIME if request.confirm else LIFETIME),
    )
    if request.confirm:
        return await _confirmed(runtime, session, answer)
    await draft_sellable(runtime, session)
    created, kept = CreatedSession(session, None), None
    if runtime.first_commit is not None:
        if answer is not None:
            runtime.first_commit.answer_with(answer(created))
        kept = runtime.first_commit.row()
    await store_session(runtime, session, kept)
    return created


async def _confirmed(
    runtime: Runtime, session: CheckoutSession, answer: Callable[[CreatedSession], msgspec.Struct] | None
) -> CreatedSession:
    """Store a session together with its payment."""
    if session.request.billing is None:
        raise RuntimeError("a confirmed session has an address: check_session_request sees to it")

    async def beside(tx: Tx, payment: Payment) -> None:
        await insert_sessions(tx, [NewSession(msgspec.structs.replace(session, payment_id=payment.payment_id))])

    def known(payment: CreatedPayment) -> CreatedSession:
        stored = msgspec.structs.replace(session, payment_id=payment.payment.payment_id)
        return CreatedSession(stored, payment)

    def told(payment: CreatedPayment) -> msgspec.Struct:
        assert answer is not None  # noqa: S101 - it is passed on only where it is one
        return answer(known(payment))

    tell, country = None if answer is None else told, session.request.billing.country
    return known(await place_order(runtime, session, ToldDetails(), beside, tell, otherwise=country))
