"""Checkout sessions: create, read, preview."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from nicobar.api.order_problems import ORDER_PROBLEMS, PRICING_PROBLEMS, SUBSCRIBING_PROBLEMS
from nicobar.api.routing import Call, Operation
from nicobar.core.ids import is_session_id
from nicobar.core.problems import Problem
from nicobar.flows.sessions.create_session import CreatedSession, create_session
from nicobar.flows.sessions.preview_checkout import preview_checkout
from nicobar.storage.sessions.sessions import get_session_status
from nicobar.wire.common import NoQuery
from nicobar.wire.sessions.previews import CheckoutPreview, CheckoutPreviewRequest, read_preview, render_preview
from nicobar.wire.sessions.session_answers import (
    CheckoutSessionCreated,
    CheckoutSessionRead,
    publishable_key,
    render_session,
)
from nicobar.wire.sessions.session_requests import CheckoutSessionCreate, read_session


async def create(call: Call[CheckoutSessionCreate, NoQuery]) -> CheckoutSessionCreated:
    """Create a checkout session, and its payment when nothing is left to ask."""

    def response(created: CreatedSession) -> CheckoutSessionCreated:
        session, payment = created.session, created.payment
        return CheckoutSessionCreated(
            session_id=session.session_id,
            checkout_url=None
            if session.request.payment_method_id is not None
            else call.runtime.session_url(session.session_id),
            payment_id=session.payment_id,
            client_secret=None if payment is None else payment.client_secret,
            publishable_key=None if payment is None else publishable_key(call.tenant),
        )

    with _naming_fields():
        return response(await create_session(call.runtime, call.tenant, read_session(call.body), response))


async def retrieve(call: Call[None, NoQuery]) -> CheckoutSessionRead:
    """Return how far a session has come."""
    session_id = call.path["id"]
    if not is_session_id(session_id):
        detail = "It is no id of a checkout session: cks_ and 21 characters"
        raise Problem("INVALID_REQUEST_PARAMETERS", path="id", detail=detail)
    async with call.runtime.database.read() as read:
        status = await get_session_status(read, call.tenant, session_id)
    if status is None:
        raise Problem("NOT_FOUND", what="Checkout session")
    return render_session(status)


async def preview(call: Call[CheckoutPreviewRequest, NoQuery]) -> CheckoutPreview:
    """Return what a cart would cost, by the same rules as a payment, and store nothing."""
    with _naming_fields():
        return render_preview(await preview_checkout(call.runtime, call.tenant, read_preview(call.body)))


@contextmanager
def _naming_fields() -> Iterator[None]:
    """Let a refusal of the payment that a session is checked as speak of the session's fields.

    The address has another name there, and a total that no payment can hold asks for less (contract, "product_cart").
    """
    try:
        yield
    except Problem as problem:
        if problem.path is not None and problem.path.startswith("billing."):
            problem.path = f"billing_address.{problem.path.removeprefix('billing.')}"
        if problem.code == "INTEGER_CONVERSION_FAILURE":
            problem.path, problem.message = "product_cart", f"{problem.message}. A smaller quantity may fit."
        raise


_CART_PROBLEMS: Final = ("PRODUCT_CART_EMTPY", *SUBSCRIBING_PROBLEMS)

OPERATIONS: Final = [
    Operation(
        "POST",
        "/checkouts",
        create,
        CheckoutSessionCreated,
        body=CheckoutSessionCreate,
        summary="Create a checkout session",
        problems=(*ORDER_PROBLEMS, *_CART_PROBLEMS),
    ),
    Operation(
        "POST",
        "/checkouts/preview",
        preview,
        CheckoutPreview,
        body=CheckoutPreviewRequest,
        summary="Preview the price of a cart",
        problems=(*PRICING_PROBLEMS, *_CART_PROBLEMS),
        is_preview=True,
    ),
    Operation(
        "GET",
        "/checkouts/{id}",
        retrieve,
        CheckoutSessionRead,
        summary="Get how far a checkout session has come",
        problems=("INVALID_REQUEST_PARAMETERS", "NOT_FOUND"),
    ),
]
"""The checkouts' part of the table in `app.py`."""
