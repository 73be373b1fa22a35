"""The ordered explanation of a quote: every step from the list price to the settlement, exact and readable.

Each step says which exact amount it started from, which it reached, by which rule and from which source. Between
two steps nothing is rounded unless a step says so, and the signed contributions of all steps sum to the total.
"""

from math import gcd
from typing import Literal

import msgspec

from nicobar.core.discounts.discounts import FULL_BPS
from nicobar.core.money.money import decimal_text, display_amount, round_half_up
from nicobar.core.pricing.pricing import CartLine, LineQuote, Quote, Workings, work_out

StepName = Literal[
    "list_price",
    "purchasing_power",
    "conversion",
    "conversion_fee",
    "subtotal",
    "product_discount",
    "code",
    "charm",
    "rounding",
    "tax",
    "total",
    "settlement",
]
"""What can happen to an amount, in the order in which it happens."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step of the calculation."""

    what: StepName
    line: int | None
    """Index of the cart line; None for the steps of the whole cart."""
    currency: str
    """Currency of the amount after the step."""
    exponent: int
    """Number of decimals of that currency."""
    amount_before: str
    """Exact amount before the step in minor units, as `n` or `n/d`, in the currency of the line's previous step."""
    amount_after: str
    """Exact amount after the step in minor units of `currency`, as `n` or `n/d`."""
    minor_before: int
    """`amount_before` rounded half-up."""
    minor_after: int
    """`amount_after` rounded half-up."""
    contribution: int
    """What the step adds to the total, in minor units of the charge currency; negative for a discount.

    The steps before `charm` count as they would without it, and `charm` adds what it really changed. At a charm price
    the subtotal and the discounts of the quote are moved as well, so they differ from what their steps contribute.
    """
    rule: str
    """What was done, such as `product discount 12.5 %`."""
    source: str
    """Where the number in the rule comes from; may be empty."""


class Trail:
    """The steps of one line, or of the whole cart: each begins with the amount that the previous one reached."""

    __slots__ = ("_currency", "_exponent", "_line", "_numerator", "_reached", "_rounded", "steps")

    def __init__(self, line: int | None, currency: str, exponent: int) -> None:
        """Start at zero in the given currency."""
        self.steps: list[Step] = []
        self._line = line
        self._currency = currency
        self._exponent = exponent
        self._reached = "0"
        self._rounded = 0

    def switch(self, currency: str, exponent: int) -> None:
        """Give the next step's result another currency."""
        self._currency = currency
        self._exponent = exponent

    def add(
        self, what: StepName, numerator: int, denominator: int, rule: str, source: str = "", contribution: int = 0
    ) -> None:
        """Record that the amount is now `numerator / denominator` minor units."""
        reached = _exact(numerator, denominator)
        rounded = round_half_up(numerator, denominator)
        self.steps.append(
            Step(
                what=what,
                line=self._line,
                currency=self._currency,
                exponent=self._exponent,
                amount_before=self._reached,
                amount_after=reached,
                minor_before=self._rounded,
                minor_after=rounded,
                contribution=contribution,
                rule=rule,
                source=source,
            )
        )
        self._reached, self._rounded = reached, rounded


def describe(step: Step) -> str:
    """Describe a step in one sentence, such as `Line 1: product discount 12.5 % gives USD 52.47375 (product pdt_1).`"""
    numerator, _, denominator = step.amount_after.partition("/")
    scale = int(denominator or "1") * 10**step.exponent
    amount = decimal_text(int(numerator), scale, step.exponent + 6)
    about, _, number = amount.rpartition(" ")
    whole, _, decimals = number.partition(".")
    number = f"{whole}.{decimals.ljust(step.exponent, '0')}" if step.exponent else number
    place = "Whole cart" if step.line is None else f"Line {step.line + 1}"
    source = f" ({step.source})" if step.source else ""
    return f"{place}: {step.rule} gives {about + ' ' if about else ''}{step.currency} {number}{source}."


def explain(quote: Quote) -> tuple[Step, ...]:
    """Return the steps of a quote, line by line and then for the whole cart; their contributions sum to `total`."""
    charge, workings = quote.inputs.charge, work_out(quote)
    steps: list[Step] = []
    for index, line in enumerate(quote.inputs.lines):
        trail = _price_steps(quote, index, line, workings.on_top)
        _discount_steps(trail, quote, index, workings)
        _charm_step(trail, quote, index, workings)
        trail.add("rounding", quote.lines[index].net, 1, "rounding half-up to a whole minor unit")
        _tax_steps(trail, line, quote.lines[index], charge.currency, charge.exponent)
        steps += trail.steps
    cart = Trail(None, charge.currency, charge.exponent)
    cart.add("total", quote.total, 1, "sum of the lines")
    if charge.conversions or charge.settlement is not None:
        cart.switch(charge.settlement_currency, charge.settlement_exponent)
        rule, source = "settlement", ""
        if charge.settlement is not None:
            rule = f"settlement at rate {charge.settlement_currency}->{charge.currency} {charge.settlement.rate}"
            source = f"{charge.settlement.source}, {charge.settlement.as_of}"
        if quote.fee_bps:
            rule += f" less the conversion fee of {decimal_text(quote.fee_bps, 100)} %"
        cart.add("settlement", quote.settlement_amount, 1, rule, source)
    return (*steps, *cart.steps)


