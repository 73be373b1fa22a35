"""A session of the customer portal: the permission of one customer to see and change what is theirs, for a day."""

import hmac
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nicobar.core.business import tenant as tenants
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.ids import is_object_id

LIFETIME: Final = timedelta(hours=24)
"""How long the link of a session works (contract, "Customer portal")."""

PREFIX: Final = "cps"

SECRET_LENGTH: Final = 43
"""Characters of the secret in the link: 256 bits, and longer than any word that logs may tell of a path."""


class PortalSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session. Its secret is known to nobody but whoever has the link: only a hash of it is kept."""

    business_id: str
    mode: Mode
    session_id: str
    customer_id: str
    secret_hash: bytes
    """SHA-256 of the secret."""
    return_url: str | None
    """Where the portal leads back to; None means what the business has set."""
    created_at: datetime
    expires_at: datetime

    def __repr__(self) -> str:
        """Name the session; the hash stays out of logs and tracebacks."""
        return f"PortalSession({self.session_id})"

    @property
    def tenant(self) -> Tenant:
        """The business and mode that it belongs to."""
        return Tenant(self.business_id, self.mode)

    def opens_with(self, secret: str, now: datetime) -> bool:
        """Return whether this is the session's secret, and the session has not ended. It takes as long either way."""
        genuine = hmac.compare_digest(tenants.secret_hash(secret), self.secret_hash)
        return genuine and now < self.expires_at


def form_token(session: PortalSession, secret: str, path: str) -> str:
    """Return the token of a form that posts to `path` below the session's address.

    It proves that this server made the form for this session and this path. Its key is the secret of the session,
    which no other website has.
    """
    return hmac.digest(secret.encode(), f"portal-form\0{session.session_id}\0{path}".encode(), "sha256").hex()


def token_holds(session: PortalSession, secret: str, path: str, token: str) -> bool:
    """Return whether a form's token was made for this session and path."""
    return hmac.compare_digest(form_token(session, secret, path).encode(), token.encode())


def is_portal_session_id(text: str) -> bool:
    """Return whether `text` could be the id of a portal session."""
    return is_object_id(text, PREFIX)
