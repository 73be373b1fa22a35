"""The wire types of short links (contract, "Checkout sessions", section 13)."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from nicobar.core.sessions.short_link import ShortLink, static_path
from nicobar.wire.common import ObjectId, PageQuery, RequestBody, ResponseBody
from nicobar.wire.patterns import NAME

Slug = Annotated[str, Meta(min_length=3, max_length=64, pattern=NAME)]
StaticParameters = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=64)], Annotated[str, Meta(max_length=2048)]],
    Meta(max_length=100),
]


class ShortLinkCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /products/{id}/short_links."""

    slug: Slug
    static_checkout_params: StaticParameters | None = None
    """The query of the static link that the short one stands for."""


class ShortLinkCreated(ResponseBody, frozen=True, kw_only=True):
    """The answer of POST /products/{id}/short_links."""

    full_url: str
    short_url: str


class ShortLinkRead(ResponseBody, frozen=True, kw_only=True):
    """One row of GET /products/short_links."""

    created_at: datetime
    full_url: str
    product_id: str
    short_url: str


class ShortLinkQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /products/short_links."""

    product_id: ObjectId | None = None


def render_short_link_created(link: ShortLink, public_url: str) -> ShortLinkCreated:
    """Render a short link that was just made."""
    return ShortLinkCreated(full_url=_full(link, public_url), short_url=f"{public_url}/buy/{link.slug}")


def render_short_link(link: ShortLink, public_url: str) -> ShortLinkRead:
    """Render a short link."""
    return ShortLinkRead(
        created_at=link.created_at,
        full_url=_full(link, public_url),
        product_id=link.product_id,
        short_url=f"{public_url}/buy/{link.slug}",
    )


def _full(link: ShortLink, public_url: str) -> str:
    return f"{public_url}{static_path(link.product_id, link.parameters)}"
