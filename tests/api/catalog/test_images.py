"""Pictures of products and brands: asked for with a key, uploaded with a ticket, seen by everybody."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import dodopayments
import httpx
import pytest
import structlog
from PIL import Image

from harness import PUBLIC_URL, FakeClock, Merchant
from nicobar.core.catalog.picture import MAXIMUM_UPLOAD, is_image_id
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from orders import dump
from pictures import below, file_of, noise, offered, opened, uploaded

PHOTOGRAPH = file_of(Image.new("RGB", (800, 600), "#c02060"), "JPEG")
OTHER = file_of(Image.new("RGB", (50, 50), "#2060c0"), "PNG")
NO_UPLOAD = {
    "code": "UNAUTHORIZED",
    "message": "This address takes no upload: it is wrong, has expired or is used up",
}
NO_IMAGE = {"code": "NOT_FOUND", "message": "image_id: Image not found"}


async def product(merchant: Merchant) -> str:
    """Make a product and return its path."""
    price = {"type": "one_time_price", "currency": "USD", "price": 1900}
    body = {"name": "Field Guide", "tax_category": "e_book", "price": price}
    response = await merchant.client.post("/products", json=body)
    return f"products/{response.json()['product_id']}"


async def brand(merchant: Merchant) -> str:
    """Make a brand and return its path."""
    return f"brands/{(await merchant.client.post('/brands', json={'name': 'Atlas'})).json()['brand_id']}"


async def image_of(merchant: Merchant, path: str) -> str | None:
    """Return the address of the picture that a product or a brand shows."""
    image: str | None = (await merchant.client.get(f"/{path}")).json()["image"]
    return image


def address(image_id: str) -> str:
    return f"{PUBLIC_URL}/images/{image_id}"


async def test_the_library_puts_a_picture_on_a_product(
    sdk: dodopayments.AsyncDodoPayments, merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    product_id = (await product(merchant)).removeprefix("products/")
    offer = await sdk.products.images.update(product_id, force_update=True)
    assert offer.image_id is not None
    assert offer.url.startswith(f"{PUBLIC_URL}/images/{offer.image_id}?ticket=")
    response = await app_client.put(below(offer.url), content=PHOTOGRAPH, headers={"content-type": "image/jpeg"})
    assert (response.status_code, response.content) == (200, b"")
    assert (await sdk.products.retrieve(product_id)).image is None
    await sdk.products.update(product_id, image_id=offer.image_id)
    assert (await sdk.products.retrieve(product_id)).image == address(offer.image_id)
    (item,) = (await sdk.products.list()).items
    assert item.image == address(offer.image_id)
    seen = await app_client.get(below(address(offer.image_id)))
    assert opened(seen.content).size == (640, 480)


async def test_without_force_update_the_upload_alone_shows_it(
    sdk: dodopayments.AsyncDodoPayments, merchant: Merchant, app_client: httpx.AsyncClient, clock: FakeClock
) -> None:
    """Programs that were written for the hosted service upload and read the product again."""
    product_id = (await product(merchant)).removeprefix("products/")
    offer = await sdk.products.images.update(product_id)
    assert offer.image_id is not None
    moment = clock.advance(seconds=30)
    assert (await app_client.put(below(offer.url), content=PHOTOGRAPH)).status_code == 200
    shown = await sdk.products.retrieve(product_id)
    assert (shown.image, shown.updated_at) == (address(offer.image_id), moment)
    await sdk.products.update(product_id, image_id=offer.image_id)
    assert await sdk.products.retrieve(product_id) == shown


async def test_the_library_puts_a_picture_on_a_brand(
    sdk: dodopayments.AsyncDodoPayments, merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    brand_id = (await brand(merchant)).removeprefix("brands/")
    offer = await sdk.brands.update_images(brand_id)
    assert (await app_client.put(below(offer.url), content=PHOTOGRAPH)).status_code == 200
    assert (await sdk.brands.retrieve(brand_id)).image is None
    assert (await sdk.brands.update(brand_id, image_id=offer.image_id)).image == address(offer.image_id)
    assert [item.image for item in (await sdk.brands.list()).items] == [None, address(offer.image_id)]


async def test_the_primary_brand_shows_its_picture_at_once(merchant: Merchant, app_client: httpx.AsyncClient) -> None:
    """Its id could not be put there: PATCH refuses the primary brand."""
    path = f"brands/{merchant.business_id}"
    image_id = await uploaded(merchant, app_client, path, PHOTOGRAPH)
    assert await image_of(merchant, path) == address(image_id)
    refused = await merchant.client.patch(f"/{path}", json={"image_id": image_id})
    assert (refused.status_code, refused.json()["code"]) == (403, "UNABLE_TO_EDIT_PRIMARY_BRAND")


@pytest.mark.parametrize("make", [product, brand])
async def test_null_takes_a_picture_away_and_what_is_left_out_keeps_it(
    make: Any, merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    path = await make(merchant)
    image_id = await uploaded(merchant, app_client, path, PHOTOGRAPH, force_update="true")
    for body, image in (
        ({"image_id": image_id}, address(image_id)),
        ({"name": "Other"}, address(image_id)),
        ({"image_id": None}, None),
        ({"image_id": image_id}, address(image_id)),
        ({"image_id": " "}, None),
    ):
        assert (await merchant.client.patch(f"/{path}", json=body)).status_code == 200
        assert await image_of(merchant, path) == image


async def test_one_picture_can_be_shown_in_many_places(merchant: Merchant, app_client: httpx.AsyncClient) -> None:
    first, second, third = await product(merchant), await product(merchant), await brand(merchant)
    image_id = await uploaded(merchant, app_client, first, PHOTOGRAPH)
    for path in (second, third):
        assert (await merchant.client.patch(f"/{path}", json={"image_id": image_id})).status_code == 200
    assert {await image_of(merchant, path) for path in (first, second, third)} == {address(image_id)}


# --- what is served -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "size"), [("", (640, 480)), ("/small", (144, 108))])
async def test_everybody_sees_a_picture_and_may_keep_it(
    end: str, size: tuple[int, int], merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    image_id = await uploaded(merchant, app_client, await product(merchant), PHOTOGRAPH)
    seen = await app_client.get(f"/images/{image_id}{end}")
    assert seen.status_code == 200
    assert (opened(seen.content).format, opened(seen.content).size) == ("WEBP", size)
    assert dict(seen.headers) | {"request-id": ""} == {
        "cache-control": "public, max-age=31536000, immutable",
        "content-length": str(len(seen.content)),
        "content-security-policy": "default-src 'none'; sandbox",
        "content-type": "image/webp",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "cross-origin",
        "request-id": "",
        "x-content-type-options": "nosniff",
    }
    assert (await app_client.head(f"/images/{image_id}{end}")).status_code == 200


@pytest.mark.parametrize("image_id", ["x", "img_1", "..%2F..%2Fetc", "%00", "3c90c3cc-0d44-4b50-8888-8dd25736052a"])
async def test_there_is_nothing_under_other_ids(image_id: str, app_client: httpx.AsyncClient) -> None:
    for end in ("", "/small"):
        response = await app_client.get(f"/images/{image_id}{end}")
        assert response.status_code == 404
        assert response.json()["code"] == "NOT_FOUND"


async def test_an_upload_that_has_not_come_shows_nothing(
    runtime: Runtime, merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    path = await product(merchant)
    image_id = (await offered(merchant, path))["image_id"]
    before = await dump(runtime)
    for end in ("", "/small"):
        assert (await app_client.get(f"/images/{image_id}{end}")).status_code == 404
    refused = await merchant.client.patch(f"/{path}", json={"image_id": image_id})
    assert (refused.status_code, refused.json()) == (404, NO_IMAGE)
    assert await dump(runtime) == before


# --- what is refused ------------------------------------------------------------------------------------------------


async def test_every_offer_is_another_one(merchant: Merchant) -> None:
    path = await product(merchant)
    offers = [await offered(merchant, path, force_update=force) for force in ("true", "false", "true", "false")]
    assert len({offer["image_id"] for offer in offers}) == 4
    assert len({offer["url"].partition("?ticket=")[2] for offer in offers}) == 4
    assert all(is_image_id(offer["image_id"]) for offer in offers)


async def test_who_may_ask(merchant: Merchant, other_merchant: Merchant, app_client: httpx.AsyncClient) -> None:
    of_product, of_brand = await product(merchant), await brand(merchant)
    await merchant.client.post(f"/{of_brand}/archive", json={})
    for path, what in ((of_product, "Product"), (await brand(merchant), "Brand")):
        for client in (other_merchant.client, merchant.live_client):
            response = await client.put(f"/{path}/images")
            assert (response.status_code, response.json()["message"]) == (404, f"{what} not found")
        assert (await merchant.read_only_client.put(f"/{path}/images")).status_code == 403
        assert (await app_client.put(f"/{path}/images")).status_code == 401
    archived = await merchant.client.put(f"/{of_brand}/images")
    assert (archived.status_code, archived.json()["code"]) == (422, "BRAND_NOT_ENABLED")
    asked = await merchant.client.put(f"/{of_product}/images", params={"force_update": "perhaps"})
    assert (asked.status_code, asked.json()["code"]) == (422, "INVALID_QUERY_PARAMS")


async def test_a_picture_belongs_to_its_business_and_mode(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    image_id = await uploaded(merchant, app_client, await product(merchant), PHOTOGRAPH)
    paths = [await product(other_merchant), await brand(other_merchant)]
    before = await dump(runtime)
    for path in paths:
        response = await other_merchant.client.patch(f"/{path}", json={"image_id": image_id, "name": "Other"})
        assert (response.status_code, response.json()) == (404, NO_IMAGE)
    assert await dump(runtime) == before


async def refused(client: httpx.AsyncClient, runtime: Runtime, url: str, content: Any = PHOTOGRAPH) -> tuple[int, str]:
    """Upload what must be refused, see that nothing was changed, and return the status and the reason."""
    before = await dump(runtime)
    response = await client.put(url, content=content)
    assert await dump(runtime) == before
    assert response.headers["x-should-retry"] == "false"
    assert response.json()["code"] == ("UNAUTHORIZED" if response.status_code == 403 else "INVALID_REQUEST_BODY")
    return response.status_code, response.json()["message"].removeprefix("Your request body is invalid. ")


async def test_only_the_ticket_of_an_address_opens_it(
    runtime: Runtime, merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    path = await product(merchant)
    offer, other = await offered(merchant, path), await offered(merchant, path)
    here, ticket = below(offer["url"]).split("?ticket=")
    for url in (
        here,
        f"{here}?ticket=",
        f"{here}?ticket={ticket[:-1]}",
        f"{here}?ticket={ticket.swapcase()}",
        f"{here}?ticket={other['url'].partition('=')[2]}",
        f"/images/{other['image_id']}?ticket={ticket}",
        f"/images/3c90c3cc-0d44-4b50-8888-8dd25736052a?ticket={ticket}",
        f"/images/x?ticket={ticket}",
    ):
        assert await refused(app_client, runtime, url) == (403, NO_UPLOAD["message"])
        assert await refused(merchant.client, runtime, url) == (403, NO_UPLOAD["message"])  # a key is no ticket
    assert await image_of(merchant, path) is None
    assert ticket not in await dump(runtime)


async def test_a_ticket_expires(
    runtime: Runtime, merchant: Merchant, app_client: httpx.AsyncClient, clock: FakeClock
) -> None:
    url = below((await offered(merchant, await product(merchant)))["url"])
    clock.advance(minutes=15)
    assert await refused(app_client, runtime, url) == (403, NO_UPLOAD["message"])
    clock.advance(microseconds=-1)
    assert (await app_client.put(url, content=PHOTOGRAPH)).status_code == 200


async def test_a_ticket_is_used_once(runtime: Runtime, merchant: Merchant, app_client: httpx.AsyncClient) -> None:
    offer = await offered(merchant, await product(merchant))
    assert (await app_client.put(below(offer["url"]), content=PHOTOGRAPH)).status_code == 200
    seen = await app_client.get(f"/images/{offer['image_id']}")
    assert await refused(app_client, runtime, below(offer["url"]), OTHER) == (403, NO_UPLOAD["message"])
    assert (await app_client.get(f"/images/{offer['image_id']}")).content == seen.content


async def test_of_two_uploads_at_the_same_moment_one_wins(merchant: Merchant, app_client: httpx.AsyncClient) -> None:
    path = await product(merchant)
    offer = await offered(merchant, path)
    answers = await asyncio.gather(*(app_client.put(below(offer["url"]), content=PHOTOGRAPH) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403, 403, 403]
    assert await image_of(merchant, path) == address(offer["image_id"])


async def test_what_is_no_picture_is_refused_and_the_ticket_stays_good(
    runtime: Runtime, merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    path = await product(merchant)
    url = below((await offered(merchant, path))["url"])
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for content, answer in (
        (b"", (415, "It is not a PNG, JPEG, WebP or GIF picture.")),
        (svg, (415, "It is not a PNG, JPEG, WebP or GIF picture.")),
        (PHOTOGRAPH[:1000], (422, "The picture is damaged or not complete.")),
        (file_of(Image.new("1", (5001, 5000))), (422, "The picture has more than 25000000 pixels.")),
        (b"\x89PNG" + bytes(MAXIMUM_UPLOAD), (413, "It is larger than 5242880 bytes.")),
    ):
        assert await refused(app_client, runtime, url, content) == answer
    assert await image_of(merchant, path) is None
    for content_type in ("text/html", "application/json", ""):
        url = below((await offered(merchant, path))["url"])
        headers = {"content-type": content_type} if content_type else {}
        assert (await app_client.put(url, content=OTHER, headers=headers)).status_code == 200


async def test_a_body_without_end_is_read_to_the_bound_and_no_further(
    runtime: Runtime, merchant: Merchant, app_client: httpx.AsyncClient
) -> None:
    url = below((await offered(merchant, await product(merchant)))["url"])
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65_536
            yield bytes(65_536)

    assert (await refused(app_client, runtime, url, endless()))[0] == 413
    assert read <= MAXIMUM_UPLOAD + 2 * 65_536


# --- what is forgotten ----------------------------------------------------------------------------------------------


async def stored(runtime: Runtime) -> set[str]:
    await sweep(runtime)
    async with runtime.database.read() as read:
        return {row["image_id"] for row in await read.fetch("SELECT image_id FROM pictures")}


async def test_uploads_that_never_came_are_forgotten(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    image_id = (await offered(merchant, await product(merchant)))["image_id"]
    clock.advance(minutes=14)
    assert await stored(runtime) == {image_id}
    clock.advance(minutes=1)
    assert await stored(runtime) == set()


async def test_a_picture_stays_for_as_long_as_anything_shows_it_and_a_week(
    runtime: Runtime, merchant: Merchant, app_client: httpx.AsyncClient, clock: FakeClock
) -> None:
    first, second = await product(merchant), await product(merchant)
    old = await uploaded(merchant, app_client, first, PHOTOGRAPH)
    await merchant.client.patch(f"/{second}", json={"image_id": old})
    clock.advance(days=400)
    new = await uploaded(merchant, app_client, first, OTHER)
    clock.advance(days=30)
    assert await stored(runtime) == {old, new}  # the second product shows it still
    await merchant.client.patch(f"/{second}", json={"image_id": None})
    clock.advance(days=6)
    assert await stored(runtime) == {old, new}
    assert (await app_client.get(f"/images/{old}")).status_code == 200
    clock.advance(days=1)
    assert await stored(runtime) == {new}
    assert (await app_client.get(f"/images/{old}")).status_code == 404
    assert await image_of(merchant, first) == address(new)


async def test_a_picture_that_nobody_chose_is_forgotten_after_a_week(
    runtime: Runtime, merchant: Merchant, app_client: httpx.AsyncClient, clock: FakeClock
) -> None:
    path = await product(merchant)
    image_id = await uploaded(merchant, app_client, path, file_of(noise()), force_update="true")
    clock.advance(days=7, seconds=-1)
    assert await stored(runtime) == {image_id}
    clock.advance(seconds=1)
    assert await stored(runtime) == set()
    response = await merchant.client.patch(f"/{path}", json={"image_id": image_id})
    assert (response.status_code, response.json()) == (404, NO_IMAGE)


async def test_the_log_tells_no_ticket(merchant: Merchant, app_client: httpx.AsyncClient) -> None:
    offer = await offered(merchant, await product(merchant))
    with structlog.testing.capture_logs() as lines:
        await app_client.put(below(offer["url"]), content=PHOTOGRAPH)
    (line,) = lines
    assert (line["path"], line["status"]) == (f"/images/{offer['image_id']}", 200)
    assert offer["url"].partition("=")[2] not in str(line)
