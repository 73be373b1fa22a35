"""The wire types of the customer portal (contract, "Customer portal")."""

from nicobar.wire.common import RequestBody, ResponseBody, Url


class PortalSessionQuery(RequestBody, frozen=True, kw_only=True):
    """The query of POST /customers/{customer_id}/customer-portal/session."""

    send_email: bool = False
    """Accepted for the contract's sake: this server sends no mail. Lead your customer to the link yourself."""
    return_url: Url | None = None
    """Where the portal leads back to, in place of the setting `portal_return_url`."""


class CustomerPortalSession(ResponseBody, frozen=True, kw_only=True):
    """The way into the portal."""

    link: str
    """Works for 24 hours for whoever has it: lead the customer there, and store it nowhere."""
