"""What refunds and disputes took back of what a period cost: a plan change credits only what the seller kept."""

from typing import Final

from nicobar.core.money.money import round_half_up
from nicobar.core.payments.payment import Payment, PaymentLine
from nicobar.core.subscriptions.charge_record import ChargeRecord, lines_of_charge

_DECIMALS: Final = 8
"""Of the factor of a charge, at most."""


def given_back(charge: ChargeRecord, payment: Payment, disputed: int) -> int:
    """Return by how much a paid charge made its period cost less than it says, before tax as `period_price` is.

    `disputed` is what disputes hold of the payment, which may hold what other plans in it cost: nobody knows which,
    so it counts for each. Pending refunds count, too. A charge for a part of a period (`factor`) made the whole period
    cost more by a multiple of what was paid, and what goes back counts as often. Rounded half-up.
    """
    lines = lines_of_charge(charge, payment)
    total = sum(line.total for line in lines)
    refunded = sum(line.refund_reserved_amount for line in lines)
    net = sum(_net(line, line.refund_reserved_amount, line.refund_reserved_tax) for line in lines)
    if held := min(disputed, total - refunded):
        net += round_half_up(held * sum(_net(line, line.total, line.tax) for line in lines), total)
    whole, _, fraction = charge.factor.partition(".")
    return round_half_up(net * 10**_DECIMALS, max(1, int(whole + fraction.ljust(_DECIMALS, "0"))))


def _net(line: PaymentLine, amount: int, tax: int) -> int:
    """Return an amount of a line as prices are: with the tax where the price contains it."""
    return amount if line.tax_inclusive else amount - tax
