"""The one step of a `single_page` session: with the same form its buyer tells what is missing, and pays.

That is possible where the ways to pay are fields of ours. Another processor brings its own on a page of its own, so
there, and where nobody can charge, the page of the payment comes second as for every other session.
"""

from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from nicobar.client_address import client_address
from nicobar.core.payments.methods import Decision
from nicobar.core.payments.paying import revision
from nicobar.core.payments.payment import NeedsAction, Payment
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.check_instrument import check_instrument
from nicobar.flows.pricing.offer_methods import offer_methods
from nicobar.flows.runtime import Runtime
from nicobar.pages.changes.charging import charge
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.frame.embedding import Frame
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.pages.frame.rendering import Look, Renderer, redirect
from nicobar.pages.frame.view import FieldView, FormView, form_view
from nicobar.pages.methods.card_form import CheckedForm
from nicobar.pages.methods.methods import MethodsView, methods_view, read_method
from nicobar.pages.methods.saved_methods import SavedView, saved_view
from nicobar.pages.session.look import own_words
from nicobar.pages.texts.texts import Reader, Reason
from nicobar.processors.accounts.registry import is_simulated, processor_for
from nicobar.processors.base import InputRefused

UNREAD = CheckedForm(None, {}, {})


class PayingPart(NamedTuple):
    """The part of the form that pays."""

    form: FormView
    methods: MethodsView
    saved: SavedView

    @property
    def errors(self) -> list[FieldView]:
        """The fields that need another look."""
        return [*self.form.errors, *self.methods.errors]


class OneStep:
    """Offers, reads and takes what a session's form pays with."""

    def __init__(self, runtime: Runtime, renderer: Renderer, limits: PageLimits) -> None:
        self._runtime = runtime
        self._renderer = renderer
        self._limits = limits

    async def ways(self, session: CheckoutSession, payment: Payment) -> list[Decision] | None:
        """Return the ways to pay what the order costs as it is; None where the payment's page asks for one."""
        if not session.request.flags.single_page:
            return None
        if payment.is_free:
            return []
        policy = await load_policy(self._runtime, session.tenant)
        if not is_simulated(processor_for(find_processors(self._runtime, policy), session.mode), session.mode):
            return None
        return await offer_methods(self._runtime, payment)

    def part(
        self,
        payment: Payment,
        ways: Sequence[Decision],
        seller: str,
        checked: CheckedForm,
        reader: Reader,
        look: Look,
        frame: Frame | None,
    ) -> PayingPart:
        """Return the part of the form that pays, with what came of the last try."""
        form = form_view(payment, reader, "", checked.errors, checked.shown, own_words(look, frame))
        saved = saved_view([], reader.texts, failed=False, consent="save" in checked.shown)
        return PayingPart(form, methods_view(payment, ways, seller, form, checked, reader), saved)

    async def read(self, form: PostedForm, payment: Payment, ways: Sequence[Decision]) -> CheckedForm:
        """Read what the form pays with, and check it as far as that is possible without charging."""
        if payment.is_free:
            return UNREAD
        checked = read_method(form, ways, self._runtime.now(payment.tenant))
        if form.text("save") == "yes":
            checked.shown["save"] = "yes"
        if checked.instrument is None:
            return checked
        try:
            await check_instrument(self._runtime, payment.tenant, checked.instrument)
        except InputRefused as refusal:
            return checked._replace(instrument=None, errors={refusal.field: Reason(refusal.reason)})
        return checked

    def check_limits(self, request: Request) -> None:
        """Raise Problem TOO_MANY_REQUESTS for an address that failed too often, before a payment is made for it."""
        self._limits.failures.check(client_address(request), self._runtime.clock.elapsed())

    async def pay(
        self, request: Request, payment: Payment, checked: CheckedForm, path: str, *, framed: bool
    ) -> Response:
        """Charge the payment that was made of the form, and lead to the page that follows: `path` is the payment's."""
        onward = redirect(self._renderer.path(path))
        try:
            confirmation = await charge(
                self._runtime,
                self._limits,
                request,
                payment,
                checked.instrument,
                revision(payment),
                path,
                save="save" in checked.shown,
            )
        except InputRefused:  # what only the payment itself decides, such as a kind of card: its page asks for another
            return onward
        outcome = confirmation.outcome
        return redirect(outcome.url) if isinstance(outcome, NeedsAction) and not framed else onward
