"""Sharing a settlement among the lines."""

from nicobar.core.money.fx import ChargeTerms, Conversion
from nicobar.core.payments.settlement import settlement_shares
from nicobar.core.pricing.pricing import CartLine, quote


def conversion(source: str, target: str, numerator: int, denominator: int) -> Conversion:
    return Conversion(source, 2, target, 2, numerator, denominator, "rate", None, "test")  # type: ignore[arg-type]


def test_without_conversion_the_shares_are_the_lines() -> None:
    lines = [CartLine("a", "USD", 1000, 1, tax_rate_ppm=190_000), CartLine("b", "USD", 333, 3)]
    assert settlement_shares(quote(lines, ChargeTerms("USD", 2, "USD", 2))) == ([1190, 999], [190, 0])


def test_a_fee_on_top_is_taken_out_of_the_converted_line_alone() -> None:
    """USD 100 at 0.92 and a fee of 4 % on top, next to EUR 92.00 which nothing converts; settled in USD."""
    dollars = conversion("USD", "EUR", 92, 100)
    charge = ChargeTerms("EUR", 2, "USD", 2, (dollars,), dollars, fee_bps=400)
    priced = quote([CartLine("a", "USD", 10_000, 1), CartLine("b", "EUR", 9_200, 1)], charge)
    assert [line.total for line in priced.lines] == [9568, 9200]
    assert priced.settlement_amount == 20_000
    assert settlement_shares(priced) == ([10_000, 10_000], [0, 0])


def test_an_inclusive_fee_is_a_part_of_the_converted_line_alone() -> None:
    dollars = conversion("USD", "EUR", 92, 100)
    charge = ChargeTerms("EUR", 2, "USD", 2, (dollars,), dollars, fee_bps=400, fees_inclusive=True)
    priced = quote([CartLine("a", "USD", 10_000, 1), CartLine("b", "EUR", 9_200, 1)], charge)
    assert priced.settlement_amount == 19_600
    assert settlement_shares(priced) == ([9_600, 10_000], [0, 0])


def test_no_share_becomes_negative() -> None:
    """A hundred tiny lines whose settlement is a few cents: net and tax are shared apart."""
    rupees = conversion("USD", "INR", 83, 1)
    lines = [CartLine("a", "INR", 4, 1, tax_rate_ppm=180_000)]
    lines += [CartLine("b", "INR", 5, 1, tax_rate_ppm=180_000) for _ in range(99)]
    priced = quote(lines, ChargeTerms("INR", 2, "USD", 2, (), rupees))
    totals, taxes = settlement_shares(priced)
    assert (sum(totals), sum(taxes)) == (priced.settlement_amount, priced.settlement_tax)
    assert all(0 <= tax <= total for total, tax in zip(totals, taxes, strict=True))
