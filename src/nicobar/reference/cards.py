"""Published test card numbers with their outcomes, and the card networks by prefix.

Only numbers that a processor has published for testing are here, so the simulator never sees a real card: any number
for which `by_number` finds nothing is refused before it is used (contract: test mode, section 2).
"""

import re
from functools import cache
from typing import Final, Literal

import msgspec

from nicobar.reference.table import Confidence, load

CardOutcome = Literal[
    "succeed",
    "decline",
    "challenge",
    "challenge_then_decline",
    "succeed_then_dispute",
    "succeed_refund_pending",
    "succeed_refund_fails",
    "succeed_renewals_fail",
]
"""What a test card does.

`challenge` asks the buyer to authenticate and then succeeds, or fails with the card's error code when the buyer
refuses; `challenge_then_decline` declines even after it. The four that start with `succeed_` differ only later:
a dispute opens, a refund stays pending first, a refund fails, or renewals fail while the first payment succeeds.
"""


class TestCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `test_cards.csv`."""

    number: str
    """Digits only."""
    brand: str
    """Network name as in `card_networks.csv`; the co-brand, if any, is in the note."""
    funding: Literal["credit", "debit", "prepaid"]
    country: str
    """Issuing country, ISO 3166-1 alpha-2."""
    three_ds: Literal["none", "frictionless", "challenge"]
    """Which 3-D Secure flow the card takes on the hosted page."""
    outcome: CardOutcome
    cvc_length: int
    """Number of digits of the security code; any digits are accepted, and any expiry in the future."""
    passes_luhn: bool
    """False for the one number that is published to fail the check."""
    source: Literal["dodo_2026", "dodo_2025", "contract", "stripe"]
    """Who published the number with this outcome; `contract` numbers are Stripe's, adopted by the contract."""
    confidence: Confidence
    error_code: str | None = None
    """Failure code where the outcome has one: of the decline, of a refused challenge, or of the renewals."""
    note: str = ""


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `card_networks.csv`."""

    name: str
    """Lower-case name, as payments show it in `card_network`."""
    prefix: str
    """Regular expression for the start of a number."""
    lengths: tuple[int, ...]
    """Possible numbers of digits."""
    cvc_lengths: tuple[int, ...]
    """Possible lengths of the security code; 0 means that a card may have none."""
    grouping: str
    """How a number is written, such as `4-6-5`."""
    source: str
    confidence: Confidence
    note: str = ""


ALL: Final[tuple[TestCard, ...]] = load("test_cards.csv", TestCard)
"""Every published test card, the documented ones first."""

_BY_NUMBER: Final = {card.number: card for card in ALL}


def by_number(number: str) -> TestCard | None:
    """Return the test card with a number, which may contain spaces and hyphens; None when it is not published."""
    return _BY_NUMBER.get(_digits(number))


@cache
def networks() -> tuple[Network, ...]:
    """Return the networks in the order in which their prefixes must be tried, because some ranges overlap."""
    return load("card_networks.csv", Network, lists=("lengths", "cvc_lengths"))


def network_of(number: str) -> Network | None:
    """Return the network of a number by its first digits, None when no network has them.

    The start of a number is enough; whether a number is complete is for the caller to ask of `lengths`.
    """
    digits = _digits(number)
    for network, prefix in _prefixes():
        if prefix.match(digits):
            return network
    return None


def luhn_valid(number: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812-1); False when there is no digit."""
    digits = _digits(number)
    if not (digits.isascii() and digits.isdecimal()):
        return False
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@cache
def _prefixes() -> tuple[tuple[Network, re.Pattern[str]], ...]:
    return tuple((network, re.compile(network.prefix)) for network in networks())


def _digits(number: str) -> str:
    """Drop the spaces and hyphens with which people group a number."""
    return number.replace(" ", "").replace("-", "")
