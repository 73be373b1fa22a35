"""Products and sellers with pictures, and orders of them."""

from PIL import Image

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.picture import OfferedUpload
from nicobar.core.catalog.product import NewProduct, OneTimePrice
from nicobar.core.payments.payment import PaymentLine
from nicobar.flows.catalog.create_product import create_product
from nicobar.flows.catalog.offer_upload import offer_upload
from nicobar.flows.catalog.receive_picture import receive_picture
from nicobar.flows.runtime import Runtime
from orders import line
from pictures import file_of, noise


async def pictured_product(runtime: Runtime, tenant: Tenant, image: Image.Image | None = None) -> str:
    """Make a product with a picture, by default one that fills its whole allowance of bytes; return its id."""
    price = OneTimePrice(currency="USD", price=1900)
    new = NewProduct(name="Field Guide", tax_category="e_book", price=price)
    product_id = (await create_product(runtime, tenant, new)).product_id
    offer = await offer_upload(runtime, tenant, product_id=product_id, at_once=True)
    await _upload(runtime, offer, image)
    return product_id


async def pictured_seller(runtime: Runtime, tenant: Tenant, image: Image.Image | None = None) -> str:
    """Give the seller's primary brand a picture, and return the picture's id."""
    offer = await offer_upload(runtime, tenant, brand_id=tenant.business_id)
    await _upload(runtime, offer, image)
    return offer.image_id


async def pictured_lines(runtime: Runtime, tenant: Tenant, count: int) -> list[PaymentLine]:
    """Return lines of an order, each of a product with a picture of its own."""
    ids = [await pictured_product(runtime, tenant) for _ in range(count)]
    return [line(place, 1500, 300, 228, product_id=product_id) for place, product_id in enumerate(ids)]


async def image_id_of(runtime: Runtime, product_id: str) -> str:
    """Return the id of the picture that a product shows."""
    async with runtime.database.read() as read:
        image_id: str = await read.fetchval("SELECT image_id FROM products WHERE product_id = $1", product_id)
    return image_id


async def _upload(runtime: Runtime, offer: OfferedUpload, image: Image.Image | None) -> None:
    await receive_picture(runtime, offer.image_id, offer.ticket, file_of(noise(300, 300) if image is None else image))
