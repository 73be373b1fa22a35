"""What is priced and what it came to: the lines of a cart, and the quote with everything that it depends on."""

from datetime import date
from typing import Final, Literal

import msgspec

from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.core.catalog.product import OneTimePrice
from nicobar.core.discounts.discount_record import CodeUse
from nicobar.core.discounts.discounts import FULL_BPS, DiscountTerms
from nicobar.core.money.fx import ChargeTerms

UNCHANGED: Final = 100
"""The purchasing power percentage that leaves a price as it is."""


ConvertedFee = Literal["fee_on_top", "fee_inclusive"]
"""How an amount that was converted already bears the conversion fee: raised by it, or not."""


class CartLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a cart with everything that decides its price.

    A localized price skips parity and conversion; the product discount and codes still apply to it, in their usual
    place. A pay-what-you-want amount is the buyer's own number: parity and product discount leave it alone.

    Raises ValueError for a number outside its range: these come from stored products and checked requests.
    """

    product_id: str
    currency: str
    """Currency of `unit_price`; for a localized price that is the charge currency."""
    unit_price: int
    """List price of one unit in minor units; for a pay-what-you-want product the buyer's amount."""
    quantity: int
    """Number of units; 0 keeps the line in the cart at no cost."""
    discount_bps: int = 0
    """Product discount in basis points."""
    tax_inclusive: bool = False
    """Whether the price already contains the tax."""
    tax_rate_ppm: int = 0
    """Tax rate in parts per million, as `tax.TaxTable.decide` gave it; 0 for reverse charge."""
    ppp_percent: int = UNCHANGED
    """Purchasing power parity: whole percent of the list price that the billing country pays."""
    localized: bool = False
    """Whether `unit_price` is a localized price."""
    pay_what_you_want: bool = False
    converted: ConvertedFee | None = None
    """Set when `unit_price` was converted into the charge currency before it became this line's."""
    tax_rule: str = ""
    """The tax decision in words, for the explanation."""
    tax_source: str = ""
    """The source of the tax row, for the explanation."""
    tax_place: str = ""
    """The region that decided the tax, for the explanation; empty for the country or state that the address names."""

    def __post_init__(self) -> None:
        """Refuse numbers that would make an amount negative."""
        if self.unit_price < 0 or self.quantity < 0 or self.tax_rate_ppm < 0 or self.ppp_percent < 0:
            raise ValueError("a cart line holds no negative number")
        if not 0 <= self.discount_bps <= FULL_BPS:
            raise ValueError("a product discount lies between 0 and 10000 basis points")

    @property
    def takes_parity(self) -> bool:
        """Whether purchasing power parity changes the price."""
        return self.ppp_percent != UNCHANGED and not (self.localized or self.pay_what_you_want)

    @property
    def takes_product_discount(self) -> bool:
        """Whether the product discount changes the price."""
        return self.discount_bps != 0 and not self.pay_what_you_want


class LineQuote(msgspec.Struct, frozen=True, gc=False):
    """The amounts of one line, in minor units of the charge currency: subtotal - discount + tax = total.

    On a line at a charm price, the subtotal and what each discount left are moved by the same step as the price that
    is charged. So the subtotal grows or shrinks with it, and no discount shows what only charm pricing took.
    """

    product_id: str
    subtotal: int
    """Before discounts and without tax."""
    discount: int
    """Product discount and codes together, without tax."""
    product_discount: int
    deductions: tuple[int, ...]
    """What each code took off, in the order of the codes; with `product_discount` they sum to `discount`."""
    net: int
    """The rounded amount after discounts; it contains the tax when the price does."""
    tax: int
    total: int


class KeptProduct(msgspec.Struct, frozen=True, gc=False):
    """What a product was sold at when the payment was created; an open payment is priced again from it."""

    product_id: str
    price: OneTimePrice
    """With the answer to whether it contains the tax."""
    pricing_mode: str | None = None
    localized: tuple[LocalizedPrice, ...] = ()
    """The localized prices that were active, of all markets."""
    converted: ConvertedFee | None = None
    """As `CartLine.converted` says of its line."""


class QuoteInputs(msgspec.Struct, frozen=True, gc=False):
    """Everything that a quote depends on; stored with a payment, it reproduces the quote."""

    lines: tuple[CartLine, ...]
    charge: ChargeTerms
    codes: tuple[DiscountTerms, ...] = ()
    products: tuple[KeptProduct, ...] = ()
    """The products of the cart, each once; empty for payments from before they were kept. They decide nothing about
    this quote, but about another one of the same payment."""
    tax_date: date | None = None
    """The day whose taxes these are; None for payments from before it was kept: that of their creation."""


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The amounts of a cart; unless said otherwise in minor units of the charge currency `currency`."""

    currency: str
    subtotal: int
    discount: int
    tax: int
    total: int
    settlement_currency: str
    settlement_amount: int
    """What the merchant is credited, in minor units of the settlement currency."""
    settlement_tax: int
    """The tax within it, in the same unit."""
    fee_bps: int
    """The conversion fee that was used, in basis points; 0 when nothing was converted."""
    fees_inclusive: bool
    """Whether that fee is contained in the price, so that the merchant bears it; also true when there is no fee."""
    lines: tuple[LineQuote, ...]
    inputs: QuoteInputs
    rounded_away: bool = False
    """Whether the total is zero only because what is left of the price rounds to it."""

    @property
    def code_uses(self) -> list[CodeUse]:
        """What each code took off all lines together, in the order of the codes."""
        return [
            CodeUse(code.discount_id, sum(line.deductions[index] for line in self.lines))
            for index, code in enumerate(self.inputs.codes)
        ]
