"""Pictures next to the lines of an order and at the seller's name."""

from typing import Any

import httpx
from starlette.routing import Router

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import ProductChange
from nicobar.core.payments.payment import Payment
from nicobar.flows.catalog.update_product import update_product
from nicobar.flows.runtime import Runtime
from nicobar.pages.checkout.routes import page_routes
from nicobar.pages.frame.rendering import Renderer
from orders import line, order, pay, place
from pages.pictured import image_id_of, pictured_lines, pictured_product, pictured_seller
from pages.visited import Elements, Site


def pictures(page: httpx.Response) -> list[dict[str, str | None]]:
    return [attributes for tag, attributes in Elements(page.text).found if tag == "img"]


def small(image_id: str, **more: str | None) -> dict[str, str | None]:
    """Return the attributes of a line's picture. Its text is empty, because the name is next to it."""
    start = {"class": "picture", "src": f"/images/{image_id}/small", "alt": "", "width": "48", "height": "48"}
    return start | more


async def shown(site: Site, payment: Payment) -> httpx.Response:
    return await site.browser.get(f"/{payment.link_id}")


async def test_each_line_shows_the_picture_of_its_product(site: Site) -> None:
    """The first three are fetched at once, the others when they come into sight."""
    lines = await pictured_lines(site.runtime, site.tenant, 5)
    ids = [await image_id_of(site.runtime, item.product_id) for item in lines]
    assert len(set(ids)) == 5
    page = await shown(site, await site.place(lines=lines))
    late = [small(image_id, loading="lazy") for image_id in ids[3:]]
    assert pictures(page) == [small(image_id) for image_id in ids[:3]] + late
    assert 'class="monogram"' in page.text


async def test_a_line_without_a_picture_leaves_its_place_empty(site: Site) -> None:
    lines = [line(0, product_id=await pictured_product(site.runtime, site.tenant)), line(1)]
    page = await shown(site, await site.place(lines=lines))
    assert len(pictures(page)) == 1
    assert page.text.count('<span class="picture"></span>') == 1


async def test_an_order_without_pictures_has_no_places_for_them(site: Site) -> None:
    page = await shown(site, await site.place(lines=[line(0), line(1)]))
    assert pictures(page) == []
    assert 'class="picture"' not in page.text


async def test_the_seller_shows_a_picture_in_place_of_a_letter(site: Site) -> None:
    image_id = await pictured_seller(site.runtime, site.tenant)
    page = await shown(site, await site.place())
    emblem = {"class": "emblem", "src": f"/images/{image_id}/small", "alt": "", "width": "36", "height": "36"}
    assert pictures(page) == [emblem]
    assert "monogram" not in page.text


async def test_the_picture_is_the_one_that_the_product_has_today(site: Site) -> None:
    product_id = await pictured_product(site.runtime, site.tenant)
    payment = await site.place(lines=[line(product_id=product_id)])
    await pay(site.browser, f"/{payment.link_id}")
    assert len(pictures(await shown(site, payment))) == 1
    await update_product(site.runtime, site.tenant, product_id, ProductChange(image_id=None))
    assert pictures(await shown(site, payment)) == []


async def test_a_picture_of_another_mode_or_business_is_not_shown(site: Site) -> None:
    """Ids of products are the tenant's own; an import may bring the same ones to two."""
    product_id = await pictured_product(site.runtime, Tenant(site.tenant.business_id, "live"))
    assert pictures(await shown(site, await site.place(lines=[line(product_id=product_id)]))) == []


async def test_of_a_long_order_the_rest_comes_late_and_paper_has_none(site: Site) -> None:
    product_id = await pictured_product(site.runtime, site.tenant)
    payment = await site.place(lines=[line(place, product_id=product_id) for place in range(40)])
    found = pictures(await shown(site, payment))
    assert [attributes.get("loading") for attributes in found] == [None] * 3 + ["lazy"] * 37
    await pay(site.browser, f"/{payment.link_id}")
    receipt = await shown(site, payment)
    assert "Payment received" in receipt.text
    assert pictures(receipt) == []


async def test_pictures_know_the_path_of_the_public_address(runtime: Runtime, tenant: Tenant) -> None:
    below = runtime._replace(public_url="https://example.com/pay")
    product_id = await pictured_product(below, tenant)
    payment = await place(below, order(below, tenant, [line(product_id=product_id)]))
    transport: Any = httpx.ASGITransport(Router(page_routes(below, Renderer(below.public_url))))
    async with httpx.AsyncClient(transport=transport, base_url="https://example.com") as client:
        page = await client.get(f"/{payment.link_id}")
    image_id = await image_id_of(below, product_id)
    assert [attributes["src"] for attributes in pictures(page)] == [f"/pay/images/{image_id}/small"]
