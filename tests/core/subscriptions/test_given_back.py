"""What went back of a charge, as prices are, and of the whole period that it paid a part of."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nicobar.core.money.money import INT32_MAX
from nicobar.core.payments.payment import Payment, PaymentLine
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import RefundItem
from nicobar.core.subscriptions.charge_record import ChargeRecord
from nicobar.core.subscriptions.given_back import given_back
from nicobar.core.subscriptions.proration import Share, read_share
from refunding import WHOLE, items, line, paid, plan, refunded

AT = datetime(2026, 11, 29, tzinfo=UTC)


def lowered(own: ChargeRecord, payment: Payment, disputed: int) -> int:
    """Return by how much less the period cost, while the subscription has prices of the charge's kind."""
    return given_back(own, payment, disputed, tax_inclusive=payment.lines[0].tax_inclusive)


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
    assert lowered(charge(), paid(line(0, 3000, 570)), 0) == 0
    assert lowered(charge(), paid(gone(line(0, 3000, 570), 1190, 190)), 0) == 1000
    assert lowered(charge(), paid(gone(line(0, 3000, 570), 1190, 190, tax_inclusive=True)), 0) == 1190


def test_a_charge_of_a_plan_of_the_other_kind_counts_as_the_prices_of_now() -> None:
    before, within = gone(line(0, 3000, 570), 1190, 190), gone(line(0, 3000, 570), 1190, 190, tax_inclusive=True)
    assert given_back(charge(), paid(before), 0, tax_inclusive=True) == 1190
    assert given_back(charge(), paid(within), 0, tax_inclusive=False) == 1000
    assert given_back(charge(), paid(within), 2380, tax_inclusive=False) == 3000


@pytest.mark.parametrize(("position", "expected"), [(0, 1 + 2), (1, 4 + 8 + 16)])
def test_each_plan_has_its_product_and_the_addons_behind_it(position: int, expected: int) -> None:
    ids = ["pdt_a", "adn_1", "pdt_b", "adn_1", "adn_2", "pdt_once"]
    lines = [gone(line(index, 1000, 0, each), 1 << index, 0) for index, each in enumerate(ids)]
    assert lowered(charge(position), paid(*lines), 0) == expected


@pytest.mark.parametrize(
    ("disputed", "expected"),
    [(0, 1000), (119, 1000 + 100), (1, 1000 + 1), (2380, 3000), (3570, 3000), (9999, 3000)],
)
def test_a_dispute_takes_no_more_than_was_left(disputed: int, expected: int) -> None:
    assert lowered(charge(), paid(gone(line(0, 3000, 570), 1190, 190)), disputed) == expected


def test_a_payment_of_nothing_gives_nothing_back() -> None:
    assert lowered(charge(), paid(line(0, 0, 0)), 100) == 0


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        ("1", 2500),
        ("1/2", 5000),
        ("5/8", 4000),
        ("1/3", 7500),
        ("0.5", 5000),  # as shares were stored before
        ("0.625", 4000),
        ("0.33333333", 7500),
        ("0", 250_000_000_000),
    ],
)
def test_a_part_of_a_period_counts_for_the_whole_of_it(factor: str, expected: int) -> None:
    assert lowered(charge(factor=factor), paid(gone(line(0, 2500, 0), 2500, 0)), 0) == expected


def test_a_dispute_takes_what_refunds_have_left_with_its_own_tax() -> None:
    untaxed, taxed = line(0, 1000, 0, "pdt_a"), line(1, 1000, 200, "adn_1")
    assert lowered(charge(), paid(gone(untaxed, 1000, 0), taxed), 1200) == 2000
    assert lowered(charge(), paid(untaxed, gone(taxed, 1200, 200)), 1000) == 2000
    assert lowered(charge(), paid(gone(untaxed, 1000, 0), taxed), 600) == 1500


def test_the_third_of_a_large_price_is_exact() -> None:
    """With eight decimals of the share, 2,000,000,021 would have gone back of a period for 2,000,000,000."""
    share = Share(1, 3)
    assert (share.of(2_000_000_000), share.ratio(), share.text()) == (666_666_667, "1/3", "0.33333333")
    found = lowered(charge(factor="1/3"), paid(gone(line(0, 666_666_667, 0), 666_666_667, 0)), 0)
    assert found == 2_000_000_001
    assert share.of(found) == 666_666_667


TWENTY_YEARS = 20 * 366 * 86_400


@given(st.integers(0, INT32_MAX), st.integers(1, TWENTY_YEARS), st.data())
def test_the_same_part_of_what_went_back_of_a_period_is_what_went_back(
    price: int, whole: int, data: st.DataObject
) -> None:
    share = Share(data.draw(st.integers(1, whole)), whole)
    cost = share.of(price)
    assert read_share(share.ratio()).of(price) == cost
    assert share.of(lowered(charge(factor=share.ratio()), paid(gone(line(0, cost, 0), cost, 0)), 0)) == cost


LINES = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 1500), st.integers(0, 9000), st.integers(0, 2500), st.booleans()),
    min_size=1,
    max_size=4,
)


@given(LINES, st.integers(1, TWENTY_YEARS), st.data())
def test_parts_that_go_back_one_by_one_come_to_the_whole(
    lines: list[tuple[int, int, int, int, bool]], whole: int, data: st.DataObject
) -> None:
    """In the currency that was paid and in that of the settlement; and so do refunds with a dispute of the rest."""
    names = ["pdt_0", "adn_1", "adn_2", "adn_3"]
    made = [
        msgspec.structs.replace(line(index, net, tax, names[index]), tax_inclusive=inclusive)
        for index, (net, tax, _, _, inclusive) in enumerate(lines)
    ]
    settled = [(net + tax, tax) for _, _, net, tax, _ in lines]
    payment = paid(*made, settlement_currency="USD", settlement_amount=sum(total for total, _ in settled))
    own = charge(factor=Share(data.draw(st.integers(1, whole)), whole).ratio())
    if not payment.total_amount:
        return
    at_once = lowered(own, refunded(payment, plan(payment, WHOLE, settled)), 0)
    before = 0
    for _ in range(data.draw(st.integers(0, 8))):
        wish = RefundItem(data.draw(st.sampled_from(names)), data.draw(st.integers(1, 5000)), data.draw(st.booleans()))
        try:
            parts = plan(payment, items(wish, currency=data.draw(st.sampled_from([None, "EUR"]))), settled)
        except Problem:
            continue
        payment = refunded(payment, parts)
        found = lowered(own, payment, 0)
        assert before <= found <= at_once
        assert lowered(own, payment, payment.total_amount) == at_once
        before = found
    if payment.refund_status != "full":
        payment = refunded(payment, plan(payment, WHOLE, settled))
    assert lowered(own, payment, 0) == at_once
    assert payment.refund_succeeded_amount == payment.total_amount
    back = [each.refund_reserved_settlement_amount for each in payment.lines if each.total]
    assert back == [total for each, (total, _) in zip(payment.lines, settled, strict=True) if each.total]
