"""The built-in processor of test mode: it decides by published test cards and scenarios, and moves no money.

It is a second party. What it was asked is kept in a store of its own, which survives this process and can disagree with
our books, as those of a real processor can. No card number is in it: a card is looked up and forgotten, and a number
that nobody published for testing is refused before that.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nicobar.clock import Clock
from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Mode
from nicobar.core.disputes.dispute import DisputeFacts
from nicobar.core.ids import ID_BYTES, object_id
from nicobar.core.payments.payment import Abandoned, Attempt, CardDetails, Outcome, Pending, Succeeded
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import RefundFailed, RefundOutcome, RefundPending, RefundSucceeded
from nicobar.core.simulator.bank_charge import (
    CARD,
    BankCharge,
    CustomerDecision,
    NewsItem,
    SimulatedNotice,
    SimulatedRefund,
    news_of_charge,
    news_of_refund,
    plan_notices,
)
from nicobar.core.simulator.simulated_scenario import SimulatedScenario, read_scenario
from nicobar.processors.base import CardInput, ChargeRequest, MethodInput, Notice, RefundRequest, SimulatedCharge
from nicobar.processors.simulator.cards import CHALLENGE_PATH, charge_card, describe
from nicobar.processors.simulator.methods import CODE_BITS, RUNNABLE, charge_method, check, declined
from nicobar.processors.simulator.notices import SignedNotice, read_signed_notice, sign_notice
from nicobar.processors.simulator.store import SimulatorStore
from nicobar.reference import failures

SILENCE_SECONDS: Final = 60.0
"""How long a charge that gets no answer is kept waiting; whoever asked has given up by then."""

NOTICE_WAIT_SECONDS: Final = 10.0
"""How long an answer waits for the notice that is to come before it; they are sent every five seconds."""

KEPT_FOR: Final = timedelta(days=365)
"""How long the simulator remembers a charge."""

_BATCH: Final = 100
_RESEND_AFTER: Final = timedelta(seconds=30)
_PURGED_AT_ONCE: Final = 1000


class Simulator:
    """Charges published test cards and plays the other methods, each with its documented outcome."""

    name: Final = "simulator"
    account: Final = ""
    modes: Final[frozenset[Mode]] = frozenset({"test"})
    methods: Final[frozenset[str]] = RUNNABLE

    def __init__(self, clock: Clock, public_url: str, store: SimulatorStore) -> None:
        self._clock = clock
        self._public_url = public_url
        self._store = store
        # It signs and checks in one process, so the key need not outlive it.
        self._secret = clock.random_bytes(32)

    def check(self, method: MethodInput) -> None:
        """Refuse what is no published test value, as InputRefused; KeyError for a type that is not run here."""
        check(method)

    def describe(self, card: CardInput, now: datetime) -> CardDetails:
        """Return what may be kept of a test card. Raises CardRefused for any other card."""
        return describe(card, now)

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Take the charge, once for its attempt id, and return its state.

        Raises ValueError when an attempt id comes back with another amount, InputRefused for an input that nobody
        published, KeyError for a type that is not run here, and what the scenario asks for.
        """
        now = self._now(request.business_id)
        try:
            charge = self._new_charge(request, _scenario(request), now)
        except Problem:
            return declined("INVALID_REQUEST", request.attempt_id)  # its creation should have been refused
        if isinstance(request.instrument, MethodInput):
            bits = self._clock.random_bits(CODE_BITS)
            charge = charge_method(request.instrument, request.email, charge, self._public_url, bits)
        else:
            charge = charge_card(request.instrument, request, charge, f"{self._public_url}{CHALLENGE_PATH}")
        scenario = charge.scenario
        await asyncio.sleep(scenario.latency.total_seconds())
        await _fail("before", scenario)
        placed = await self._store.place(charge, self._notices(charge, news_of_charge(charge, now, answered=True)))
        if placed is None:
            return declined("ORDER_CREATION_FAILED", charge.reference)
        if (placed.amount, placed.currency) != (charge.amount, charge.currency):
            raise ValueError(f"{request.attempt_id} was ordered before with another amount")
        await _fail("after", scenario)
        if scenario.notices == "first":
            await self._wait_for_notice(charge.attempt_id)
        return placed.as_of(self._now(placed.business_id)).outcome

    async def find(self, attempt: Attempt) -> Outcome | None:
        """Return what became of an attempt; None when it never arrived here, or was forgotten.

        Raises ValueError when it arrived with another amount.
        """
        charge = await self._store.charge(attempt.attempt_id)
        if charge is None:
            return None
        if (charge.amount, charge.currency) != (attempt.amount, attempt.currency):
            raise ValueError(f"{attempt.attempt_id} was ordered with another amount")
        return charge.as_of(self._now(charge.business_id)).outcome

    async def cancel(self, attempt: Attempt) -> Outcome | None:
        """End an attempt that waits for its customer, and refuse a charge that has not come yet."""
        if await self._store.cancel(attempt.attempt_id, self._clock.now()):
            return None
        charge = await self._store.charge(attempt.attempt_id)
        if charge is not None and charge.is_open(now := self._now(charge.business_id)):
            ended = charge.ended(Abandoned(charge.reference), now)
            await self._store.record_decision(ended, [], now)
        return await self.find(attempt)

    async def refund(self, request: RefundRequest) -> RefundOutcome:
        """Give money back, once for a refund id, and never more than was taken.

        Raises ValueError when a refund id comes back with another amount, and what the scenario asks for.
        """
        charge = await self._store.charge(request.attempt.attempt_id)
        now = self._clock.now() if charge is None else self._now(charge.business_id)
        if charge is None or not isinstance(charge.as_of(now).outcome, Succeeded):
            return RefundFailed("There is no such charge.")
        refund = _new_refund(request, charge.scenario, now)
        if charge.scenario.refund_answer == "drop_before" and await self._store.lose_refund(refund):
            raise ConnectionError("the request was lost on purpose")
        news = news_of_refund(refund, charge.scenario)
        stored = await self._store.give_back(refund, self._notices(charge, news))
        if stored is None:
            refused = RefundFailed("It is more than is left of the charge.", _refund_reference(refund.refund_id))
            refund = msgspec.structs.replace(refund, outcome=refused, later=None, later_at=None, returned_at=None)
            stored = await self._store.give_back(refund, [])
        if stored is None or (stored.attempt_id, stored.amount) != (refund.attempt_id, refund.amount):
            raise ValueError(f"{request.refund_id} was ordered before with another amount")
        if stored is refund and charge.scenario.refund_answer == "drop_after":
            raise ConnectionError("the answer was lost on purpose")
        return stored.as_of(now)

    async def find_refund(self, request: RefundRequest) -> RefundOutcome | None:
        """Return what became of a refund; None when no request for it has arrived.

        Raises ValueError when it arrived with another amount.
        """
        refund = await self._store.refund(request.refund_id)
        if refund is None:
            return None
        if (refund.attempt_id, refund.amount) != (request.attempt.attempt_id, request.amount):
            raise ValueError(f"{request.refund_id} was ordered with another amount")
        charge = await self._store.charge(refund.attempt_id)
        return refund.as_of(self._clock.now() if charge is None else self._now(charge.business_id))

    async def find_dispute(self, reference: str) -> DisputeFacts | None:
        """Return how a dispute stands; None when there is none with this id (yet)."""
        charge = await self._store.charge_behind(f"sim_{reference.removeprefix('simdp_')}")
        known = charge is not None and charge.dispute_reference == reference
        if charge is None or not known or charge.disputed_at is None:
            return None
        return charge.dispute(
            self._now(charge.business_id), await self._store.given_back(charge.attempt_id, charge.disputed_at)
        )

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """Return what a notice is about. Raises NoticeRefused for one that this simulator has not signed."""
        return read_signed_notice(headers, body, self._secret, self._clock.now())

    async def notices_due(self, reckoning: Reckoning) -> list[SignedNotice]:
        """Return notices that have to be sent now; those that nobody reports as `sent` come again."""
        now = self._clock.now()
        notices = await self._store.claim_notices(reckoning, _RESEND_AFTER, _BATCH)
        return [sign_notice(notice, self._secret, now) for notice in notices]

    async def sent(self, notice_id: str) -> None:
        """Note that a notice was taken."""
        await self._store.mark_sent(notice_id, self._clock.now())

    async def purge(self) -> None:
        """Delete what is older than `KEPT_FOR`, some of it at a time."""
        await self._store.purge(self._clock.now() - KEPT_FOR, _PURGED_AT_ONCE)

    async def challenge(self, reference: str) -> BankCharge | None:
        """Return the card charge whose challenge page this reference opens, as it is now; None for none."""
        charge = await self._asked(reference)
        return charge if charge is not None and charge.type == CARD else None

    async def method_charge(self, reference: str) -> BankCharge | None:
        """Return the charge of another method whose page this reference opens, as it is now; None for none."""
        charge = await self._asked(reference)
        return charge if charge is not None and charge.type != CARD else None

    async def decide(self, reference: str, answer: CustomerDecision) -> None:
        """End a charge by the customer's answer. One that is decided, too old or unknown stays as it is."""
        charge = await self._asked(reference)
        if charge is None or not charge.is_open(now := self._now(charge.business_id)):
            return
        end = charge.choices[answer]
        decided = charge.ending(end, now) if answer == "approve" else charge.ended(end, now)
        await self._store.record_decision(
            decided, self._notices(decided, news_of_charge(decided, now, answered=False)), now
        )

    def _now(self, business_id: str) -> datetime:
        """Return the time of a business's test mode: the bank lives in it, but for its signatures."""
        return self._store.now(business_id, self._clock.now())

    async def _asked(self, reference: str) -> BankCharge | None:
        charge = await self._store.charge_behind(reference)
        return None if charge is None or charge.decide_until is None else charge.as_of(self._now(charge.business_id))

    def _new_charge(self, request: ChargeRequest, scenario: SimulatedScenario, now: datetime) -> BankCharge:
        reference = object_id("sim", now, self._clock.random_bytes(ID_BYTES))
        return BankCharge(
            attempt_id=request.attempt_id,
            reference=reference,
            business_id=request.business_id,
            payment_id=request.payment_id,
            type=request.instrument.type if isinstance(request.instrument, MethodInput) else CARD,
            amount=request.amount,
            currency=request.currency,
            return_url=request.return_url,
            outcome=Pending(reference),
            scenario=scenario,
            created_at=now,
        )

    def _notices(self, charge: BankCharge, news: list[NewsItem]) -> list[SimulatedNotice]:
        now = self._now(charge.business_id)
        ids = [object_id("simnt", now, self._clock.random_bytes(ID_BYTES)) for _ in news]
        return plan_notices(charge, news, ids)

    async def _wait_for_notice(self, attempt_id: str) -> None:
        try:
            async with asyncio.timeout(NOTICE_WAIT_SECONDS):
                while not await self._store.has_told(attempt_id):  # noqa: ASYNC110 - another process may send it
                    await asyncio.sleep(0.05)
        except TimeoutError:
            return


