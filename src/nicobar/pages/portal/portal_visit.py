"""One request to the portal: whether it may be answered at all, and for whom.

The link has the session's secret in its path. Opening it puts the secret into a cookie and leads on to an address
without it, so that no page, no bookmark and no later address of the portal has it. Whatever is wrong with a link or a
cookie, the answer is one and the same page.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from nicobar.client_address import client_address
from nicobar.core.audit.entry import Actor
from nicobar.core.business.business_settings import BusinessSettings
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer import Customer
from nicobar.core.customers.portal_session import (
    LIFETIME,
    PortalSession,
    form_token,
    is_portal_session_id,
    token_holds,
)
from nicobar.core.problems import Problem
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime, acting
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.frame.posted_form import PostedForm, read_form
from nicobar.pages.frame.rendering import Handler, Renderer, keep_cookie, redirect, refuse_foreign_forms, wants_json
from nicobar.pages.frame.view import monogram
from nicobar.pages.texts.language import (
    TypedForm,
    asked_language,
    language_view,
    reader_of,
    with_language,
    with_parameter,
)
from nicobar.pages.texts.texts import Reader
from nicobar.storage.customers.customers import get_customer
from nicobar.storage.customers.portal_sessions import find_portal_session
from nicobar.storage.payments.hosted_pages import PageFacts, offer_facts

_FORM: Final = "portal-form"
"""Id of the form that something can be typed into."""

COOKIE: Final = "portal"

_SHOWN_REFUSALS: Final = (403, 409, 422)
"""Statuses of refusals that are told on a page of the portal, from which the way leads back."""


class PortalVisit(NamedTuple):
    """A request that shows the secret of a session that has not ended."""

    session: PortalSession
    secret: str
    customer: Customer
    settings: BusinessSettings
    facts: PageFacts
    reader: Reader
    language: str | None
    """The language that the address asks for."""

    @property
    def tenant(self) -> Tenant:
        """Whose customer it is."""
        return self.session.tenant

    def path(self, place: str = "") -> str:
        """Return the path of a place in the portal, in the language of this request."""
        below = f"/{place}" if place else ""
        return with_language(f"/portal/{self.session.session_id}{below}", self.language)

    def token(self, place: str) -> str:
        """Return the token of a form that posts to this place."""
        return form_token(self.session, self.secret, place)


PortalHandler = Callable[[Request, PortalVisit], Awaitable[Response]]
PortalFormHandler = Callable[[Request, PortalVisit, PostedForm], Awaitable[Response]]


class Portal:
    """Lets requests in, and renders what all pages of the portal share."""

    def __init__(self, runtime: Runtime, renderer: Renderer, limits: PageLimits) -> None:
        self.runtime = runtime
        self.renderer = renderer
        self.limits = limits

    async def open(self, request: Request) -> Response:
        """Answer GET of the link: lead on to the portal, with a cookie in place of the secret."""
        secret = request.path_params["secret"]
        session = await self._session(request, secret)
        if session is None:
            return self._closed(request)
        path = f"/portal/{session.session_id}"
        response = redirect(self.renderer.path(with_language(path, asked_language(request))))
        keep_cookie(response, COOKIE, secret, LIFETIME, self.renderer.path(path), self.runtime.public_url)
        return response

    def shown(self, handler: PortalHandler) -> Handler:
        """Return the handler of GET at a place of the portal."""

        async def show(request: Request) -> Response:
            visit = await self._visit(request)
            if visit is None:
                return self._closed(request)
            try:
                return await handler(request, visit)
            except Problem as problem:
                return self._refused(request, visit, problem)

        return show

    def posted(self, handler: PortalFormHandler) -> Handler:
        """Return the handler of POST at a place of the portal. The form must be one that the portal made for it."""

        async def post(request: Request) -> Response:
            refuse_foreign_forms(request)
            visit = await self._visit(request)
            if visit is None:
                return self._closed(request)
            self.limits.portal_changes.take(visit.session.session_id, self.runtime.clock.elapsed())
            whoever = acting.set(Actor("page", visit.customer.customer_id, client_address(request)))
            try:
                form = await read_form(request)
                place = request.scope["path"].partition(f"{visit.session.session_id}/")[2]
                if not token_holds(visit.session, visit.secret, place, form.text("token")):
                    raise Problem("UNAUTHORIZED", status=403, message="This form does not belong to this session")
                return await handler(request, visit, form)
            except Problem as problem:
                return self._refused(request, visit, problem)
            finally:
                acting.reset(whoever)

        return post

    def page(
        self,
        visit: PortalVisit,
        template: str,
        *,
        place: str = "",
        status: int = 200,
        has_form: bool = False,
        **values: Any,
    ) -> Response:
        """Render a page of the portal; `place` is where it can be asked for again, in another language.

        A page that has a form takes it along then, so that what was typed is kept.
        """
        facts, texts = visit.facts, visit.reader.texts
        here = self.renderer.path(visit.path(place))
        form_id = _FORM if has_form else None
        typed = TypedForm(_FORM, here) if has_form else None
        return self.renderer.page(
            template,
            status=status,
            languages=language_view(here, visit.reader, typed),
            form_id=form_id,
            texts=texts,
            page=SellerView(facts.seller, monogram(facts.seller), facts.image_id),
            seller=facts.seller,
            support_email=facts.support_email,
            test_mode=visit.session.mode == "test",
            overview=self.renderer.path(visit.path()),
            place=here,
            token=visit.token(place),
            **values,
        )

    def back(self, visit: PortalVisit, *, done: bool = False) -> Response:
        """Lead back to the overview; `done` says there that something was changed."""
        path = visit.path()
        return redirect(self.renderer.path(with_parameter(path, "done", "1") if done else path))

    def _refused(self, request: Request, visit: PortalVisit, problem: Problem) -> Response:
        """Show that something is not possible, or not any more. Raises what is not told on a page of the portal."""
        if wants_json(request) or problem.status not in _SHOWN_REFUSALS:
            raise problem
        texts, seller = visit.reader.texts, visit.facts.seller
        heading, text = texts("portal.off_heading"), texts("portal.off_text", seller=seller)
        return self.page(visit, "portal_message.html", status=problem.status, heading=heading, text=text)

    async def _session(self, request: Request, secret: str) -> PortalSession | None:
        session_id = request.path_params["session_id"]
        if not is_portal_session_id(session_id):
            return None
        async with self.runtime.database.read() as read:
            session = await find_portal_session(read, session_id)
        if session is None or not session.opens_with(secret, self.runtime.now(session.tenant)):
            return None
        return session

    async def _visit(self, request: Request) -> PortalVisit | None:
        secret = request.cookies.get(COOKIE, "")
        session = await self._session(request, secret)
        if session is None:
            return None
        tenant = session.tenant
        async with self.runtime.database.snapshot() as read:
            customer = await get_customer(read, tenant, session.customer_id)
            facts = await offer_facts(read, tenant, tenant.business_id, [], session.customer_id)
        if customer is None:
            return None
        settings = (await load_policy(self.runtime, tenant)).settings
        reader = reader_of(request, customer.preferred_locale)
        return PortalVisit(session, secret, customer, settings, facts, reader, asked_language(request))

    def _closed(self, request: Request) -> Response:
        """Answer what opens nothing, for whatever reason. Raises Problem TOO_MANY_REQUESTS for too many of it."""
        self.limits.miss(request, self.runtime.clock.elapsed())
        if wants_json(request):
            raise Problem("NOT_FOUND", what="Portal session")
        texts = reader_of(request).texts
        return self.renderer.page(
            "message.html",
            status=404,
            texts=texts,
            heading=texts("portal.ended_heading"),
            text=texts("portal.ended_text"),
            page=None,
            seller=None,
            support_email=None,
            test_mode=False,
            back=None,
        )


class SellerView(NamedTuple):
    """Whose portal it is."""

    seller: str
    monogram: str
    picture: str | None
    """The id of the picture that is shown in place of the monogram."""
