"""Saved payment methods: a card that a customer agreed to keep for later purchases, by the processor's token for it."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from nicobar.core.payments.payment import CardDetails, method_type

_NETWORK_CURRENCIES: Final = {"rupay": frozenset({"INR"})}
"""Networks whose cards can be charged in some currencies only (contract, payment methods, section 1: RuPay)."""


class SavedChoice(NamedTuple):
    """The saved method that somebody wants to pay with; whether it exists and is theirs is asked when it is charged."""

    payment_method_id: str


class SavedMethod(msgspec.Struct, frozen=True, kw_only=True):
    """One saved card of one customer. Its text form shows no token."""

    payment_method_id: str
    customer_id: str
    processor: str
    """Name of the processor that gave the token and alone can charge it."""
    account: str = ""
    """The account of the processor that keeps the card: no other one can charge it."""
    token: str
    """What the processor calls the card. It is opaque, and no card number can be read from it."""
    fingerprint: str
    """The same for the same card, however often it is saved; for one customer it is unique."""
    card: CardDetails
    last_used_at: datetime
    """When it last paid for something: saving it counts, because only a card that paid is saved."""

    def __repr__(self) -> str:
        """Name the method; its token stays out of logs and tracebacks."""
        return f"SavedMethod({self.payment_method_id})"

    @property
    def payment_method_type(self) -> Literal["credit", "debit"]:
        """The contract's type of the card."""
        return method_type(self.card)

    def is_expired(self, now: datetime) -> bool:
        """Return whether the card's last month has ended everywhere on earth."""
        today = last_day(now)
        return (int(self.card.exp_year), int(self.card.exp_month)) < (today.year, today.month)


def last_day(now: datetime) -> date:
    """Return the day by which a card's month is judged: yesterday in UTC, which has ended in every time zone.

    Whether a card is still good its bank decides; a page that refuses it on the last evening of its month, because it
    is the next month in UTC already, only loses the payment (docs/decisions/0021).
    """
    return (now.astimezone(UTC) - timedelta(days=1)).date()


def can_pay(method: SavedMethod, currency: str, allowed: Collection[str] | None) -> bool:
    """Return whether a saved method can pay: its type is among the `allowed` (None allows all), its network takes the
    currency."""
    return (allowed is None or method.payment_method_type in allowed) and takes(method.card, currency)


def takes(card: CardDetails, currency: str) -> bool:
    """Return whether the network of a card, saved or typed, takes a currency."""
    currencies = _NETWORK_CURRENCIES.get(card.network)
    return currencies is None or currency in currencies
