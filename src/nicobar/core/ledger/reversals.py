"""The entries of money that goes back, and of its return: refunds, disputes, and their reversals.

Everything counts from what is left of the payment. Refunds and disputes of one payment can overlap, in any order, and
money can be given back twice: seller, authorities and fee give it once, and what goes beyond that is the seller's loss,
on an account of its own. So per payment every account stays between zero and what was booked.

How much is given back is counted over the whole payment so far and rounded once, so the order of things does not
matter: after all returns the books stand where they stood before. What comes back is therefore the mirror image of
what went out only where that agrees with the count: amounts that were rounded in other company can be a unit off.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from nicobar.core.ledger.ledger import EntryKind, LedgerEntry, Posting, postings_of
from nicobar.core.money.money import round_half_up


class Refunded(Protocol):
    """What the books need to know about a refund: what went back, and what of it the seller bears."""

    @property
    def refund_id(self) -> str:
        """The id, which the entry refers to."""

    @property
    def payment_id(self) -> str:
        """The payment that the money came from."""

    @property
    def amount(self) -> int:
        """What the customer gets, in minor units of the currency that was paid."""

    @property
    def settlement_amount(self) -> int:
        """What the seller's side gives for it, with tax, in minor units of the settlement currency."""

    @property
    def settlement_tax(self) -> int:
        """The tax within it."""


class Disputed(Protocol):
    """What the books need to know about a dispute."""

    @property
    def dispute_id(self) -> str:
        """The id, which the entry refers to."""

    @property
    def amount(self) -> int:
        """What the processor took away, in minor units of `currency`."""

    @property
    def currency(self) -> str:
        """What the processor counts in; nearly always the payment's currency."""


class _Parts(NamedTuple):
    """Parts of a payment in minor units of its settlement currency."""

    share: int
    """With the fee."""
    settlement: int
    """Without the fee, with the tax."""
    tax: int

    def less(self, other: "_Parts") -> "_Parts":
        return _Parts(self.share - other.share, self.settlement - other.settlement, self.tax - other.tax)

    def negated(self) -> "_Parts":
        return _Parts(-self.share, -self.settlement, -self.tax)

    def holds(self, part: "_Parts") -> bool:
        """Return whether every account has enough for a part: the seller's, the authorities' and the fee's."""
        return all(
            min(0, whole) <= taken <= max(0, whole)
            for taken, whole in zip(part.accounts(), self.accounts(), strict=True)
        )

    def gives(self, part: "_Parts", share: int) -> bool:
        """Return whether a part is worth `share`, and every account has enough for it."""
        return part.share == share and self.holds(part)

    def accounts(self) -> tuple[int, int, int]:
        """Return what is the seller's, the authorities' and the fee's."""
        return self.settlement - self.tax, self.tax, self.share - self.settlement

    def part(self, share: int) -> "_Parts":
        """Return a part of this, in proportion and each rounded half-up; for the whole share the whole."""
        if share == self.share:
            return self
        settlement = round_half_up(self.settlement * share, self.share)
        return _Parts(share, settlement, round_half_up(self.tax * share, self.share))


def _parts_of(entry: LedgerEntry) -> _Parts:
    return _Parts(entry.share, entry.settlement, entry.tax)


def refund_entry(entry_id: str, refund: Refunded, booked: Sequence[LedgerEntry], at: datetime) -> LedgerEntry:
    """Return the entry of a refund that succeeded; `booked` are the payment's entries so far.

    Seller and authorities give what the refund says. What the customer gets beyond that is fee: the refund is worth
    its part of the payment's gross, counted together with what went back before and rounded half-up, so that refunds of
    the whole payment leave nothing on any account. Where disputes have taken so much that this is not left, the refund
    takes what is left in proportion.

    Raises ValueError when the payment itself is not in the books.
    """
    wish = refund.settlement_amount, refund.settlement_tax
    paid = _paid(refund.payment_id, booked)
    return _entry(entry_id, "refund", refund.refund_id, paid, booked, paid.currency, -refund.amount, at, wish=wish)


def refund_reversal_entry(entry_id: str, refund_id: str, booked: Sequence[LedgerEntry], at: datetime) -> LedgerEntry:
    """Return the entry of a refund that came back: the mirror image of the refund's own, to the unit.

    Only where disputes took money, too, a loss ends first, and the count of all movements decides. `booked` are the
    payment's entries so far. Raises ValueError when the refund is not among them, or came back before.
    """
    own = next((entry for entry in booked if (entry.kind, entry.reference) == ("refund", refund_id)), None)
    if own is None:
        raise ValueError(f"{refund_id} is not in the books")
    if any((entry.kind, entry.reference) == ("refund_reversal", refund_id) for entry in booked):
        raise ValueError(f"{refund_id} came back before")
    paid = _paid(own.payment_id, booked)
    return _entry(entry_id, "refund_reversal", refund_id, paid, booked, own.currency, -own.received, at, own=own)


def dispute_entry(
    entry_id: str, dispute: Disputed, payment_id: str, booked: Sequence[LedgerEntry], at: datetime, *, returned: bool
) -> LedgerEntry:
    """Return the entry of disputed money that the processor took away, or of its return after a good end.

    A loss of the dispute needs no entry: the money is gone since it was opened. Seller, authorities and fee bear their
    parts in the proportion of what is left, each rounded half-up, and the return is the mirror image, but for what was
    given back twice and for roundings that the count of all movements corrects. A processor may count in another
    currency than the customer paid in: in the settlement currency it names the amount itself, to the unit; with a third
    one nothing can be compared, and the whole payment counts as disputed.

    `booked` are the payment's entries so far. Raises ValueError when the payment itself is not among them.
    """
    paid = _paid(payment_id, booked)
    own = None
    if returned:
        taken = [entry for entry in booked if (entry.kind, entry.reference) == ("dispute", dispute.dispute_id)]
        own = taken[-1] if taken else None
    kind: EntryKind = "dispute_reversal" if returned else "dispute"
    amount = dispute.amount if returned else -dispute.amount
    return _entry(entry_id, kind, dispute.dispute_id, paid, booked, dispute.currency, amount, at, own=own)


