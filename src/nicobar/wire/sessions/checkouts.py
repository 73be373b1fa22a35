"""The wire types of POST /checkouts/preview (contract, "Checkout sessions"): what a cart would cost, nothing stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment_request import PreviewRequest
from nicobar.core.pricing.cart import RequestedItem, SellableProduct
from nicobar.core.pricing.pricing import CartLine, LineQuote, Quote
from nicobar.core.tax.tax import MILLION
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.reference import countries
from nicobar.wire.codes import CountryCode, CurrencyCode
from nicobar.wire.common import Amount, ObjectId, RequestBody, ResponseBody, Text250
from nicobar.wire.payments.payments import MAXIMUM_QUANTITY, CustomerRequest, DiscountCodeText, read_requested_customer
from nicobar.wire.sessions.session_requests import MethodTypes, known_types


class PreviewItem(RequestBody, frozen=True, kw_only=True):
    """One line of the cart; a pay-what-you-want line without `amount` is priced at what the product suggests."""

    product_id: ObjectId
    quantity: Annotated[int, Meta(ge=0, le=MAXIMUM_QUANTITY)]
    amount: Amount | None = None


class PreviewAddress(RequestBody, frozen=True, kw_only=True):
    """The billing address, as far as it is known; country, state, postal code and city can decide the tax."""

    country: CountryCode
    city: Text250 | None = None
    state: Text250 | None = None
    street: Text250 | None = None
    zipcode: Annotated[str, Meta(max_length=32)] | None = None


class CheckoutPreviewRequest(RequestBody, frozen=True, kw_only=True):
    """The body of POST /checkouts/preview. Fields of a checkout session that decide no price are ignored."""

    product_cart: Annotated[list[PreviewItem], Meta(max_length=20)]
    allowed_payment_method_types: MethodTypes | None = None
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


def read_preview(body: CheckoutPreviewRequest) -> PreviewRequest:
    """Return the cart that a request wants to preview."""
    address = body.billing_address
    return PreviewRequest(
        items=[RequestedItem(item.product_id, item.quantity, item.amount) for item in body.product_cart],
        billing=None
        if address is None
        else Address(address.country, city=address.city, state=address.state, zipcode=address.zipcode),
        customer=None if body.customer is None else read_requested_customer(body.customer),
        fees_inclusive=body.adaptive_currency_fees_inclusive,
        allowed_payment_method_types=known_types(body.allowed_payment_method_types),
        billing_currency=body.billing_currency,
        discount_code=body.discount_code,
        discount_codes=body.discount_codes,
        tax_id=body.tax_id,
    )


def render_preview(
    quote: Quote,
    products: Mapping[str, SellableProduct],
    country: str,
    tax_id: CheckedTaxId | None,
    tax_id_error: str | None,
) -> CheckoutPreview:
    """Render what a cart would cost in a billing country, and what became of the tax id of its request."""
    lines = zip(quote.inputs.lines, quote.lines, strict=True)
    register = None if tax_id is None else tax_id.register
    return CheckoutPreview(
        billing_country=country,
        currency=quote.currency,
        current_breakup=Breakup(
            subtotal=quote.subtotal, discount=quote.discount, tax=quote.tax, total_amount=quote.total
        ),
        is_byop=False,
        payment_method_required=True,
        product_cart=[_render_item(products[line.product_id], line, amounts, quote) for line, amounts in lines],
        total_price=quote.total,
        total_tax=quote.tax,
        next_billing_date=None,
        recurring_breakup=None,
        subscriptions=None,
        tax_id_business_name=None if register is None else register.name or None,
        tax_id_err_msg=tax_id_error,
        tax_id_format_name=None if tax_id is None else countries.get(country).tax_id_name,
        trial_amount=None,
        trial_period_days=None,
    )


def _render_item(product: SellableProduct, line: CartLine, amounts: LineQuote, quote: Quote) -> PreviewedItem:
    percentages = [
        code.amount for code in quote.inputs.codes if code.type == "percentage" and code.covers(line.product_id)
    ]
    return PreviewedItem(
        product_id=line.product_id,
        name=product.name,
        description=product.description,
        quantity=line.quantity,
        currency=quote.currency,
        og_currency=line.currency,
        og_price=line.unit_price,
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
