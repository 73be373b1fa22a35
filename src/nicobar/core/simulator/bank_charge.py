"""What the simulated bank of test mode knows: its charges, its refunds, and the notices that it has to send.

Time decides most of it: a record holds what will become of it by itself and when, so nothing has to run for that, and
the same question at the same moment has the same answer.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from nicobar.core.disputes.dispute import DisputeFacts, DisputeStatus
from nicobar.core.payments.payment import NeedsAction, Outcome, Pending, Succeeded
from nicobar.core.refunds.refund import RefundFailed, RefundOutcome, RefundSucceeded
from nicobar.core.simulator.simulated_scenario import SimulatedScenario, chance

CustomerDecision = Literal["approve", "fail", "cancel"]
"""What a customer can decide on a page of the simulator."""

CARD: Final = "card"
"""The type of a charge that a card pays."""


def dispute_reference(charge_reference: str) -> str:
    """Return the simulator's own id of the dispute about the charge with this id, whether there is one or not."""
    return f"simdp_{charge_reference.partition('_')[2]}"


class BankCharge(msgspec.Struct, frozen=True, kw_only=True):
    """The bank's record of one charge, and its state."""

    attempt_id: str
    """The idempotency key of the charge."""
    reference: str
    """The simulator's own id of the charge, unguessable: it opens the charge's pages."""
    business_id: str
    """Whom the notices about the charge go to."""
    payment_id: str
    """What the seller calls the purchase."""
    type: str
    """`CARD`, or a payment method type."""
    amount: int
    """Minor units of `currency`."""
    currency: str
    return_url: str
    outcome: Outcome
    choices: dict[CustomerDecision, Outcome] = {}
    """What follows each answer of the customer; nothing when nobody is asked (any more)."""
    decide_until: datetime | None = None
    """Until when the customer may decide; None for a charge that nobody ever decides about."""
    later: Outcome | None = None
    """What becomes of the charge by itself."""
    later_at: datetime | None = None
    taken_at: datetime | None = None
    """When the money is taken, which may lie ahead; None when it is not."""
    scenario: SimulatedScenario
    created_at: datetime

    def as_of(self, now: datetime) -> "BankCharge":
        """Return the charge as of a moment."""
        if self.later is None or self.later_at is None or now < self.later_at:
            return self
        return msgspec.structs.replace(self, outcome=self.later, choices={}, later=None, later_at=None)

    def is_open(self, now: datetime) -> bool:
        """Return whether the customer may still decide."""
        standing = self.as_of(now)
        waiting = bool(standing.choices) and isinstance(standing.outcome, NeedsAction | Pending)
        return waiting and self.decide_until is not None and now < self.decide_until

    def ending(self, end: Outcome, at: datetime) -> "BankCharge":
        """Return the charge with its end, which the scenario may put off: it is pending until then."""
        if self.scenario.late is not None:
            return self._decided(Pending(self.reference), later=end, later_at=at + self.scenario.late)
        return self.ended(end, at)

    def ended(self, end: Outcome, at: datetime) -> "BankCharge":
        """Return the charge with its end, as of now."""
        return self._decided(end, taken_at=at if isinstance(end, Succeeded) else None)

    def waiting(
        self, first: Outcome, choices: dict[CustomerDecision, Outcome], later: Outcome | None, later_at: datetime | None
    ) -> "BankCharge":
        """Return the charge while it waits for an answer, or for its time."""
        return self._decided(first, choices=choices, later=later, later_at=later_at)

    def _decided(
        self,
        outcome: Outcome,
        *,
        choices: dict[CustomerDecision, Outcome] | None = None,
        later: Outcome | None = None,
        later_at: datetime | None = None,
        taken_at: datetime | None = None,
    ) -> "BankCharge":
        return msgspec.structs.replace(
            self,
            outcome=outcome,
            choices=choices or {},
            later=later,
            later_at=later_at,
            taken_at=later_at if isinstance(later, Succeeded) else taken_at,
        )

    @property
    def dispute_reference(self) -> str:
        """The simulator's own id of the dispute that the charge leads to, if it does."""
        return dispute_reference(self.reference)

    @property
    def disputed_at(self) -> datetime | None:
        """When the charge is disputed, which may lie ahead."""
        after = self.scenario.dispute_after
        return None if self.taken_at is None or after is None else self.taken_at + after

    def dispute(self, now: datetime, given_back: int) -> DisputeFacts | None:
        """Return how the dispute about the charge stands, None when there is none (yet).

        `given_back` is what refunds had given back when it was opened: the customer disputes only the rest, and
        nothing when there is none, unless the scenario wants the whole.
        """
        opened_at, verdict = self.disputed_at, self.scenario.verdict
        amount = self.amount if self.scenario.dispute_whole else self.amount - given_back
        if opened_at is None or now < opened_at or amount <= 0:
            return None
        status: DisputeStatus = "dispute_opened"
        if verdict is not None and now >= opened_at + self.scenario.verdict_after:
            status = msgspec.convert(f"dispute_{verdict}", DisputeStatus)
        return DisputeFacts(
            reference=self.dispute_reference,
            attempt_id=self.attempt_id,
            amount=amount,
            currency=self.currency,
            stage="dispute",
            status=status,
            reason=self.scenario.dispute_reason,
            opened_at=opened_at,
        )


