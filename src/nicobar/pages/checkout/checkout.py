"""The hosted payment page: one address for each payment link, in every state of its payment."""

from datetime import datetime
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.ids import is_object_id
from nicobar.core.payments.paying import is_payable, revision
from nicobar.core.payments.payment import NeedsAction, Outcome
from nicobar.core.payments.saved_method import SavedChoice
from nicobar.core.problems import Problem
from nicobar.flows.payments.abandon_attempt import abandon_attempt
from nicobar.flows.payments.confirm_payment import Confirmation
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.abandon_other_tabs import abandon_other_tabs
from nicobar.pages.changes.changes import Changed, change_code, change_details
from nicobar.pages.changes.charging import ChosenMethod, charge
from nicobar.pages.checkout.state_pages import Stale, StatePages
from nicobar.pages.checkout.stripe_page import is_fields_page
from nicobar.pages.checkout.test_panel import FIELD as PANEL
from nicobar.pages.checkout.test_panel import use_panel
from nicobar.pages.checkout.visit import Visit, load_visit, visit_after
from nicobar.pages.details.details import asked_of
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.frame.embedding import is_alone
from nicobar.pages.frame.posted_form import PostedForm, read_form
from nicobar.pages.frame.rendering import Renderer, redirect, refuse_foreign_forms, wants_json, with_query_of
from nicobar.pages.frame.returns import return_address
from nicobar.pages.frame.view import amount_text
from nicobar.pages.methods.card_form import CheckedForm, moment_of_token
from nicobar.pages.methods.methods import read_method
from nicobar.pages.methods.saved_methods import PARAMETER, exchange_proof
from nicobar.pages.methods.stripe_fields import FIELDS
from nicobar.pages.texts.texts import Reason
from nicobar.processors.accounts.registry import brings_fields
from nicobar.processors.base import InputRefused
from nicobar.storage.business.businesses import tenant_of
from nicobar.storage.payments.payments import get_payment

CHECK_AGAIN: Final = 3
"""Seconds after which the page asks the bank once more that was asked too often just now."""

_SECOND: Final = "CUSTOMER_HAS_EXISTING_SUBSCRIPTION"
"""What a payment is refused with that would start a second subscription of a customer who may have one."""


class _Posted(NamedTuple):
    """A form of the page, sent for a payment that can be paid."""

    visit: Visit
    form: PostedForm
    seen: datetime
    """The revision that the form was made for."""


