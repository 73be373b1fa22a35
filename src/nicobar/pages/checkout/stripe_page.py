"""The page with Stripe's own fields, for a payment that waits there (`pages/methods/stripe_fields.py`)."""

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.payments.payment import NeedsAction, Unknown
from nicobar.core.problems import Problem
from nicobar.flows.accounts.ask_for_fields import ask_for_fields
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.ask_about_attempt import ask_about_attempt
from nicobar.flows.runtime import Runtime
from nicobar.pages.checkout.session_wishes import offered_languages, wished_look
from nicobar.pages.checkout.visit import Visit, load_visit
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.frame.embedding import is_alone, silent_view
from nicobar.pages.frame.rendering import Renderer, redirect
from nicobar.pages.frame.returns import form_action
from nicobar.pages.frame.view import amount_text, page_view
from nicobar.pages.methods.methods import CARD
from nicobar.pages.methods.stripe_fields import (
    FIELDS,
    SCRIPT,
    allow_stripe,
    fields_language,
    leads_to_fields,
    wallets,
)
from nicobar.pages.session.look import own_words
from nicobar.pages.texts.method_names import method_name
from nicobar.processors.base import OwnFields


def is_fields_page(visit: Visit) -> bool:
    """Return whether the payment waits on the page with Stripe's fields, and that can be shown here.

    In a frame only those for a card can: other methods lead on to pages that no frame may show.
    """
    waits = visit.action_url is not None and leads_to_fields(visit.action_url)
    return waits and (visit.frame is None or visit.payment.payment_method == CARD)


class StripePage:
    """The handlers of the page. The link's id is all the permission that is needed, as for the payment page itself."""

    def __init__(self, runtime: Runtime, renderer: Renderer, limits: PageLimits) -> None:
        self._runtime = runtime
        self._renderer = renderer
        self._limits = limits

    async def show(self, request: Request) -> Response:
        """Answer GET: show the fields, or lead to the payment's page when it does not wait here (any more).

        Raises Problem SERVICE_UNAVAILABLE when Stripe does not answer, and TOO_MANY_REQUESTS for a link that is looked
        at too often.
        """
        visit = await load_visit(self._runtime, self._limits, request)
        if visit.frame is not None and is_alone(request):
            return redirect(self._renderer.path(visit._replace(frame=None).part(FIELDS)))
        if not is_fields_page(visit):
            return redirect(self._renderer.path(visit.path))
        self._limits.fields.take(visit.payment.link_id or "", self._runtime.clock.elapsed())
        fields = await self._fields(visit)
        if fields is None:
            return redirect(self._renderer.path(visit.path))
        return allow_stripe(await self._page(visit, fields))

    async def _fields(self, visit: Visit) -> OwnFields | None:
        """Return what the fields need. When Stripe knows already how the attempt ended, that is recorded instead."""
        tenant, attempt = visit.payment.tenant, visit.attempt
        if attempt is None or not isinstance(attempt.outcome, NeedsAction):
            return None
        fields = await ask_for_fields(self._runtime, tenant, attempt)
        if fields is None and isinstance(
            await ask_about_attempt(self._runtime, tenant, attempt), Unknown | NeedsAction
        ):
            raise Problem("SERVICE_UNAVAILABLE")  # the payment's page would lead back here at once
        return fields

    async def _page(self, visit: Visit, fields: OwnFields) -> Response:
        payment, reader = visit.payment, visit.reader
        policy = await load_policy(self._runtime, payment.tenant)
        view = page_view(payment, visit.facts, reader, visit.renewal_views())
        name = method_name(payment.payment_method_type or "", payment.billing.country, reader.texts)
        is_card = payment.payment_method == CARD
        frame = None if visit.frame is None else silent_view(visit.frame, payment)
        look = wished_look(self._renderer, visit)
        amount = amount_text(payment.total_amount, payment.currency, reader.locale)
        keeps = visit.attempt is not None and visit.attempt.amount == 0  # nothing is charged: the card is kept
        submit = reader.texts("portal.use_card") if keeps else reader.texts("form.submit", amount=amount)
        return self._renderer.page(
            "fields.html",
            form_action=form_action(payment) if frame is None else "'self'",
            frame=frame,
            languages=offered_languages(self._renderer, visit, visit.part(FIELDS)),
            look=look,
            page=view,
            texts=view.texts,
            seller=view.seller,
            support_email=view.support_email,
            test_mode=view.test_mode,
            script=SCRIPT,
            fields=fields,
            keeps=keeps,
            heading=reader.texts("form.heading") if is_card else reader.texts("methods.heading_only", name=name),
            submit=own_words(look, visit.frame) or submit,
            language=fields_language(reader.texts),
            wallets=" ".join(wallets(payment, policy)),
            here=self._renderer.path(visit.part(FIELDS)),
            return_url=f"{self._runtime.public_url}{visit.path}",
        )
