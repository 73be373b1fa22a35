"""One request to a payment link: everything that its page shows, loaded before anything is decided."""

from datetime import datetime
from typing import NamedTuple

from starlette.requests import Request

from nicobar.core.payments.methods import Decision
from nicobar.core.payments.paying import is_payable
from nicobar.core.payments.payment import Attempt, NeedsAction, Payment, Pending
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.sessions.checkout_session import SessionRequest
from nicobar.core.subscriptions.renewal import Renewal
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.pricing.offer_methods import offer_methods
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.foresee_renewals import foresee_renewals
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.entry.links import find_link
from nicobar.pages.frame.embedding import Frame, frame_of
from nicobar.pages.frame.renewals import renewal_views
from nicobar.pages.frame.view import RenewalView
from nicobar.pages.methods.saved_methods import proven_methods
from nicobar.pages.texts.language import asked_language, reader_of, with_language
from nicobar.pages.texts.texts import Reader
from nicobar.processors.accounts.registry import processor_for
from nicobar.processors.base import Processor
from nicobar.reference import methods
from nicobar.storage.belongings.hosted_page import HostedPage
from nicobar.storage.discounts.redemptions import own_codes
from nicobar.storage.payments.hosted_pages import PageFacts
from nicobar.storage.payments.payments import VersionedPayment, get_pricing
from nicobar.storage.subscriptions.subscriptions import get_subscription


class Visit(NamedTuple):
    """One request to a link: what is shown, and to whom."""

    versioned: VersionedPayment
    facts: PageFacts
    reader: Reader
    now: datetime
    attempt: Attempt | None
    """The attempt whose end is not known, if there is one."""
    fresh: bool
    """False when the processor might say something new, but was asked too often just now."""
    saved: list[SavedMethod]
    """Saved cards that this visitor has proved to own and may pay with."""
    frame: Frame | None
    """The frame on the seller's page that it is shown in; None for a page of its own."""
    decisions: list[Decision]
    """Which ways to pay in service are offered; empty for a payment that nobody can pay (any more)."""
    processor: Processor | None
    """Who would charge it; None when nobody can."""
    blocked: frozenset[str]
    """Countries that the seller does not sell to."""
    taxed: bool
    """Whether the seller's orders bear tax."""
    asked: str | None
    """The language that the address asks for, which stays in it."""
    session: SessionRequest | None
    """What the checkout session asked for that the payment was made of."""
    renewals: list[Renewal]
    """What comes after it, where it starts subscriptions."""

    @property
    def payment(self) -> Payment:
        """The payment itself."""
        return self.versioned.payment

    def renewal_views(self) -> list[RenewalView]:
        """Return what the page says of the subscriptions."""
        return renewal_views(self.renewals, self.payment, self.session, self.facts.seller, self.reader)

    @property
    def action_url(self) -> str | None:
        """Where the customer has to confirm first."""
        outcome = None if self.attempt is None else self.attempt.outcome
        return outcome.url if isinstance(outcome, NeedsAction) else None

    @property
    def pending(self) -> Pending | None:
        """What the processor said of a payment that it has accepted and not ended."""
        outcome = None if self.attempt is None else self.attempt.outcome
        return outcome if isinstance(outcome, Pending) else None

    @property
    def path(self) -> str:
        """Where a form leads back to: the same page in its next state."""
        return self._path_in(self.frame)

    @property
    def action(self) -> str:
        """Where the form that pays leads. It says so itself, because the page may also answer the form of a part."""
        return self._path_in(self.frame and self.frame.after(self.payment))

    def part(self, name: str) -> str:
        """Return where the form of a part of the page leads."""
        path, mark, query = self.action.partition("?")
        return f"{path}/{name}{mark}{query}"

    def _path_in(self, frame: Frame | None) -> str:
        link_id = self.payment.link_id
        return with_language(f"/{link_id}" if frame is None else frame.path(link_id), self.asked)


async def load_visit(runtime: Runtime, limits: PageLimits, request: Request) -> Visit:
    """Load everything that a page shows. Raises Problem as `find_link` does.

    A payment that is under way is queried first, so that nobody waits for the background sweep alone. Only then is it
    read a second time: the answer may have changed it.
    """
    found, fresh = await find_link(runtime, limits, request), True
    if found.payment.status in ("processing", "requires_customer_action"):
        fresh = await resolve_attempt(runtime, found.payment.tenant, found.payment.payment_id, came_back=True)
        found = await find_link(runtime, limits, request)
    return await _visit(runtime, request, found, fresh=fresh)


async def visit_after(runtime: Runtime, request: Request, visit: Visit, payment: Payment) -> Visit:
    """Return the visit as it is after a change, which left `payment`."""
    # With the version that it had before the change: what begins must find it as it was read, and does not then.
    found = HostedPage(visit.versioned._replace(payment=payment), visit.facts, visit.attempt, visit.session)
    return await _visit(runtime, request, found, fresh=visit.fresh)


async def _visit(runtime: Runtime, request: Request, found: HostedPage, *, fresh: bool) -> Visit:
    payment, now = found.payment, runtime.now(found.payment.tenant)
    decisions = await offer_methods(runtime, payment, methods.offered()) if is_payable(payment, now) else []
    policy = await load_policy(runtime, payment.tenant)
    processor = processor_for(find_processors(runtime, policy), payment.mode)
    forced = None if found.session is None else found.session.customization.force_language
    frame = request.state.frame = await frame_of(runtime, request, payment.tenant)
    return Visit(
        versioned=found.versioned,
        facts=found.facts,
        reader=reader_of(request, found.facts.preferred_locale, forced),
        now=now,
        attempt=found.attempt,
        fresh=fresh,
        saved=await proven_methods(runtime, request, payment, decisions, processor, runtime.real_now()),
        frame=frame,
        decisions=decisions,
        processor=processor,
        blocked=policy.settings.blocked_countries,
        taxed=policy.settings.tax != "off",
        asked=asked_language(request),
        session=found.session,
        renewals=await _renewals(runtime, payment) if payment.options.starts else [],
    )


async def _renewals(runtime: Runtime, payment: Payment) -> list[Renewal]:
    """Foresee what the subscriptions that a payment starts will cost."""
    async with runtime.database.snapshot() as read:
        inputs = await get_pricing(read, payment.tenant, payment.payment_id)
        found = [await get_subscription(read, payment.tenant, each) for each in payment.options.starts]
        codes = await own_codes(read, payment.tenant, payment.payment_id)
    if inputs is None:
        return []
    subscriptions = [each for each in found if each is not None]
    return await foresee_renewals(runtime, payment, inputs, subscriptions, codes)
