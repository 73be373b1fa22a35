"""The one step of a `single_page` session: with the same form its buyer tells what is missing, and pays.

The ways to pay are fields of ours, or for a card those that the processor brings (`pages/methods/stripe_fields.py`):
the script sends the form without leaving the page, and what was typed goes from the browser to the processor when the
payment exists. Without the script, by another method of such a processor, and where nobody can charge, the page of the
payment comes second as for every other session.
"""

from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from nicobar.client_address import client_address
from nicobar.core.payments.methods import CARD_TYPES, Decision
from nicobar.core.payments.paying import revision
from nicobar.core.payments.payment import NeedsAction, Payment
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.flows.accounts.ask_for_fields import ask_for_fields
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.check_instrument import check_instrument
from nicobar.flows.pricing.offer_methods import offer_methods
from nicobar.flows.runtime import Runtime
from nicobar.pages.changes.charging import charge
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.frame.embedding import Frame
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.pages.frame.rendering import Look, Renderer, redirect, tell_script
from nicobar.pages.frame.view import FieldView, FormView, form_view
from nicobar.pages.methods.card_form import CheckedForm
from nicobar.pages.methods.methods import MethodsView, methods_view, read_method
from nicobar.pages.methods.saved_methods import SavedView, saved_view
from nicobar.pages.methods.stripe_fields import FieldsView, fields_view, leads_to_fields
from nicobar.pages.session.look import own_words
from nicobar.pages.texts.texts import Reader, Reason
from nicobar.processors.accounts.registry import brings_fields, is_simulated, processor_for
from nicobar.processors.base import FieldsAhead, InputRefused
from nicobar.storage.payments.attempts import live_attempt

UNREAD = CheckedForm(None, {}, {})


class Ways(NamedTuple):
    """The ways to pay what the order costs as it is."""

    decisions: Sequence[Decision]
    elsewhere: bool = False
    """Whether everything is typed into fields of the processor's."""
    ahead: FieldsAhead | None = None
    """What those for a card need to be shown on this page; None where they come on the next one."""


class PayingPart(NamedTuple):
    """The part of the form that pays."""

    form: FormView
    methods: MethodsView
    saved: SavedView
    fields: FieldsView | None
    """The processor's own fields for a card, where they are shown on this page."""

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

    async def ways(self, session: CheckoutSession, payment: Payment) -> Ways | None:
        """Return the ways to pay what the order costs as it is; None where the payment's page asks for one."""
        if not session.request.flags.single_page:
            return None
        if payment.is_free:
            return Ways([])
        policy = await load_policy(self._runtime, session.tenant)
        processor = processor_for(find_processors(self._runtime, policy), session.mode)
        if is_simulated(processor, session.mode):
            return Ways(await offer_methods(self._runtime, payment))
        if not brings_fields(processor):
            return None
        decisions = await offer_methods(self._runtime, payment)
        by_card = any(each.offered and each.type in CARD_TYPES for each in decisions)
        ahead = processor.fields_ahead(payment.total_amount, payment.currency) if by_card else None
        return Ways(decisions, elsewhere=True, ahead=ahead)

    async def part(
        self,
        payment: Payment,
        ways: Ways,
        seller: str,
        checked: CheckedForm,
        reader: Reader,
        look: Look,
        frame: Frame | None,
    ) -> PayingPart:
        """Return the part of the form that pays, with what came of the last try."""
        form = form_view(payment, reader, "", checked.errors, checked.shown, own_words(look, frame))
        saved = saved_view([], reader.texts, failed=False, consent="save" in checked.shown)
        methods = methods_view(payment, ways.decisions, seller, form, checked, reader, ways.elsewhere)
        fields = None
        if ways.ahead is not None:
            policy = await load_policy(self._runtime, payment.tenant)
            fields = fields_view(payment, ways.ahead, policy, reader.texts, form.submit)
        return PayingPart(form, methods, saved, fields)

    async def read(self, form: PostedForm, payment: Payment, ways: Ways) -> CheckedForm:
        """Read what the form pays with, and check it as far as that is possible without charging."""
        if payment.is_free:
            return UNREAD
        checked = read_method(form, ways.decisions, self._runtime.now(payment.tenant), elsewhere=ways.elsewhere)
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
        self, request: Request, payment: Payment, checked: CheckedForm, path: str, *, framed: bool, in_place: bool
    ) -> Response:
        """Charge the payment that was made of the form, and lead to the page that follows: `path` is the payment's.

        `in_place` tells that the processor's fields are filled in on the page that sent the form: its script is told
        what it needs to hand over what was typed.
        """
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
        except Problem as problem:
            if problem.code != "CUSTOMER_HAS_EXISTING_SUBSCRIPTION":
                raise
            return onward  # another tab is paying for one at this moment: the payment's page says so, if it is tried
        outcome = confirmation.outcome
        if in_place and isinstance(outcome, NeedsAction) and leads_to_fields(outcome.url):
            return await self._hand_over(payment, path) or onward
        return redirect(outcome.url) if isinstance(outcome, NeedsAction) and not framed else onward

    async def _hand_over(self, payment: Payment, path: str) -> Response | None:
        """Return what the script needs to confirm the payment with the fields; None when the processor cannot say."""
        async with self._runtime.database.read() as read:
            attempt = await live_attempt(read, payment.tenant, payment.payment_id)
        if attempt is None:
            return None
        try:
            fields = await ask_for_fields(self._runtime, payment.tenant, attempt)
        except Problem:  # the page of the payment asks again
            return None
        if fields is None:
            return None
        return tell_script({"client_secret": fields.client_secret, "return_url": f"{self._runtime.public_url}{path}"})
