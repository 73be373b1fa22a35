"""Where the simulator keeps what it knows: it is a party of its own, and every call is one act, done whole or not."""

from datetime import datetime, timedelta
from typing import Protocol

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.simulator.bank_charge import BankCharge, SimulatedNotice, SimulatedRefund


class SimulatorStore(Protocol):
    """The books of the simulated bank. They outlive the process."""

    async def place(self, charge: BankCharge, notices: list[SimulatedNotice]) -> BankCharge | None:
        """Store a new charge with its notices, and return it.

        When its attempt id has a charge already, that one is returned as it was stored, and nothing is changed; None
        when the attempt was cancelled.
        """

    async def charge(self, attempt_id: str) -> BankCharge | None:
        """Return the charge of an attempt, None when none has arrived."""

    async def charge_behind(self, reference: str) -> BankCharge | None:
        """Return the charge that the simulator knows by this id."""

    async def record_decision(self, charge: BankCharge, notices: list[SimulatedNotice], now: datetime) -> bool:
        """Store what became of a charge whose customer may still decide; its notices replace those to be sent.

        False, and no change, when it is decided already or has come to an end by itself.
        """

    async def cancel(self, attempt_id: str, now: datetime) -> bool:
        """Refuse whatever may arrive under an attempt id; False, and no change, when a charge has arrived."""

    async def give_back(self, refund: SimulatedRefund, notices: list[SimulatedNotice]) -> SimulatedRefund | None:
        """Store a new refund with its notices, and return it.

        When its id is known already, that refund is returned and nothing is changed; None, and no change, when more
        would go back than was taken.
        """

    async def lose_refund(self, refund: SimulatedRefund) -> bool:
        """Note that the first request of a refund was lost on its way; False when another request came before."""

    async def refund(self, refund_id: str) -> SimulatedRefund | None:
        """Return a refund, None when no request for it has arrived."""

    async def given_back(self, attempt_id: str, at: datetime) -> int:
        """Return what refunds ordered before a moment give back of a charge, unless they had come back by then."""

    def now(self, business_id: str, real: datetime) -> datetime:
        """Return the time of a business's test mode at a moment of real time."""

    async def claim_notices(self, reckoning: Reckoning, again: timedelta, limit: int) -> list[SimulatedNotice]:
        """Return notices that are due, the longest due first; should nobody send them, they are due `again` later."""

    async def mark_sent(self, notice_id: str, now: datetime) -> None:
        """Note that a notice was sent and taken."""

    async def has_told(self, attempt_id: str) -> bool:
        """Return whether a notice about this charge was sent and taken."""

    async def purge(self, before: datetime, limit: int) -> int:
        """Delete charges from before a moment, with all that belongs to them; return how many."""
