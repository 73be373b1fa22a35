"""The operations on webhook endpoints."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.flows.webhooks.create_endpoint import create_endpoint
from nicobar.flows.webhooks.delete_endpoint import delete_endpoint
from nicobar.flows.webhooks.reveal_headers import reveal_headers
from nicobar.flows.webhooks.reveal_secret import reveal_secret
from nicobar.flows.webhooks.rotate_secret import rotate_secret
from nicobar.flows.webhooks.set_headers import set_headers
from nicobar.flows.webhooks.update_endpoint import update_endpoint
from nicobar.storage.webhooks import endpoints
from nicobar.wire.common import NoQuery
from nicobar.wire.webhooks.cursors import CursorPage, CursorQuery, cursor_page
from nicobar.wire.webhooks.endpoints import (
    WebhookCreate,
    WebhookDetails,
    WebhookHeaders,
    WebhookHeadersUpdate,
    WebhookSecret,
    WebhookUpdate,
    read_endpoint,
    read_endpoint_change,
    render_endpoint,
    render_headers,
)


async def create(call: Call[WebhookCreate, NoQuery]) -> WebhookDetails:
    """Create an endpoint."""
    return render_endpoint(await create_endpoint(call.runtime, call.tenant, read_endpoint(call.body)))


async def retrieve(call: Call[None, NoQuery]) -> WebhookDetails:
    """Return one endpoint."""
    async with call.runtime.database.read() as read:
        endpoint = await endpoints.get_endpoint(read, call.tenant, call.path["webhook_id"])
    if endpoint is None:
        raise Problem("NOT_FOUND", what="Webhook endpoint")
    return render_endpoint(endpoint)


async def list_(call: Call[None, CursorQuery]) -> CursorPage[WebhookDetails]:
    """Return a page of endpoints, newest first."""
    query = call.query
    async with call.runtime.database.snapshot() as read:
        found = await endpoints.list_endpoints(
            read, call.tenant, query.limit + 1, before=query.before, after=query.after
        )
    return cursor_page(found, query, lambda endpoint: endpoint.endpoint_id, render_endpoint)


async def update(call: Call[WebhookUpdate, NoQuery]) -> WebhookDetails:
    """Change an endpoint and return it."""
    change = read_endpoint_change(call.body)
    return render_endpoint(await update_endpoint(call.runtime, call.tenant, call.path["webhook_id"], change))


async def delete(call: Call[None, NoQuery]) -> None:
    """Delete an endpoint."""
    await delete_endpoint(call.runtime, call.tenant, call.path["webhook_id"])


async def retrieve_headers(call: Call[None, NoQuery]) -> WebhookHeaders:
    """Return the headers of an endpoint."""
    return render_headers(await reveal_headers(call.runtime, call.tenant, call.path["webhook_id"]))


async def update_headers(call: Call[WebhookHeadersUpdate, NoQuery]) -> None:
    """Add or replace headers of an endpoint."""
    await set_headers(call.runtime, call.tenant, call.path["webhook_id"], call.body.headers)


async def retrieve_secret(call: Call[None, NoQuery]) -> WebhookSecret:
    """Return the secret of an endpoint, to a key that may write webhooks: who has it can forge events."""
    return WebhookSecret(secret=await reveal_secret(call.runtime, call.tenant, call.path["webhook_id"]))


async def rotate(call: Call[None, NoQuery]) -> WebhookSecret:
    """Give an endpoint a new secret and return it."""
    return WebhookSecret(secret=await rotate_secret(call.runtime, call.tenant, call.path["webhook_id"]))


_FIELD_PROBLEMS: Final = ("INVALID_REQUEST_BODY", "INVALID_REQUEST_PARAMETERS", "MAXIMUM_KEYS_REACHED")

OPERATIONS: Final[list[Operation]] = [
    Operation(
        "POST",
        "/webhooks",
        create,
        WebhookDetails,
        body=WebhookCreate,
        summary="Create a webhook endpoint",
        problems=(*_FIELD_PROBLEMS, "UNSUPPORTED_ACTION"),
    ),
    Operation(
        "GET",
        "/webhooks",
        list_,
        CursorPage[WebhookDetails],
        query=CursorQuery,
        summary="List webhook endpoints, newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation(
        "GET",
        "/webhooks/{webhook_id}",
        retrieve,
        WebhookDetails,
        summary="Read a webhook endpoint",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "PATCH",
        "/webhooks/{webhook_id}",
        update,
        WebhookDetails,
        body=WebhookUpdate,
        summary="Change a webhook endpoint",
        problems=("NOT_FOUND", *_FIELD_PROBLEMS),
    ),
    Operation(
        "DELETE",
        "/webhooks/{webhook_id}",
        delete,
        None,
        summary="Delete a webhook endpoint; what is on its way to it stops",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "GET",
        "/webhooks/{webhook_id}/headers",
        retrieve_headers,
        WebhookHeaders,
        summary="Read the headers that a webhook endpoint is sent",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "PATCH",
        "/webhooks/{webhook_id}/headers",
        update_headers,
        None,
        body=WebhookHeadersUpdate,
        summary="Add, replace or remove headers of a webhook endpoint",
        problems=("NOT_FOUND", "INVALID_REQUEST_BODY", "INVALID_REQUEST_PARAMETERS"),
    ),
    Operation(
        "GET",
        "/webhooks/{webhook_id}/secret",
        retrieve_secret,
        WebhookSecret,
        summary="Read the signing secret of a webhook endpoint",
        problems=("NOT_FOUND",),
        reveals_secret=True,
    ),
    Operation(
        "POST",
        "/webhooks/{webhook_id}/secret/rotate",
        rotate,
        WebhookSecret,
        summary="Replace the signing secret; the old one signs beside it for 24 hours",
        problems=("NOT_FOUND",),
    ),
]
"""The webhook endpoints' part of the table in `app.py`."""
