"""What a request that comes again is recognised by: its idempotency key, or its bytes.

Decision 0025 has the rules and their proof.
"""

import hashlib
from datetime import timedelta
from typing import Final

import msgspec

from nicobar.core.business.tenant import ApiKey, Tenant
from nicobar.core.problems import Problem

REPEAT_WINDOW: Final = timedelta(minutes=5)
"""How long after an answer a client that says that it tries again gets that answer without an idempotency key."""

LONGEST_KEY: Final = 255

KEY_DETAIL: Final = f"It is one text of 1 to {LONGEST_KEY} visible ASCII characters."
"""What is wrong with a malformed idempotency key."""

_MOST_RETRIES: Final = 999
"""A count of retries above this is no count of an SDK; it counts as none."""


class Fingerprint(msgspec.Struct, frozen=True):
    """What tells one writing request from all others."""

    tenant: Tenant
    request: bytes
    """SHA-256 of method, path and idempotency key; without a key, of API key, path, query and body."""
    content: bytes | None
    """SHA-256 of query and body where there is an idempotency key, and None without one."""
    retry: int
    """How often the client has sent the request before, as it says."""

    @property
    def is_keyed(self) -> bool:
        """Whether the request has an idempotency key."""
        return self.content is not None

    @property
    def may_be_known(self) -> bool:
        """Whether the request says that it may have been made before."""
        return self.is_keyed or self.retry > 0


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a request that was carried out."""

    answer_id: str
    """Empty for a request with an idempotency key, of which there is one. Others are ordered by it, the newest last."""
    content: bytes | None
    object_id: str | None
    """The first object that the request made."""
    status: int | None
    """The HTTP status; None, as `sealed`, while the answer is not known."""
    sealed: bytes | None
    """The body, encrypted."""


def keyed(tenant: Tenant, method: str, path: str, key: str, query: bytes, body: bytes) -> Fingerprint:
    """Return the fingerprint of a request with an idempotency key."""
    return Fingerprint(tenant, _digest(b"key", method.encode(), path.encode(), key.encode()), _digest(query, body), 0)


def unkeyed(key: ApiKey, path: str, query: bytes, body: bytes, retry: int) -> Fingerprint:
    """Return the fingerprint of a POST without an idempotency key."""
    return Fingerprint(key.tenant, _digest(b"content", key.key_id.encode(), path.encode(), query, body), None, retry)


def checked_key(values: list[str]) -> str | None:
    """Return the idempotency key of a request with these headers of that name; None without any.

    Raises Problem INVALID_REQUEST_PARAMETERS for several, and for one that is blank, too long or not visible ASCII.
    """
    if not values:
        return None
    key = values[0].strip()
    if len(values) > 1 or not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Problem("INVALID_REQUEST_PARAMETERS", path="Idempotency-Key", detail=KEY_DETAIL)
    return key


def retry_count(text: str | None) -> int:
    """Return how often an SDK says that it has sent a request before; 0 for what is no such count."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 3):
        return 0
    return min(int(text), _MOST_RETRIES)


def place_of_answer(fingerprint: Fingerprint, answer_id: str) -> str:
    """Return the place that an encrypted answer is tied to."""
    tenant = fingerprint.tenant
    return f"kept_answers/{tenant.business_id}/{tenant.mode}/{fingerprint.request.hex()}/{answer_id}"


def _digest(*parts: bytes) -> bytes:
    """Return the SHA-256 of several texts, each with its length, so that no two lists of them are the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()
