"""Payment links: how one is found, and its QR code, for paper, posters and screens that somebody points a phone at."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import Final

import segno
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.pages.entry.limits import PageLimits
from nicobar.storage.belongings.hosted_page import HostedPage, find_hosted_pages
from nicobar.storage.database import Database
from nicobar.storage.gathering import Gatherings

_QUIET_ZONE: Final = 4
"""Modules of white around the code, as ISO/IEC 18004 wants it."""

_PIXELS: Final = 10
"""Pixels of one module: sharp on paper up to about 6 cm."""

_HEADERS: Final = {
    "cache-control": "private, max-age=3600",
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}


API_WORDS: Final = (
    "balances", "checkout", "disputes", "invoices", "licenses", "payments", "products", "webhooks",
)  # fmt: skip
"""The first words of the contract's paths that are as long as a link's id. A path that begins with one is the API's,
also where there is nothing at it yet."""


class LinkConvertor(Convertor[str]):
    """Matches a payment link's id: exactly 8 characters, as the checkout script demands, and no word of the API."""

    regex = f"(?!(?:{'|'.join(API_WORDS)})(?:/|$))[A-Za-z0-9_-]{{8}}"

    def convert(self, value: str) -> str:
        """Return the id as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Return the id as it is."""
        return value


class ChangeConvertor(LinkConvertor):
    """Matches the parts of a link's page that the customer can change."""

    regex = "details|discount"


class ClingingConvertor(LinkConvertor):
    """Matches what clings to a link in a text: the slash, full stop, bracket or quotation mark behind it."""

    regex = r"[/.,:;!?)\]}>'\"\u00bb\u201c\u201d\u2019\u203a\u3002\u3001\uff09\u300d\u200b\u200e\u200f\u202c\s]{1,8}"


register_url_convertor("link", LinkConvertor())
register_url_convertor("clinging", ClingingConvertor())
register_url_convertor("change", ChangeConvertor())


_LOOKUPS: Final = Gatherings[str, HostedPage | None](at_most=32, lanes=2)


async def find_link(runtime: Runtime, limits: PageLimits, request: Request) -> HostedPage:
    """Return what is behind the link in the request's path. Links that are asked for side by side share a query.

    Raises Problem NOT_FOUND for an unknown link, and TOO_MANY_REQUESTS for an unknown one from an address that asked
    for too many of them. A link that exists always opens: behind a proxy that does not tell whom it speaks for, all
    customers share one address, and nobody may lock them out. What keeps links from being guessed is their length.
    """
    lookups = _LOOKUPS.of(runtime.database)
    found = await lookups.ask("", request.path_params["link_id"], partial(_look_up, runtime.database))
    if found is None:
        limits.miss(request, runtime.clock.elapsed())
        raise Problem("NOT_FOUND", what="Payment link")
    return found


async def _look_up(database: Database, link_ids: list[str]) -> Sequence[HostedPage | None]:
    async with database.read() as read:
        return await find_hosted_pages(read, link_ids)


class QrCodes:
    """The handlers of the two pictures of a link. They show the link itself and nothing of its payment."""

    def __init__(self, runtime: Runtime, limits: PageLimits) -> None:
        self._runtime = runtime
        self._limits = limits

    async def svg(self, request: Request) -> Response:
        """Answer GET /{link_id}/qr.svg."""
        return await self._picture(request, "svg", "image/svg+xml")

    async def png(self, request: Request) -> Response:
        """Answer GET /{link_id}/qr.png."""
        return await self._picture(request, "png", "image/png")

    async def _picture(self, request: Request, kind: str, media_type: str) -> Response:
        payment = (await find_link(self._runtime, self._limits, request)).payment
        if payment.status != "succeeded" and self._runtime.now(payment.tenant) >= payment.expires_on:
            raise Problem("NOT_FOUND", status=410, message="This payment link has expired")
        url = self._runtime.link_url(request.path_params["link_id"])
        return Response(qr_code(url, kind), headers=_HEADERS, media_type=media_type)


def qr_code(text: str, kind: str) -> bytes:
    """Return a QR code as `svg` or `png`, black on white in every colour scheme, readable with 15 % of it damaged."""
    picture = BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(picture, kind=kind, scale=_PIXELS, border=_QUIET_ZONE, dark="#000", light="#fff")
    return picture.getvalue()
