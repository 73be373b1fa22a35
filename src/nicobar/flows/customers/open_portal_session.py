"""Open the customer portal for a customer whom the merchant knows to be in front of it."""

from typing import NamedTuple

from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.customers.portal_session import LIFETIME, PREFIX, SECRET_LENGTH, PortalSession
from nicobar.core.problems import Problem
from nicobar.core.return_url import checked_return_url
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers.customers import get_customer
from nicobar.storage.customers.portal_sessions import insert_portal_session


class OpenedPortal(NamedTuple):
    """A new session and the secret that opens it, which is told this once."""

    session: PortalSession
    secret: str

    @property
    def path(self) -> str:
        """The path of the link."""
        return f"/portal/{self.session.session_id}/open/{self.secret}"


async def open_portal_session(
    runtime: Runtime, tenant: Tenant, customer_id: str, return_url: str | None
) -> OpenedPortal:
    """Store a session of the portal and return it with its secret. It ends after `LIFETIME` in the time of its mode.

    Raises Problem INVALID_QUERY_PARAMS for a return address that is none, and NOT_FOUND for an unknown customer.
    """
    try:
        address = checked_return_url(return_url)
    except Problem as problem:
        detail = "It is not a full web address, such as https://example.com/."
        raise Problem("INVALID_QUERY_PARAMS", path="return_url", detail=detail) from problem
    async with runtime.database.read() as read:
        customer = await get_customer(read, tenant, customer_id)
    if customer is None:
        raise Problem("NOT_FOUND", what="Customer")
    now, secret = runtime.now(tenant), runtime.new_secret(SECRET_LENGTH)
    session = PortalSession(
        business_id=tenant.business_id,
        mode=tenant.mode,
        session_id=runtime.new_id(PREFIX, now),
        customer_id=customer.customer_id,
        secret_hash=secret_hash(secret),
        return_url=address,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    async with runtime.database.statement() as tx:
        await insert_portal_session(tx, session)
    return OpenedPortal(session, secret)
