"""The page of a checkout session: it asks for what is missing, and leads on to the page of the payment."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from nicobar.client_address import client_address
from nicobar.core.ids import is_session_id
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import MAXIMUM_CODES
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import CheckoutSession, state_of
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.draft_payment import DraftedPayment, draft_payment
from nicobar.flows.sessions.foresee_renewals import foresee_renewals
from nicobar.flows.sessions.offer_addons import offer_addons
from nicobar.flows.sessions.start_payment import start_payment
from nicobar.pages.changes.changes import MAXIMUM_CODE
from nicobar.pages.details.address_parts import missing_parts
from nicobar.pages.details.details import LENGTHS, tax_may_grow
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.frame.embedding import Frame, frame_of, is_alone, session_frame_view, session_page
from nicobar.pages.frame.posted_form import PostedForm, holds_card_number, read_form
from nicobar.pages.frame.rendering import Renderer, redirect, refuse_foreign_forms, wants_json, with_query_of
from nicobar.pages.frame.renewals import renewal_views
from nicobar.pages.frame.returns import form_action
from nicobar.pages.frame.view import PageView, amount_text, page_view
from nicobar.pages.methods.card_form import CheckedForm
from nicobar.pages.methods.stripe_fields import SCRIPT, allow_stripe
from nicobar.pages.session.blame import blamed
from nicobar.pages.session.custom_fields import MAXIMUM_ANSWER, MAXIMUM_CUSTOM_FIELDS
from nicobar.pages.session.look import look_of
from nicobar.pages.session.one_step import UNREAD, OneStep
from nicobar.pages.session.read_session_form import asks_for_price, codes_of, read_code, read_session_form, told_before
from nicobar.pages.session.session_form import EMAIL_LENGTH, Typed, session_form, total_shown
from nicobar.pages.session.theme_sheet import theme_sheet
from nicobar.pages.texts.language import TypedForm, asked_language, language_view, reader_of, with_language
from nicobar.pages.texts.texts import Reader
from nicobar.storage.payments.hosted_pages import PageFacts, offer_facts
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.sessions.sessions import find_session

MAXIMUM_FIELDS: Final = 80 + 20 * 50
"""Fields of the form: the buyer's own, five questions, twenty lines and codes, and what the page knows itself; and for
each of twenty lines the add-ons that its product can have."""

_LETTERS: Final = (
    MAXIMUM_CUSTOM_FIELDS * MAXIMUM_ANSWER + sum(LENGTHS.values()) + EMAIL_LENGTH + (MAXIMUM_CODES + 1) * MAXIMUM_CODE
)
"""Letters of the longest form that is not refused."""

MAXIMUM_FORM: Final = 12 * _LETTERS + 100 * MAXIMUM_FIELDS
"""Bytes of the form. A letter has at most four in UTF-8, each of which browsers send as three; the rest is for the
fields' names and for what is short: prices, country, currency."""

_SHEET_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}


class SessionVisit(NamedTuple):
    """One request to the page of a session."""

    session: CheckoutSession
    payment: Payment | None
    reader: Reader
    frame: Frame | None
    """The frame on the seller's page that it is shown in; None for a page of its own."""


