"""What `nicobar serve --demo` shows: a shop with products, a customer, a test key, a payment that waits to be paid.

The values are kept in a file that only its owner can read, so that the next start prints the same lines. That file is
the one place where a key is stored in clear; it opens nothing but this demo's test mode.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from nicobar.core.business.business_settings import DEFAULT_NAME
from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.catalog.product import NewProduct
from nicobar.core.customers.customer import NewCustomer
from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.business.create_key import create_key
from nicobar.flows.catalog.create_product import create_product
from nicobar.flows.catalog.offer_upload import offer_upload
from nicobar.flows.catalog.receive_picture import receive_picture
from nicobar.flows.customers.create_customer import create_customer
from nicobar.flows.payments.create_payment import create_payment
from nicobar.flows.runtime import Runtime
from nicobar.program.banner import DemoGoods
from nicobar.program.demo_pictures import KIWI, PIGEON, SONGBIRD, draw
from nicobar.program.installation import InstallationError
from nicobar.storage.business.keys import find_key
from nicobar.storage.catalog.brands import get_brand
from nicobar.storage.payments.payments import get_payment
from nicobar.vault import give_to_owner_of
from nicobar.wire.payments.payments import PaymentCreate, read_payment

DEMO_FILE: Final = "demo.json"
"""The demo's file in the data folder."""

BUSINESS_NAME: Final = "Demo shop"

_GUIDE: Final = {
    "name": "Field guide to flightless birds",
    "description": "120 pages about those who walk.",
    "tax_category": "e_book",
    "price": {"type": "one_time_price", "currency": "USD", "price": 1900},
}
_GIFT: Final = {
    "name": "A gift for the pigeons of Nicobar",
    "description": "Pay what you want.",
    "tax_category": "digital_products",
    "price": {
        "type": "one_time_price",
        "currency": "USD",
        "price": 100,
        "pay_what_you_want": True,
        "suggested_price": 500,
    },
}
_SONGS: Final = {
    "name": "Songs of island birds",
    "description": "Ten hours of recordings, at the moment a quarter off.",
    "tax_category": "digital_products",
    "price": {"type": "one_time_price", "currency": "USD", "price": 2400, "discount_bps": 2500},
}
_SHELF: Final = (
    (_GUIDE, "19.00 USD"),
    (_GIFT, "what you want from 1.00 USD"),
    (_SONGS, "24.00 USD less 25 %"),
)
_CUSTOMER: Final = NewCustomer(email="ada@example.com", name="Ada Example")


class _Kept(msgspec.Struct, frozen=True):
    """What the file holds."""

    api_key: str
    product_ids: list[str]
    customer_id: str
    payment_id: str


async def prepare_demo(runtime: Runtime, business_id: str, folder: Path) -> DemoGoods:
    """Return the goods of the last demo, with a new payment if the old one was paid or has expired.

    Whatever is not in this database is made. Raises InstallationError when the file cannot be written.
    """
    tenant = Tenant(business_id, "test")
    file = folder / DEMO_FILE
    kept = _load(file)
    if kept is not None and not await _opens(runtime, tenant, kept.api_key):
        kept = None
    payment = None if kept is None else await _waiting_payment(runtime, tenant, kept.payment_id)
    if kept is None or payment is None:
        kept = await _make(runtime, tenant, kept)
        _save(file, kept)
        payment = await _waiting_payment(runtime, tenant, kept.payment_id)
    assert payment is not None and payment.link_id is not None  # noqa: S101 - it was made with a link
    whole, cents = divmod(payment.total_amount, 100)
    return DemoGoods(
        api_key=kept.api_key,
        payment_link=runtime.link_url(payment.link_id),
        amount=f"{whole}.{cents:02d} {payment.currency}",
        products=[
            (product_id, f"{product['name']}, {price}")
            for product_id, (product, price) in zip(kept.product_ids, _SHELF, strict=True)
        ],
        body=_body(kept.customer_id, kept.product_ids[0]),
    )


