"""Pictures of products and brands: what may be uploaded, and what is stored of it."""

import re
from typing import Final

import msgspec

from nicobar.core.problems import Problem

MAXIMUM_UPLOAD: Final = 5 * 1024 * 1024
"""Bytes of an uploaded file; photographs of telephones have 2 to 5 MiB."""

MAXIMUM_PIXELS: Final = 25_000_000
"""Pixels of an uploaded picture: those of a telephone's camera."""

MAXIMUM_DECODED: Final = 100_000_000
"""Bytes that a picture may take while it is decoded. Its header tells; some formats may have fewer pixels by it."""

MAXIMUM_SIDE: Final = 16_384
"""Pixels of its longer side; the panoramas of telephones have as many."""

MEDIA_TYPE: Final = "image/webp"
"""What every stored picture is: small, with transparency, and known to every browser since 2020."""

WHOLE: Final = 640
"""Pixels that the picture has at most in width and height."""

SMALL: Final = 144
"""Pixels that its small copy has at most: the payment page shows 48, on the sharpest screens with three for one."""

MAXIMUM_SMALL: Final = 3072
"""Bytes of the small copy, so that a page with seven of them stays within its 50 KB."""

_IMAGE_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Picture(msgspec.Struct, frozen=True):
    """A picture in the two sizes that are stored, both of `MEDIA_TYPE`."""

    whole: bytes
    small: bytes


class OfferedUpload(msgspec.Struct, frozen=True):
    """Where one picture can be uploaded."""

    image_id: str
    """The id that the picture will have."""
    ticket: str
    """What opens the address, once."""
    url: str
    """The address, with its ticket."""

    def __repr__(self) -> str:
        """Name the picture, and not what opens its address."""
        return f"OfferedUpload({self.image_id})"


def is_image_id(text: str) -> bool:
    """Return whether `text` could be the id of a picture, a random UUID, before the database is asked."""
    return _IMAGE_ID.fullmatch(text) is not None


def wrong_ticket() -> Problem:
    """Return the refusal of an upload whose address does not take it, or no longer does."""
    message = "This address takes no upload: it is wrong, has expired or is used up"
    return Problem("UNAUTHORIZED", status=403, message=message)


def too_many_pixels(most: int = MAXIMUM_PIXELS) -> Problem:
    """Return the refusal of a picture that would take too much memory; its format may have `most` pixels."""
    return refused_picture(422, f"The picture has more than {most} pixels.")


def refused_picture(status: int, detail: str) -> Problem:
    """Return the refusal of an upload that cannot be taken: 415 for what is no picture, 422 for what is wrong in it."""
    return Problem("INVALID_REQUEST_BODY", status=status, detail=detail)
