"""The hosted payment page: one address for each payment link, in every state of its payment."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from nicobar.core.ids import is_object_id
from nicobar.core.paying import is_payable
from nicobar.core.payment import NeedsAction, Outcome, Payment
from nicobar.core.problems import Problem
from nicobar.core.saved_method import SavedChoice, SavedMethod
from nicobar.flows.confirm_payment import confirm_payment
from nicobar.flows.resolve_attempt import resolve_attempt
from nicobar.flows.runtime import Runtime
from nicobar.pages.card_form import CheckedForm, check_card, form_token, moment_of_token, read_form
from nicobar.pages.challenge import ChallengePage
from nicobar.pages.embedding import Frame, frame_of, frame_view, is_alone
from nicobar.pages.rendering import PageEndpoint, Renderer, redirect, refuse_foreign_forms, wants_json
from nicobar.pages.returns import form_action, return_address
from nicobar.pages.saved_methods import PARAMETER, exchange_proof, proven_methods, saved_view
from nicobar.pages.texts import Reader, reader_for
from nicobar.pages.view import form_view, page_view, receipt_view
from nicobar.processors.base import CardRefused
from nicobar.processors.registry import processor_for
from nicobar.storage.attempts import live_attempt
from nicobar.storage.hosted_pages import PageFacts, page_facts, tenant_of_payment
from nicobar.storage.payments import find_payment_by_link, get_payment

CHECK_AGAIN: Final = 3
"""Seconds after which the page asks the bank once more that was asked too often just now."""

JUST_PAID: Final = timedelta(minutes=2)
"""For so long after the payment the receipt leads back to the merchant by itself; later it stays, to be read."""

BACK_AFTER: Final = 10
"""Seconds that a fresh receipt is shown before it leads back."""


class LinkConvertor(Convertor[str]):
    """Matches a payment link's id: exactly 8 characters, as the checkout script demands."""

    regex = "[A-Za-z0-9_-]{8}"

    def convert(self, value: str) -> str:
        """Return the id as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Return the id as it is."""
        return value


register_url_convertor("link", LinkConvertor())


def page_routes(runtime: Runtime) -> list[BaseRoute]:
    """Return the routes of the hosted pages. They match after the API's: a link id looks like `/payments`."""
    renderer = Renderer(runtime.public_url)
    checkout = CheckoutPage(runtime, renderer)
    challenge = ChallengePage(runtime, renderer)
    forms = ["GET", "POST"]
    link = PageEndpoint(renderer, {"GET": checkout.show, "POST": checkout.pay})
    return [
        Route("/static/{name}", renderer.static.serve),
        Route("/return/{payment_id}", PageEndpoint(renderer, {"GET": checkout.send_back}), methods=["GET"]),
        Route(
            "/simulator/challenge/{reference}",
            PageEndpoint(renderer, {"GET": challenge.show, "POST": challenge.answer}),
            methods=forms,
        ),
        Route("/{frame:frame}/{link_id:link}", link, methods=forms),
        Route("/{link_id:link}", link, methods=forms),
    ]


class _Visit(NamedTuple):
    """One request to a link: what is shown, and to whom."""

    payment: Payment
    facts: PageFacts
    reader: Reader
    now: datetime
    action_url: str | None
    """Where the customer has to confirm first."""
    fresh: bool
    """False when the processor might say something new, but was asked too often just now."""
    saved: list[SavedMethod]
    """Saved cards that this visitor has proved to own and may pay with."""
    frame: Frame | None
    """The frame on the seller's page that it is shown in; None for a page of its own."""

    @property
    def path(self) -> str:
        """Where a form leads back to: the same page in its next state."""
        link_id = self.payment.link_id
        return f"/{link_id}" if self.frame is None else self.frame.path(link_id, "opened")


