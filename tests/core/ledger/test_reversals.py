"""Money that goes back counts from what is left: refunds, disputes and their returns in every order."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings import AT, CARTS, Back, Contested, balances, booked, line, priced, told
from nicobar.core.ledger.ledger import LedgerEntry
from nicobar.core.ledger.reversals import dispute_entry, refund_entry, refund_reversal_entry
from nicobar.core.money.money import round_half_up
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.pricing import Quote

WHOLE, HALF = Back(11_900, 11_900, 1900), Back(5950, 5950, 950)
"""Refunds of 119.00 with 19.00 tax."""


def sold() -> list[LedgerEntry]:
    return [booked(priced(line(10_000, tax_rate_ppm=190_000)))[1]]


def steps(entries: list[LedgerEntry], *wanted: tuple[str, Back | Contested]) -> list[LedgerEntry]:
    """Let refunds and disputes go out ("out") and come back ("in"), and hold every account within its bounds."""
    for way, what in wanted:
        entry_id = f"led_{len(entries) + 1}"
        if isinstance(what, Contested):
            entries = [*entries, dispute_entry(entry_id, what, "pay_1", entries, AT, returned=way == "in")]
        elif way == "out":
            entries = [*entries, refund_entry(entry_id, what, entries, AT)]
        else:
            entries = [*entries, refund_reversal_entry(entry_id, what.refund_id, entries, AT)]
        within_bounds(entries)
    return entries


def within_bounds(entries: list[LedgerEntry]) -> None:
    paid, standing = balances(entries[:1]), balances(entries)
    lost = 0
    for (account, currency), amount in standing.items():
        if account == "reversal_loss":
            lost = amount
        elif account in ("merchant_payable", "tax_payable", "fee_income"):
            whole = paid.get((account, currency), 0)
            assert min(whole, 0) <= amount <= max(whole, 0), (account, standing)
    assert lost >= 0
    if lost:
        assert {account for account, _ in standing} <= {"reversal_loss", "processor_receivable", "conversion_clearing"}


def test_a_refund_and_a_dispute_of_all_reverse_the_tax_once() -> None:
    entries = steps(sold(), ("out", WHOLE), ("out", Contested(11_900, "USD")))
    assert told(entries[-1]) == [("processor_receivable", "USD", -11_900), ("reversal_loss", "USD", 11_900)]
    assert balances(entries) == {("processor_receivable", "USD"): -11_900, ("reversal_loss", "USD"): 11_900}
    won = steps(entries, ("in", Contested(11_900, "USD")))
    assert balances(won) == {}
    assert balances(steps(won, ("in", WHOLE))) == balances(sold())


def test_a_refund_that_comes_back_while_a_dispute_holds_all_ends_the_loss() -> None:
    entries = steps(sold(), ("out", WHOLE), ("out", Contested(11_900, "USD")), ("in", WHOLE))
    assert told(entries[-1]) == [("processor_receivable", "USD", 11_900), ("reversal_loss", "USD", -11_900)]
    assert balances(entries) == {}
    assert balances(steps(entries, ("in", Contested(11_900, "USD")))) == balances(sold())


def test_a_part_is_lost_where_only_a_part_was_left() -> None:
    entries = steps(sold(), ("out", HALF), ("out", Contested(11_900, "USD")))
    assert told(entries[-1]) == [
        ("processor_receivable", "USD", -11_900),
        ("merchant_payable", "USD", 5000),
        ("tax_payable", "USD", 950),
        ("reversal_loss", "USD", 5950),
    ]
    assert balances(steps(entries, ("in", Contested(11_900, "USD")), ("in", HALF))) == balances(sold())


def test_a_bank_that_counts_more_than_was_paid_takes_no_more_tax() -> None:
    entries = steps(sold(), ("out", Contested(12_000, "USD")))
    assert told(entries[-1]) == [
        ("processor_receivable", "USD", -12_000),
        ("merchant_payable", "USD", 10_000),
        ("tax_payable", "USD", 1900),
        ("reversal_loss", "USD", 100),
    ]


def test_two_disputes_of_one_payment_take_it_once() -> None:
    first, second = Contested(11_900, "USD", "dp_1"), Contested(11_900, "USD", "dp_2")
    for order in permutations([("in", first), ("in", second)]):
        assert balances(steps(sold(), ("out", first), ("out", second), *order)) == balances(sold())


def test_a_fee_is_given_once_in_a_conversion() -> None:
    entry = booked(priced(line(10_000), charge="CAD"))[1]
    whole = Back(14_248, 10_000)
    entries = steps([entry], ("out", whole), ("out", Contested(14_248, "CAD")))
    assert told(entries[-1]) == [
        ("processor_receivable", "CAD", -14_248),
        ("conversion_clearing", "CAD", 14_248),
        ("conversion_clearing", "USD", -10_400),
        ("reversal_loss", "USD", 10_400),
    ]
    in_dollars = steps([entry], ("out", whole), ("out", Contested(10_400, "USD")))
    assert told(in_dollars[-1]) == [("processor_receivable", "USD", -10_400), ("reversal_loss", "USD", 10_400)]
    in_euros = steps([entry], ("out", whole), ("out", Contested(9568, "EUR")))
    assert told(in_euros[-1])[-1] == ("reversal_loss", "USD", 10_400)


def test_a_unit_of_rounding_is_not_kept_when_everything_has_come_back() -> None:
    # EUR 91.46 are USD 99.41: 29 cents are 32 of them alone, 6 more are 6, and 6 alone would be 7.
    entry = booked(CARTS[1])[1]
    small, rest = Back(29, 30, 5), Back(9117, 9529, 1521, "ref_2")
    out = steps([entry], ("out", small), ("out", Contested(6, "EUR")), ("out", rest))
    assert [moved.share for moved in out] == [9941, -32, -6, -9903]
    assert [moved.lost for moved in out] == [0, 0, 0, 7]
    entries = steps(out, ("in", small), ("in", rest), ("in", Contested(6, "EUR")))
    assert told(entries[-1]) == [
        ("processor_receivable", "EUR", 6),
        ("conversion_clearing", "EUR", -6),
        ("conversion_clearing", "USD", 7),
        ("merchant_payable", "USD", -6),
        ("tax_payable", "USD", -1),
    ]
    assert balances(entries) == balances([entry])


def test_a_unit_of_the_fee_comes_back_with_the_last_refund() -> None:
    entry = booked(CARTS[3])[1]
    # JPY 1672 are USD 11.19, so 826 yen are 5.53 alone, and 5.52 after a dispute of 836.
    early, late = Back(826, 532, 38), Back(846, 544, 39, "ref_2")
    disputed = Contested(836, "JPY")
    entries = steps([entry], ("out", disputed), ("out", early), ("out", late), ("in", disputed), ("in", late))
    assert [moved.share for moved in entries] == [1119, -560, -552, -7, 0, 566]
    entries = steps(entries, ("in", early))
    assert entries[-1].share == 553
    assert balances(entries) == balances([entry])


def test_a_dispute_in_the_settlement_currency_is_booked_to_the_unit_beside_rounded_refunds() -> None:
    entry = booked(CARTS[4])[1]
    first, second, disputed = Back(2749, 3340), Back(225, 273, refund_id="ref_2"), Contested(41, "USD")
    entries = steps([entry], ("out", first), ("out", second), ("out", disputed), ("in", first), ("in", second))
    assert told(entries[3])[0] == ("processor_receivable", "USD", -41)
    assert [moved.gross for moved in entries[1:4]] == [-3480, -284, -41]
    entries = steps(entries, ("in", disputed))
    assert (entries[-1].received, entries[-1].gross) == (41, 41)
    assert balances(entries) == balances([entry])


def test_a_second_return_is_refused() -> None:
    entries = steps(sold(), ("out", WHOLE), ("in", WHOLE))
    with pytest.raises(ValueError, match="ref_1 came back before"):
        refund_reversal_entry("led_9", "ref_1", entries, AT)


def planned(payment: Payment, refunds: list[Back], amount: int, refund_id: str) -> Back:
    """Plan a refund after those that stand as `core/refunds/refund_plan.py` does for a payment of one line."""
    given_back = sum(refund.amount for refund in refunds) + amount
    settled = sum(refund.settlement_amount for refund in refunds)
    taxed = sum(refund.settlement_tax for refund in refunds)
    whole, tax = payment.settlement_amount, payment.settlement_tax
    if given_back == payment.total_amount:
        return Back(amount, whole - settled, tax - taxed, refund_id)
    part = max(0, round_half_up(given_back * whole, payment.total_amount) - settled)
    return Back(amount, part, max(0, min(part, round_half_up((settled + part) * tax, whole) - taxed)), refund_id)


@given(cart=st.sampled_from(CARTS), data=st.data())
def test_no_order_of_things_moves_an_account_beyond_what_was_booked(cart: Quote, data: st.DataObject) -> None:
    payment, entry = booked(cart)
    entries, total = [entry], payment.total_amount
    refunds: list[Back] = []
    disputes: list[Contested] = []
    for number in range(data.draw(st.integers(0, 10))):
        left = total - sum(refund.amount for refund in refunds)
        move = data.draw(st.sampled_from(["refund", "back", "dispute", "won"]))
        if move == "refund" and left:
            amount = data.draw(st.one_of(st.just(left), st.integers(1, left)))
            refunds.append(planned(payment, refunds, amount, f"ref_{number}"))
            entries = steps(entries, ("out", refunds[-1]))
        elif move == "back" and refunds:
            entries = steps(entries, ("in", refunds.pop(data.draw(st.integers(0, len(refunds) - 1)))))
        elif move == "dispute":
            currency = data.draw(
                st.sampled_from([payment.currency, payment.currency, payment.settlement_currency, "INR"])
            )
            disputes.append(Contested(data.draw(st.integers(1, 2 * total)), currency, f"dp_{number}"))
            entries = steps(entries, ("out", disputes[-1]))
        elif move == "won" and disputes:
            entries = steps(entries, ("in", disputes.pop(data.draw(st.integers(0, len(disputes) - 1)))))
    for refund in refunds:
        entries = steps(entries, ("in", refund))
    for dispute in disputes:
        entries = steps(entries, ("in", dispute))
    assert balances(entries) == balances([entry])