class SessionPage:
    """The handlers of a session's address."""

    def __init__(self, runtime: Runtime, renderer: Renderer, limits: PageLimits) -> None:
        self._runtime = runtime
        self._renderer = renderer
        self._limits = limits
        self._one_step = OneStep(runtime, renderer, limits)

    async def show(self, request: Request) -> Response:
        """Answer GET: the form while there is no payment, and then the way to the payment's page."""
        visit = await self._visit(request)
        if visit.frame is not None and is_alone(request):
            return redirect(self._renderer.path(self._path(request, visit._replace(frame=None))))
        over = await self._over(request, visit)
        return over if over is not None else await self._form(request, visit, Typed())

    async def submit(self, request: Request) -> Response:
        """Answer POST: price the order again, or make its payment and lead on to it."""
        refuse_foreign_forms(request)
        visit = await self._visit(request)
        if (over := await self._over(request, visit)) is not None:
            return over
        form = await read_form(request, MAXIMUM_FIELDS, MAXIMUM_FORM)
        drafted, typed = await self._drafted(visit, await self._read(request, visit, form))
        if drafted is None:
            return await self._message(visit, "session.gone_heading", "session.gone_text")
        typed, due = msgspec.structs.replace(typed, drafted=drafted), drafted.payment
        ways = await self._one_step.ways(visit.session, due)
        checked = UNREAD if ways is None else await self._one_step.read(form, due, ways)
        stale = ways is not None and form.text("shown_total") != total_shown(due)
        if (asks := asks_for_price(form)) or (typed.unasked and not typed.errors):
            checked, status = checked._replace(errors={}), 422 if typed.errors else 200
            return await self._form(request, visit, typed, checked, status, news=None if asks else "moved")
        if typed.errors or checked.errors or stale:
            wrong = bool(typed.errors or checked.errors)
            status = 422 if wrong else 409
            return await self._form(request, visit, typed, checked, status, news="stale" if stale else None)
        if ways is not None:
            self._one_step.check_limits(request)
        try:
            started = await self._started(request, visit.session, typed.told, drafted)
        except Problem as problem:
            if problem.code == "CHECKOUT_SESSION_CONSUMED":
                return redirect(self._renderer.path(self._path(request, visit)))
            if problem.code == "TOO_MANY_REQUESTS":
                raise
            errors = {**typed.errors, **blamed(problem, typed.told, visit.reader)}
            return await self._form(request, visit, msgspec.structs.replace(typed, errors=errors), checked, 422)
        if ways is None or total_shown(started) != total_shown(due):  # or its page shows the new total first
            return self._onward(request, visit, started)
        link_id, frame = started.link_id or "", visit.frame
        path = with_language(f"/{link_id}" if frame is None else frame.path(link_id), asked_language(request))
        in_place = ways.ahead is not None and form.text("in_place") == "yes"
        return await self._one_step.pay(request, started, checked, path, framed=frame is not None, in_place=in_place)

    async def _started(
        self, request: Request, session: CheckoutSession, told: ToldDetails, drafted: DraftedPayment
    ) -> Payment:
        """Make the payment. Raises Problem as `start_payment`.

        Where customers may have one subscription, a refusal tells that an address has it: few may be tried.
        The try is taken before that is known, so that many at once have no more of them. Raises Problem
        TOO_MANY_REQUESTS.
        """
        settings = (await load_policy(self._runtime, session.tenant)).settings
        if not drafted.subscriptions or settings.multiple_subscriptions:
            return (await start_payment(self._runtime, session, told)).payment
        address, refused = client_address(request), False
        self._limits.known_buyers.take(address, self._runtime.clock.elapsed())
        try:
            return (await start_payment(self._runtime, session, told)).payment
        except Problem as problem:
            refused = problem.code == "CUSTOMER_HAS_EXISTING_SUBSCRIPTION"
            raise
        finally:
            if not refused:
                self._limits.known_buyers.give_back(address)

    async def sheet(self, request: Request) -> Response:
        """Answer GET of the style sheet that a session brings."""
        visit = await self._visit(request)
        text = theme_sheet(visit.session.request.customization)
        return Response(text, headers=_SHEET_HEADERS, media_type="text/css")

    async def _visit(self, request: Request) -> SessionVisit:
        """Load the session and its payment.

        Raises Problem NOT_FOUND for an unknown one, and TOO_MANY_REQUESTS for one from an address that asked for too
        many of them.
        """
        session_id, session, payment = request.path_params["session_id"], None, None
        async with self._runtime.database.snapshot() as read:
            if is_session_id(session_id):
                session = await find_session(read, session_id)
            if session is not None and session.payment_id is not None:
                payment = await get_payment(read, session.tenant, session.payment_id)
        if session is None:
            self._limits.miss(request, self._runtime.clock.elapsed())
            raise Problem("NOT_FOUND", what="Checkout session")
        forced = session.request.customization.force_language
        frame = request.state.frame = await frame_of(self._runtime, request, session.tenant)
        return SessionVisit(session, payment, reader_of(request, forced=forced), frame)

    async def _over(self, request: Request, visit: SessionVisit) -> Response | None:
        """Return the answer for a session that asks for nothing any more: that of its payment, or that it has ended.

        What a saved method has paid has no page of its own, and no receipt is shown to whoever has the link.
        """
        session, payment = visit.session, visit.payment
        if payment is not None and payment.link_id is not None:
            return self._onward(request, visit, payment)
        status = None if payment is None else payment.status
        if state_of(status, session.expires_at, self._runtime.now(session.tenant)) == "open":
            return None
        if wants_json(request):
            raise Problem("NOT_FOUND", status=410, message="This checkout session has ended")
        if status == "succeeded":
            return await self._message(visit, "receipt.heading", "receipt.again", paid=True)
        return await self._message(visit, "session.ended_heading", "session.ended_text")

    async def _form(
        self,
        request: Request,
        visit: SessionVisit,
        typed: Typed,
        checked: CheckedForm = UNREAD,
        status: int = 200,
        *,
        news: Literal["stale", "moved"] | None = None,
    ) -> Response:
        """Show the form; what cannot be sold any more is said instead of it.

        `checked` is what came of the part that pays. A form that was to go on comes again where the total is another
        one than was shown (`stale`), or another country has fields that it did not have (`moved`).
        """
        drafted, typed = await self._drafted(visit, typed)
        if drafted is None:
            return await self._message(visit, "session.gone_heading", "session.gone_text")
        session, payment, reader = visit.session, drafted.payment, visit.reader
        settings = (await load_policy(self._runtime, session.tenant)).settings
        chooses = session.request.flags.allow_currency_selection and settings.adaptive_pricing == "on"
        here = self._renderer.path(self._path(request, visit))
        form = session_form(
            session,
            drafted,
            typed,
            reader,
            offers=await offer_addons(self._runtime, session),
            action=here,
            blocked=settings.blocked_countries,
            currencies=sorted(settings.currencies) if chooses and not payment.is_free else [],
        )
        facts = await self._facts(visit, payment)
        custom, frame = session.request.customization, visit.frame
        view = await self._view(visit, drafted, facts, taxed=settings.tax != "off")
        look = look_of(self._renderer, session.session_id, session.request)
        ways, paying = await self._one_step.ways(session, payment), None
        if ways is not None:
            paying = await self._one_step.part(payment, ways, facts.seller, checked, reader, look, frame)
        page = self._renderer.page(
            "session.html",
            status=status,
            form_action=form_action(payment) if frame is None else "'self'",
            frame=None if frame is None else session_frame_view(frame, session.session_id, payment),
            languages=None if custom.force_language else language_view(here, reader, TypedForm("session-form", here)),
            look=look,
            paying=paying,
            script=SCRIPT,
            news=news,
            amount=amount_text(payment.total_amount, payment.currency, reader.locale),
            page=view,
            form=form,
            texts=view.texts,
            seller=view.seller,
            support_email=view.support_email,
            test_mode=view.test_mode,
            back=session.request.cancel_url if frame is None else None,
            open_order=custom.show_order_details,
        )
        return page if paying is None or paying.fields is None else allow_stripe(page)

    async def _view(self, visit: SessionVisit, drafted: DraftedPayment, facts: PageFacts, *, taxed: bool) -> PageView:
        payment, inputs = drafted.payment, drafted.quote.inputs
        foreseen = await foresee_renewals(self._runtime, payment, inputs, drafted.subscriptions)
        renewals = renewal_views(foreseen, payment, visit.session.request, facts.seller, visit.reader)
        return page_view(payment, facts, visit.reader, renewals, tax_open=taxed and tax_may_grow(payment))

    async def _drafted(self, visit: SessionVisit, typed: Typed) -> tuple[DraftedPayment | None, Typed]:
        """Price the order; without what cannot be used of it, which is said at its field."""
        if typed.drafted is not None:
            return typed.drafted, typed
        unproven = msgspec.structs.replace(typed.told, tax_id=None)
        for told in (typed.told, unproven, ToldDetails(), ToldDetails(discount_codes=[])):
            try:
                return await draft_payment(self._runtime, visit.session, told), typed
            except Problem as problem:
                errors = {**blamed(problem, told, visit.reader), **typed.errors}
                typed = msgspec.structs.replace(typed, errors=errors)
        return None, typed

    async def _read(self, request: Request, visit: SessionVisit, form: PostedForm) -> Typed:
        """Read the form, and check what has to be looked up: codes and tax ids, of which few may be guessed."""
        guesses = self._limits.guesses(request, visit.session.session_id)
        taken = guesses.take(self._runtime.clock.elapsed())
        typed, guessed = await self._told(visit, form, limited=not taken)
        if taken and not guessed:
            guesses.give_back()
        return typed

    async def _told(self, visit: SessionVisit, form: PostedForm, *, limited: bool) -> tuple[Typed, bool]:
        """Return what a form tells, and whether it guessed wrongly. With `limited` nothing is looked up for it."""
        session, reader = visit.session, visit.reader
        before = told_before(form)
        carried = set(before.discount_codes or ()) - set(codes_of(session.request))
        if limited and carried:
            left = [code for code in before.discount_codes or () if code not in carried]
            before = msgspec.structs.replace(before, discount_codes=left)
        changes = session.request.flags.allow_discount_code
        if not changes:
            before = msgspec.structs.replace(before, discount_codes=None)
        base, _ = await self._drafted(visit, Typed(told=before))
        if base is None:
            return Typed(told=before), False
        # Whether the form held what this page never gave it.
        forged = bool(carried) and base.payment.options.discount_codes != before.discount_codes
        offers = await offer_addons(self._runtime, session)
        told, errors, shown = read_session_form(session, base, offers, form, reader)
        told = msgspec.structs.replace(told, discount_codes=before.discount_codes)
        codes, fault = read_code(form, told, reader) if changes else (list(base.payment.options.discount_codes), None)
        if limited and told.tax_id:
            errors["tax_id"], told = reader.texts("details.tax_id_guesses"), msgspec.structs.replace(told, tax_id=None)
        if limited and changes and (form.text("code") or carried):
            codes, fault = list(before.discount_codes or ()), reader.texts("discount.guesses")
        if fault is not None:
            errors["code"] = fault
        shown["code"] = "" if holds_card_number(form.text("code")) else form.text("code")[:MAXIMUM_CODE]
        typed, guessed = await self._priced(visit, base, told, codes, errors, shown)
        return typed, forged or guessed

    async def _priced(
        self,
        visit: SessionVisit,
        base: DraftedPayment,
        told: ToldDetails,
        codes: Sequence[str],
        errors: dict[str, str],
        shown: dict[str, str],
    ) -> tuple[Typed, bool]:
        """Price what was told, and return whether that guessed wrongly.

        `base` is the draft that the form was made for, `codes` are those that are wanted.
        """
        wanted = msgspec.structs.replace(told, discount_codes=codes)
        try:
            drafted = await draft_payment(self._runtime, visit.session, wanted)
        except Problem as problem:
            blame = blamed(problem, wanted, visit.reader)
            guessed = bool(blame.keys() & {"code", "tax_id"})  # nobody guesses by another country or currency
            errors = {**errors, **blame}
            return Typed(told=told if "code" in errors else wanted, errors=errors, shown=shown), guessed
        payment = drafted.payment
        moved = payment.billing.country != base.payment.billing.country
        unasked = moved and not payment.is_free and bool(missing_parts(payment.options, payment.billing))
        return Typed(told=wanted, errors=errors, shown=shown, unasked=unasked, drafted=drafted), False

    async def _facts(self, visit: SessionVisit, payment: Payment) -> PageFacts:
        session, customer = visit.session, visit.session.request.customer
        products = [line.product_id for line in payment.lines]
        async with self._runtime.database.read() as read:
            return await offer_facts(
                read, session.tenant, payment.brand_id, products, None if customer is None else customer.customer_id
            )

    async def _message(self, visit: SessionVisit, heading: str, text: str, *, paid: bool = False) -> Response:
        """Answer 410: nothing can be paid here any more; or 200 that all is `paid`.

        The way back is that of the form. What cannot be priced any more names no seller, and has none.
        """
        texts, frame, session = visit.reader.texts, visit.frame, visit.session
        drafted, _ = await self._drafted(visit, Typed())
        facts = None if drafted is None else await self._facts(visit, drafted.payment)
        return self._renderer.page(
            "message.html",
            status=200 if paid else 410,
            paid=paid,
            frame=None if frame is None else session_frame_view(frame, session.session_id, None),
            look=look_of(self._renderer, session.session_id, session.request),
            texts=texts,
            heading=texts(heading),
            text=texts(text),
            page=None,
            seller=None if facts is None else facts.seller,
            support_email=None if facts is None else facts.support_email,
            test_mode=session.mode == "test",
            back=session.request.cancel_url if facts is not None and frame is None and not paid else None,
        )

    def _path(self, request: Request, visit: SessionVisit) -> str:
        """Return the session's address with its query: the language, and the proof of who the customer is.

        In a frame it has the frame's options and no proof, which is of no use there.
        """
        page = session_page(visit.session.session_id)
        if visit.frame is None and "frame" not in request.path_params:
            return with_query_of(request, f"/{page}")
        path = f"/{page}" if visit.frame is None else visit.frame.path(page)
        return with_language(path, asked_language(request))

    def _onward(self, request: Request, visit: SessionVisit, payment: Payment) -> Response:
        """Lead on to the payment's page, in the same frame and with the same query."""
        within = "" if visit.frame is None else f"/{visit.frame.kind}"
        return redirect(self._renderer.path(with_query_of(request, f"{within}/{payment.link_id}")))
