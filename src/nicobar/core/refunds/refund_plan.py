"""What a refund gives back: the ladder of refusals, and the amounts of each line.

A line is counted twice, in the currency that was paid and in the settlement currency, and on each side with its tax.
What was refunded of a line so far, together with the refund at hand, has the same proportions as the line itself,
rounded half-up: tax to amount, and settlement to what was paid. So one refund has the contract's figures (`money.md`,
section 9), no sequence of refunds drifts away from them, and the last one takes exactly what is left.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import msgspec

from nicobar.core.money.money import display_amount, round_half_up
from nicobar.core.payments.paying import revision
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.pricing import check_step
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import RefundInstruction, RefundItem, RefundLine, RefundTerms

MAXIMUM_REFUNDS: Final = 500
"""Refunds of one payment, which are all shown with it."""


class Side(msgspec.Struct, frozen=True):
    """A line in one currency: what it is, and what refunds hold of it, pending ones included."""

    total: int
    """With tax."""
    tax: int
    refund_reserved: int
    """With tax."""
    refund_reserved_tax: int

    @property
    def left(self) -> int:
        """What is left, with tax."""
        return self.total - self.refund_reserved

    @property
    def tax_left(self) -> int:
        """The tax in what is left."""
        return self.tax - self.refund_reserved_tax

    @property
    def net_left(self) -> int:
        """What is left, without tax."""
        return self.left - self.tax_left


class RefundableLine(NamedTuple):
    """A line of a payment as refunds see it."""

    position: int
    item_id: str
    paid: Side
    settled: Side
    prorated: bool
    """Whether it was charged for a part of a period."""


def refundable_lines(
    payment: Payment, settled: Sequence[tuple[int, int]], prorated: Collection[int]
) -> list[RefundableLine]:
    """Return a payment's lines; `settled` has each line's total and tax in the settlement currency.

    `prorated` are the positions of those that were charged for a part of a period.
    """
    return [
        RefundableLine(
            line.position,
            line.product_id,
            Side(line.total, line.tax, line.refund_reserved_amount, line.refund_reserved_tax),
            Side(total, tax, line.refund_reserved_settlement_amount, line.refund_reserved_settlement_tax),
            line.position in prorated,
        )
        for line, (total, tax) in zip(payment.lines, settled, strict=True)
    ]


def plan_refund(
    payment: Payment, lines: Sequence[RefundableLine], wish: RefundInstruction, terms: RefundTerms
) -> list[RefundLine]:
    """Return what a refund gives back of each line that it touches, in the order of the cart.

    Raises Problem, in this order: PAYMENT_NOT_SUCCEEDED, ZERO_AMOUNT_PAYMENT_REFUND_NOT_ALLOWED,
    REFUND_WINDOW_EXPIRED, EXISTING_REFUND_REQUEST_PROCESSING, PAYMENT_ALREADY_REFUNDED or NOTHING_TO_REFUND,
    UNSUPPORTED_ACTION after `MAXIMUM_REFUNDS`, UNSUPPORTED_CURRENCY, DUPLICATE_LINE_ITEMS_IN_REQUEST; then for each
    item LINE_ITEM_NOT_FOUND, LINE_ITEM_PRORATED, LINE_ITEM_FULLY_REFUNDED, LINE_ITEM_REFUND_AMOUNT_TOO_LOW,
    LINE_ITEM_REFUND_AMOUNT_TOO_HIGH, REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT; and PARTIAL_REFUND_NOT_ALLOWED,
    UNSUPPORTED_ACTION for what a dispute holds, and AMOUNT_NOT_CHARGEABLE for a part that the processor cannot move.
    """
    _check_payment(payment, terms)
    if wish.currency not in (None, payment.currency):
        detail = f"the customer paid this payment in {payment.currency}"
        raise Problem("UNSUPPORTED_CURRENCY", detail=detail, path="currency")
    if wish.items is None:
        planned = [_rest(line) for line in lines if line.paid.left]
    else:
        if len({item.item_id for item in wish.items}) < len(wish.items):
            raise Problem("DUPLICATE_LINE_ITEMS_IN_REQUEST")
        in_paid = wish.currency is not None
        currency = payment.currency if in_paid else payment.settlement_currency
        planned = [
            part
            for item in wish.items
            for part in _of_item(item, lines, currency, terms.exponents[currency], in_paid=in_paid)
        ]
        planned.sort(key=lambda part: part.position)
    amount = sum(part.amount for part in planned)
    if not terms.partial_allowed and amount < payment.total_amount:
        raise Problem("PARTIAL_REFUND_NOT_ALLOWED")
    free = payment.total_amount - payment.refund_reserved_amount - terms.disputed
    if amount > free:
        shown = display_amount(max(free, 0), payment.currency, terms.exponents[payment.currency])
        raise Problem("UNSUPPORTED_ACTION", detail=f"This payment is disputed; {shown} of it can be refunded")
    if amount < payment.total_amount - payment.refund_reserved_amount:  # the rest goes back whatever it is
        check_step(amount, payment.currency, terms.step, terms.exponents[payment.currency], path="items")
    return planned


def _check_payment(payment: Payment, terms: RefundTerms) -> None:
    """Refuse a payment of which nothing can be refunded, whatever is asked for.

    The window runs from the success, which is a payment's last change.
    """
    if payment.status != "succeeded":
        raise Problem("PAYMENT_NOT_SUCCEEDED")
    if payment.total_amount == 0:
        raise Problem("ZERO_AMOUNT_PAYMENT_REFUND_NOT_ALLOWED")
    if terms.at >= revision(payment) + timedelta(days=terms.window_days):
        raise Problem("REFUND_WINDOW_EXPIRED", days=terms.window_days)
    if payment.refund_reserved_amount > payment.refund_succeeded_amount:
        raise Problem("EXISTING_REFUND_REQUEST_PROCESSING")
    if payment.refund_succeeded_amount == payment.total_amount:
        raise Problem("PAYMENT_ALREADY_REFUNDED" if terms.returned_at_once else "NOTHING_TO_REFUND")
    if terms.refunds >= MAXIMUM_REFUNDS:
        raise Problem("UNSUPPORTED_ACTION", detail=f"A payment has at most {MAXIMUM_REFUNDS} refunds")


def _of_item(
    item: RefundItem, lines: Sequence[RefundableLine], currency: str, exponent: int, *, in_paid: bool
) -> list[RefundLine]:
    """Return what an item's lines give back: the first as much as it has, the next what is missing, and so on."""
    own = [line for line in lines if line.item_id == item.item_id]
    _check_item(item, own, currency, exponent, in_paid=in_paid)
    if item.amount is None:
        return [_rest(line) for line in own if line.paid.left]
    parts, missing = [], item.amount
    for line in own:
        side = line.paid if in_paid else line.settled
        taken = min(missing, side.left if item.tax_inclusive else side.net_left)
        missing -= taken
        if taken:
            part = _part(line, taken, in_paid=in_paid, tax_inclusive=item.tax_inclusive)
            parts += [part] if part.amount else []
    if not parts:
        raise Problem(
            "LINE_ITEM_REFUND_AMOUNT_TOO_LOW", id=item.item_id, amount=display_amount(item.amount, currency, exponent)
        )
    return parts