class SimulatedRefund(msgspec.Struct, frozen=True, kw_only=True):
    """The bank's record of one refund, and its state."""

    refund_id: str
    """The idempotency key of the refund."""
    attempt_id: str
    amount: int
    """Minor units of the charge's currency."""
    outcome: RefundOutcome
    later: RefundOutcome | None = None
    """What becomes of the refund by itself."""
    later_at: datetime | None = None
    returned_at: datetime | None = None
    """When the money comes back, which may lie ahead; None when the customer keeps it."""
    created_at: datetime

    def as_of(self, now: datetime) -> RefundOutcome:
        """Return what can be said of the refund at a moment."""
        if self.returned_at is not None and now >= self.returned_at:
            return RefundFailed("The customer's bank has sent it back.", getattr(self.outcome, "reference", None))
        due = self.later is not None and self.later_at is not None and now >= self.later_at
        return self.later if due and self.later is not None else self.outcome

    @property
    def given_at(self) -> datetime | None:
        """When the money goes back, which may lie ahead; None when it does not."""
        if isinstance(self.later, RefundSucceeded):
            return self.later_at
        return self.created_at if isinstance(self.outcome, RefundSucceeded) else None


class SimulatedNotice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice that the simulator sends, at least once."""

    notice_id: str
    attempt_id: str
    """The charge that it belongs to."""
    business_id: str
    subject: Literal["attempt", "refund", "dispute"]
    reference: str
    """The id of the attempt or the refund, or the simulator's own id of the dispute."""
    due_at: datetime
    copies: int = 1
    """How often it is sent, with the same id."""


class NewsItem(msgspec.Struct, frozen=True):
    """Something that the seller has to be notified of."""

    subject: Literal["attempt", "refund", "dispute"]
    reference: str
    at: datetime


def news_of_charge(charge: BankCharge, now: datetime, *, answered: bool) -> list[NewsItem]:
    """Return what there is to tell about a charge that has just changed.

    `answered` says that the seller hears its present outcome as an answer. That is sent again only when the scenario
    asks for something about the notices; what comes later is always sent.
    """
    items = []
    if not answered or charge.scenario.notices is not None or charge.scenario.notice_late:
        items.append(NewsItem("attempt", charge.attempt_id, now))
    if charge.later_at is not None:
        items.append(NewsItem("attempt", charge.attempt_id, charge.later_at))
    opened_at = charge.disputed_at
    if opened_at is not None:
        items.append(NewsItem("dispute", charge.dispute_reference, opened_at))
        if charge.scenario.verdict is not None:
            items.append(NewsItem("dispute", charge.dispute_reference, opened_at + charge.scenario.verdict_after))
    return items


def news_of_refund(refund: SimulatedRefund, scenario: SimulatedScenario) -> list[NewsItem]:
    """Return what there is to tell about a new refund, as `news_of_charge` does with an answer."""
    items = []
    if scenario.notices is not None or scenario.notice_late:
        items.append(NewsItem("refund", refund.refund_id, refund.created_at))
    turns = (refund.later_at, refund.returned_at)
    return items + [NewsItem("refund", refund.refund_id, at) for at in turns if at is not None]


def plan_notices(charge: BankCharge, news: list[NewsItem], ids: list[str]) -> list[SimulatedNotice]:
    """Turn news into notices, as the charge's scenario has it; `ids` has an id for each item.

    Nothing is sent before it is true. Shuffled notices wait for the last one, and come in an order by the seed.
    """
    scenario = charge.scenario
    if scenario.notices == "lost" or not news:
        return []
    due = [item.at for item in news]
    if scenario.notices == "shuffled":
        drawn = sorted(range(len(news)), key=lambda index: chance(scenario.seed, f"notice {index}", 2**32))
        due = [max(due) + timedelta(seconds=drawn.index(index)) for index in range(len(news))]
    return [
        SimulatedNotice(
            notice_id=notice_id,
            attempt_id=charge.attempt_id,
            business_id=charge.business_id,
            subject=item.subject,
            reference=item.reference,
            due_at=moment + scenario.notice_late,
            copies=2 if scenario.notices == "twice" else 1,
        )
        for notice_id, item, moment in zip(ids, news, due, strict=True)
    ]