class CheckoutPage:
    """The handlers of a payment link."""

    def __init__(self, runtime: Runtime, renderer: Renderer, limits: PageLimits) -> None:
        self._runtime = runtime
        self._renderer = renderer
        self._limits = limits
        self._states = StatePages(runtime, renderer)

    async def show(self, request: Request) -> Response:
        """Answer GET of a link with the page for the payment's state."""
        visit = await load_visit(self._runtime, self._limits, request)
        if visit.frame is not None and is_alone(request):
            return redirect(self._renderer.path(visit._replace(frame=None).path))
        if PARAMETER in request.query_params and visit.frame is None:
            return await exchange_proof(self._runtime, self._renderer, request, visit.payment)
        match visit.payment.status:
            case "succeeded":
                return self._states.receipt(request, visit)
            case "processing":
                return self._states.waiting(visit)
            case "requires_customer_action":
                if visit.action_url is None:
                    return self._states.waiting(visit)
                if is_fields_page(visit):
                    return redirect(self._renderer.path(visit.part(FIELDS)))
                again = None if visit.fresh else CHECK_AGAIN
                return self._states.continued(visit, visit.action_url, again)
            case _ if is_payable(visit.payment, visit.now):
                return self._states.form(visit, CheckedForm(None, {}, {}), status=200)
            case _:
                return self._states.ended(request, visit)

    async def pay(self, request: Request) -> Response:
        """Answer POST of a link: check the form, charge, and send the browser to the page of the new state."""
        posted = await self._posted(request)
        if isinstance(posted, Response):
            return posted
        answer = await self._pay_only(request, posted)
        if isinstance(answer, Problem) and await abandon_other_tabs(self._runtime, posted.visit.payment):
            answer = await self._pay_only(request, posted)
        if not isinstance(answer, Problem):
            return answer
        # As little as the form of a session says: whoever typed somebody's address does not learn what they have.
        sentence = posted.visit.reader.texts("session.refused")
        if wants_json(request):
            raise Problem("UNSUPPORTED_ACTION", status=409, detail=sentence)
        why = Stale(sentence, "details.error_heading")
        return self._states.form(posted.visit, CheckedForm(None, {}, {}), status=409, stale=why)

    async def _pay_only(self, request: Request, posted: _Posted) -> Response | Problem:
        """Charge; return the refusal of a second subscription, should that be what it is."""
        try:
            return await self._pay(request, posted)
        except Problem as problem:
            if problem.code != _SECOND:
                raise
            return problem

    async def _pay(self, request: Request, posted: _Posted) -> Response:
        visit, form, seen = posted
        payment, now = visit.payment, self._runtime.clock.elapsed()
        if form.text("lang"):  # pressed without a script, so that what was typed comes along
            return self._states.form(visit, self._typed(visit, form), status=200)
        if seen != revision(payment):
            return self._overtaken(request, visit)
        if form.text(PANEL):  # nobody tries out a stolen card there, so it has an allowance of its own
            self._limits.simulated_charges.take(payment.link_id or "", now)
            return_url = f"{self._runtime.public_url}{visit.path}"
            return self._onward(visit, await use_panel(self._runtime, visit, form, seen, return_url))
        self._limits.attempts.check(payment.link_id or "", now)
        if "phone" in asked_of(payment):
            missing = {"phone": visit.reader.texts("details.phone_missing")}
            return self._states.unchanged(request, visit, Changed(payment, missing, {}))
        if choice := form.text("saved"):
            return await self._pay_saved(request, visit, SavedChoice(choice), seen)
        checked = CheckedForm(None, {}, {})
        if not payment.is_free:
            checked = self._read(visit, form)
        if checked.errors:
            return self._states.refused(request, visit, checked)
        try:
            confirmation = await self._charge(request, visit, checked.instrument, seen, save="save" in checked.shown)
        except InputRefused as refusal:
            errors = {refusal.field: Reason(refusal.reason)}
            return self._states.refused(request, visit, checked._replace(instrument=None, errors=errors))
        return self._onward(visit, confirmation.outcome)

    async def change(self, request: Request) -> Response:
        """Answer POST of a link's details or discount: make the change, and show the page as it is then.

        What was refused is shown on the page of this very answer; a change that is made leads back to the link. So does
        another language, which without a script comes as a change: that keeps what was typed.
        """
        posted = await self._posted(request)
        if isinstance(posted, Response):
            return posted
        visit, form, _ = posted
        make = change_code if request.path_params["part"] == "discount" else change_details
        guesses = self._limits.guesses(request, visit.payment.link_id or "")
        changed = await make(self._runtime, guesses, visit.payment, form, visit.reader)
        visit = await visit_after(self._runtime, request, visit, changed.payment)
        if not is_payable(visit.payment, visit.now):
            return self._onward(visit, None)
        if changed.errors:
            return self._states.unchanged(request, visit, changed)
        if form.text("update") or form.text("check") or changed.shown:
            return self._states.form(visit, CheckedForm(None, {}, {}), status=200, changed=changed)
        return redirect(self._renderer.path(f"{visit.path}#{'discounts' if make is change_code else 'pay'}"))

    async def leave(self, request: Request) -> Response:
        """Answer POST: give up the attempt that waits for its customer, and lead back to the choice of ways to pay."""
        refuse_foreign_forms(request)
        visit = await load_visit(self._runtime, self._limits, request)
        await abandon_attempt(self._runtime, visit.payment.tenant, visit.payment.payment_id)
        return redirect(self._renderer.path(visit.path))

    async def show_link(self, request: Request) -> Response:
        """Answer GET of an address that only takes forms: lead back to the link's page."""
        return redirect(self._renderer.path(with_query_of(request, request.scope["path"].rpartition("/")[0])))

    async def show_clean(self, request: Request) -> Response:
        """Answer GET of a link that something of the text around it clings to: lead to the link alone."""
        return redirect(self._renderer.path(with_query_of(request, f"/{request.path_params['link_id']}")))

    def _read(self, visit: Visit, form: PostedForm) -> CheckedForm:
        """Read the chosen way to pay, and whether a card may be kept."""
        checked = read_method(form, visit.decisions, visit.now, elsewhere=brings_fields(visit.processor))
        if form.text("save") == "yes":
            checked.shown["save"] = "yes"
        return checked

    def _typed(self, visit: Visit, form: PostedForm) -> CheckedForm:
        """Return what of a form may be shown again, without a word about the rest."""
        return self._read(visit, form)._replace(instrument=None, errors={})

    async def _posted(self, request: Request) -> _Posted | Response:
        """Read a form of the page; the answer instead when the payment cannot be paid (any more).

        Raises Problem UNAUTHORIZED with status 403 for a form that is not of this payment.
        """
        refuse_foreign_forms(request)
        visit = await load_visit(self._runtime, self._limits, request)
        payment, now = visit.payment, visit.now
        if not is_payable(payment, now):
            open_or_paid = payment.status in ("succeeded", "processing", "requires_customer_action")
            return self._onward(visit, None) if open_or_paid else self._states.ended(request, visit)
        if not self._states.can_charge(visit):
            if wants_json(request):
                raise Problem("UNSUPPORTED_ACTION", detail=f"No {payment.mode} processor is configured yet")
            return self._states.form(visit, CheckedForm(None, {}, {}), status=422)
        form = await read_form(request)
        seen = moment_of_token(payment, visit.facts.form_key, form.text("token"))
        if seen is None:
            raise Problem("UNAUTHORIZED", status=403, message="This form does not belong to this payment")
        return _Posted(visit, form, seen)

    async def _charge(
        self, request: Request, visit: Visit, method: ChosenMethod | SavedChoice, seen: datetime, *, save: bool = False
    ) -> Confirmation:
        """Confirm the payment. A page of the processor leads back here."""
        return await charge(
            self._runtime,
            self._limits,
            request,
            visit.payment,
            method,
            seen,
            visit.path,
            save=save,
            known=visit.versioned,
        )

    def _overtaken(self, request: Request, visit: Visit) -> Response:
        """Answer a form that was made before the last change: nobody pays a total that they have not seen.

        After an attempt it was only sent twice. Before one, something else changed the order meanwhile.
        """
        if visit.payment.status == "failed":
            return self._onward(visit, None)
        amount = amount_text(visit.payment.total_amount, visit.payment.currency, visit.reader.locale)
        sentence = visit.reader.texts("details.stale_text", amount=amount)
        if wants_json(request):
            raise Problem("UNSUPPORTED_ACTION", status=409, detail=sentence)
        return self._states.form(visit, CheckedForm(None, {}, {}), status=409, stale=Stale(sentence))

    def _onward(self, visit: Visit, outcome: Outcome | None) -> Response:
        """Lead to the page that the outcome asks for, otherwise to the payment's page in its new state.

        In a frame only pages of ours can follow; the page of the new state asks the seller's page to go anywhere else.
        """
        if isinstance(outcome, NeedsAction) and (visit.frame is None or self._states.is_ours(outcome.url)):
            return redirect(outcome.url)
        return redirect(self._renderer.path(visit.path))

    async def _pay_saved(self, request: Request, visit: Visit, choice: SavedChoice, seen: datetime) -> Response:
        """Charge a saved card, if it is one of those that this visitor may use; otherwise say that it cannot be."""
        if choice.payment_method_id not in {method.payment_method_id for method in visit.saved}:
            return self._states.refused(request, visit, CheckedForm(None, {"saved": Reason("saved_gone")}, {}))
        try:
            confirmation = await self._charge(request, visit, choice, seen)
        except Problem as problem:
            if problem.code not in ("NOT_FOUND", "NO_ELIGIBLE_PAYMENT_METHODS"):
                raise
            left = [method for method in visit.saved if method.payment_method_id != choice.payment_method_id]
            return self._states.refused(
                request, visit._replace(saved=left), CheckedForm(None, {"saved": Reason("saved_gone")}, {})
            )
        return self._onward(visit, confirmation.outcome)

    async def send_back(self, request: Request) -> Response:
        """Answer GET /return/{payment_id}: on to the merchant, and nothing else.

        Whoever knows a payment's id learns its status and no more: the e-mail address goes along only from the link.
        """
        payment_id = request.path_params["payment_id"]
        address = None
        if is_object_id(payment_id, "pay"):
            async with self._runtime.database.snapshot() as read:
                tenant = await tenant_of(read, "payments", payment_id)
                payment = None if tenant is None else await get_payment(read, tenant, payment_id)
            address = None if payment is None else return_address(payment, with_email=False)
        if address is None:
            raise Problem("NOT_FOUND", what="Page")
        return redirect(address)
