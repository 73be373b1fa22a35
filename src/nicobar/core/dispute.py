"""Disputes: a customer has asked the bank for the money back. They are opened by a processor, never by us."""

from datetime import datetime
from typing import Final, Literal

import msgspec

DisputeStage = Literal["pre_dispute", "dispute", "pre_arbitration"]

DisputeStatus = Literal[
    "dispute_opened",
    "dispute_expired",
    "dispute_accepted",
    "dispute_cancelled",
    "dispute_challenged",
    "dispute_won",
    "dispute_lost",
]

DISPUTE_TRANSITIONS: Final[dict[DisputeStatus, frozenset[DisputeStatus]]] = {
    "dispute_opened": frozenset(
        {
            "dispute_expired",
            "dispute_accepted",
            "dispute_cancelled",
            "dispute_challenged",
            "dispute_won",
            "dispute_lost",
        }
    ),
    "dispute_challenged": frozenset({"dispute_cancelled", "dispute_won", "dispute_lost"}),
    "dispute_expired": frozenset(),
    "dispute_accepted": frozenset(),
    "dispute_cancelled": frozenset(),
    "dispute_won": frozenset({"dispute_lost"}),
    "dispute_lost": frozenset({"dispute_won"}),
}
"""From each status, the statuses that may follow. A verdict can be turned round once more by an appeal at the card
network, which the processor reports as the opposite verdict."""

MONEY_RETURNED: Final[frozenset[DisputeStatus]] = frozenset({"dispute_cancelled", "dispute_won"})
"""Ends in which the disputed money comes back to the seller."""


class DisputeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor says about a dispute, as of the moment at which it was asked."""

    reference: str
    """The processor's own id of the dispute."""
    attempt_id: str
    """The attempt whose charge is disputed."""
    amount: int
    """What is disputed, in minor units of `currency`."""
    currency: str
    stage: DisputeStage
    status: DisputeStatus
    reason: str | None
    """The bank's reason, for the merchant."""
    opened_at: datetime
