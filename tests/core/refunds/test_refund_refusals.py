"""What cannot be refunded: each refusal with its sentence, in the order of the ladder."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from harness import START
from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import RefundInstruction, RefundItem
from nicobar.core.refunds.refund_plan import MAXIMUM_REFUNDS
from refunding import WHOLE, Settled, items, line, paid, plan, refunded

PAYMENT = paid(line(0, 2000, 380), line(1, 0, 0), line(2, 100, 7))
DONE = refunded(PAYMENT, plan(PAYMENT, WHOLE))
HALF = refunded(PAYMENT, plan(PAYMENT, items(RefundItem("pdt_0", 1190))))
FIRST_GONE = refunded(PAYMENT, plan(PAYMENT, items(RefundItem("pdt_0"))))


def refusal(payment: Payment, wish: RefundInstruction, settled: Settled | None = None, **terms: Any) -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        plan(payment, wish, settled, **terms)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    ("payment", "wish", "terms", "code", "message"),
    [
        (
            msgspec.structs.replace(PAYMENT, status="processing"),
            WHOLE,
            {},
            "PAYMENT_NOT_SUCCEEDED",
            "The provided payment has not succeeded",
        ),
        (
            paid(line(0, 0, 0)),
            WHOLE,
            {},
            "ZERO_AMOUNT_PAYMENT_REFUND_NOT_ALLOWED",
            "Cannot refund a payment with zero currency amount",
        ),
        (
            PAYMENT,
            WHOLE,
            {"at": START + timedelta(days=30)},
            "REFUND_WINDOW_EXPIRED",
            "Refunds cannot be initiated 30 days after payment creation.",
        ),
        (
            PAYMENT,
            WHOLE,
            {"at": START, "window_days": 0},
            "REFUND_WINDOW_EXPIRED",
            "Refunds cannot be initiated 0 days after payment creation.",
        ),
        (
            msgspec.structs.replace(PAYMENT, refund_reserved_amount=1),
            WHOLE,
            {},
            "EXISTING_REFUND_REQUEST_PROCESSING",
            'A refund request with status "Pending" is still being processed',
        ),
        (
            DONE,
            items(RefundItem("pdt_0")),
            {"returned_at_once": True},
            "PAYMENT_ALREADY_REFUNDED",
            "This payment has already been refunded",
        ),
        (
            DONE,
            WHOLE,
            {},
            "NOTHING_TO_REFUND",
            "No refundable amount remaining. All positive line items have been fully refunded.",
        ),
        (
            PAYMENT,
            WHOLE,
            {"refunds": MAXIMUM_REFUNDS},
            "UNSUPPORTED_ACTION",
            "A payment has at most 500 refunds",
        ),
        (
            PAYMENT,
            items(RefundItem("pdt_0", 1), currency="USD"),
            {},
            "UNSUPPORTED_CURRENCY",
            "Currency Not Supported: the customer paid this payment in EUR",
        ),
        (
            PAYMENT,
            items(RefundItem("pdt_9"), RefundItem("pdt_9")),
            {},
            "DUPLICATE_LINE_ITEMS_IN_REQUEST",
            "Duplicate item_ids specified in items array",
        ),
        (PAYMENT, items(RefundItem("pdt_9")), {}, "LINE_ITEM_NOT_FOUND", "Line item pdt_9 not found in payment"),
        (
            FIRST_GONE,
            items(RefundItem("pdt_0", 0)),
            {},
            "LINE_ITEM_FULLY_REFUNDED",
            "Line item pdt_0 has been fully refunded cannot be refunded further.",
        ),
        (
            PAYMENT,
            items(RefundItem("pdt_0", -1)),
            {},
            "LINE_ITEM_REFUND_AMOUNT_TOO_LOW",
            "Line item pdt_0 requested refund amount is -€0.01 which is too low",
        ),
        (
            PAYMENT,
            items(RefundItem("pdt_1")),
            {},
            "LINE_ITEM_REFUND_AMOUNT_TOO_LOW",
            "Line item pdt_1 requested refund amount is €0.00 which is too low",
        ),
        (
            PAYMENT,
            items(RefundItem("pdt_1", 5)),
            {},
            "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH",
            "Line item pdt_1 requested refund amount including tax is €0.05 which is above the paid amount €0.00",
        ),
        (
            PAYMENT,
            items(RefundItem("pdt_0", 2381)),
            {},
            "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH",
            "Line item pdt_0 requested refund amount including tax is €23.81 which is above the paid amount €23.80",
        ),
        (
            PAYMENT,
            items(RefundItem("pdt_0", 2001, tax_inclusive=False)),
            {},
            "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH",
            "Line item pdt_0 requested refund amount including tax is €23.81 which is above the paid amount €23.80",
        ),
        (
            HALF,
            items(RefundItem("pdt_2"), RefundItem("pdt_0", 1191)),
            {},
            "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT",
            "The calculated refund amount is larger than the paid amount",
        ),
        (
            HALF,
            items(RefundItem("pdt_0", 1001, tax_inclusive=False)),
            {},
            "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT",
            "The calculated refund amount is larger than the paid amount",
        ),
        (
            PAYMENT,
            items(RefundItem("pdt_0")),
            {"partial_allowed": False},
            "PARTIAL_REFUND_NOT_ALLOWED",
            "Partial refunds are not allowed for this payment method",
        ),
        (
            HALF,
            WHOLE,
            {"disputed": 1190},
            "UNSUPPORTED_ACTION",
            "This payment is disputed; €1.07 of it can be refunded",
        ),
        (
            HALF,
            WHOLE,
            {"disputed": 2487},
            "UNSUPPORTED_ACTION",
            "This payment is disputed; €0.00 of it can be refunded",
        ),
    ],
)
def test_each_refusal_has_its_sentence(
    payment: Payment, wish: RefundInstruction, terms: dict[str, Any], code: str, message: str
) -> None:
    assert refusal(payment, wish, **terms) == (code, message)


def test_a_part_below_one_unit_of_what_was_paid_is_too_low() -> None:
    payment = paid(line(0, 100, 0), currency="JPY", settlement_currency="USD", settlement_amount=300, settlement_tax=0)
    assert refusal(payment, items(RefundItem("pdt_0", 1)), [(300, 0)]) == (
        "LINE_ITEM_REFUND_AMOUNT_TOO_LOW",
        "Line item pdt_0 requested refund amount is $0.01 which is too low",
    )


def test_the_last_moments_of_the_window_and_of_a_dispute_are_inside() -> None:
    inside = START + timedelta(days=30) - timedelta(microseconds=1)
    assert sum(part[1] for part in plan(PAYMENT, WHOLE, at=inside)) == 2487
    assert plan(HALF, items(RefundItem("pdt_0", 107)), disputed=1190)[0][1] == 107
    assert sum(part[1] for part in plan(PAYMENT, WHOLE, partial_allowed=False)) == 2487
