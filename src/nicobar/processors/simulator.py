"""The built-in processor of test mode: it decides by published test cards and moves no money.

What it was asked is remembered in this process only, for the newest `REMEMBERED` attempts. No card number is among
it: a card is looked up and forgotten, and a number that nobody published for testing is refused before that.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nicobar.clock import Clock
from nicobar.core.ids import RANDOM_BITS, object_id
from nicobar.core.payment import CardDetails, Declined, NeedsAction, Outcome, Succeeded
from nicobar.core.tenant import Mode
from nicobar.processors.base import CardInput, CardRefused, ChargeRequest
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

    def __init__(self, clock: Clock, public_url: str) -> None:
        self._clock = clock
        self._public_url = public_url
        self._charges: OrderedDict[str, SimulatedCharge] = OrderedDict()
        self._attempts: dict[str, str] = {}

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
        earlier = self._charges.get(request.attempt_id)
        if earlier is not None:
            if (earlier.amount, earlier.currency) != (request.amount, request.currency):
                raise ValueError(f"{request.attempt_id} was ordered before with another amount")
            return earlier.outcome
        card = cards.by_number(request.card.number)
        if card is None:
            raise CardRefused("number", "not_a_test_card")
        now = self._clock.now()
        reference = object_id("sim", now, self._clock.random_bits(RANDOM_BITS))
        outcome, after_challenge = self._decide(card, reference)
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
        return outcome

    async def find(self, attempt_id: str) -> Outcome | None:
        """Return what became of an attempt; None when it never arrived here, or was forgotten."""
        charge = self._charges.get(attempt_id)
        if charge is None:
            return None
        if isinstance(charge.outcome, NeedsAction) and self._clock.now() >= charge.challenge_until:
            charge = self._settle(attempt_id, _declined("AUTHENTICATION_TIMEOUT", charge.reference))
        return charge.outcome

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
        outcome = charge.after_challenge if confirmed else _declined(charge.refusal, reference)
        self._settle(self._attempts[reference], outcome)

    def _decide(self, card: cards.TestCard, reference: str) -> tuple[Outcome, Outcome | None]:
        """Return the outcome of the charge and, for a challenge, what follows when the customer confirms."""
        if card.outcome == "decline":
            return _declined(card.error_code, reference), None
        if card.three_ds == "challenge":
            refused = card.outcome == "challenge_then_decline"
            after = _declined(card.error_code, reference) if refused else Succeeded(reference)
            return NeedsAction(reference, f"{self._public_url}{CHALLENGE_PATH}/{reference}"), after
        return Succeeded(reference), None

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


def _declined(code: str | None, reference: str) -> Declined:
    """Return the refusal with the merchant's sentences for its code."""
    failure = failures.get(code or "GENERIC_DECLINE")
    return Declined(failure.code, failure.error_message, reference)
