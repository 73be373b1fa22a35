"""The simulator's half for cards: published test cards, each with its documented outcome.

A card is looked up and forgotten; what is kept is how its charge ends.
"""

import hashlib
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import msgspec

from nicobar.core.payments.payment import CardDetails, KeptCard, NeedsAction, Succeeded
from nicobar.core.payments.saved_method import SavedMethod, last_day
from nicobar.core.payments.three_ds import VERSION, ThreeDs, authenticated, failed
from nicobar.core.simulator.bank_charge import BankCharge
from nicobar.core.simulator.simulated_scenario import SimulatedScenario
from nicobar.processors.base import CardInput, CardRefused, ChargeRequest, SimulatedCharge
from nicobar.processors.simulator.methods import SOON, declined
from nicobar.reference import cards

CHALLENGE_LIFETIME: Final = timedelta(minutes=15)
"""How long a customer may take over the confirmation of the simulated bank."""

CHALLENGE_PATH: Final = "/simulator/challenge"
"""The path of the simulated bank's page below the public address; the charge's reference follows."""

AUTHENTICATION_FAILED: Final = "AUTHENTICATION_FAILURE"

_LATER: Final[dict[str, dict[str, Any]]] = {
    "succeed_then_dispute": {"dispute_after": SOON},
    "succeed_refund_pending": {"refund_pending": SOON},
    "succeed_refund_fails": {"refund_pending": SOON, "refund_fail": True},
}
"""Outcomes of cards that show after the charge, in the words of a scenario."""

_REASONS: Final = {"4000000000002685": "product_not_received"}
"""Why the charge of a card is disputed, where that is not fraud."""


def describe(card: CardInput, now: datetime) -> CardDetails:
    """Return what may be kept of a test card. Raises CardRefused for any other card."""
    known = cards.by_number(card.number)
    if known is None:
        raise CardRefused("number", "not_a_test_card")
    today = last_day(now)
    if (card.exp_year, card.exp_month) < (today.year, today.month):
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


def charge_card(
    card: CardInput | SavedMethod | SimulatedCharge, request: ChargeRequest, charge: BankCharge, page_url: str
) -> BankCharge:
    """Return what a new charge becomes by its card and its scenario; `page_url` is where the bank's page stands.

    Raises CardRefused for a card that nobody published.
    """
    known = _known_card(card)
    if known is None:
        raise CardRefused("number", "not_a_test_card")
    known, charge = _staged(known, charge)
    now, reference = charge.created_at, charge.reference
    new_card = _new_card(card, request, charge) if isinstance(card, SavedMethod) else None
    if isinstance(card, SavedMethod) and new_card is None and card.is_expired(now):
        return charge.ending(declined("EXPIRED_CARD", reference), now)
    renewal = not request.customer_present  # the nearest that this server has to one
    if known.outcome == "decline" or (renewal and known.outcome == "succeed_renewals_fail"):
        return charge.ending(declined(known.error_code, reference), now)
    kept = _kept(known) if request.keep_card else None
    if not _challenges(known, request):
        return charge.ending(Succeeded(reference, _unchallenged(known, request), kept, new_card), now)
    if renewal:
        return charge.ending(declined("AUTHENTICATION_REQUIRED", reference), now)
    passed, begun = authenticated("challenge"), ThreeDs("challenge", version=VERSION)
    refusal = known.error_code if known.outcome == "challenge" and known.error_code else AUTHENTICATION_FAILED
    refused = declined(refusal, reference, failed(begun))
    declines = known.outcome == "challenge_then_decline"
    after = declined(known.error_code, reference, passed) if declines else Succeeded(reference, passed, kept)
    return msgspec.structs.replace(
        charge.waiting(
            NeedsAction(reference, f"{page_url}/{reference}", begun),
            {"approve": after, "fail": refused, "cancel": refused},
            later=declined("AUTHENTICATION_TIMEOUT", reference, failed(begun)),
            later_at=now + CHALLENGE_LIFETIME,
        ),
        decide_until=now + CHALLENGE_LIFETIME,
    )


def _new_card(card: SavedMethod, request: ChargeRequest, charge: BankCharge) -> CardDetails | None:
    """Return the card that the bank has sent in place of the saved one; None for none.

    The token stands for the account, so the new card is charged by it, as the networks' updating services have it.
    """
    renewal = request.renewal
    if request.customer_present or renewal is None or renewal.number != charge.scenario.card_replaced:
        return None
    return msgspec.structs.replace(
        card.card,
        last_four=f"{(int(card.card.last_four) + 1) % 10_000:04}",
        exp_year=str(max(int(card.card.exp_year), charge.created_at.year) + 4),
    )


def _staged(card: cards.TestCard, charge: BankCharge) -> tuple[cards.TestCard, BankCharge]:
    """Let the scenario change the card, and the card what the scenario leaves open."""
    scenario, changes = charge.scenario, dict(_LATER.get(card.outcome, {}))
    if "dispute_after" in changes:
        changes["dispute_reason"] = _REASONS.get(card.number, "fraudulent")
    open_fields = {
        name: value for name, value in changes.items() if getattr(scenario, name) == getattr(SimulatedScenario(), name)
    }
    if scenario.challenge:
        card = msgspec.structs.replace(card, outcome="challenge", three_ds="challenge", error_code=None)
    if scenario.decline is not None:
        ending = "challenge_then_decline" if scenario.challenge else "decline"
        card = msgspec.structs.replace(card, outcome=ending, error_code=scenario.decline)
    return card, msgspec.structs.replace(charge, scenario=msgspec.structs.replace(scenario, **open_fields))


def _challenges(card: cards.TestCard, request: ChargeRequest) -> bool:
    """Return whether the card's bank asks the cardholder.

    It always does for some cards, whatever the merchant wishes. For cards that support 3-D Secure without a challenge
    it does when the merchant insists.
    """
    return card.three_ds == "challenge" or (card.three_ds == "frictionless" and request.force_3ds is True)


def _unchallenged(card: cards.TestCard, request: ChargeRequest) -> ThreeDs | None:
    """Return the authentication of a charge that goes through without a challenge."""
    if card.three_ds == "frictionless":
        return ThreeDs(status="exempted") if request.force_3ds is False else authenticated("frictionless")
    return ThreeDs(status="not_supported") if request.force_3ds else None


def _known_card(card: CardInput | SavedMethod | SimulatedCharge) -> cards.TestCard | None:
    """Return the test card that was typed, or that a token of ours stands for."""
    if isinstance(card, SavedMethod):
        return _by_token().get(card.token)
    return cards.by_number(card.card.number if isinstance(card, SimulatedCharge) else card.number)


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
