"""Pictures for tests: files as sellers have them, and their way to the server."""

import io
import random
from typing import Any

import httpx
from PIL import Image

from harness import Merchant


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def noise(width: int = 64, height: int = 64, mode: str = "RGB") -> Image.Image:
    """Return the picture that is hardest to compress; it is the same every time."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.Random(7).randbytes(width * height * bands))  # noqa: S311


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def below(url: str) -> str:
    """Return what follows the host: the tests' clients have a host of their own."""
    return httpx.URL(url).raw_path.decode()


async def offered(merchant: Merchant, path: str, **query: str) -> dict[str, str]:
    """Ask for an address for the picture of a product or a brand, for example `products/pdt_1`."""
    response = await merchant.client.put(f"/{path}/images", params=query)
    assert response.status_code == 200, response.text
    offer: dict[str, str] = response.json()
    return offer


async def uploaded(merchant: Merchant, client: httpx.AsyncClient, path: str, content: bytes, **query: str) -> str:
    """Upload a picture for a product or a brand, and return its id."""
    offer = await offered(merchant, path, **query)
    response = await client.put(below(offer["url"]), content=content)
    assert (response.status_code, response.content) == (200, b"")
    return offer["image_id"]
