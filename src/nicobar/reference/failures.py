"""The 44 failure codes of the contract, what they mean to the merchant, and what the buyer may read.

A failed payment carries the code as `error_code` and the merchant's sentences as `error_message`. Four reasons are
not for the buyer, who then reads the neutral decline (contract: test mode, section 4). The list is not closed: a
processor may report a code of its own.
"""

from functools import cache
from typing import Final, Literal

import msgspec

from nicobar.reference.table import Confidence, load


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `failure_codes.csv`."""

    code: str
    decline_type: Literal["soft", "hard"]
    """`soft`: the same payment may work later. `hard`: it will not."""
    user_error: bool
    """True when the buyer is able to repair it."""
    hide_from_customer: bool
    """True when the buyer must not learn the reason; `customer_message` is then the neutral decline."""
    headline: str
    """What happened, one sentence for the merchant."""
    advice: str
    """What to do about it, one sentence for the merchant."""
    customer_message: str
    """What the hosted page shows to the buyer."""
    source: str
    confidence: Confidence
    """Of the code and its flags; the sentences are ours."""

    @property
    def error_message(self) -> str:
        """The payment's `error_message`: headline and advice."""
        return f"{self.headline} {self.advice}"


class DeclineMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `decline_map.csv`: how a decline code of Stripe reads in the contract."""

    stripe_decline_code: str
    error_code: str
    source: str
    confidence: Confidence
    """How close the two meanings are."""


ALL: Final[tuple[Failure, ...]] = load("failure_codes.csv", Failure)
"""The failure codes in alphabetical order."""

CODES: Final = tuple(failure.code for failure in ALL)
"""The codes alone."""

_BY_CODE: Final = {failure.code: failure for failure in ALL}


def get(code: str) -> Failure:
    """Return what is known about a failure code. Raises KeyError for a code that is not among the 44."""
    return _BY_CODE[code]


@cache
def decline_mappings() -> tuple[DeclineMapping, ...]:
    """Return the mapping of Stripe's decline codes to the contract's failure codes."""
    return load("decline_map.csv", DeclineMapping)


def for_stripe_decline(decline_code: str) -> Failure | None:
    """Return the failure for a decline code of Stripe, None for one that is not mapped."""
    return _by_stripe_code().get(decline_code)


@cache
def _by_stripe_code() -> dict[str, Failure]:
    return {mapping.stripe_decline_code: _BY_CODE[mapping.error_code] for mapping in decline_mappings()}
