"""Paid payments and plans of refunds, for tests of the core."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from harness import START
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.payments.payment import Payment, PaymentLine, PaymentOptions
from nicobar.core.refunds.refund import RefundInstruction, RefundItem, RefundTerms
from nicobar.core.refunds.refund_plan import plan_refund, refundable_lines

Settled = Sequence[tuple[int, int]]

TERMS = RefundTerms(
    at=START + timedelta(days=3),
    window_days=30,
    refunds=0,
    returned_at_once=False,
    disputed=0,
    partial_allowed=True,
    exponents={"USD": 2, "EUR": 2, "JPY": 0},
)


def line(position: int, net: int, tax: int, item_id: str | None = None) -> PaymentLine:
    return PaymentLine(
        position=position,
        product_id=item_id or f"pdt_{position}",
        name="Feather",
        description=None,
        quantity=1,
        amount=None,
        unit_price=net,
        tax_category="saas",
        tax_inclusive=False,
        subtotal=net,
        discount=0,
        tax=tax,
        total=net + tax,
    )


def paid(*lines: PaymentLine, **changes: Any) -> Payment:
    total, tax = sum(item.total for item in lines), sum(item.tax for item in lines)
    values: dict[str, Any] = {
        "business_id": "bus_1",
        "mode": "test",
        "payment_id": "pay_1",
        "brand_id": "bus_1",
        "customer": Buyer("cus_1", "ana@example.com", "Ana", None, {}),
        "status": "succeeded",
        "currency": "EUR",
        "subtotal": total - tax,
        "discount": 0,
        "tax": tax,
        "total_amount": total,
        "settlement_currency": "EUR",
        "settlement_amount": total,
        "settlement_tax": tax,
        "billing": Address("DE"),
        "metadata": {},
        "options": PaymentOptions(),
        "link_id": None,
        "expires_on": START,
        "payment_method": "card",
        "payment_method_type": "credit",
        "card": None,
        "error_code": None,
        "error_message": None,
        "created_at": START,
        "updated_at": None,
        "lines": list(lines),
    }
    return Payment(**(values | changes))


def own(payment: Payment) -> Settled:
    """Return the settlement of a payment that was not converted."""
    return [(line.total, line.tax) for line in payment.lines]


def plan(
    payment: Payment, wish: RefundInstruction, settled: Settled | None = None, **terms: Any
) -> list[tuple[int, int, int, int, int]]:
    lines = refundable_lines(payment, own(payment) if settled is None else settled, [])
    found = plan_refund(payment, lines, wish, msgspec.structs.replace(TERMS, **terms))
    return [msgspec.structs.astuple(part) for part in found]


def items(*wanted: RefundItem, currency: str | None = None) -> RefundInstruction:
    return RefundInstruction(wanted, currency)


def refunded(payment: Payment, parts: Sequence[tuple[int, int, int, int, int]]) -> Payment:
    """Return the payment after a refund that succeeded."""
    return _changed(payment, parts, 1)


def come_back(payment: Payment, parts: Sequence[tuple[int, int, int, int, int]]) -> Payment:
    """Return the payment after one of its refunds has come back."""
    return _changed(payment, parts, -1)


def _changed(payment: Payment, parts: Sequence[tuple[int, int, int, int, int]], sign: int) -> Payment:
    by_position = {position: numbers for position, *numbers in parts}
    lines = []
    for line in payment.lines:
        amount, tax, settlement, settlement_tax = by_position.get(line.position, (0, 0, 0, 0))
        lines.append(
            msgspec.structs.replace(
                line,
                refund_reserved_amount=line.refund_reserved_amount + sign * amount,
                refund_reserved_tax=line.refund_reserved_tax + sign * tax,
                refund_reserved_settlement_amount=line.refund_reserved_settlement_amount + sign * settlement,
                refund_reserved_settlement_tax=line.refund_reserved_settlement_tax + sign * settlement_tax,
            )
        )
    done = sum(line.refund_reserved_amount for line in lines)
    return msgspec.structs.replace(payment, lines=lines, refund_reserved_amount=done, refund_succeeded_amount=done)


WHOLE = RefundInstruction()
"""Asks for everything that is left."""