def is_taken(dispute_id: str, booked: Sequence[LedgerEntry]) -> bool:
    """Return whether the books have a dispute's money as taken away and not returned."""
    return sum(1 if entry.kind == "dispute" else -1 for entry in booked if entry.reference == dispute_id) > 0


def _paid(payment_id: str, booked: Sequence[LedgerEntry]) -> LedgerEntry:
    """Return the entry of the payment itself. Raises ValueError when there is none."""
    for entry in booked:
        if entry.kind == "payment" and entry.payment_id == payment_id:
            return entry
    raise ValueError(f"{payment_id} is not in the books")


def _entry(
    entry_id: str,
    kind: EntryKind,
    reference: str,
    paid: LedgerEntry,
    booked: Sequence[LedgerEntry],
    currency: str,
    amount: int,
    at: datetime,
    *,
    wish: tuple[int, int] | None = None,
    own: LedgerEntry | None = None,
) -> LedgerEntry:
    """Return the entry of `amount` minor units of `currency` that came in, or went out when it is negative.

    `wish` are settlement and tax of a refund, `own` is the entry whose money comes back.
    """
    return LedgerEntry(
        entry_id=entry_id,
        kind=kind,
        payment_id=paid.payment_id,
        reference=reference,
        turn=_turn(kind, reference, booked),
        created_at=at,
        currency=currency,
        settlement_currency=paid.settlement_currency,
        postings=_postings(paid, booked, currency, amount, wish, own),
    )


def _turn(kind: EntryKind, reference: str, booked: Sequence[LedgerEntry]) -> int:
    """Return how often a dispute's money moved this way before; a refund goes and comes back once."""
    if kind in ("refund", "refund_reversal"):
        return 0
    return sum(1 for entry in booked if (entry.reference, entry.kind) == (reference, kind))


def _postings(
    paid: LedgerEntry,
    booked: Sequence[LedgerEntry],
    currency: str,
    amount: int,
    wish: tuple[int, int] | None,
    own: LedgerEntry | None,
) -> tuple[Posting, ...]:
    whole, left = _parts_of(paid), _Parts(0, 0, 0)
    for entry in booked:
        left = _Parts(left.share + entry.share, left.settlement + entry.settlement, left.tax + entry.tax)
    lost, missing = sum(entry.lost for entry in booked), whole.less(left)
    away = _away(paid, booked, currency, amount)
    # An amount in the settlement currency is booked as it is, even when the balance was rounded another way.
    in_settled = currency == paid.settlement_currency
    standing = left.share - lost + amount if in_settled else whole.share - away.worth(paid)
    share, loss = max(0, standing) - left.share, max(0, -standing) - lost
    disputed = any(entry.kind == "dispute" for entry in booked)
    if not any(away):
        moved = missing
    elif own is not None and own.lost == lost and (not disputed or missing.gives(_parts_of(own).negated(), share)):
        moved, loss = _parts_of(own).negated(), -own.lost
    elif wish is not None and not loss and (not disputed or left.holds(_as_planned(left, -share, wish, paid))):
        moved = _as_planned(left, -share, wish, paid).negated()
    else:
        moved = left.part(-share).negated() if share < 0 else missing.part(share)
    return postings_of(
        currency, amount, paid.settlement_currency, moved.share - loss, moved.settlement, moved.tax, loss
    )


def _as_planned(left: _Parts, share: int, wish: tuple[int, int], paid: LedgerEntry) -> _Parts:
    """Return what a refund takes: as it was planned, and of the fee what else its share is worth and what is left.

    Without a conversion the share is the amount itself. With one, roundings of refunds that came back may have moved
    it by a unit.
    """
    settlement, tax = wish
    if paid.currency != paid.settlement_currency:
        share = max(settlement, min(share, settlement + left.share - left.settlement))
    return _Parts(share, settlement, tax)


class _Away(NamedTuple):
    """What went back of a payment and has not returned, by what it was counted in."""

    paid: int
    """In minor units of the currency that was paid."""
    settled: int
    """In minor units of the settlement currency."""
    others: int
    """How many movements were counted in a third currency."""

    def worth(self, paid: LedgerEntry) -> int:
        """Return the worth of all this in the settlement currency. It can be more than was paid.

        What is counted in the payment's currency is converted together and rounded half-up.
        """
        return round_half_up(paid.gross * self.paid, paid.received) + self.settled + self.others * paid.gross


def _away(paid: LedgerEntry, booked: Sequence[LedgerEntry], currency: str, amount: int) -> _Away:
    """Return what will be away of a payment after one more movement."""
    in_paid = in_settled = in_others = 0
    movements = [(entry.currency, entry.received) for entry in booked if entry is not paid]
    for counted, received in [*movements, (currency, amount)]:
        if counted == paid.currency:
            in_paid -= received
        elif counted == paid.settlement_currency:
            in_settled -= received
        else:
            in_others += 1 if received < 0 else -1
    return _Away(in_paid, in_settled, in_others)