def _check_item(
    item: RefundItem, own: Sequence[RefundableLine], currency: str, exponent: int, *, in_paid: bool
) -> None:
    """Refuse an item that is not there, was prorated, has nothing left, or has less than is asked for."""
    if not own:
        raise Problem("LINE_ITEM_NOT_FOUND", id=item.item_id)
    if any(line.prorated for line in own):
        raise Problem("LINE_ITEM_PRORATED", id=item.item_id)
    asked = 0 if item.amount is None and not any(line.paid.total for line in own) else item.amount
    if not any(line.paid.left for line in own) and any(line.paid.total for line in own):
        raise Problem("LINE_ITEM_FULLY_REFUNDED", id=item.item_id)
    if asked is None:
        return
    if asked <= 0:
        shown = display_amount(asked, currency, exponent)
        raise Problem("LINE_ITEM_REFUND_AMOUNT_TOO_LOW", id=item.item_id, amount=shown)
    sides = [line.paid if in_paid else line.settled for line in own]
    total, tax = sum(side.total for side in sides), sum(side.tax for side in sides)
    gross = asked if item.tax_inclusive else asked + _tax_on(asked, total - tax, tax)
    if gross > total:
        raise Problem(
            "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH",
            id=item.item_id,
            amount=display_amount(gross, currency, exponent),
            paid=display_amount(total, currency, exponent),
        )
    if asked > sum(side.left if item.tax_inclusive else side.net_left for side in sides):
        raise Problem("REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT")


def _rest(line: RefundableLine) -> RefundLine:
    """Give back everything that is left of a line."""
    paid, settled = line.paid, line.settled
    return RefundLine(line.position, paid.left, paid.tax_left, settled.left, settled.tax_left)


def _part(line: RefundableLine, asked: int, *, in_paid: bool, tax_inclusive: bool) -> RefundLine:
    """Give back what was asked for on one side of a line, and what that is on the other side.

    When nothing of what was paid is left then, nothing of the settlement is.
    """
    side, other = (line.paid, line.settled) if in_paid else (line.settled, line.paid)
    if tax_inclusive:
        amount, tax = asked, _tax_within(side, asked)
    else:
        tax = _tax_beside(side, asked)
        amount = asked + tax
    converted = _converted(side, amount, other)
    if line.paid.left == (amount if in_paid else converted):
        return _rest(line)
    converted_tax = _tax_within(other, converted)
    if in_paid:
        return RefundLine(line.position, amount, tax, converted, converted_tax)
    return RefundLine(line.position, converted, converted_tax, amount, tax)


def _tax_within(side: Side, amount: int) -> int:
    """Return the tax in an amount that contains it.

    After it the refunded tax is to the refunded amount as the line's tax to its total, half-up. That grows by at most
    one with each unit of the amount, so neither tax nor net becomes negative or too much, unless a refund has come
    back: it takes its own tax with it, and what remains may have a unit more or less than its proportion. Then the tax
    is no less than nothing and no more than the amount. A line that settles to nothing has no tax.
    """
    tax = (
        round_half_up((side.refund_reserved + amount) * side.tax, side.total) - side.refund_reserved_tax
        if side.total
        else 0
    )
    return max(0, min(tax, amount))


def _tax_beside(side: Side, net: int) -> int:
    """Return the tax that is given back on top of an amount without tax.

    After it the refunded tax is to the refunded net as the line's tax to its net, half-up, which is the proportion of
    `_tax_within`: the tax of an amount and of the net in it round to the same.
    """
    refunded_net = side.refund_reserved - side.refund_reserved_tax
    tax = _tax_on(refunded_net + net, side.total - side.tax, side.tax) - side.refund_reserved_tax
    return max(0, tax)


def _tax_on(part: int, net: int, tax: int) -> int:
    """Return the tax on a part of a net amount, half-up. Where there is no net, all of the tax."""
    return round_half_up(part * tax, net) if net else tax


def _converted(side: Side, amount: int, other: Side) -> int:
    """Return what an amount of one side is on the other one: what was refunded so far stays in proportion, half-up.

    It is all that is left for all that is left, and nothing where a refund that came back has left the other side ahead
    of its proportion.
    """
    return max(0, round_half_up((side.refund_reserved + amount) * other.total, side.total) - other.refund_reserved)
