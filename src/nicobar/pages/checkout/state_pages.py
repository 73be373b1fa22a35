"""The page of a payment link in each state of its payment: to be paid, under way, waiting for its customer, over."""

from datetime import timedelta
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.payments.paying import is_payable
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.pages.changes.changes import Changed
from nicobar.pages.checkout.changeable import changeable_parts
from nicobar.pages.checkout.session_wishes import offered_languages, wished_look
from nicobar.pages.checkout.visit import Visit
from nicobar.pages.details.details import DetailsView, tax_may_grow
from nicobar.pages.frame.embedding import Frame, FrameView, frame_view
from nicobar.pages.frame.rendering import Renderer, keep_cookie, redirect, wants_json
from nicobar.pages.frame.returns import form_action, return_address
from nicobar.pages.frame.view import form_view, page_view, receipt_view
from nicobar.pages.methods.card_form import CheckedForm, form_token
from nicobar.pages.methods.methods import CARD, methods_view
from nicobar.pages.methods.pending import pending_view
from nicobar.pages.methods.saved_methods import saved_view
from nicobar.pages.methods.stripe_fields import leads_to_fields
from nicobar.pages.session.look import own_words
from nicobar.pages.texts.language import TypedForm, with_language
from nicobar.pages.texts.method_names import method_name
from nicobar.processors.accounts.registry import brings_fields, is_simulated

JUST_PAID: Final = timedelta(minutes=2)
"""How long after the payment the receipt leads back to the merchant by itself; later it stays, to be read."""

BACK_AFTER: Final = 10
"""Seconds that a fresh receipt is shown before it leads back."""

LED_ON: Final = "led_on"
"""Cookie of a browser that was led on to the merchant from this link already."""

LEAVE: Final = "leave"
"""The last part of the address where a customer gives up an attempt that waits for them, to pay in another way."""


class Stale(NamedTuple):
    """Why a form was not taken that had no fault."""

    sentence: str
    heading: str = "details.stale_heading"
    """The key of the heading above it."""


