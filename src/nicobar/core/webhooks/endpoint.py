"""An endpoint of a merchant: where events are sent to, which, and with what. What may be stored of it is decided here.

Sources: contract, "Endpoint CRUD".
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.fields import checked_web_address
from nicobar.core.problems import Problem
from nicobar.core.webhooks.addresses import is_local_host
from nicobar.core.webhooks.event_types import WebhookEventType

MAXIMUM_ENDPOINTS: Final = 50
"""Endpoints of one business in one mode."""

MAXIMUM_HEADERS: Final = 50
LONGEST_HEADER: Final = 4096
"""Characters of one header's value."""

LONGEST_URL: Final = 2048

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

_OWN_HEADERS: Final = frozenset(
    {
        *("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "expect"),
        *("keep-alive", "proxy-authorization", "proxy-authenticate", "proxy-connection", "te", "trailer", "upgrade"),
        *("accept-encoding", "date"),
    }
)
"""What frames a request is this server's to say."""

_SECRET_WORDS: Final = ("auth", "cookie", "key", "token", "secret", "password", "signature", "credential")
"""A header whose name holds one of them is answered by name only."""


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint to create."""

    url: str
    description: str | None = None
    disabled: bool = False
    filter_types: Sequence[WebhookEventType] | None = None
    """None: events of every type; empty: none."""
    headers: Mapping[str, str] = {}
    idempotency_key: str | None = None
    metadata: dict[str, str] = {}
    rate_limit: int | None = None


class EndpointChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change about an endpoint; everything that is left out stays as it is."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    filter_types: Sequence[WebhookEventType] | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    """Replaces all pairs."""
    rate_limit: int | UnsetType | None = UNSET


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it is stored. Its secrets are encrypted."""

    business_id: str
    mode: Mode
    endpoint_id: str
    url: str
    description: str
    metadata: dict[str, str]
    filter_types: tuple[str, ...] | None
    rate_limit: int | None
    """Deliveries a second; None and 0 mean as many as there are."""
    disabled: bool
    given_up_at: datetime | None
    """When the server disabled it, because nothing had arrived for days."""
    secret: bytes
    previous_secret: bytes | None
    previous_ends_at: datetime | None
    headers: bytes | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def tenant(self) -> Tenant:
        """Whose endpoint it is."""
        return Tenant(self.business_id, self.mode)

    @property
    def place(self) -> str:
        """The place that its secrets are tied to."""
        return sealed_place(self.tenant, self.endpoint_id, self.url)


def sealed_place(tenant: Tenant, endpoint_id: str, url: str) -> str:
    """Return the place that an endpoint's secrets are tied to: whose they are, and where they are sent.

    Whoever changes the address in the database gets secrets that do not open, and nothing is sent there.
    """
    return f"webhook_endpoints/{tenant.business_id}/{tenant.mode}/{endpoint_id}/{url}"


def listener_place(business_id: str) -> str:
    """Return the place that the secret of `nicobar listen` is tied to."""
    return f"webhook_listeners/{business_id}"


def checked_url(url: str, mode: Mode, *, allow_private: bool) -> str:
    """Return the address, trimmed and in ASCII.

    Raises Problem INVALID_REQUEST_BODY for one that is no web address, and INVALID_REQUEST_PARAMETERS for one that is
    not allowed: http in live mode, a password in it, and a host of the own network unless `allow_private`.
    """
    checked = checked_web_address(url)
    if checked is None:
        raise Problem("INVALID_REQUEST_BODY", path="url", detail="It is blank.")
    parts = urlsplit(checked)
    if parts.username is not None or parts.password is not None:
        raise _refused("An address with a user name or password is not allowed; use headers for them.")
    if parts.port == 0:
        raise _refused("Nothing can listen on port 0.")
    if mode == "live" and parts.scheme.lower() != "https":
        raise _refused("In live mode the address has to begin with https://.")
    if not allow_private and is_local_host(parts.hostname or ""):
        raise _refused("The address leads into a private network, which is not allowed.")
    return checked


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that accompany each delivery. Raises Problem INVALID_REQUEST_PARAMETERS."""
    if len(headers) > MAXIMUM_HEADERS:
        raise Problem("INVALID_REQUEST_PARAMETERS", path="headers", detail=f"At most {MAXIMUM_HEADERS} are allowed.")
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if _TOKEN.fullmatch(name) is None:
            raise _wrong_header(name, "It is no name of a header.")
        if lower in _OWN_HEADERS or lower.startswith("webhook-"):
            raise _wrong_header(name, "This header is set by the server.")
        if lower in found:
            raise _wrong_header(name, "It is given twice; capital and small letters are the same here.")
        if len(value) > LONGEST_HEADER or _VALUE.fullmatch(value) is None:
            raise _wrong_header(name, f"A value is one line of at most {LONGEST_HEADER} Latin characters.")
        found[lower] = value.strip(" \t")
    return found


def merged_headers(stored: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with those of a request added or replaced; an empty value removes one.

    Raises Problem INVALID_REQUEST_PARAMETERS.
    """
    merged = {**stored, **checked_headers(given)}
    return checked_headers({name: value for name, value in merged.items() if value})


def is_sensitive(name: str) -> bool:
    """Return whether the value of a header is kept to ourselves: its name says that it opens something."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def checked_filter(types: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the types, each once, in their order."""
    return None if types is None else tuple(dict.fromkeys(types))


def _refused(detail: str) -> Problem:
    return Problem("INVALID_REQUEST_PARAMETERS", path="url", detail=detail)


def _wrong_header(name: str, detail: str) -> Problem:
    return Problem("INVALID_REQUEST_PARAMETERS", path=f"headers.{name[:100]}", detail=detail)
