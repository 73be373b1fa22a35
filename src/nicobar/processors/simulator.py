"""The built-in processor of test mode: it decides by published test cards and moves no money.

What it was asked is remembered in this process only, for the newest `REMEMBERED` attempts. No card number is among
it: a card is looked up and forgotten, and a number that nobody published for testing is refused before that.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Final

import msgspec

from nicobar.clock import Clock
from nicobar.core.dispute import DisputeFacts
from nicobar.core.ids import RANDOM_BITS, object_id
from nicobar.core.payment import Attempt, CardDetails, Declined, KeptCard, NeedsAction, Outcome, Succeeded
from nicobar.core.refund import RefundOutcome, RefundSucceeded
from nicobar.core.saved_method import SavedMethod
from nicobar.core.tenant import Mode
from nicobar.core.three_ds import VERSION, ThreeDs, authenticated, failed
from nicobar.processors.base import (
    CardInput,
    CardRefused,
    ChargeRequest,
    MethodInput,
    Notice,
    NoticeRefused,
    RefundRequest,
    Rehearsal,
)
from nicobar.processors.simulator_methods import RUNNABLE, SimulatedMethods, check
from nicobar.reference import cards, failures

REMEMBERED: Final = 10_000
"""Charges that the simulator keeps in memory; the oldest is forgotten first."""

CHALLENGE_LIFETIME: Final = timedelta(minutes=15)
"""How long a customer may take over the confirmation of the simulated bank."""

CHALLENGE_PATH: Final = "/simulator/challenge"
"""Where the simulated bank's page stands below the public address; the charge's reference follows."""

AUTHENTICATION_FAILED: Final = "AUTHENTICATION_FAILURE"


class SimulatedCharge(msgspec.Struct, frozen=True):
    """One remembered order and where it stands."""

    reference: str
    """The simulator's own id of the charge, unguessable: it opens the challenge page."""
    amount: int
    """Minor units of `currency`."""
    currency: str
    outcome: Outcome
    return_url: str
    after_challenge: Outcome | None
    """What follows when the customer confirms; None for a charge without a challenge."""
    refusal: str
    """Failure code for a customer who does not confirm."""
    challenge_until: datetime

    def is_open(self, now: datetime) -> bool:
        """Say whether the customer may still answer the challenge."""
        return isinstance(self.outcome, NeedsAction) and now < self.challenge_until


