"""Let a product or a brand show another picture, or none."""

from datetime import datetime, timedelta
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.storage.catalog.pictures import keep_picture, release_picture
from nicobar.storage.database import Tx

UNSHOWN_FOR: Final = timedelta(days=7)
"""How long a picture that nothing shows is kept: shops may have its address in their own pages and mails."""


async def exchange_picture(tx: Tx, tenant: Tenant, old: str | None, new: str | None, moment: datetime) -> None:
    """Keep the picture that begins to be shown, and let the one expire that it replaces.

    Raises Problem NOT_FOUND when the tenant has no such picture, or only an upload that has not come yet.
    """
    # In one order, so that two exchanges of the same pictures cannot wait for each other.
    for image_id in sorted(image_id for image_id in {old, new} if image_id is not None):
        if image_id != new:
            await release_picture(tx, tenant, image_id, moment + UNSHOWN_FOR)
        elif not await keep_picture(tx, tenant, image_id):
            raise Problem("NOT_FOUND", what="Image", path="image_id")
