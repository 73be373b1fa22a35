"""The operations on add-ons."""

from typing import Any, Final

from nicobar.api.routing import Call, Operation
from nicobar.core.catalog.addon import Addon
from nicobar.core.problems import Problem
from nicobar.flows.catalog.archive_addon import archive_addon
from nicobar.flows.catalog.create_addon import create_addon
from nicobar.flows.catalog.offer_upload import offer_upload
from nicobar.flows.catalog.update_addon import update_addon
from nicobar.storage.catalog.addons import get_addons, list_addons
from nicobar.wire.catalog.addons import (
    AddonCreate,
    AddonListQuery,
    AddonQuery,
    AddonRead,
    AddonUpdate,
    read_addon,
    read_addon_change,
    render_addon,
)
from nicobar.wire.catalog.pictures import UploadOffer, render_upload_offer
from nicobar.wire.common import Items, NoQuery


async def create(call: Call[AddonCreate, NoQuery]) -> AddonRead:
    """Create an add-on."""
    return render_addon(await create_addon(call.runtime, call.tenant, read_addon(call.body)), None)


async def retrieve(call: Call[None, AddonQuery]) -> AddonRead:
    """Return one add-on, archived or not."""
    addon = await _addon(call)
    return render_addon(addon, call.runtime.image_url(addon.image_id))


async def list_(call: Call[None, AddonListQuery]) -> Items[AddonRead]:
    """Return a page of add-ons, newest first."""
    query = call.query
    async with call.runtime.database.read() as read:
        found = await list_addons(
            read, call.tenant, archived=bool(query.archived), limit=query.page_size, offset=query.offset
        )
    return Items(items=[render_addon(addon, call.runtime.image_url(addon.image_id)) for addon in found])


async def update(call: Call[AddonUpdate, NoQuery]) -> AddonRead:
    """Change an add-on."""
    addon = await update_addon(call.runtime, call.tenant, call.path["id"], read_addon_change(call.body))
    return render_addon(addon, call.runtime.image_url(addon.image_id))


async def offer_image(call: Call[None, NoQuery]) -> UploadOffer:
    """Return an address for the upload of a picture; PATCH with its `image_id` shows it."""
    await _addon(call)
    return render_upload_offer(await offer_upload(call.runtime, call.tenant))


async def archive(call: Call[None, NoQuery]) -> None:
    """Archive an add-on; the answer is empty."""
    await archive_addon(call.runtime, call.tenant, call.path["id"], archived=True)


async def unarchive(call: Call[None, NoQuery]) -> None:
    """Bring an archived add-on back; the answer is empty."""
    await archive_addon(call.runtime, call.tenant, call.path["id"], archived=False)


async def _addon(call: Call[None, Any]) -> Addon:
    async with call.runtime.database.read() as read:
        found = await get_addons(read, call.tenant, [call.path["id"]])
    if not found:
        raise Problem("NOT_FOUND", what="Addon")
    return found[0]


OPERATIONS: Final[list[Operation]] = [
    Operation("POST", "/addons", create, AddonRead, body=AddonCreate, summary="Create an add-on"),
    Operation(
        "GET",
        "/addons",
        list_,
        Items[AddonRead],
        query=AddonListQuery,
        summary="List add-ons, newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation(
        "GET",
        "/addons/{id}",
        retrieve,
        AddonRead,
        query=AddonQuery,
        summary="Get an add-on",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "PATCH",
        "/addons/{id}",
        update,
        AddonRead,
        body=AddonUpdate,
        summary="Change an add-on",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "PUT",
        "/addons/{id}/images",
        offer_image,
        UploadOffer,
        summary="Get an address for the upload of a picture",
        problems=("NOT_FOUND",),
    ),
    Operation("DELETE", "/addons/{id}", archive, None, summary="Archive an add-on", problems=("NOT_FOUND",)),
    Operation(
        "POST",
        "/addons/{id}/unarchive",
        unarchive,
        None,
        summary="Bring an archived add-on back",
        problems=("NOT_FOUND",),
    ),
]
"""The add-ons' part of the table in `app.py`."""
