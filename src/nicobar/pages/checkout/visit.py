"""One request to a payment link: everything that its page shows, loaded before anything is decided."""

from datetime import datetime
from typing import NamedTuple

from starlette.requests import Request

from nicobar.core.payments.methods import Decision
from nicobar.core.payments.paying import is_payable
from nicobar.core.payments.payment import NeedsAction, Payment, Pending
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.pricing.offer_methods import offer_methods
from nicobar.flows.runtime import Runtime
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.entry.links import find_link
from nicobar.pages.frame.embedding import Frame, frame_of
from nicobar.pages.methods.saved_methods import proven_methods
from nicobar.pages.texts.language import asked_language, reader_of, with_language
from nicobar.pages.texts.texts import Reader
from nicobar.processors.accounts.registry import processor_for
from nicobar.processors.base import Processor
from nicobar.storage.payments.attempts import live_attempt
from nicobar.storage.payments.hosted_pages import PageFacts, page_facts
from nicobar.storage.payments.payments import get_payment


class Visit(NamedTuple):
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
    decisions: list[Decision]
    """Which ways to pay are offered; empty for a payment that nobody can pay (any more)."""
    pending: Pending | None
    """What the processor said of a payment that it has accepted and not ended."""
    processor: Processor | None
    """Who would charge it; None when nobody can."""
    blocked: frozenset[str]
    """Countries that the seller does not sell to."""
    asked: str | None
    """The language that the address asks for, which stays in it."""

    @property
    def path(self) -> str:
        """Where a form leads back to: the same page in its next state."""
        link_id = self.payment.link_id
        return with_language(f"/{link_id}" if self.frame is None else self.frame.path(link_id), self.asked)

    @property
    def action(self) -> str:
        """Where the form that pays leads. It says so itself, because the page may also answer the form of a part."""
        return self._replace(frame=self.frame and self.frame.after(self.payment)).path

    def part(self, name: str) -> str:
        """Return where the form of a part of the page leads."""
        path, mark, query = self.action.partition("?")
        return f"{path}/{name}{mark}{query}"


async def load_visit(runtime: Runtime, limits: PageLimits, request: Request) -> Visit:
    """Load everything that a page shows. Raises Problem as `find_link` does.

    A payment that is under way is asked about first, so that nobody waits for the background sweep alone.
    """
    payment = await find_link(runtime, limits, request)
    fresh = True
    if payment.status in ("processing", "requires_customer_action"):
        fresh = await resolve_attempt(runtime, payment.tenant, payment.payment_id, came_back=True)
    async with runtime.database.read() as read:
        payment = await get_payment(read, payment.tenant, payment.payment_id) or payment
        facts = await page_facts(read, payment)
        attempt = await live_attempt(read, payment.tenant, payment.payment_id)
    outcome = None if attempt is None else attempt.outcome
    now = runtime.clock.now()
    decisions = await offer_methods(runtime, payment) if is_payable(payment, now) else []
    policy = await load_policy(runtime, payment.tenant)
    frame = request.state.frame = await frame_of(runtime, request, payment)
    return Visit(
        payment,
        facts,
        reader_of(request, facts.preferred_locale),
        now,
        outcome.url if isinstance(outcome, NeedsAction) else None,
        fresh,
        await proven_methods(runtime, request, payment, decisions, now),
        frame,
        decisions,
        outcome if isinstance(outcome, Pending) else None,
        processor_for(find_processors(runtime, policy), payment.mode),
        policy.settings.blocked_countries,
        asked_language(request),
    )
