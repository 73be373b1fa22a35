"""Entries of refunds and disputes: parts of the payment's entry, which sum to it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking import AT, CODES, EVERYTHING, Back, Contested, balances, booked, line, priced, told
from nicobar.core.ledger.ledger import (
    LedgerEntry,
    dispute_entry,
    is_taken,
    refund_entry,
    refund_reversal_entry,
)
from nicobar.core.money.money import round_half_up
from nicobar.core.pricing.pricing import Quote


def test_22_a_refund_takes_its_parts_from_seller_and_authorities() -> None:
    _, entry = booked(priced(line(2000, tax_rate_ppm=190_000)))
    refund = refund_entry("led_2", Back(1190, 1190, 190), [entry], AT)
    assert told(refund) == [
        ("processor_receivable", "USD", -1190),
        ("merchant_payable", "USD", 1000),
        ("tax_payable", "USD", 190),
    ]
    assert (refund.kind, refund.payment_id, refund.reference) == ("refund", "pay_1", "ref_1")


def test_a_refund_of_a_converted_payment_gives_its_part_of_the_fee() -> None:
    _, entry = booked(priced(line(10_000), charge="CAD"))
    half = refund_entry("led_2", Back(7124, 5000), [entry], AT)
    assert told(half) == [
        ("processor_receivable", "CAD", -7124),
        ("conversion_clearing", "CAD", 7124),
        ("conversion_clearing", "USD", -5200),
        ("merchant_payable", "USD", 5000),
        ("fee_income", "USD", 200),
    ]
    rest = refund_entry("led_3", Back(7124, 5000, refund_id="ref_2"), [entry, half], AT)
    assert balances([entry, half, rest]) == {}


def test_a_refund_needs_the_payment_in_the_books() -> None:
    with pytest.raises(ValueError, match="pay_1 is not in the books"):
        refund_entry("led_2", Back(100, 100), [], AT)


def test_a_refund_that_came_back_is_reversed_to_the_unit() -> None:
    _, entry = booked(priced(line(10_000), charge="CAD"))
    half = refund_entry("led_2", Back(7124, 5000), [entry], AT)
    later = AT + timedelta(days=3)
    back = refund_reversal_entry("led_3", "ref_1", [entry, half], later)
    assert told(back) == [(account, currency, -amount) for account, currency, amount in told(half)]
    assert (back.entry_id, back.kind, back.payment_id, back.reference) == (
        "led_3",
        "refund_reversal",
        "pay_1",
        "ref_1",
    )
    assert (back.turn, back.created_at, back.received, back.gross) == (0, later, 7124, 5200)
    whole = refund_entry("led_4", Back(14_248, 10_000, refund_id="ref_2"), [entry, half, back], AT)
    assert balances([entry, half, back, whole]) == {}
    with pytest.raises(ValueError, match="ref_2 is not in the books"):
        refund_reversal_entry("led_4", "ref_2", [entry, half, back], AT)


CARTS = [
    priced(line(1999, 3, tax_rate_ppm=190_000)),
    priced(*EVERYTHING, charge="EUR", codes=CODES),
    priced(*EVERYTHING, charge="EUR", codes=CODES, inclusive=True),
    priced(line(999, tax_rate_ppm=77_000), charge="JPY"),
    priced(line(4000), charge="GBP", charm="nearest"),
    priced(line(10_000), line(9200, currency="EUR", product="B"), inclusive=True),
]


@given(cart=st.sampled_from(CARTS), cuts=st.lists(st.integers(1, 100_000), max_size=6))
def test_refunds_of_the_whole_leave_nothing(cart: Quote, cuts: list[int]) -> None:
    payment, entry = booked(cart)
    total = payment.total_amount
    marks = [*sorted({cut % total for cut in cuts} - {0}), total]
    entries, before = [entry], (0, 0, 0)
    for number, mark in enumerate(marks):
        now = (
            mark,
            round_half_up(payment.settlement_amount * mark, total),
            round_half_up(payment.settlement_tax * mark, total),
        )
        amount, settlement, tax = (late - early for early, late in zip(before, now, strict=True))
        entries.append(refund_entry(f"led_{number}", Back(amount, settlement, tax, f"ref_{number}"), entries, AT))
        before = now
    assert balances(entries) == {}


@given(cart=st.sampled_from(CARTS), data=st.data())
def test_the_books_are_the_payment_less_the_refunds_that_stand(cart: Quote, data: st.DataObject) -> None:
    payment, entry = booked(cart)
    total, entries = payment.total_amount, [entry]
    standing: dict[str, LedgerEntry] = {}
    for number in range(data.draw(st.integers(0, 8))):
        left = total + sum(refund.received for refund in standing.values())
        if standing and (not left or data.draw(st.booleans())):
            refund_id = data.draw(st.sampled_from(sorted(standing)))
            del standing[refund_id]
            entries.append(refund_reversal_entry(f"led_{number}", refund_id, entries, AT))
        else:
            amount = data.draw(st.integers(1, left))
            settlement = data.draw(st.integers(0, payment.settlement_amount))
            back = Back(amount, settlement, data.draw(st.integers(0, settlement)), f"ref_{number}")
            standing[back.refund_id] = refund_entry(f"led_{number}", back, entries, AT)
            entries.append(standing[back.refund_id])
        assert balances(entries) == balances([entry, *standing.values()])
    ends = [0, 0, 0]
    for booked_entry in [entry, *standing.values()]:
        earned, tax = booked_entry.amount("merchant_payable", "USD"), booked_entry.amount("tax_payable", "USD")
        ends = [ends[0] + booked_entry.received, ends[1] - earned - tax, ends[2] - tax]
    if ends[0]:
        assert balances([*entries, refund_entry("led_rest", Back(*ends, "ref_rest"), entries, AT)]) == {}
    for refund_id in standing:
        entries.append(refund_reversal_entry(f"led_{refund_id}", refund_id, entries, AT))
    assert balances(entries) == balances([entry])


def test_a_dispute_takes_the_money_and_a_victory_returns_it() -> None:
    payment, entry = booked(priced(line(2000, tax_rate_ppm=190_000)))
    dispute = Contested(1190, "USD")
    taken = dispute_entry("led_2", dispute, payment, [entry], AT, returned=False)
    assert told(taken) == [
        ("processor_receivable", "USD", -1190),
        ("merchant_payable", "USD", 1000),
        ("tax_payable", "USD", 190),
    ]
    assert (taken.kind, taken.reference, taken.turn) == ("dispute", "dp_1", 0)
    won = dispute_entry("led_3", dispute, payment, [entry, taken], AT, returned=True)
    assert (won.kind, won.reference, won.turn) == ("dispute_reversal", "dp_1", 0)
    assert [posting.amount for posting in won.postings] == [-posting.amount for posting in taken.postings]
    appealed = dispute_entry("led_4", dispute, payment, [entry, taken, won], AT, returned=False)
    assert (appealed.kind, appealed.turn, appealed.postings) == ("dispute", 1, taken.postings)
    steps = [entry, taken, won, appealed]
    assert [is_taken("dp_1", steps[:count]) for count in (1, 2, 3, 4)] == [False, True, False, True]
    assert not is_taken("dp_2", steps)


@pytest.mark.parametrize("cart", CARTS)
def test_a_dispute_of_the_whole_leaves_nothing(cart: Quote) -> None:
    payment, entry = booked(cart)
    whole = Contested(payment.total_amount, payment.currency)
    assert balances([entry, dispute_entry("led_2", whole, payment, [entry], AT, returned=False)]) == {}


def test_a_processor_may_count_in_the_settlement_currency_or_in_a_third_one() -> None:
    payment, entry = booked(priced(line(10_000), charge="CAD"))
    own = dispute_entry("led_2", Contested(5200, "USD"), payment, [entry], AT, returned=False)
    assert told(own) == [
        ("processor_receivable", "USD", -5200),
        ("merchant_payable", "USD", 5000),
        ("fee_income", "USD", 200),
    ]
    third = dispute_entry("led_2", Contested(9568, "EUR"), payment, [entry], AT, returned=False)
    assert told(third) == [
        ("processor_receivable", "EUR", -9568),
        ("conversion_clearing", "EUR", 9568),
        ("conversion_clearing", "USD", -10_400),
        ("merchant_payable", "USD", 10_000),
        ("fee_income", "USD", 400),
    ]
