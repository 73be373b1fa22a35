"""Addresses that sell: static links, which open a session, and short links, which lead to a static one."""

from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from nicobar.client_address import client_address
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import Product
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import FeatureFlags, SessionRequest
from nicobar.core.sessions.short_link import PRODUCT_PREFIX
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.create_session import CreatedSession, create_session
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.frame.embedding import OPTIONS, frame_of, session_page
from nicobar.pages.frame.rendering import Renderer, redirect
from nicobar.pages.session.static_link import read_static_link
from nicobar.pages.texts.language import asked_language, with_language
from nicobar.storage.business.businesses import tenant_of
from nicobar.storage.catalog.products import get_product
from nicobar.storage.sessions.short_links import find_short_link


class BuyPage:
    """The handler of `/buy/...`."""

    def __init__(self, runtime: Runtime, renderer: Renderer, limits: PageLimits) -> None:
        self._runtime = runtime
        self._renderer = renderer
        self._limits = limits

    async def show(self, request: Request) -> Response:
        """Answer GET: a product's id opens a session, a name leads to its static link.

        Raises Problem NOT_FOUND for what is not sold, and TOO_MANY_REQUESTS for an address that opens too much.
        """
        name = request.path_params["name"]
        address, now = client_address(request), self._runtime.clock.elapsed()
        self._limits.opened_links.take(address, now)
        if not name.startswith(PRODUCT_PREFIX):
            return await self._lead_on(request, name)
        async with self._runtime.database.snapshot() as read:
            tenant = await tenant_of(read, "products", name)
            product = None if tenant is None else await get_product(read, tenant, name)
        if tenant is not None:
            request.state.frame = await frame_of(self._runtime, request, tenant)
        if tenant is None or product is None or product.archived_at is not None:
            raise Problem("NOT_FOUND", what="Product")
        if request.method == "HEAD":  # a preview of the link, which is nobody's order
            return Response()
        created = await self._open(tenant, product, request)
        path = f"{_within(request)}/{session_page(created.session.session_id)}"
        options = {name: text for name, text in request.query_params.items() if name in OPTIONS and _within(request)}
        query = f"?{urlencode(options)}" if options else ""
        return redirect(self._renderer.path(with_language(f"{path}{query}", asked_language(request))))

    async def _lead_on(self, request: Request, slug: str) -> Response:
        """Lead to the static link of a short one. What the short one has in store cannot be overridden."""
        async with self._runtime.database.read() as read:
            link = await find_short_link(read, slug)
        if link is None:
            raise Problem("NOT_FOUND", what="Link")
        query = urlencode(dict(request.query_params) | link.parameters)
        path = f"{_within(request)}/buy/{link.product_id}"
        response = redirect(self._renderer.path(f"{path}?{query}" if query else path))
        response.status_code = 302
        return response

    async def _open(self, tenant: Tenant, product: Product, request: Request) -> CreatedSession:
        """Create the session; what the order cannot be priced with is left out, step by step.

        Raises Problem NOT_FOUND for a product that cannot be sold at all.
        """
        query = {name: text for name, text in request.query_params.items() if "\x00" not in name + text}
        wanted = read_static_link(product.product_id, product.price, query)
        for request_ in _ever_less(wanted):
            try:
                return await create_session(self._runtime, tenant, request_)
            except Problem as problem:
                if problem.status >= 500:
                    raise
        raise Problem("NOT_FOUND", what="Product")


def _within(request: Request) -> str:
    """Return the start of the path of a page in a frame of the seller's page, which is nothing for any other."""
    kind = request.path_params.get("frame")
    return "" if kind is None else f"/{kind}"


def _ever_less(wanted: SessionRequest) -> list[SessionRequest]:
    """Return the session as it is wanted, and then with less and less of what can be wrong."""
    replace = msgspec.structs.replace
    (item,) = wanted.items
    without_currency = replace(wanted, billing_currency=None)
    without_address = replace(without_currency, billing=None)
    plain = replace(without_address, items=[replace(item, quantity=1, amount=None)], metadata={}, return_url=None)
    bare = replace(plain, customer=None, flags=FeatureFlags())
    return [wanted, without_currency, without_address, plain, bare]
