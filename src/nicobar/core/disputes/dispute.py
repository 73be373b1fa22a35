"""Disputes: a customer has asked the bank for the money back. They are opened by a processor, never by us."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from nicobar.core.business.tenant import Mode, Tenant

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
"""From each status, the statuses that may follow in the same stage; a later stage may start with any of them.

A verdict can be turned round once more by an appeal at the card network, which the processor reports as the opposite
verdict.
"""

DISPUTE_STAGES: Final[tuple[DisputeStage, ...]] = ("pre_dispute", "dispute", "pre_arbitration")
"""The stages in their order: a dispute goes on to a later one and never back."""

MONEY_RETURNED: Final[frozenset[DisputeStatus]] = frozenset({"dispute_cancelled", "dispute_won"})
"""Ends in which the disputed money comes back to the seller."""

MONEY_GIVEN: Final[frozenset[DisputeStatus]] = frozenset({"dispute_accepted", "dispute_lost"})
"""Ends in which the customer has the disputed money, whatever the stage."""

LOST: Final[frozenset[DisputeStatus]] = MONEY_GIVEN | {"dispute_expired"}
"""Ends after which the money stays where it is; a bank's question that has expired has moved none."""


def dispute_origins(target: DisputeStatus) -> list[DisputeStatus]:
    """Return the statuses in which a dispute may come to `target`, sorted, for a guarded UPDATE."""
    return sorted(status for status, followers in DISPUTE_TRANSITIONS.items() if target in followers)


def earlier_stages(stage: DisputeStage) -> tuple[DisputeStage, ...]:
    """Return the stages before this one."""
    return DISPUTE_STAGES[: DISPUTE_STAGES.index(stage)]


def later_stage(one: DisputeStage, other: DisputeStage) -> DisputeStage:
    """Return the later of two stages."""
    return max(one, other, key=DISPUTE_STAGES.index)


def is_money_out(stage: DisputeStage, status: DisputeStatus) -> bool:
    """Return whether the disputed money is away from the seller.

    A bank's question (`pre_dispute`) moves nothing unless it ends against the seller. From the stage `dispute` on the
    processor takes the money at once, and gives it back when the dispute is won or cancelled. The constraint
    `disputes_money` says the same in SQL.
    """
    return status in MONEY_GIVEN or (stage != "pre_dispute" and status not in MONEY_RETURNED)


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


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute as it is stored."""

    business_id: str
    mode: Mode
    dispute_id: str
    """`dp_...`; it holds the moment of `created_at`, so disputes sort by it."""
    payment_id: str
    attempt_id: str
    """The attempt whose charge is disputed."""
    processor: str
    reference: str
    """The processor's own id of the dispute."""
    amount: int
    """Minor units of `currency`, more than zero: what was disputed at first. The bank may count more than was paid."""
    currency: str
    stage: DisputeStage
    status: DisputeStatus
    reason: str | None
    created_at: datetime
    """When the processor opened it."""
    updated_at: datetime
    """When this server last learnt that it has moved."""

    @property
    def tenant(self) -> Tenant:
        """Whose payment is disputed."""
        return Tenant(self.business_id, self.mode)

    @property
    def money_out(self) -> bool:
        """Whether the disputed money is away from the seller at present."""
        return is_money_out(self.stage, self.status)
