"""The wire types of POST /checkouts/preview (contract, "Checkout sessions"): what a cart would cost, nothing stored."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from nicobar.core.pricing.pricing import CartLine, LineQuote, Quote
from nicobar.core.tax.tax import MILLION
from nicobar.wire.codes import CountryCode, CurrencyCode, PaymentMethodType
from nicobar.wire.common import Amount, ObjectId, RequestBody, ResponseBody, Text250
from nicobar.wire.payments.payments import MAXIMUM_QUANTITY, CustomerRequest, DiscountCodeText


class PreviewItem(RequestBody, frozen=True, kw_only=True):
    """One line of the cart; a pay-what-you-want line without `amount` is priced at what the product suggests."""

    product_id: ObjectId
    quantity: Annotated[int, Meta(ge=0, le=MAXIMUM_QUANTITY)]
    amount: Amount | None = None


class PreviewAddress(RequestBody, frozen=True, kw_only=True):
    """The billing address, as far as it is known; only country and state decide prices."""

    country: CountryCode
    city: Text250 | None = None
    state: Text250 | None = None
    street: Text250 | None = None
    zipcode: Annotated[str, Meta(max_length=32)] | None = None


class CheckoutPreviewRequest(RequestBody, frozen=True, kw_only=True):
    """The body of POST /checkouts/preview. Fields of a checkout session that decide no price are ignored."""

    product_cart: Annotated[list[PreviewItem], Meta(max_length=20)]
    allowed_payment_method_types: Annotated[list[PaymentMethodType], Meta(max_length=200)] | None = None
    billing_address: PreviewAddress | None = None
    billing_currency: CurrencyCode | None = None
    customer: CustomerRequest | None = None
    customer_business_name: Text250 | None = None
    adaptive_currency_fees_inclusive: bool | None = None
    discount_code: DiscountCodeText | None = None
    discount_codes: Annotated[list[DiscountCodeText], Meta(max_length=20)] | None = None
    tax_id: Annotated[str, Meta(max_length=64)] | None = None


class Breakup(ResponseBody, frozen=True, kw_only=True):
    """The sums of the cart, in minor units of the preview's currency."""

    subtotal: int
    discount: int
    tax: int | None
    total_amount: int


class PreviewedItem(ResponseBody, frozen=True, kw_only=True):
    """One priced line, in minor units of `currency`; only `og_price` is of one unit and in `og_currency`."""

    product_id: str
    name: str | None
    description: str | None
    quantity: int
    currency: str
    og_currency: str
    og_price: int
    discounted_price: int
    discount_amount: int | None
    """Basis points of the first percentage code on this line; null when none applies."""
    discount_cycle: int | None
    tax: int | None
    tax_rate: int
    """Basis points, rounded down from the exact rate."""
    tax_category: str
    tax_inclusive: bool
    is_subscription: bool
    is_usage_based: bool
    addons: list[dict[str, Any]] | None
    meters: list[dict[str, Any]]
    credit_entitlements: list[dict[str, Any]]
    monthly_equivalent: int | None


class CheckoutPreview(ResponseBody, frozen=True, kw_only=True):
    """The answer of POST /checkouts/preview. Keys of subscriptions are present and null."""

    billing_country: str
    currency: str
    current_breakup: Breakup
    is_byop: bool
    payment_method_required: bool
    product_cart: list[PreviewedItem]
    total_price: int
    total_tax: int | None
    next_billing_date: datetime | None
    recurring_breakup: Breakup | None
    subscriptions: list[dict[str, Any]] | None
    tax_id_business_name: str | None
    tax_id_err_msg: str | None
    tax_id_format_name: str | None
    trial_amount: int | None
    trial_period_days: int | None


class PreviewedProduct(ResponseBody, frozen=True, kw_only=True):
    """What the preview shows of a product beside its amounts."""

    name: str
    description: str | None
    tax_category: str
    currency: str
    list_price: int
    """Price of one unit in minor units of `currency`."""


def render_previewed_item(product: PreviewedProduct, line: CartLine, amounts: LineQuote, quote: Quote) -> PreviewedItem:
    """Render one line of a priced cart."""
    percentages = [
        code.amount for code in quote.inputs.codes if code.type == "percentage" and code.covers(line.product_id)
    ]
    return PreviewedItem(
        product_id=line.product_id,
        name=product.name,
        description=product.description,
        quantity=line.quantity,
        currency=quote.currency,
        og_currency=product.currency,
        og_price=product.list_price,
        discounted_price=amounts.net,
        discount_amount=percentages[0] if percentages else None,
        discount_cycle=None,
        tax=amounts.tax,
        tax_rate=line.tax_rate_ppm * 10_000 // MILLION,
        tax_category=product.tax_category,
        tax_inclusive=line.tax_inclusive,
        is_subscription=False,
        is_usage_based=False,
        addons=None,
        meters=[],
        credit_entitlements=[],
        monthly_equivalent=None,
    )