def demo_key(folder: Path) -> str | None:
    """Return the test key of the demo that was set up in a data folder; None when none was."""
    kept = _load(folder / DEMO_FILE)
    return None if kept is None else kept.api_key


def _body(customer_id: str, product_id: str) -> dict[str, Any]:
    return {
        # Germany, so that the page has a tax line to show; whole, so that it asks for the card at once.
        "billing": {"country": "DE", "zipcode": "10115", "city": "Berlin"},
        "customer": {"customer_id": customer_id},
        "product_cart": [{"product_id": product_id, "quantity": 1}],
        "payment_link": True,
    }


async def _opens(runtime: Runtime, tenant: Tenant, api_key: str) -> bool:
    """Return whether the kept key is valid in this database, which may be another one than last time."""
    async with runtime.database.read() as read:
        key = await find_key(read, secret_hash(api_key), runtime.real_now())
    return key is not None and key.tenant == tenant


async def _waiting_payment(runtime: Runtime, tenant: Tenant, payment_id: str) -> Payment | None:
    """Return the payment if it can still be paid."""
    async with runtime.database.snapshot() as read:
        payment = await get_payment(read, tenant, payment_id)
    if payment is None or payment.status != "requires_payment_method" or payment.expires_on <= runtime.now(tenant):
        return None
    return payment


async def _make(runtime: Runtime, tenant: Tenant, kept: _Kept | None) -> _Kept:
    """Make a payment, and before it whatever it needs: everything, or only what was archived in the meantime."""
    if kept is not None:
        with suppress(Problem):
            return await _with_payment(runtime, tenant, kept)
    if kept is None:
        # Only a new demo is set up; a restart keeps what its owner has changed since.
        await change_setting(runtime, tenant, "tax", "table")
        await change_setting(runtime, tenant, "seller_country", "US")
        async with runtime.database.read() as read:
            brand = await get_brand(read, tenant, tenant.business_id)
        if brand is not None and brand.name == DEFAULT_NAME:
            await change_setting(runtime, tenant, "business_name", BUSINESS_NAME)
    api_key = kept.api_key if kept is not None else (await create_key(runtime, tenant, False))[1]
    products = []
    for (goods, _), bird in zip(_SHELF, (KIWI, PIGEON, SONGBIRD), strict=True):
        # The picture first, then the next product: two of one millisecond would be listed in any order.
        product = await create_product(runtime, tenant, msgspec.convert(goods, NewProduct))
        offer = await offer_upload(runtime, tenant, product_id=product.product_id, at_once=True)
        await receive_picture(runtime, offer.image_id, offer.ticket, draw(bird))
        products.append(product)
    customer = await create_customer(runtime, tenant, _CUSTOMER)
    stocked = _Kept(api_key, [product.product_id for product in products], customer.customer_id, "")
    return await _with_payment(runtime, tenant, stocked)


async def _with_payment(runtime: Runtime, tenant: Tenant, kept: _Kept) -> _Kept:
    request = read_payment(msgspec.convert(_body(kept.customer_id, kept.product_ids[0]), PaymentCreate))
    created = await create_payment(runtime, tenant, request)
    return msgspec.structs.replace(kept, payment_id=created.payment.payment_id)


def _load(file: Path) -> _Kept | None:
    """Return what is kept; None for nothing, or nothing that can be read, which is then replaced."""
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept if len(kept.product_ids) == len(_SHELF) else None


def _save(file: Path, kept: _Kept) -> None:
    """Replace the file as a whole; it is never readable by others, not even for a moment."""
    draft = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            give_to_owner_of(file.parent, descriptor)
            out.write(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
        draft.rename(file)
    except OSError as error:
        raise InstallationError(
            f"The demo cannot keep its values in {file}: {error.strerror}. Serve without --demo or with another --data."
        ) from error
