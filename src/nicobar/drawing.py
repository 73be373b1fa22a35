"""Redraw an uploaded picture, with Pillow.

Nothing of an uploaded file is kept but its pixels. A file can be a picture and a script at once, hold the place where
it was taken, or unfold to gigabytes; what is served was written here, in one format and in two bounded sizes.

It is outside of the core, which does no more than decide: a decoder is a large library in C that reads a stranger's
bytes.
"""

import io
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Final

from nicobar.core.catalog.picture import (
    MAXIMUM_DECODED,
    MAXIMUM_PIXELS,
    MAXIMUM_SIDE,
    MAXIMUM_SMALL,
    SMALL,
    WHOLE,
    Picture,
    refused_picture,
    too_many_pixels,
)
from nicobar.core.problems import Problem

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")

_MAXIMUM_SCANS: Final = 100
"""Passes over a progressive JPEG. Cameras and editors need about ten; each costs time for the whole picture, however
few bytes it has in the file."""

_STRIP_PIXELS: Final = 2_000_000
"""Pixels that are converted and made smaller at a time."""

_QUALITIES: Final = (75, 55, 35, 15)
"""What the small copy is tried with, best first, before it is made smaller."""

_SMALLER: Final = (SMALL, 96, 64, 32, 16)


def draw_anew(upload: bytes) -> Picture:
    """Return an uploaded picture in our own format and sizes. Of an animation it is the first frame.

    It takes up to a second of one processor. Raises Problem INVALID_REQUEST_BODY: with status 415 for anything but
    PNG, JPEG, WebP and GIF, otherwise 422, for a picture that has too many pixels or cannot be read to its end.
    """
    pillow = _pillow()
    image = _decoded(pillow, upload)
    image.thumbnail((WHOLE, WHOLE))
    return Picture(_written(pillow, image, 80), next(_small_enough(pillow, image)))


def _pillow() -> ModuleType:
    """Return the library, which takes a while to import and is only needed for an upload."""
    from PIL import Image

    # Beyond the bound the library only warns. Turned into an error it is caught below, before anything is unfolded.
    Image.MAX_IMAGE_PIXELS = MAXIMUM_PIXELS
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    return Image


def _decoded(pillow: ModuleType, upload: bytes) -> "Image":
    """Return the pixels, upright, as RGB or RGBA."""
    try:
        image: Image = pillow.open(io.BytesIO(upload), formats=_FORMATS)
    except pillow.UnidentifiedImageError as error:
        raise refused_picture(415, "It is not a PNG, JPEG, WebP or GIF picture.") from error
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise too_many_pixels() from error
    except Exception as error:  # a decoder raises whatever a broken file leads it to
        raise _unreadable() from error
    if image.width * image.height > (most := MAXIMUM_DECODED // _decoding_bytes(image)):
        raise too_many_pixels(most)
    if max(image.size) > MAXIMUM_SIDE:
        raise refused_picture(422, f"The picture is more than {MAXIMUM_SIDE} pixels wide or high.")
    if image.format == "JPEG" and upload.count(b"\xff\xda") > _MAXIMUM_SCANS:
        raise refused_picture(422, f"The JPEG has more than {_MAXIMUM_SCANS} scans.")
    try:
        return _upright(image)
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise too_many_pixels() from error
    except Exception as error:
        raise _unreadable() from error


def _decoding_bytes(image: "Image") -> int:
    """Return how many bytes each pixel of an opened picture takes while it is decoded, as measured."""
    if image.format == "WEBP":
        return 20  # its decoder keeps the picture four times, and the fifth copy is ours
    if image.format == "JPEG" and "progressive" in image.info:
        return 2 * max(2, len(image.getbands()))  # what the scans refine, two bytes for each part of a colour
    return 4


def _upright(image: "Image") -> "Image":
    """Decode an opened picture and make it smaller, turned as its camera was held.

    It is converted in strips, since each conversion of the whole would be another copy of it.
    """
    from PIL import ImageOps

    image.draft("RGB", (2 * WHOLE, 2 * WHOLE))  # a JPEG can be decoded at a part of its size
    image.load()
    mode = "RGBA" if image.has_transparency_data else "RGB"
    factor = max(1, max(image.size) // (2 * WHOLE))
    smaller = _pillow().new(mode, (-(-image.width // factor), -(-image.height // factor)))
    rows = factor * max(1, _STRIP_PIXELS // (image.width * factor))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        if strip.mode.startswith("I"):  # 16 bits of grey, of which the upper 8 are taken
            strip = strip.convert("I").point([value >> 8 for value in range(65_536)], "L")
        smaller.paste(strip.convert(mode).reduce(factor), (0, top // factor))
    smaller.info = image.info.copy()  # with it how the camera was held
    return ImageOps.exif_transpose(smaller)


def _small_enough(pillow: ModuleType, image: "Image") -> Iterator[bytes]:
    """Yield small copies that fit, the best first. One of 16 pixels fits whatever it shows."""
    for size in _SMALLER:
        copy = image.copy()
        copy.thumbnail((size, size))
        for quality in _QUALITIES:
            written = _written(pillow, copy, quality)
            if len(written) <= MAXIMUM_SMALL:
                yield written


def _written(pillow: ModuleType, image: "Image", quality: int) -> bytes:
    """Return the pixels as a file. They are put on a new canvas: the library would write what was known of the old."""
    canvas = pillow.new(image.mode, image.size)
    canvas.paste(image)
    out = io.BytesIO()
    canvas.save(out, "WEBP", quality=quality, alpha_quality=quality, method=4)
    return out.getvalue()


def _unreadable() -> Problem:
    return refused_picture(422, "The picture is damaged or not complete.")