class Simulator:
    """Charges published test cards, each with its documented outcome."""

    name: Final = "simulator"
    modes: Final[frozenset[Mode]] = frozenset({"test"})
    methods: Final[frozenset[str]] = RUNNABLE

    def __init__(self, clock: Clock, public_url: str) -> None:
        self._clock = clock
        self._public_url = public_url
        self._charges: OrderedDict[str, SimulatedCharge] = OrderedDict()
        self._attempts: dict[str, str] = {}
        self.others = SimulatedMethods(clock, public_url)
        """Every method that is not a card."""

    def check(self, method: MethodInput) -> None:
        """Refuse what is no published test value, as InputRefused; KeyError for a type that is not run here."""
        check(method)

    def describe(self, card: CardInput, now: datetime) -> CardDetails:
        """Return what may be kept of a test card. Raises CardRefused for any other card."""
        known = cards.by_number(card.number)
        if known is None:
            raise CardRefused("number", "not_a_test_card")
        if (card.exp_year, card.exp_month) < (now.year, now.month):
            raise CardRefused("expiry", "expiry_past")
        if len(card.cvc) != known.cvc_length:
            raise CardRefused("cvc", "cvc_four_digits" if known.cvc_length == 4 else "cvc_three_digits")
        return CardDetails(
            last_four=known.number[-4:],
            network=known.brand,
            funding=known.funding,
            issuing_country=known.country,
            holder_name=card.holder_name,
            exp_month=f"{card.exp_month:02}",
            exp_year=f"{card.exp_year:04}",
        )

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Return the card's documented outcome; the same attempt id gets the same answer again.

        Raises ValueError when an attempt id comes back with another amount, and CardRefused for an unknown card.
        """
        if isinstance(request.card, MethodInput):
            return self.others.charge(request.card, request)
        earlier = self._charges.get(request.attempt_id)
        if earlier is not None:
            if (earlier.amount, earlier.currency) != (request.amount, request.currency):
                raise ValueError(f"{request.attempt_id} was ordered before with another amount")
            return earlier.outcome
        card = _known_card(request.card)
        if card is None:
            raise CardRefused("number", "not_a_test_card")
        now = self._clock.now()
        reference = object_id("sim", now, self._clock.random_bits(RANDOM_BITS))
        outcome, after_challenge = self._decide(card, request, reference, now)
        self._remember(
            request.attempt_id,
            SimulatedCharge(
                reference=reference,
                amount=request.amount,
                currency=request.currency,
                outcome=outcome,
                return_url=request.return_url,
                after_challenge=after_challenge,
                refusal=card.error_code if card.outcome == "challenge" and card.error_code else AUTHENTICATION_FAILED,
                challenge_until=now + CHALLENGE_LIFETIME,
            ),
        )
        if isinstance(request.card, Rehearsal) and request.card.scenario == "lose_answer":
            raise ConnectionError("the answer was lost on purpose")
        return outcome

    async def find(self, attempt: Attempt) -> Outcome | None:
        """Return what became of an attempt; None when it never arrived here, or was forgotten."""
        attempt_id = attempt.attempt_id
        charge = self._charges.get(attempt_id)
        if charge is None:
            return self.others.find(attempt_id)
        if isinstance(charge.outcome, NeedsAction) and self._clock.now() >= charge.challenge_until:
            unanswered = _declined("AUTHENTICATION_TIMEOUT", charge.reference, failed(charge.outcome.three_ds))
            charge = self._settle(attempt_id, unanswered)
        return charge.outcome

    async def close(self, attempt: Attempt) -> Outcome | None:
        """End an attempt that waits for its customer."""
        return await self.find(attempt)

    async def refund(self, request: RefundRequest) -> RefundOutcome:
        """Give money back, at once."""
        return RefundSucceeded(f"simre_{request.refund_id}")

    async def find_refund(self, request: RefundRequest) -> RefundOutcome | None:
        """Return what became of a refund."""
        return RefundSucceeded(f"simre_{request.refund_id}")

    async def find_dispute(self, reference: str) -> DisputeFacts | None:
        """Return None: nobody disputes."""
        return None

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """Refuse everything: the simulator sends no notices."""
        raise NoticeRefused("the simulator sends none")

    def challenge(self, reference: str) -> SimulatedCharge | None:
        """Return the charge whose challenge page this reference opens, None when there is none (any more)."""
        attempt_id = self._attempts.get(reference)
        charge = None if attempt_id is None else self._charges[attempt_id]
        return charge if charge is not None and charge.after_challenge is not None else None

    def answer_challenge(self, reference: str, *, confirmed: bool) -> None:
        """Settle a challenge by the customer's answer. One that is settled, too old or unknown stays as it is."""
        charge = self.challenge(reference)
        if charge is None or charge.after_challenge is None or not charge.is_open(self._clock.now()):
            return
        three_ds = charge.outcome.three_ds if isinstance(charge.outcome, NeedsAction) else None
        refused = _declined(charge.refusal, reference, failed(three_ds))
        self._settle(self._attempts[reference], charge.after_challenge if confirmed else refused)

    def _decide(
        self, card: cards.TestCard, request: ChargeRequest, reference: str, now: datetime
    ) -> tuple[Outcome, Outcome | None]:
        """Return the outcome of the charge and, for a challenge, what follows when the customer confirms."""
        if isinstance(request.card, SavedMethod) and request.card.is_expired(now):
            return _declined("EXPIRED_CARD", reference), None
        renewal = not request.customer_present  # the nearest that this server has to one
        if card.outcome == "decline" or (renewal and card.outcome == "succeed_renewals_fail"):
            return _declined(card.error_code, reference), None
        kept = _kept(card) if request.keep_card else None
        if not _challenges(card, request):
            return Succeeded(reference, _unchallenged(card, request), kept), None
        if not request.customer_present:
            return _declined("AUTHENTICATION_REQUIRED", reference), None
        passed = authenticated("challenge")
        declines = card.outcome == "challenge_then_decline"
        after = _declined(card.error_code, reference, passed) if declines else Succeeded(reference, passed, kept)
        url = f"{self._public_url}{CHALLENGE_PATH}/{reference}"
        return NeedsAction(reference, url, ThreeDs("challenge", version=VERSION)), after

    def _remember(self, attempt_id: str, charge: SimulatedCharge) -> None:
        self._charges[attempt_id] = charge
        self._attempts[charge.reference] = attempt_id
        while len(self._charges) > REMEMBERED:
            _, forgotten = self._charges.popitem(last=False)
            del self._attempts[forgotten.reference]

    def _settle(self, attempt_id: str, outcome: Outcome) -> SimulatedCharge:
        charge = msgspec.structs.replace(self._charges[attempt_id], outcome=outcome)
        self._charges[attempt_id] = charge
        return charge