def _price_steps(quote: Quote, index: int, line: CartLine, on_top: int) -> Trail:
    """Start a line's trail: list price, purchasing power parity, conversion and the fee on top of it."""
    charge = quote.inputs.charge
    conversion = None if line.currency == charge.currency else charge.conversion_from(line.currency)
    exponent = charge.exponent if conversion is None else conversion.source_exponent
    trail = Trail(index, line.currency, exponent)
    amount, scale = line.unit_price * line.quantity, 1
    source = f"product {line.product_id}"
    if line.localized:
        source = f"localized price of {source}"
    elif line.pay_what_you_want:
        source = f"the buyer's amount for {source}"
    unit = display_amount(line.unit_price, line.currency, exponent)
    trail.add("list_price", amount, scale, f"{line.quantity} x {unit}", source)
    if line.takes_parity:
        amount, scale = amount * line.ppp_percent, 100
        trail.add("purchasing_power", amount, scale, f"purchasing power parity {line.ppp_percent} %")
    if conversion is not None:
        amount, scale = amount * conversion.numerator, scale * conversion.denominator
        trail.switch(charge.currency, charge.exponent)
        rule = f"rate {line.currency}->{charge.currency} {conversion.rate}"
        trail.add("conversion", amount, scale, rule, f"{conversion.source}, {conversion.as_of}")
        if on_top:
            amount, scale = amount * (FULL_BPS + on_top), scale * FULL_BPS
            trail.add("conversion_fee", amount, scale, f"conversion fee {decimal_text(on_top, 100)} % on top")
    return trail


def _discount_steps(trail: Trail, quote: Quote, index: int, workings: Workings) -> None:
    """Add the subtotal, the product discount and the codes that cover the line."""
    charge, line = quote.inputs.charge, quote.inputs.lines[index]
    opening, result = workings.openings[index], workings.plain[index]
    rule = "subtotal before discounts"
    if line.tax_inclusive and line.tax_rate_ppm:
        without_tax = display_amount(result.subtotal, charge.currency, charge.exponent)
        rule += f" ({without_tax} without tax)"
    trail.add("subtotal", opening[0], opening[1], rule, contribution=result.subtotal)
    if line.takes_product_discount:
        rule = f"product discount {decimal_text(line.discount_bps, 100)} %"
        source = f"product {line.product_id}"
        trail.add("product_discount", opening[2], opening[3], rule, source, -result.product_discount)
    for code, deduction, state in zip(quote.inputs.codes, result.deductions, workings.states[1:], strict=True):
        eligible, amounts, denominator = state
        if index in eligible:
            rule = code.describe(charge.exponent, charge.currency)
            source = f"discount {code.discount_id}" + (f", {code.source}" if code.source else "")
            trail.add("code", amounts[index], denominator, rule, source, -deduction)


def _charm_step(trail: Trail, quote: Quote, index: int, workings: Workings) -> None:
    """Add what charm pricing changed, if it did: the price of a unit, and what it shows as the one before discounts."""
    charmed = workings.charmed[index]
    if charmed is None:
        return
    charge, quantity = quote.inputs.charge, quote.inputs.lines[index].quantity
    result, plain = quote.lines[index], workings.plain[index]

    def show(minor: int) -> str:
        return display_amount(minor, charge.currency, charge.exponent)

    before, charged = charmed.units[0], charmed.units[-1]
    rule = f"charm pricing {charge.charm}, {quantity} x {show(charged)}"
    if before != charged:
        rule += f" (before discounts {quantity} x {show(before)})"
    change = (result.subtotal - result.discount) - (plain.subtotal - plain.discount)
    trail.add("charm", charged * quantity, 1, f"{rule},", f"step {show(charmed.step)}", change)


def _tax_steps(trail: Trail, line: CartLine, result: LineQuote, currency: str, exponent: int) -> None:
    """Add the line's tax, or the reason why there is none."""
    source = ", ".join(part for part in (line.tax_rule, line.tax_place, line.tax_source) if part)
    if line.tax_rate_ppm:
        tax = display_amount(result.tax, currency, exponent)
        place = "within the price" if line.tax_inclusive else "on top"
        rule = f"tax {decimal_text(line.tax_rate_ppm, 10_000)} % {place}, {tax},"
        trail.add("tax", result.total, 1, rule, source, result.tax)
    elif source:
        trail.add("tax", result.total, 1, "no tax", source)


def _exact(numerator: int, denominator: int) -> str:
    common = gcd(numerator, denominator)
    if denominator == common:
        return str(numerator // common)
    return f"{numerator // common}/{denominator // common}"
