"""CPU time of pricing, in microseconds a call: `python bench/pricing.py`.

Each case is repeated in rounds; the fastest round is printed, because everything slower is noise of the machine.
"""

import time
from collections.abc import Callable
from datetime import date

import msgspec

from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.money.fx import DODO_FEES, ChargeTerms, Rates, charge_terms, usd_rate
from nicobar.core.pricing.explanation import explain
from nicobar.core.pricing.pricing import CartLine, quote, with_fee

EXPONENTS = {"USD": 2, "EUR": 2}
RATES = Rates({"EUR": usd_rate("0.923177", date(2026, 10, 30), "bench")})
DOLLARS = ChargeTerms("USD", 2, "USD", 2)
EUROS = charge_terms("EUR", "USD", ["USD"], RATES, EXPONENTS)


def cart(lines: int, tax_rate_ppm: int = 0, discount_bps: int = 0) -> list[CartLine]:
    """Make a cart of different prices."""
    return [
        CartLine(f"pdt_{index}", "USD", 1999 + 37 * index, 1 + index % 3, discount_bps, False, tax_rate_ppm)
        for index in range(lines)
    ]


def codes(count: int) -> list[DiscountTerms]:
    """Make codes: percentages of awkward size, every fourth of them capped, and every third code flat."""
    made = []
    for index in range(count):
        if index % 3 == 2:
            made.append(DiscountTerms(f"dsc_{index}", f"FLAT{index}", "flat", 501))
        else:
            cap = 1000 if index % 4 == 3 else None
            made.append(DiscountTerms(f"dsc_{index}", f"PCT{index}", "percentage", 733 + index, cap))
    return made


def microseconds(call: Callable[[], object], calls: int, rounds: int = 7) -> float:
    """Return the CPU time of one call in the fastest round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time_ns()
        for _ in range(calls):
            call()
        best = min(best, (time.process_time_ns() - start) / calls / 1000)
    return best


def main() -> None:
    """Run every case and print a table."""
    small, taxed, large = cart(3), cart(3, 190_000, 1250), cart(100, 190_000, 1250)
    two, twenty = codes(2), codes(20)
    example = quote(taxed, EUROS, two)
    everything = quote(large, EUROS, twenty)
    cases: list[tuple[str, Callable[[], object], int]] = [
        ("3 lines, plain", lambda: quote(small, DOLLARS), 5000),
        ("3 lines, tax", lambda: quote(taxed, DOLLARS), 3000),
        ("3 lines, 2 codes, tax", lambda: quote(taxed, DOLLARS, two), 2000),
        ("3 lines, 2 codes, tax, conversion", lambda: quote(taxed, EUROS, two), 2000),
        ("    choosing its fee tier", lambda: with_fee(taxed, EUROS, two, DODO_FEES, RATES, EXPONENTS), 2000),
        ("    its explanation", lambda: explain(example), 500),
        ("    its inputs as JSON", lambda: msgspec.json.encode(example.inputs), 5000),
        ("100 lines, plain", lambda: quote(cart_of_hundred, DOLLARS), 300),
        ("100 lines, 20 codes, tax", lambda: quote(large, DOLLARS, twenty), 20),
        ("100 lines, 20 codes, tax, conversion", lambda: quote(large, EUROS, twenty), 20),
        ("    its explanation", lambda: explain(everything), 3),
    ]
    cart_of_hundred = cart(100)
    print(f"{'case':<40}{'CPU us':>10}")
    for name, call, calls in cases:
        print(f"{name:<40}{microseconds(call, calls):>10.1f}")


if __name__ == "__main__":
    main()
