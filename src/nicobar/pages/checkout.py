"""The hosted payment page: one address for each payment link, in every state of its payment."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from nicobar.core.ids import is_object_id
from nicobar.core.paying import is_payable
from nicobar.core.payment import NeedsAction, Payment
from nicobar.core.problems import Problem
from nicobar.flows.confirm_payment import confirm_payment
from nicobar.flows.resolve_attempt import resolve_attempt
from nicobar.flows.runtime import Runtime
from nicobar.pages.card_form import CheckedForm, check_card, form_token, moment_of_token, read_form
from nicobar.pages.challenge import ChallengePage
from nicobar.pages.rendering import PageEndpoint, Renderer, redirect, refuse_foreign_forms, wants_json
from nicobar.pages.returns import form_action, return_address
from nicobar.pages.texts import Reader, reader_for
from nicobar.pages.view import form_view, page_view, receipt_view
from nicobar.processors.base import CardRefused
from nicobar.processors.registry import processor_for
from nicobar.storage.attempts import live_attempt
from nicobar.storage.hosted_pages import PageFacts, page_facts, tenant_of_payment
from nicobar.storage.payments import find_payment_by_link, get_payment

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
    return [
        Route("/static/{name}", renderer.static.serve),
        Route("/return/{payment_id}", PageEndpoint(renderer, {"GET": checkout.send_back}), methods=["GET"]),
        Route(
            "/simulator/challenge/{reference}",
            PageEndpoint(renderer, {"GET": challenge.show, "POST": challenge.answer}),
            methods=forms,
        ),
        Route(
            "/{link_id:link}",
            PageEndpoint(renderer, {"GET": checkout.show, "POST": checkout.pay}),
            methods=forms,
        ),
    ]


class _Visit(NamedTuple):
    """One request to a link: what is shown, and to whom."""

    payment: Payment
    facts: PageFacts
    reader: Reader
    now: datetime
    action_url: str | None
    """Where the customer has to confirm first."""


class CheckoutPage:
    """The handlers of a payment link."""

    def __init__(self, runtime: Runtime, renderer: Renderer) -> None:
        self._runtime = runtime
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """Answer GET of a link with the page for the payment's state."""
        visit = await self._visit(request)
        match visit.payment.status:
            case "succeeded":
                return self._receipt(visit)
            case "processing":
                return self._waiting(visit)
            case "requires_customer_action":
                if visit.action_url is None:
                    return self._waiting(visit)
                return self._page("action.html", visit, action_url=visit.action_url)
            case _ if is_payable(visit.payment, visit.now):
                return self._form(visit, CheckedForm(None, {}, {}), status=200)
            case _:
                return self._ended(request, visit)

    async def pay(self, request: Request) -> Response:
        """Answer POST of a link: check the form, charge, and send the browser to the page of the new state."""
        refuse_foreign_forms(request)
        visit = await self._visit(request)
        payment, now = visit.payment, visit.now
        here = redirect(self._renderer.path(f"/{payment.link_id}"))
        if not is_payable(payment, now):
            open_or_paid = payment.status in ("succeeded", "processing", "requires_customer_action")
            return here if open_or_paid else self._ended(request, visit)
        if not self._can_charge(payment):
            if wants_json(request):
                raise Problem("UNSUPPORTED_ACTION", detail=f"No {payment.mode} processor is configured yet")
            return self._form(visit, CheckedForm(None, {}, {}), status=422)
        form = await read_form(request)
        seen = moment_of_token(payment, visit.facts.form_key, form.text("token"))
        if seen is None:
            raise Problem("UNAUTHORIZED", status=403, message="This form does not belong to this payment")
        checked = CheckedForm(None, {}, {}) if payment.total_amount == 0 else check_card(form, now)
        if checked.errors:
            return self._refused(request, visit, checked)
        try:
            confirmation = await confirm_payment(self._runtime, payment.tenant, payment.payment_id, checked.card, seen)
        except CardRefused as refusal:
            errors = {refusal.field: refusal.reason}
            return self._refused(request, visit, CheckedForm(None, errors, checked.shown))
        outcome = confirmation.outcome
        return redirect(outcome.url) if isinstance(outcome, NeedsAction) else here

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
        if payment.status in ("processing", "requires_customer_action"):
            await resolve_attempt(self._runtime, payment.tenant, payment.payment_id, came_back=True)
        async with self._runtime.database.read() as read:
            payment = await get_payment(read, payment.tenant, payment.payment_id) or payment
            facts = await page_facts(read, payment)
            attempt = await live_attempt(read, payment.tenant, payment.payment_id)
        outcome = None if attempt is None else attempt.outcome
        return _Visit(
            payment,
            facts,
            reader_for(request.headers.get("accept-language", "")),
            self._runtime.clock.now(),
            outcome.url if isinstance(outcome, NeedsAction) else None,
        )

    def _can_charge(self, payment: Payment) -> bool:
        return payment.total_amount == 0 or processor_for(self._runtime.processors, payment.mode) is not None

    def _page(self, template: str, visit: _Visit, *, status: int = 200, **values: Any) -> Response:
        view = page_view(visit.payment, visit.facts, visit.reader)
        return self._renderer.page(
            template,
            status=status,
            form_action=form_action(visit.payment),
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
        return self._page("pay.html", visit, status=status, form=form, back=back)

    def _refused(self, request: Request, visit: _Visit, checked: CheckedForm) -> Response:
        """Show the form again with its errors. Nothing was stored."""
        if wants_json(request):
            field, reason = next(iter(checked.errors.items()))
            raise Problem("INVALID_REQUEST_BODY", path=field, detail=visit.reader.texts(f"error.{reason}"))
        return self._form(visit, checked, status=422)

    def _receipt(self, visit: _Visit) -> Response:
        payment = visit.payment
        back = return_address(payment, with_email=True)
        if back is not None and payment.options.redirect_immediately:
            return redirect(back)
        paid_at = payment.updated_at or payment.created_at
        soon = BACK_AFTER if back is not None and visit.now - paid_at < JUST_PAID else None
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