def _challenges(card: cards.TestCard, request: ChargeRequest) -> bool:
    """Say whether the card's bank asks the cardholder.

    It always does for some cards, whatever the merchant wishes. For cards that support 3-D Secure without a challenge
    it does when the merchant insists.
    """
    return card.three_ds == "challenge" or (card.three_ds == "frictionless" and request.force_3ds is True)


def _unchallenged(card: cards.TestCard, request: ChargeRequest) -> ThreeDs | None:
    """Return the authentication of a charge that goes through without a challenge."""
    if card.three_ds == "frictionless":
        return ThreeDs(status="exempted") if request.force_3ds is False else authenticated("frictionless")
    return ThreeDs(status="not_supported") if request.force_3ds else None


def _known_card(card: CardInput | SavedMethod | Rehearsal) -> cards.TestCard | None:
    """Return the test card that was typed, or that a token of ours stands for; a rehearsal changes how it ends."""
    if isinstance(card, Rehearsal):
        known = cards.by_number(card.card.number)
        return None if known is None else _rehearsed(known, card)
    return _by_token().get(card.token) if isinstance(card, SavedMethod) else cards.by_number(card.number)


def _rehearsed(card: cards.TestCard, rehearsal: Rehearsal) -> cards.TestCard:
    if rehearsal.scenario == "decline":
        return msgspec.structs.replace(card, outcome="decline", error_code=rehearsal.error_code)
    if rehearsal.scenario == "challenge":
        return msgspec.structs.replace(card, outcome="challenge", three_ds="challenge", error_code=None)
    return card


def _kept(card: cards.TestCard) -> KeptCard:
    token = _token(card)
    return KeptCard(token, token)


def _token(card: cards.TestCard) -> str:
    """Return the token of a test card.

    It is a hash, so that it holds across restarts without a list of what was kept. A hash of a real card number could
    be found out by trying numbers; these were published.
    """
    return f"simcard_{hashlib.sha256(f'nicobar simulator: {card.number}'.encode()).hexdigest()[:32]}"


@cache
def _by_token() -> dict[str, cards.TestCard]:
    return {_token(card): card for card in cards.ALL}


def _declined(code: str | None, reference: str, three_ds: ThreeDs | None = None) -> Declined:
    """Return the refusal with the merchant's sentences for its code."""
    failure = failures.get(code or "GENERIC_DECLINE")
    return Declined(failure.code, failure.error_message, reference, three_ds)
