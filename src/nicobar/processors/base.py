"""What a payment processor has to offer, and what it is asked. A processor translates; it never touches storage."""

from datetime import datetime
from typing import Protocol

from nicobar.core.payment import CardDetails, Outcome
from nicobar.core.tenant import Mode


class CardInput:
    """A card as the customer typed it. It lives in memory until the processor has been asked, and nowhere else.

    Number and security code are left out of every text form, so that a log line, a traceback with local variables or
    an assertion cannot show them. `number` and `cvc` are digits only.
    """

    __slots__ = ("cvc", "exp_month", "exp_year", "holder_name", "number")

    def __init__(self, number: str, exp_month: int, exp_year: int, cvc: str, holder_name: str | None) -> None:
        self.number = number
        self.exp_month = exp_month
        self.exp_year = exp_year
        self.cvc = cvc
        self.holder_name = holder_name

    def __repr__(self) -> str:
        """Say that there is a card, and nothing of it."""
        return "CardInput(<hidden>)"

    def __reduce__(self) -> str:
        """Refuse to be pickled or copied: a card must not travel further by accident."""
        raise TypeError("a card is not serialised")


class CardRefused(Exception):
    """The card cannot be used, which was seen before anything was stored or charged.

    `field` is the form field at fault (`number`, `expiry`, `cvc` or `name`), `reason` names the sentence that the
    customer reads. Neither holds anything that was typed.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class ChargeRequest:
    """One order to a processor: take this amount from this card, once for this attempt id."""

    __slots__ = ("amount", "attempt_id", "card", "currency", "return_url")

    def __init__(self, attempt_id: str, amount: int, currency: str, card: CardInput, return_url: str) -> None:
        """Take minor units of `currency`; `return_url` is where a page of the processor sends the customer back to."""
        self.attempt_id = attempt_id
        self.amount = amount
        self.currency = currency
        self.card = card
        self.return_url = return_url

    def __repr__(self) -> str:
        """Name the attempt and the amount; the card hides itself."""
        return f"ChargeRequest({self.attempt_id}, {self.amount} {self.currency}, {self.card})"


class Processor(Protocol):
    """A plug-in that charges cards."""

    @property
    def name(self) -> str:
        """How attempts name it, for ever: it is stored."""

    @property
    def modes(self) -> frozenset[Mode]:
        """The modes whose payments it may be asked to charge."""

    def describe(self, card: CardInput, now: datetime) -> CardDetails:
        """Return what may be kept of the card. No network is used. Raises CardRefused for a card it cannot take."""

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Charge once per attempt id: the same id again gets the same answer and takes no more money.

        Any exception means that nobody knows whether the money was taken.
        """

    async def find(self, attempt_id: str) -> Outcome | None:
        """Return what happened to an attempt, None when no order for it has ever arrived."""