class CheckoutPage:
    """The handlers of a payment link."""

    def __init__(self, runtime: Runtime, renderer: Renderer) -> None:
        self._runtime = runtime
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """Answer GET of a link with the page for the payment's state."""
        visit = await self._visit(request)
        if visit.frame is not None and is_alone(request):
            return redirect(self._renderer.path(f"/{visit.payment.link_id}"))
        if PARAMETER in request.query_params and visit.frame is None:
            return await exchange_proof(self._runtime, self._renderer, request, visit.payment)
        match visit.payment.status:
            case "succeeded":
                return self._receipt(visit)
            case "processing":
                return self._waiting(visit)
            case "requires_customer_action":
                if visit.action_url is None:
                    return self._waiting(visit)
                again = None if visit.fresh else CHECK_AGAIN
                return self._page("action.html", visit, action_url=visit.action_url, again=again)
            case _ if is_payable(visit.payment, visit.now):
                return self._form(visit, CheckedForm(None, {}, {}), status=200)
            case _:
                return self._ended(request, visit)

    async def pay(self, request: Request) -> Response:
        """Answer POST of a link: check the form, charge, and send the browser to the page of the new state."""
        refuse_foreign_forms(request)
        visit = await self._visit(request)
        payment, now = visit.payment, visit.now
        if not is_payable(payment, now):
            open_or_paid = payment.status in ("succeeded", "processing", "requires_customer_action")
            return self._onward(visit, None) if open_or_paid else self._ended(request, visit)
        if not self._can_charge(payment):
            if wants_json(request):
                raise Problem("UNSUPPORTED_ACTION", detail=f"No {payment.mode} processor is configured yet")
            return self._form(visit, CheckedForm(None, {}, {}), status=422)
        form = await read_form(request)
        seen = moment_of_token(payment, visit.facts.form_key, form.text("token"))
        if seen is None:
            raise Problem("UNAUTHORIZED", status=403, message="This form does not belong to this payment")
        save = form.text("save") == "yes"
        if choice := form.text("saved"):
            return await self._pay_saved(request, visit, SavedChoice(choice), seen)
        checked = CheckedForm(None, {}, {}) if payment.total_amount == 0 else check_card(form, now)
        if save:
            checked.shown["save"] = "yes"
        if checked.errors:
            return self._refused(request, visit, checked)
        try:
            confirmation = await confirm_payment(
                self._runtime,
                payment.tenant,
                payment.payment_id,
                checked.card,
                seen,
                save=save,
                return_url=self._return_url(visit),
            )
        except CardRefused as refusal:
            errors = {refusal.field: refusal.reason}
            return self._refused(request, visit, CheckedForm(None, errors, checked.shown))
        return self._onward(visit, confirmation.outcome)

    def _return_url(self, visit: _Visit) -> str:
        """Return where a page of the processor sends the customer back to."""
        return f"{self._runtime.public_url}{visit.path}"

    def _onward(self, visit: _Visit, outcome: Outcome | None) -> Response:
        """Lead to the page that the outcome asks for, otherwise to the payment's page in its new state.

        In a frame only pages of ours can follow; the page of the new state asks the seller's page to go anywhere else.
        """
        ours = visit.frame is None or (isinstance(outcome, NeedsAction) and self._is_ours(outcome.url))
        if isinstance(outcome, NeedsAction) and ours:
            return redirect(outcome.url)
        return redirect(self._renderer.path(visit.path))

    def _is_ours(self, url: str) -> bool:
        return url.startswith(f"{self._runtime.public_url}/")

    async def _pay_saved(self, request: Request, visit: _Visit, choice: SavedChoice, seen: datetime) -> Response:
        """Charge a saved card, if it is one of those that this visitor may use; otherwise say that it cannot be."""
        payment = visit.payment
        if choice.payment_method_id not in {method.payment_method_id for method in visit.saved}:
            return self._refused(request, visit, CheckedForm(None, {"saved": "saved_gone"}, {}))
        try:
            confirmation = await confirm_payment(
                self._runtime,
                payment.tenant,
                payment.payment_id,
                choice,
                seen,
                return_url=self._return_url(visit),
            )
        except Problem as problem:
            if problem.code not in ("NOT_FOUND", "NO_ELIGIBLE_PAYMENT_METHODS"):
                raise
            left = [method for method in visit.saved if method.payment_method_id != choice.payment_method_id]
            return self._refused(request, visit._replace(saved=left), CheckedForm(None, {"saved": "saved_gone"}, {}))
        return self._onward(visit, confirmation.outcome)

    async def send_back(self, request: Request) -> Response:
        """Answer GET /return/{payment_id}: on to the merchant, and nothing else.

        Whoever knows a payment's id learns its status and no more: the e-mail address goes along only from the link.
        """
        payment_id = request.path_params["payment_id"]
        address = None
        if is_object_id(payment_id, "pay"):
            async with self._runtime.database.read() as read:
                tenant = await tenant_of_payment(read, payment_id)
                payment = None if tenant is None else await get_payment(read, tenant, payment_id)
            address = None if payment is None else return_address(payment, with_email=False)
        if address is None:
            raise Problem("NOT_FOUND", what="Page")
        return redirect(address)

    async def _visit(self, request: Request) -> _Visit:
        """Load everything that a page shows. Raises Problem NOT_FOUND for an unknown link.

        A payment that is under way is asked about first, so that nobody waits for the background sweep alone.
        """
        link_id = request.path_params["link_id"]
        async with self._runtime.database.read() as read:
            payment = await find_payment_by_link(read, link_id)
        if payment is None:
            raise Problem("NOT_FOUND", what="Payment link")
        fresh = True
        if payment.status in ("processing", "requires_customer_action"):
            fresh = await resolve_attempt(self._runtime, payment.tenant, payment.payment_id, came_back=True)
        async with self._runtime.database.read() as read:
            payment = await get_payment(read, payment.tenant, payment.payment_id) or payment
            facts = await page_facts(read, payment)
            attempt = await live_attempt(read, payment.tenant, payment.payment_id)
        outcome = None if attempt is None else attempt.outcome
        now = self._runtime.clock.now()
        frame = request.state.frame = await frame_of(self._runtime, request, payment)
        return _Visit(
            payment,
            facts,
            reader_for(request.headers.get("accept-language", "")),
            now,
            outcome.url if isinstance(outcome, NeedsAction) else None,
            fresh,
            await proven_methods(self._runtime, request, payment, now) if is_payable(payment, now) else [],
            frame,
        )

    def _can_charge(self, payment: Payment) -> bool:
        return payment.total_amount == 0 or processor_for(self._runtime.processors, payment.mode) is not None

    def _page(self, template: str, visit: _Visit, *, status: int = 200, **values: Any) -> Response:
        view = page_view(visit.payment, visit.facts, visit.reader)
        form = values.get("form")
        frame = visit.frame and frame_view(
            visit.frame,
            visit.payment,
            visit.now,
            back=values.get("back"),
            leave_after=values.get("soon"),
            action_url=None if visit.action_url is None or self._is_ours(visit.action_url) else visit.action_url,
            decline=form.decline if form else None,
        )
        return self._renderer.page(
            template,
            status=status,
            form_action=form_action(visit.payment) if frame is None else "'self'",
            frame=frame,
            page=view,
            texts=view.texts,
            seller=view.seller,
            support_email=view.support_email,
            test_mode=view.test_mode,
            **values,
        )

    def _form(self, visit: _Visit, checked: CheckedForm, *, status: int) -> Response:
        payment = visit.payment
        if not self._can_charge(payment):
            return self._page("pay.html", visit, status=status, form=None, back=None)
        token = form_token(payment, visit.facts.form_key)
        form = form_view(payment, visit.reader, token, checked.errors, checked.shown)
        back = return_address(payment, with_email=True) if payment.status == "failed" else None
        failed, consent = "saved" in checked.errors, "save" in checked.shown
        saved = saved_view(visit.saved, visit.reader.texts, failed=failed, consent=consent)
        return self._page("pay.html", visit, status=status, form=form, back=back, saved=saved)

    def _refused(self, request: Request, visit: _Visit, checked: CheckedForm) -> Response:
        """Show the form again with its errors. Nothing was stored."""
        if wants_json(request):
            field, reason = next(iter(checked.errors.items()))
            raise Problem("INVALID_REQUEST_BODY", path=field, detail=visit.reader.texts(f"error.{reason}"))
        return self._form(visit, checked, status=422)

    def _receipt(self, visit: _Visit) -> Response:
        payment = visit.payment
        back = return_address(payment, with_email=True)
        at_once = back is not None and payment.options.redirect_immediately
        if back is not None and at_once and visit.frame is None:
            return redirect(back)
        paid_at = payment.updated_at or payment.created_at
        just_paid = back is not None and visit.now - paid_at < JUST_PAID
        soon = 0 if at_once else BACK_AFTER if just_paid else None
        return self._page("receipt.html", visit, receipt=receipt_view(payment, visit.reader), back=back, soon=soon)

    def _waiting(self, visit: _Visit) -> Response:
        """Show that the payment is under way; the page reloads itself, the more slowly the longer it takes."""
        waited = visit.now - (visit.payment.updated_at or visit.payment.created_at)
        again = 3 if waited < timedelta(minutes=1) else 15 if waited < timedelta(minutes=10) else 60
        return self._page("wait.html", visit, again=again, back=return_address(visit.payment, with_email=True))

    def _ended(self, request: Request, visit: _Visit) -> Response:
        """Answer 410: the link has ended without a payment."""
        if wants_json(request):
            raise Problem("NOT_FOUND", status=410, message="This payment link has expired")
        return self._page(
            "message.html",
            visit,
            status=410,
            heading=visit.reader.texts("ended.heading"),
            text=visit.reader.texts("ended.text", seller=visit.facts.seller),
            back=return_address(visit.payment, with_email=True),
        )
