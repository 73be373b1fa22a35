"""Compute what a cart would cost: the order of a session without the session."""

from contextlib import suppress
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import blank_to_none
from nicobar.core.problems import Problem
from nicobar.core.sessions.cart_preview import CartPreview
from nicobar.core.sessions.checkout_session import LIFETIME, CheckoutSession, SessionItem, SessionRequest
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.check_buys_something import check_buys_something
from nicobar.flows.sessions.draft_sellable import draft_sellable
from nicobar.flows.sessions.foresee_renewals import foresee_renewals

_NO_COUNTRY: Final = "Give billing_address.country, too: a tax id belongs to a country."


async def preview_checkout(runtime: Runtime, tenant: Tenant, request: SessionRequest) -> CartPreview:
    """Price the cart as the page of a new session would.

    A tax id that fails its check, or comes without the country of its address, is reported in `tax_id_error`, and
    the cart is priced without it. A pay-what-you-want line without an amount is priced at what the product suggests.
    Add-ons of which none is taken are listed with their prices; they decide nothing, and make no cart be refused.
    Raises Problem for the first check that fails.
    """
    check_buys_something(request)
    at = runtime.now(tenant)
    session = CheckoutSession(
        business_id=tenant.business_id,
        mode=tenant.mode,
        session_id="",
        request=msgspec.structs.replace(request, items=[_of_what_is_taken(item) for item in request.items]),
        payment_id=None,
        created_at=at,
        expires_at=at + LIFETIME,
    )
    without_tax_id = msgspec.structs.replace(session, request=msgspec.structs.replace(session.request, tax_id=None))
    tax_id_error = None
    if request.billing is None and blank_to_none(request.tax_id) is not None:
        tax_id_error, session = _NO_COUNTRY, without_tax_id
    try:
        drafted = await draft_sellable(runtime, session)
    except Problem as problem:
        if problem.code != "INVALID_TAX_ID":
            raise
        tax_id_error, session = problem.message, without_tax_id
        drafted = await draft_sellable(runtime, session)
    if session.request.items != request.items:
        listed = msgspec.structs.replace(session.request, items=request.items)
        with suppress(Problem):
            drafted = await draft_sellable(runtime, msgspec.structs.replace(session, request=listed))
    renewals = await foresee_renewals(runtime, drafted.payment, drafted.quote.inputs, drafted.subscriptions)
    return CartPreview(drafted.payment, drafted.quote, drafted.lines, drafted.subscriptions, renewals, tax_id_error)


def _of_what_is_taken(item: SessionItem) -> SessionItem:
    """Return the line without add-ons of which none is taken, as a session has it."""
    return msgspec.structs.replace(item, addons=[addon for addon in item.addons if addon.quantity])
