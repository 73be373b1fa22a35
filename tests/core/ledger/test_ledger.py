"""The entries of payments, refunds and disputes, to the unit; the numbers are those of the contract's examples."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings import AT, CARTS, CODES, EVERYTHING, Back, Contested, balances, booked, line, paid, priced, told
from nicobar.core.ledger.ledger import (
    ACCOUNTS,
    LedgerAccount,
    LedgerEntry,
    Posting,
    payment_entry,
)
from nicobar.core.ledger.reversals import dispute_entry, is_taken, refund_entry, refund_reversal_entry
from nicobar.core.money.fx import NO_FEE
from nicobar.core.money.money import round_half_up
from nicobar.core.pricing.pricing import Quote


def test_a_plain_payment() -> None:
    _, entry = booked(priced(line(2000, 2)))
    assert told(entry) == [("processor_receivable", "USD", 4000), ("merchant_payable", "USD", -4000)]
    assert (entry.kind, entry.reference, entry.turn, entry.created_at) == ("payment", "pay_1", 0, AT)


def test_06_tax_on_top_is_owed_to_the_authorities() -> None:
    _, entry = booked(priced(line(5000, currency="EUR", tax_rate_ppm=190_000), charge="EUR", settled="EUR"))
    assert told(entry) == [
        ("processor_receivable", "EUR", 5950),
        ("merchant_payable", "EUR", -5000),
        ("tax_payable", "EUR", -950),
    ]


def test_07_tax_within_the_price_is_owed_to_the_authorities() -> None:
    cart = line(2400, currency="GBP", tax_rate_ppm=200_000, tax_inclusive=True)
    _, entry = booked(priced(cart, charge="GBP", settled="GBP"))
    assert told(entry) == [
        ("processor_receivable", "GBP", 2400),
        ("merchant_payable", "GBP", -2000),
        ("tax_payable", "GBP", -400),
    ]


@pytest.mark.parametrize(
    ("price", "charge", "inclusive", "total", "gross", "seller"),
    [
        (10_000, "CAD", False, 14_248, 10_400, 10_000),
        (10_000, "CAD", True, 13_700, 10_000, 9600),
        (50_000, "EUR", False, 47_380, 51_500, 50_000),
        (200_000, "EUR", False, 187_680, 204_000, 200_000),
        (999, "JPY", False, 1552, 1039, 999),  # 1552 yen are 10.3903 dollars
    ],
)
def test_15_and_16_a_conversion_is_bridged_and_its_fee_is_income(
    price: int, charge: str, inclusive: bool, total: int, gross: int, seller: int
) -> None:
    _, entry = booked(priced(line(price), charge=charge, inclusive=inclusive))
    assert told(entry) == [
        ("processor_receivable", charge, total),
        ("conversion_clearing", charge, -total),
        ("conversion_clearing", "USD", gross),
        ("merchant_payable", "USD", -seller),
        ("fee_income", "USD", seller - gross),
    ]


def test_16_without_a_fee_there_is_no_income() -> None:
    _, entry = booked(priced(line(999), charge="KWD", tiers=NO_FEE))
    assert told(entry) == [
        ("processor_receivable", "KWD", 3068),
        ("conversion_clearing", "KWD", -3068),
        ("conversion_clearing", "USD", 999),
        ("merchant_payable", "USD", -999),
    ]


def test_17_charm_pricing() -> None:
    _, entry = booked(priced(line(4000), charge="GBP", charm="nearest"))
    assert told(entry) == [
        ("processor_receivable", "GBP", 2999),
        ("conversion_clearing", "GBP", -2999),
        ("conversion_clearing", "USD", 3796),
        ("merchant_payable", "USD", -3644),
        ("fee_income", "USD", -152),
    ]


def test_18_everything() -> None:
    _, exclusive = booked(priced(*EVERYTHING, charge="EUR", codes=CODES))
    assert told(exclusive) == [
        ("processor_receivable", "EUR", 9146),
        ("conversion_clearing", "EUR", -9146),
        ("conversion_clearing", "USD", 9941),  # 91.46 euros are 99.4130 dollars
        ("merchant_payable", "USD", -8033),
        ("tax_payable", "USD", -1526),
        ("fee_income", "USD", -382),
    ]
    _, inclusive = booked(priced(*EVERYTHING, charge="EUR", codes=CODES, inclusive=True))
    assert told(inclusive) == [
        ("processor_receivable", "EUR", 8772),
        ("conversion_clearing", "EUR", -8772),
        ("conversion_clearing", "USD", 9535),
        ("merchant_payable", "USD", -7632),
        ("tax_payable", "USD", -1522),
        ("fee_income", "USD", -381),
    ]


def test_a_mixed_cart_can_bear_a_fee_without_another_currency() -> None:
    cart = line(10_000), line(9200, currency="EUR", product="B")
    _, entry = booked(priced(*cart, inclusive=True))
    assert told(entry) == [
        ("processor_receivable", "USD", 20_000),
        ("merchant_payable", "USD", -19_600),
        ("fee_income", "USD", -400),
    ]


def test_a_converted_payment_needs_its_rate() -> None:
    payment = paid(priced(line(10_000), charge="CAD"))
    with pytest.raises(ValueError, match="pay_1 was converted, and its rate is not known"):
        payment_entry("led_1", payment, None, AT)


@pytest.mark.parametrize(
    "postings",
    [
        (),
        (Posting("processor_receivable", "USD", 100),),
        (Posting("processor_receivable", "USD", 100), Posting("merchant_payable", "USD", -99)),
        (Posting("processor_receivable", "USD", 100), Posting("merchant_payable", "EUR", -100)),
        (Posting("processor_receivable", "USD", 0), Posting("merchant_payable", "USD", 0)),
    ],
)
def test_an_entry_that_does_not_balance_cannot_be_made(postings: tuple[Posting, ...]) -> None:
    _, entry = booked(priced(line(2000)))
    with pytest.raises(ValueError, match="the entry about pay_1 does not balance"):
        msgspec.structs.replace(entry, postings=postings)


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
        assert (
            balances([*entries, refund_entry("led_rest", Back(ends[0], ends[1], ends[2], "ref_rest"), entries, AT)])
            == {}
        )
    for refund_id in standing:
        entries.append(refund_reversal_entry(f"led_{refund_id}", refund_id, entries, AT))
    assert balances(entries) == balances([entry])


def test_a_dispute_takes_the_money_and_a_victory_returns_it() -> None:
    payment, entry = booked(priced(line(2000, tax_rate_ppm=190_000)))
    dispute = Contested(1190, "USD")
    taken = dispute_entry("led_2", dispute, payment.payment_id, [entry], AT, returned=False)
    assert told(taken) == [
        ("processor_receivable", "USD", -1190),
        ("merchant_payable", "USD", 1000),
        ("tax_payable", "USD", 190),
    ]
    assert (taken.kind, taken.reference, taken.turn) == ("dispute", "dp_1", 0)
    won = dispute_entry("led_3", dispute, payment.payment_id, [entry, taken], AT, returned=True)
    assert (won.kind, won.reference, won.turn) == ("dispute_reversal", "dp_1", 0)
    assert [posting.amount for posting in won.postings] == [-posting.amount for posting in taken.postings]
    appealed = dispute_entry("led_4", dispute, payment.payment_id, [entry, taken, won], AT, returned=False)
    assert (appealed.kind, appealed.turn, appealed.postings) == ("dispute", 1, taken.postings)
    steps = [entry, taken, won, appealed]
    assert [is_taken("dp_1", steps[:count]) for count in (1, 2, 3, 4)] == [False, True, False, True]
    assert not is_taken("dp_2", steps)


@pytest.mark.parametrize("cart", CARTS)
def test_a_dispute_of_the_whole_leaves_nothing(cart: Quote) -> None:
    payment, entry = booked(cart)
    whole = Contested(payment.total_amount, payment.currency)
    assert balances([entry, dispute_entry("led_2", whole, payment.payment_id, [entry], AT, returned=False)]) == {}


def test_a_processor_may_count_in_the_settlement_currency_or_in_a_third_one() -> None:
    payment, entry = booked(priced(line(10_000), charge="CAD"))
    own = dispute_entry("led_2", Contested(5200, "USD"), payment.payment_id, [entry], AT, returned=False)
    assert told(own) == [
        ("processor_receivable", "USD", -5200),
        ("merchant_payable", "USD", 5000),
        ("fee_income", "USD", 200),
    ]
    third = dispute_entry("led_2", Contested(9568, "EUR"), payment.payment_id, [entry], AT, returned=False)
    assert told(third) == [
        ("processor_receivable", "EUR", -9568),
        ("conversion_clearing", "EUR", 9568),
        ("conversion_clearing", "USD", -10_400),
        ("merchant_payable", "USD", 10_000),
        ("fee_income", "USD", 400),
    ]


def test_the_accounts_are_those_that_entries_use() -> None:
    _, entry = booked(priced(*EVERYTHING, charge="EUR", codes=CODES))
    used: set[LedgerAccount] = {posting.account for posting in entry.postings}
    assert used == set(ACCOUNTS) - {"reversal_loss"}
    for posting in entry.postings:
        if ACCOUNTS[posting.account] != "either":
            assert (posting.amount > 0) == (ACCOUNTS[posting.account] == "debit")
