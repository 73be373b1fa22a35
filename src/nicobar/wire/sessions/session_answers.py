"""The answers about checkout sessions (contract, "Checkout sessions", sections 4 and 5)."""

from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.sessions.checkout_session import SessionStatus
from nicobar.wire.codes import IntentStatus
from nicobar.wire.common import ResponseBody


class CheckoutSessionCreated(ResponseBody, frozen=True, kw_only=True):
    """The answer of POST /checkouts."""

    session_id: str
    checkout_url: str | None
    """Null when a saved method was charged: nobody has to visit a page."""
    payment_id: str | None
    client_secret: str | None
    publishable_key: str | None


class CheckoutSessionRead(ResponseBody, frozen=True, kw_only=True):
    """The answer of GET /checkouts/{id}. What it is about a payment is null while the buyer has something to tell."""

    id: str
    created_at: datetime
    customer_email: str | None
    customer_name: str | None
    payment_id: str | None
    payment_status: IntentStatus | None


def publishable_key(tenant: Tenant) -> str:
    """Return the key that a browser may know: it is the same for a whole tenant, and opens nothing."""
    return f"pk_{tenant.mode}_{tenant.business_id.removeprefix('bus_')}"


def render_session(status: SessionStatus) -> CheckoutSessionRead:
    """Render how far a session has come."""
    return CheckoutSessionRead(
        id=status.session_id,
        created_at=status.created_at,
        customer_email=status.customer_email,
        customer_name=status.customer_name,
        payment_id=status.payment_id,
        payment_status=status.payment_status,
    )
