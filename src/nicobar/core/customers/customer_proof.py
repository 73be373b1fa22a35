"""Proofs that somebody is a customer of a business: signed, for one purpose, and valid for minutes.

A payment link may be forwarded, so it never shows saved cards by itself. The merchant, who has let the customer log
in, asks for a proof and appends it to the link; the page exchanges it for a cookie. Both are the end of their validity
and a signature (HMAC with SHA-256) over purpose, business, mode, customer and end, and for the cookie the link. They
hold no personal data: whoever checks one has to know whose it should be.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from nicobar.core.business.tenant import Tenant

Purpose = Literal["link", "page"]
"""`link`: goes to the page in the link's query. `page`: the cookie that the page makes of it, for this one link."""

LIFETIME: Final = timedelta(minutes=15)
"""How long a proof is valid, and how long the cookie is that the page makes of it."""

KEY_BYTES: Final = 32

_FORM: Final = re.compile(r"(\d{1,12})\.([A-Za-z0-9_-]{43})", re.ASCII)
"""Seconds since 1970, and 32 bytes in base64 without padding."""


def place_of_key(tenant: Tenant) -> str:
    """Return the place that the encrypted key of a tenant's proofs is tied to."""
    return f"proof_keys/{tenant.business_id}/{tenant.mode}"


def sign_proof(
    key: bytes, purpose: Purpose, tenant: Tenant, customer_id: str, expires_on: datetime, link_id: str = ""
) -> str:
    """Return a proof that is valid before `expires_on`, which is cut to whole seconds."""
    ends = str(int(expires_on.timestamp()))
    return f"{ends}.{_signature(key, purpose, tenant, customer_id, link_id, ends)}"


def proof_holds(
    key: bytes, purpose: Purpose, tenant: Tenant, customer_id: str, proof: str, now: datetime, link_id: str = ""
) -> bool:
    """Return whether `proof` was signed for exactly this and is still valid."""
    match = _FORM.fullmatch(proof)
    if match is None:
        return False
    genuine = hmac.compare_digest(match[2], _signature(key, purpose, tenant, customer_id, link_id, match[1]))
    return genuine and now < datetime.fromtimestamp(int(match[1]), UTC)


def _signature(key: bytes, purpose: Purpose, tenant: Tenant, customer_id: str, link_id: str, ends: str) -> str:
    words = ("customer-proof", purpose, tenant.business_id, tenant.mode, customer_id, link_id, ends)
    digest = hmac.digest(key, "\0".join(words).encode(), "sha256")
    return urlsafe_b64encode(digest).decode().rstrip("=")
