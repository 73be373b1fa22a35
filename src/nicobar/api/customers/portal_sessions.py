"""The operation that opens the customer portal."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.flows.customers.open_portal_session import open_portal_session
from nicobar.wire.customers.portal_sessions import CustomerPortalSession, PortalSessionQuery


async def create(call: Call[None, PortalSessionQuery]) -> CustomerPortalSession:
    """Return a link to the portal of a customer, for 24 hours.

    Ask for it when your customer is logged in with you, and lead the browser there: on its pages the customer sees
    subscriptions, payments and saved cards, and changes what your settings allow. No mail is sent, with `send_email`
    neither.
    """
    opened = await open_portal_session(call.runtime, call.tenant, call.path["customer_id"], call.query.return_url)
    return CustomerPortalSession(link=f"{call.runtime.public_url}{opened.path}")


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "POST",
        "/customers/{customer_id}/customer-portal/session",
        create,
        CustomerPortalSession,
        query=PortalSessionQuery,
        summary="Open the customer portal",
        problems=("NOT_FOUND", "INVALID_QUERY_PARAMS"),
    ),
]
"""The portal's part of the table in `app.py`."""
