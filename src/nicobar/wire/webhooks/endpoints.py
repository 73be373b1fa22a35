"""The wire types of webhook endpoints (contract, "Endpoint CRUD"), and how an endpoint is read and rendered."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from nicobar.core.webhooks.endpoint import (
    LONGEST_URL,
    MAXIMUM_HEADERS,
    Endpoint,
    EndpointChange,
    NewEndpoint,
    is_sensitive,
)
from nicobar.core.webhooks.event_types import WebhookEventType
from nicobar.wire.common import INT32_MAX, MetadataKey, MetadataText, RequestBody, ResponseBody, Text1000

FilterTypes = Annotated[list[WebhookEventType], Meta(max_length=100)]
RateLimit = Annotated[int, Meta(ge=0, le=INT32_MAX)]
CustomHeaders = Annotated[dict[str, Annotated[str, Meta(max_length=4096)]], Meta(max_length=MAXIMUM_HEADERS)]
Pairs = dict[MetadataKey, MetadataText]
EndpointUrl = Annotated[str, Meta(min_length=1, max_length=LONGEST_URL)]


class WebhookCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /webhooks."""

    url: EndpointUrl
    """Where events are posted to: https, in test mode http, too."""
    description: Text1000 | None = None
    disabled: bool | None = None
    filter_types: FilterTypes | None = None
    """The types that are sent. Left out or null: all of them; an empty list: none."""
    headers: CustomHeaders | None = None
    """Sent with each event, together with those of the server."""
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    """The same key within 24 hours returns the endpoint that it made."""
    metadata: Pairs | None = None
    rate_limit: RateLimit | None = None
    """Deliveries a second; those beyond wait. 0 and null: no limit."""


class WebhookUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /webhooks/{webhook_id}: what is left out stays.

    Null clears `filter_types` (all types) and `rate_limit` (none). The other fields cannot be null, so null keeps them.
    """

    url: EndpointUrl | None = None
    description: Text1000 | None = None
    disabled: bool | None = None
    filter_types: FilterTypes | UnsetType | None = UNSET
    metadata: Pairs | None = None
    rate_limit: RateLimit | UnsetType | None = UNSET


class WebhookDetails(ResponseBody, frozen=True, kw_only=True):
    """An endpoint."""

    id: str
    url: str
    description: str
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    disabled: bool
    """Nothing is sent. The server disables an endpoint itself when nothing has arrived there for five days."""
    filter_types: list[str] | None
    rate_limit: int | None


class WebhookSecret(ResponseBody, frozen=True, kw_only=True):
    """What the signatures of an endpoint are made with."""

    secret: str
    """`whsec_` and 32 random bytes in base64."""


class WebhookHeaders(ResponseBody, frozen=True, kw_only=True):
    """The headers that accompany each event."""

    headers: dict[str, str]
    sensitive: list[str]
    """Names of headers whose values are not shown, because they may open something."""


class WebhookHeadersUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /webhooks/{webhook_id}/headers: adds or replaces headers."""

    headers: CustomHeaders
    """An empty value removes a header."""


def read_endpoint(body: WebhookCreate) -> NewEndpoint:
    """Return the endpoint that a request asks for."""
    return NewEndpoint(
        url=body.url,
        description=body.description,
        disabled=bool(body.disabled),
        filter_types=body.filter_types,
        headers=body.headers or {},
        idempotency_key=body.idempotency_key,
        metadata=body.metadata or {},
        rate_limit=body.rate_limit,
    )


def read_endpoint_change(body: WebhookUpdate) -> EndpointChange:
    """Return the change that a request asks for."""
    return EndpointChange(
        url=UNSET if body.url is None else body.url,
        description=UNSET if body.description is None else body.description,
        disabled=UNSET if body.disabled is None else body.disabled,
        filter_types=body.filter_types,
        metadata=UNSET if body.metadata is None else body.metadata,
        rate_limit=body.rate_limit,
    )


def render_endpoint(endpoint: Endpoint) -> WebhookDetails:
    """Render an endpoint, without its secrets."""
    return WebhookDetails(
        id=endpoint.endpoint_id,
        url=endpoint.url,
        description=endpoint.description,
        metadata=endpoint.metadata,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
        disabled=endpoint.disabled,
        filter_types=None if endpoint.filter_types is None else list(endpoint.filter_types),
        rate_limit=endpoint.rate_limit,
    )


def render_headers(headers: Mapping[str, str]) -> WebhookHeaders:
    """Render headers; those that may open something by name only."""
    return WebhookHeaders(
        headers={name: value for name, value in headers.items() if not is_sensitive(name)},
        sensitive=[name for name in headers if is_sensitive(name)],
    )
