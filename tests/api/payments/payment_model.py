"""What a merchant's payments must be, without a server: plain objects that `test_payment_machine.py` compares with."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

PRICE = 2000
"""Of one piece of the only product, in US cents; no tax is charged."""

LINK_LIFE = timedelta(hours=24)
DISPUTE_AFTER = timedelta(hours=1)
REPEATED_WITHIN = timedelta(minutes=5)
KEYS_LAST = timedelta(days=7)


@dataclass
class ModelPayment:
    """One payment."""

    payment_id: str
    link: str
    amount: int
    created_at: datetime
    is_disputed_later: bool
    status: str = "requires_payment_method"
    paid_at: datetime | None = None
    refunds: list[int] = field(default_factory=list)
    disputed: int = 0

    @property
    def left(self) -> int:
        return self.amount - sum(self.refunds)

    @property
    def refund_status(self) -> str | None:
        return None if not self.refunds else "full" if self.left == 0 else "partial"

    def is_open(self, now: datetime) -> bool:
        """Return whether its link can be paid."""
        return self.status in ("requires_payment_method", "failed") and now < self.created_at + LINK_LIFE

    def refusal_of(self, amount: int | None) -> str | None:
        """Return the code with which a refund of so much is refused, or None for one that is made."""
        if self.status != "succeeded":
            return "PAYMENT_NOT_SUCCEEDED"
        if self.left == 0:
            return "PAYMENT_ALREADY_REFUNDED" if len(self.refunds) == 1 else "NOTHING_TO_REFUND"
        if amount is not None and amount > self.amount:
            return "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH"
        if amount is not None and amount > self.left:
            return "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT"
        if (amount or self.left) > self.left - self.disputed:
            return "UNSUPPORTED_ACTION"
        return None

    def pass_time(self, now: datetime) -> None:
        """Let what is due by now happen: the link ends, the card's holder disputes what is left."""
        if self.status == "requires_payment_method" and now >= self.created_at + LINK_LIFE:
            self.status = "cancelled"
        if self.is_disputed_later and self.paid_at and now >= self.paid_at + DISPUTE_AFTER and not self.disputed:
            self.disputed = self.left


@dataclass
class Carried:
    """A request that was carried out, and its answer."""

    at: datetime
    answer: dict[str, Any]
    given: set[int] = field(default_factory=set)


@dataclass
class Memory:
    """Which answers are kept: by key, and by content for the retries of SDKs."""

    keyed: dict[tuple[str, str], tuple[bytes, Carried]] = field(default_factory=dict)
    unkeyed: dict[tuple[str, bytes], list[Carried]] = field(default_factory=dict)

    def by_key(self, path: str, key: str, now: datetime) -> tuple[bytes, Carried] | None:
        found = self.keyed.get((path, key))
        return found if found is not None and now < found[1].at + KEYS_LAST else None

    def by_content(self, path: str, body: bytes, retry: int, now: datetime) -> Carried | None:
        """Return what this retry gets, the newest that it was not given, and note that it was."""
        for carried in reversed(self.unkeyed.get((path, body), [])):
            if now < carried.at + REPEATED_WITHIN and retry not in carried.given:
                carried.given.add(retry)
                return carried
        return None