class StatePages:
    """Renders the page of a payment link as its payment stands."""

    def __init__(self, runtime: Runtime, renderer: Renderer) -> None:
        self._runtime = runtime
        self._renderer = renderer

    def form(
        self,
        visit: Visit,
        checked: CheckedForm,
        *,
        status: int,
        changed: Changed | None = None,
        stale: Stale | None = None,
    ) -> Response:
        """Show the payable page. `changed` is what came of a change, `stale` why a form was not taken."""
        payment = visit.payment
        if not self.can_charge(visit):
            return self._page("pay.html", visit, status=status, form=None, back=None, panel=None)
        token = form_token(payment, visit.facts.form_key)
        words = own_words(wished_look(self._renderer, visit), visit.frame)
        form = form_view(payment, visit.reader, token, checked.errors, checked.shown, words)
        back = _way_back(visit, over=payment.status == "failed")
        failed, consent = "saved" in checked.errors, "save" in checked.shown
        saved = saved_view(visit.saved, visit.reader.texts, failed=failed, consent=consent)
        elsewhere = brings_fields(visit.processor)
        methods = methods_view(payment, visit.decisions, visit.facts.seller, form, checked, visit.reader, elsewhere)
        parts = changeable_parts(self._renderer, visit, token, changed or Changed(payment, {}, {}))
        parts |= {"form": form, "methods": methods, "back": back, "saved": saved, "stale": stale}
        return self._page("pay.html", visit, status=status, typed=_typed_form(parts), **parts)

    def refused(self, request: Request, visit: Visit, checked: CheckedForm) -> Response:
        """Show the form again with its errors. Nothing was stored."""
        if wants_json(request):
            field, reason = next(iter(checked.errors.items()))
            raise Problem("INVALID_REQUEST_BODY", path=field, detail=reason.sentence(visit.reader.texts))
        return self.form(visit, checked, status=422)

    def unchanged(self, request: Request, visit: Visit, changed: Changed) -> Response:
        """Show the page with the reasons why a change, or a part of it, was not made."""
        if wants_json(request):
            field, sentence = next(iter(changed.errors.items()))
            raise Problem("INVALID_REQUEST_BODY", path=field, detail=sentence)
        return self.form(visit, CheckedForm(None, {}, {}), status=422, changed=changed)

    def receipt(self, request: Request, visit: Visit) -> Response:
        """Show what was paid, or lead on to the merchant: by itself only once, so that going back shows the receipt."""
        payment = visit.payment
        back = return_address(payment, with_email=True)
        sent_on = LED_ON in request.cookies and visit.frame is None
        at_once = back is not None and payment.options.redirect_immediately and not sent_on
        if back is not None and at_once and visit.frame is None:
            return self._led_on(visit, redirect(back))
        paid_at = payment.updated_at or payment.created_at
        just_paid = back is not None and not sent_on and visit.now - paid_at < JUST_PAID
        soon = 0 if at_once else BACK_AFTER if just_paid else None
        if visit.frame is not None and visit.frame.manual_redirect:
            soon = None
        again = visit.now - paid_at >= JUST_PAID
        receipt = receipt_view(payment, visit.reader)
        page = self._page("receipt.html", visit, receipt=receipt, back=back, soon=soon, again=again)
        return page if soon is None or visit.frame is not None else self._led_on(visit, page)

    def waiting(self, visit: Visit) -> Response:
        """Show that the payment is under way; the page reloads itself, the more slowly the longer it takes."""
        waited = visit.now - (visit.payment.updated_at or visit.payment.created_at)
        again = 3 if waited < timedelta(minutes=1) else 15 if waited < timedelta(minutes=10) else 60
        back = return_address(visit.payment, with_email=True)
        pending = None if visit.pending is None else pending_view(visit.payment, visit.pending, again, visit.reader)
        if pending is not None:
            return self._page("pending.html", visit, pending=pending, back=back)
        return self._page("wait.html", visit, again=again, back=back)

    def continued(self, visit: Visit, action_url: str, again: int | None) -> Response:
        """Show that the payment waits at the customer's bank or on the page of its method, and the ways back."""
        payment, texts = visit.payment, visit.reader.texts
        back = None if visit.frame is not None else return_address(payment, with_email=True)
        ways: dict[str, Any] = {"action_url": action_url, "again": again, "back": back}
        ways["leave"] = self._renderer.path(visit.part(LEAVE))
        if payment.payment_method == CARD:
            return self._page("action.html", visit, **ways)
        name = method_name(payment.payment_method_type or "", payment.billing.country, texts)
        kind = payment.payment_method
        return self._page("continue.html", visit, name=name, kind=kind, **ways)

    def ended(self, request: Request, visit: Visit) -> Response:
        """Answer 410: the link has ended without a payment."""
        over = visit.now >= visit.payment.expires_on
        if wants_json(request):
            message = "This payment link has expired" if over else "This payment was cancelled"
            raise Problem("NOT_FOUND", status=410, message=message)
        return self._page(
            "message.html",
            visit,
            status=410,
            heading=visit.reader.texts("ended.heading" if over else "ended.cancelled_heading"),
            text=visit.reader.texts("ended.text", seller=visit.facts.seller),
            back=_way_back(visit, over=True),
        )

    def can_charge(self, visit: Visit) -> bool:
        """Return whether the page can charge: the simulator by our own form, others by fields of their own."""
        by_form = is_simulated(visit.processor, visit.payment.mode)
        return visit.payment.is_free or by_form or brings_fields(visit.processor)

    def is_ours(self, url: str) -> bool:
        """Return whether an address is a page of ours that works in a frame. Stripe's fields may lead on to a bank."""
        return url.startswith(f"{self._runtime.public_url}/") and not leads_to_fields(url)

    def _page(
        self, template: str, visit: Visit, *, status: int = 200, typed: TypedForm | None = None, **values: Any
    ) -> Response:
        open_tax = visit.taxed and is_payable(visit.payment, visit.now) and tax_may_grow(visit.payment)
        view = page_view(visit.payment, visit.facts, visit.reader, visit.renewal_views(), tax_open=open_tax)
        frame = None if visit.frame is None else self._frame_view(visit.frame, visit, values)
        return self._renderer.page(
            template,
            status=status,
            form_action=form_action(visit.payment) if frame is None else "'self'",
            frame=frame,
            here=None if frame is None else self._renderer.path(with_language(frame.again, visit.asked)),
            languages=offered_languages(self._renderer, visit, visit.action, typed),
            look=wished_look(self._renderer, visit),
            open_order=visit.session is not None and visit.session.customization.show_order_details,
            folds_order=visit.session is not None and not visit.session.customization.show_order_details,
            page=view,
            texts=view.texts,
            seller=view.seller,
            support_email=view.support_email,
            test_mode=view.test_mode,
            **values,
        )

    def _frame_view(self, frame: Frame, visit: Visit, values: dict[str, Any]) -> FrameView:
        """Return what the page of this state, with the values that it shows, tells the seller's page."""
        action_url = visit.action_url
        return frame_view(
            frame,
            visit.payment,
            visit.now,
            back=values.get("back"),
            leave_after=values.get("soon"),
            action_url=None if action_url is None or self.is_ours(action_url) else action_url,
            decline=values["form"].decline if values.get("form") else None,
        )

    def _led_on(self, visit: Visit, response: Response) -> Response:
        """Let the browser remember that it was led on from this link."""
        path = self._renderer.path(f"/{visit.payment.link_id}")
        keep_cookie(response, LED_ON, "yes", timedelta(days=1), path, self._runtime.public_url)
        return response


def _way_back(visit: Visit, *, over: bool) -> str | None:
    """Return where who does not pay goes: once it is `over` to the `return_url`, else the session's `cancel_url`."""
    back = return_address(visit.payment, with_email=True) if over else None
    if back is None and visit.session is not None and visit.frame is None:
        back = visit.session.cancel_url
    return back


def _typed_form(parts: dict[str, Any]) -> TypedForm | None:
    """Return the form of a payable page that somebody is at; None where there is nothing to type.

    That is the form of the details as long as it is open, and the form that pays afterwards: they never go together.
    """
    details: DetailsView | None = parts["details"]
    if details is not None and (not details.complete or details.errors or details.retyped):
        return TypedForm("details-form", details.action)
    return TypedForm("pay-form", parts["action"]) if parts["form"].fields else None
