"""Pictures of products and brands at addresses of their own: everybody sees them, and a ticket uploads one."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nicobar.api.routing import read_bytes
from nicobar.core.business.tenant import secret_hash
from nicobar.core.catalog.picture import MAXIMUM_UPLOAD, MEDIA_TYPE, is_image_id, wrong_ticket
from nicobar.core.problems import Problem
from nicobar.flows.business_time.recall_clocks import recall_clocks
from nicobar.flows.catalog.receive_picture import receive_picture
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.pictures import find_awaited, get_picture

_AT_A_TIME: Final = 4
"""Uploads that one process holds in memory. The others wait, unread, until the server's bound on a request ends."""

_HEADERS: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
}
"""A picture never changes under its id, and shops may show it in their own pages."""


def image_routes(runtime: Runtime) -> list[Route]:
    """Return the routes of the pictures."""
    uploading = asyncio.Semaphore(_AT_A_TIME)

    async def endpoint(request: Request) -> Response:
        """Show a picture, or take its upload. Raises Problem NOT_FOUND, or what `_take` raises."""
        image_id = request.path_params["image_id"]
        if request.method == "PUT":
            await _take(runtime, uploading, request, image_id)
            return Response()
        return await _show(runtime, image_id, small=False)

    async def small(request: Request) -> Response:
        """Show the small copy of a picture. Raises Problem NOT_FOUND."""
        return await _show(runtime, request.path_params["image_id"], small=True)

    return [
        Route("/images/{image_id}", endpoint, methods=["GET", "PUT"]),
        Route("/images/{image_id}/small", small, methods=["GET"]),
    ]


async def _show(runtime: Runtime, image_id: str, *, small: bool) -> Response:
    found = None
    if is_image_id(image_id):
        async with runtime.database.read() as read:
            found = await get_picture(read, image_id, "small" if small else "whole")
    if found is None:
        raise Problem("NOT_FOUND", what="Image")
    return Response(found, headers=_HEADERS, media_type=MEDIA_TYPE)


async def _take(runtime: Runtime, uploading: asyncio.Semaphore, request: Request, image_id: str) -> None:
    """Take an upload. What it is, its bytes tell: clients send all kinds of content types with a file, or none.

    Raises Problem UNAUTHORIZED with status 403 without a valid ticket, before anything is read, INVALID_REQUEST_BODY
    for a body that is too large (413), and what `receive_picture` raises.
    """
    ticket = request.query_params.get("ticket", "")
    awaited = None
    if is_image_id(image_id):
        async with runtime.database.read() as read:
            awaited = await find_awaited(read, image_id, secret_hash(ticket), runtime.real_now())
    if awaited is None:
        raise wrong_ticket()
    if awaited.tenant.mode == "test":
        await recall_clocks(runtime, awaited.tenant.business_id)
    async with uploading:
        await receive_picture(runtime, image_id, ticket, await read_bytes(request, MAXIMUM_UPLOAD))
