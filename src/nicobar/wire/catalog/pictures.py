"""The wire types of uploads of pictures (contract, "Products" and "Brands")."""

from msgspec import Struct

from nicobar.core.catalog.picture import OfferedUpload
from nicobar.wire.common import ResponseBody


class UploadQuery(Struct, frozen=True, kw_only=True):
    """The query of PUT /products/{id}/images."""

    force_update: bool | None = None
    """True: the product shows the picture when its `image_id` is put there, instead of as soon as it is uploaded."""


class UploadOffer(ResponseBody, frozen=True, kw_only=True):
    """Where a picture can be uploaded, and which id it will have."""

    image_id: str
    """The id for `image_id` of a PATCH: a new one every time, so that no cache holds an older picture under it."""
    url: str
    """Takes one picture with PUT, without a key, within 15 minutes: PNG, JPEG, WebP or GIF, at most 5 MiB."""


def render_upload_offer(offered: OfferedUpload) -> UploadOffer:
    """Render where a picture can be uploaded."""
    return UploadOffer(image_id=offered.image_id, url=offered.url)
