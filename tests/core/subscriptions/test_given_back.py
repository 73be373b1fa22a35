"""What went back of a charge, as prices are, and of the whole period that it paid a part of."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from nicobar.core.payments.payment import PaymentLine
from nicobar.core.subscriptions.charge_record import ChargeRecord
from nicobar.core.subscriptions.given_back import given_back
from refunding import line, paid

AT = datetime(2026, 11, 29, tzinfo=UTC)


def charge(position: int = 0, factor: str = "1") -> ChargeRecord:
    return ChargeRecord(
        payment_id="pay_1",
        position=position,
        subscription_id="sub_1",
        charge_type="new",
        factor=factor,
        state="paid",
        created_at=AT,
    )


def gone(own: PaymentLine, amount: int, tax: int, **changes: Any) -> PaymentLine:
    """Return a line of which refunds hold an amount with the tax in it."""
    return msgspec.structs.replace(own, refund_reserved_amount=amount, refund_reserved_tax=tax, **changes)


def test_the_tax_is_part_of_it_where_the_price_contains_it() -> None:
    assert given_back(charge(), paid(line(0, 3000, 570)), 0) == 0
    assert given_back(charge(), paid(gone(line(0, 3000, 570), 1190, 190)), 0) == 1000
    assert given_back(charge(), paid(gone(line(0, 3000, 570), 1190, 190, tax_inclusive=True)), 0) == 1190


@pytest.mark.parametrize(("position", "expected"), [(0, 1 + 2), (1, 4 + 8 + 16)])
def test_each_plan_has_its_product_and_the_addons_behind_it(position: int, expected: int) -> None:
    ids = ["pdt_a", "adn_1", "pdt_b", "adn_1", "adn_2", "pdt_once"]
    lines = [gone(line(index, 1000, 0, each), 1 << index, 0) for index, each in enumerate(ids)]
    assert given_back(charge(position), paid(*lines), 0) == expected


@pytest.mark.parametrize(
    ("disputed", "expected"),
    [(0, 1000), (119, 1000 + 100), (1, 1000 + 1), (2380, 3000), (3570, 3000), (9999, 3000)],
)
def test_a_dispute_takes_no_more_than_was_left(disputed: int, expected: int) -> None:
    assert given_back(charge(), paid(gone(line(0, 3000, 570), 1190, 190)), disputed) == expected


def test_a_payment_of_nothing_gives_nothing_back() -> None:
    assert given_back(charge(), paid(line(0, 0, 0)), 100) == 0


@pytest.mark.parametrize(
    ("factor", "expected"),
    [("1", 2500), ("0.5", 5000), ("0.625", 4000), ("0.33333333", 7500), ("0", 250_000_000_000)],
)
def test_a_part_of_a_period_counts_for_the_whole_of_it(factor: str, expected: int) -> None:
    assert given_back(charge(factor=factor), paid(gone(line(0, 2500, 0), 2500, 0)), 0) == expected