def _scenario(request: ChargeRequest) -> SimulatedScenario:
    """Return what is to go wrong: by the payment's metadata, or as somebody chose on the test panel."""
    if not isinstance(request.instrument, SimulatedCharge):
        if request.scenario is None:
            return SimulatedScenario()
        scenario = read_scenario(request.scenario, failures.CODES)
        return scenario if request.customer_present else scenario.for_renewal(request.renewal)
    match request.instrument.scenario:
        case "decline":
            return SimulatedScenario(decline=request.instrument.error_code or "GENERIC_DECLINE")
        case "challenge":
            return SimulatedScenario(challenge=True)
        case "lose_answer":
            return SimulatedScenario(answer="drop_after")
        case "pay":
            return SimulatedScenario()


async def _fail(when: str, scenario: SimulatedScenario) -> None:
    """Fail before or after the money has moved, if the scenario says so."""
    if scenario.answer == f"timeout_{when}":
        await asyncio.sleep(SILENCE_SECONDS)
        raise TimeoutError("no answer, on purpose")
    if scenario.answer == f"drop_{when}":
        raise ConnectionError("the connection was dropped on purpose")


def _refund_reference(refund_id: str) -> str:
    return f"simre_{refund_id}"


def _new_refund(request: RefundRequest, scenario: SimulatedScenario, now: datetime) -> SimulatedRefund:
    reference = _refund_reference(request.refund_id)
    end: RefundOutcome = RefundSucceeded(reference)
    if scenario.refund_fail:
        end = RefundFailed("The customer's bank does not take it.", reference)
    # A published card may have refunds that fail, whatever the words say: such a refund does not come back.
    pending, bounce = scenario.refund_pending, None if scenario.refund_fail else scenario.refund_bounce
    return SimulatedRefund(
        refund_id=request.refund_id,
        attempt_id=request.attempt.attempt_id,
        amount=request.amount,
        outcome=end if pending is None else RefundPending(reference),
        later=None if pending is None else end,
        later_at=None if pending is None else now + pending,
        returned_at=None if bounce is None else now + (pending or timedelta()) + bounce,
        created_at=now,
    )
