"""What a refund gives back: exact figures, and that refunds sum to what was paid in every order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import (
    RefundFailed,
    RefundItem,
    RefundPending,
    RefundSucceeded,
    refund_origins,
    status_after,
)
from refunding import WHOLE, come_back, items, line, paid, plan, refunded

Part = tuple[int, int, int, int, int]


def test_a_part_has_the_tax_of_the_contracts_example() -> None:
    payment = paid(line(0, 2000, 380))
    assert plan(payment, items(RefundItem("pdt_0", 1190))) == [(0, 1190, 190, 1190, 190)]
    assert plan(payment, items(RefundItem("pdt_0", 1000, tax_inclusive=False))) == [(0, 1190, 190, 1190, 190)]


def test_nothing_named_is_everything_left_and_an_item_without_amount_is_all_of_it() -> None:
    payment = paid(line(0, 2000, 380), line(1, 0, 0), line(2, 100, 7))
    assert plan(payment, WHOLE) == [(0, 2380, 380, 2380, 380), (2, 107, 7, 107, 7)]
    assert plan(payment, items(RefundItem("pdt_2"), RefundItem("pdt_0", 1))) == [(0, 1, 0, 1, 0), (2, 107, 7, 107, 7)]
    later = refunded(payment, plan(payment, items(RefundItem("pdt_0", 1190))))
    assert plan(later, WHOLE) == [(0, 1190, 190, 1190, 190), (2, 107, 7, 107, 7)]


def test_the_tax_of_small_parts_does_not_drift() -> None:
    payment = paid(line(0, 100, 19))
    taxes = []
    for _ in range(119):
        parts = plan(payment, items(RefundItem("pdt_0", 1)))
        taxes.append(parts[0][2])
        payment = refunded(payment, parts)
    assert taxes[:10] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 1]  # 19/119 a cent: half of one is passed at the 4th and 10th
    assert sum(taxes) == 19
    assert payment.refund_status == "full"


def test_a_converted_part_is_given_back_at_the_payments_own_rate() -> None:
    payment = paid(line(0, 13700, 0), settlement_currency="USD", settlement_amount=10000, settlement_tax=0)
    settled = [(10000, 0)]
    assert plan(payment, WHOLE, settled) == [(0, 13700, 0, 10000, 0)]
    assert plan(payment, items(RefundItem("pdt_0", 1000)), settled) == [(0, 1370, 0, 1000, 0)]  # US dollars
    assert plan(payment, items(RefundItem("pdt_0", 1000), currency="EUR"), settled) == [(0, 1000, 0, 730, 0)]
    assert plan(payment, items(RefundItem("pdt_0", 10000)), settled) == [(0, 13700, 0, 10000, 0)]


def test_the_settlement_of_small_parts_does_not_drift() -> None:
    payment = paid(line(0, 9200, 0), settlement_currency="USD", settlement_amount=10000, settlement_tax=0)
    for _ in range(50):
        payment = refunded(payment, plan(payment, items(RefundItem("pdt_0", 1), currency="EUR"), [(10000, 0)]))
    assert payment.lines[0].refund_reserved_settlement_amount == 54  # 54.35; rounded one by one it would be 50


def test_both_sides_have_their_own_tax_and_end_with_all_of_it() -> None:
    payment = paid(line(0, 6339, 1204), settlement_currency="USD", settlement_amount=7884, settlement_tax=1258)
    settled = [(7884, 1258)]
    first = plan(payment, items(RefundItem("pdt_0", 1000, tax_inclusive=False)), settled)
    # 1000 net of 6626 carry 190 tax (189.86) in dollars; 1190 dollars are 1139 (1138.53) euros with 182 (181.8) tax
    assert first == [(0, 1139, 182, 1190, 190)]
    assert plan(refunded(payment, first), WHOLE, settled) == [(0, 6404, 1022, 6694, 1068)]


def test_what_is_asked_for_in_settlement_money_is_settled_to_the_unit() -> None:
    payment = paid(line(0, 9200, 0), settlement_currency="USD", settlement_amount=10000, settlement_tax=0)
    for asked in range(2, 200, 7):
        (part,) = plan(payment, items(RefundItem("pdt_0", asked)), [(10000, 0)])
        assert part[3] == asked
        assert abs(part[1] * 100 - asked * 92) <= 50


def test_when_nothing_paid_is_left_nothing_settled_is_left() -> None:
    # One yen is more than half a dollar cent, so all but one cent is all of the yen.
    payment = paid(line(0, 100, 0), currency="JPY", settlement_currency="USD", settlement_amount=201, settlement_tax=0)
    assert plan(payment, items(RefundItem("pdt_0", 200)), [(201, 0)]) == [(0, 100, 0, 201, 0)]


def test_a_line_that_settles_to_nothing_is_refunded_all_the_same() -> None:
    payment = paid(line(0, 100, 0), settlement_currency="USD", settlement_amount=0, settlement_tax=0)
    assert plan(payment, items(RefundItem("pdt_0", 40), currency="EUR"), [(0, 0)]) == [(0, 40, 0, 0, 0)]
    assert plan(payment, WHOLE, [(0, 0)]) == [(0, 100, 0, 0, 0)]


def test_equal_items_are_refunded_from_the_first_line_on() -> None:
    payment = paid(line(0, 1000, 190, "pdt_a"), line(1, 500, 35), line(2, 2000, 380, "pdt_a"))
    assert plan(payment, items(RefundItem("pdt_a", 1000))) == [(0, 1000, 160, 1000, 160)]
    assert plan(payment, items(RefundItem("pdt_a", 1200))) == [(0, 1190, 190, 1190, 190), (2, 10, 2, 10, 2)]
    assert plan(payment, items(RefundItem("pdt_a", 1500, tax_inclusive=False))) == [
        (0, 1190, 190, 1190, 190),
        (2, 595, 95, 595, 95),
    ]
    assert plan(payment, items(RefundItem("pdt_1"), RefundItem("pdt_a"))) == [
        (0, 1190, 190, 1190, 190),
        (1, 535, 35, 535, 35),
        (2, 2380, 380, 2380, 380),
    ]


LINES = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 1500), st.integers(0, 9000), st.integers(0, 2500)),
    min_size=1,
    max_size=4,
)


def converted(lines: list[tuple[int, int, int, int]]) -> tuple[Payment, list[tuple[int, int]]]:
    """Return a payment in EUR that settles in USD; the same product stands on its first and third line."""
    names = ["pdt_a", "pdt_b", "pdt_a", "pdt_d"]
    made = [line(index, net, tax, names[index]) for index, (net, tax, *_) in enumerate(lines)]
    settled = [(net + tax, tax) for _, _, net, tax in lines]
    return paid(*made, settlement_currency="USD", settlement_amount=sum(total for total, _ in settled)), settled


@given(LINES, st.data())
def test_any_sequence_of_refunds_ends_with_exactly_what_was_paid(
    lines: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    """Some of the refunds come back, in another order than they were made in."""
    payment, settled = converted(lines)
    standing: list[list[Part]] = []
    for _ in range(data.draw(st.integers(0, 8))):
        if standing and data.draw(st.integers(0, 2)) == 0:
            payment = come_back(payment, standing.pop(data.draw(st.integers(0, len(standing) - 1))))
            continue
        chosen = data.draw(st.sampled_from([line.product_id for line in payment.lines]))
        currency = data.draw(st.sampled_from([None, "EUR"]))
        amount = data.draw(st.one_of(st.none(), st.integers(1, 9000)))
        wish = items(RefundItem(chosen, amount, data.draw(st.booleans())), currency=currency)
        try:
            parts = plan(payment, wish, settled)
        except Problem:
            continue
        for position, amount, tax, settlement, settlement_tax in parts:
            line = payment.lines[position]
            assert amount > 0
            assert 0 <= tax <= line.tax - line.refund_reserved_tax
            assert 0 <= amount - tax <= line.total - line.tax - (line.refund_reserved_amount - line.refund_reserved_tax)
            assert 0 <= settlement_tax <= settled[position][1] - line.refund_reserved_settlement_tax
            assert 0 <= settlement <= settled[position][0] - line.refund_reserved_settlement_amount
            assert settlement_tax <= settlement
        payment = refunded(payment, parts)
        standing.append(parts)
    if payment.refund_status != "full" and payment.total_amount:
        payment = refunded(payment, plan(payment, WHOLE, settled))
    for line, (total, tax) in zip(payment.lines, settled, strict=True):
        assert (line.refund_reserved_amount, line.refund_reserved_tax) == (line.total, line.tax)
        if line.total:
            assert (line.refund_reserved_settlement_amount, line.refund_reserved_settlement_tax) == (total, tax)


@pytest.mark.parametrize(
    ("amounts", "settled", "wishes", "parts"),
    [
        # The second refund has the tax that the first one had left, and the third would have one less than none.
        ((100, 19), (100, 19), ("in 3", "in 1", "in 1"), ((3, 0, 3, 0), (1, 1, 1, 1), (1, 0, 1, 0))),
        # The tax on top.
        ((11, 1), (17, 7), ("in 5", "1", "net 4"), ((5, 0, 10, 3), (1, 1, 1, 0), (4, 0, 9, 3))),
        # More tax than amount.
        ((1, 8), (2, 8), ("in 2", "1", "1"), ((2, 2, 2, 2), (1, 1, 1, 0), (1, 1, 1, 1))),
        # The settlement.
        ((11, 1), (1, 0), ("net 5", "net 3", "net 1"), ((5, 0, 0, 0), (4, 1, 1, 0), (1, 0, 0, 0))),
    ],
)
def test_a_refund_after_one_that_came_back_stays_within_its_bounds(
    amounts: tuple[int, int], settled: tuple[int, int], wishes: tuple[str, ...], parts: tuple[Any, ...]
) -> None:
    before = paid(line(0, *amounts), settlement_currency="USD", settlement_amount=sum(settled))
    own, payment = [(sum(settled), settled[1])], before
    steps: list[list[tuple[int, int, int, int, int]]] = []
    for wish in wishes:
        how, _, amount = wish.rpartition(" ")
        if len(steps) == 2:
            payment = come_back(payment, steps[0])
        item = RefundItem("pdt_0", int(amount), tax_inclusive=how != "net")
        steps.append(plan(payment, items(item, currency="EUR" if how else None), own))
        payment = refunded(payment, steps[-1])
    assert steps == [[(0, *part)] for part in parts]
    assert refunded(payment, plan(payment, WHOLE, own)).refund_status == "full"
    assert come_back(come_back(payment, steps[2]), steps[1]) == before


@given(st.integers(0, 5000), st.integers(0, 1500), st.lists(st.integers(1, 900), max_size=6), st.randoms())
def test_the_order_of_refunds_does_not_matter_for_what_they_sum_to(
    net: int, tax: int, amounts: list[int], random: Any
) -> None:
    shuffled = random.sample(amounts, len(amounts))
    sums = []
    for sequence in (amounts, shuffled):
        payment = paid(line(0, net, tax))
        if sum(amounts) > payment.total_amount:
            return
        for amount in sequence:
            payment = refunded(payment, plan(payment, items(RefundItem("pdt_0", amount))))
        (left,) = payment.lines
        sums.append((left.refund_reserved_amount, left.refund_reserved_tax))
    assert sums[0] == sums[1]


@given(st.integers(1, 5000), st.integers(0, 1500), st.lists(st.integers(1, 900), max_size=6))
def test_a_part_without_tax_gives_exactly_that_much_without_tax(net: int, tax: int, amounts: list[int]) -> None:
    payment = paid(line(0, net, tax))
    for amount in amounts:
        if amount > net - sum(line.refund_reserved_amount - line.refund_reserved_tax for line in payment.lines):
            return
        parts = plan(payment, items(RefundItem("pdt_0", amount, tax_inclusive=False)))
        assert parts[0][1] - parts[0][2] == amount
        payment = refunded(payment, parts)


def test_statuses_follow_the_table() -> None:
    assert status_after(RefundSucceeded("r")) == "succeeded"
    assert status_after(RefundFailed("no")) == "failed"
    assert status_after(RefundPending("r")) == "pending"
    assert (refund_origins("succeeded"), refund_origins("failed"), refund_origins("pending")) == (
        ["pending"],
        ["pending", "succeeded"],
        [],
    )
