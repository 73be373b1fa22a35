"""The wire types of POST /checkouts/preview (contract, "Checkout sessions"): what a cart would cost, nothing stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.pricing.pricing import Quote, quote
from nicobar.core.sessions.cart_preview import CartPreview
from nicobar.core.sessions.checkout_session import SessionRequest
from nicobar.core.subscriptions.plan import RunningCode
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.tax.tax import MILLION
from nicobar.reference import countries
from nicobar.wire.codes import CurrencyCode
from nicobar.wire.common import (
    BillingAddress,
    DiscountCodes,
    DiscountCodeText,
    MethodTypes,
    ObjectId,
    RequestBody,
    ResponseBody,
    TaxIdText,
    Text250,
    known_types,
    read_address,
)
from nicobar.wire.payments.payments import CustomerRequest, read_requested_customer
from nicobar.wire.sessions.session_requests import (
    SessionItemRequest,
    SubscriptionData,
    read_item,
    read_terms,
    refuse_collection,
)


class CheckoutPreviewRequest(RequestBody, frozen=True, kw_only=True):
    """The body of POST /checkouts/preview. Fields of a checkout session that decide no price are ignored."""

    product_cart: Annotated[list[SessionItemRequest], Meta(max_length=20)]
    allowed_payment_method_types: MethodTypes | None = None
    billing_address: BillingAddress | None = None
    billing_currency: CurrencyCode | None = None
    customer: CustomerRequest | None = None
    customer_business_name: Text250 | None = None
    adaptive_currency_fees_inclusive: bool | None = None
    discount_code: DiscountCodeText | None = None
    discount_codes: DiscountCodes | None = None
    product_collection_id: ObjectId | None = None
    subscription_data: SubscriptionData | None = None
    """What is special about the subscriptions of the cart; the one-time products do not care."""
    tax_id: TaxIdText | None = None


class Breakup(ResponseBody, frozen=True, kw_only=True):
    """The sums of a charge, in minor units of the preview's currency."""

    subtotal: int
    discount: int
    tax: int | None
    total_amount: int


class PreviewedAddon(ResponseBody, frozen=True, kw_only=True):
    """One priced add-on of a line, with the units of `PreviewedItem`; also one of which none is taken."""

    addon_id: str
    name: str
    description: str | None
    quantity: int
    currency: str
    og_currency: str
    og_price: int
    discounted_price: int
    single_quantity_price: int
    """One unit today, before discounts and without tax."""
    discount_amount: int | None
    tax: int | None
    tax_rate: int
    tax_category: str
    tax_inclusive: bool


class PreviewedItem(ResponseBody, frozen=True, kw_only=True):
    """One line as it is due today, in minor units of `currency`: a trial costs what the trial costs.

    Only `og_price` is of one unit, and in `og_currency`.
    """

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
    """Charged cycles that this code lasts, or else the first code; null for a line that is sold once and for ever."""
    tax: int | None
    tax_rate: int
    """Basis points, rounded down from the exact rate."""
    tax_category: str
    tax_inclusive: bool
    is_subscription: bool
    is_usage_based: bool
    addons: list[PreviewedAddon] | None
    meters: list[dict[str, Any]]
    credit_entitlements: list[dict[str, Any]]
    monthly_equivalent: int | None


class PreviewedSubscription(ResponseBody, frozen=True, kw_only=True):
    """One subscription of several, in minor units of the preview's currency, with the tax."""

    product_id: str
    amount_due_now: int
    tax_due_now: int | None
    recurring_amount: int
    """The next renewal, with the codes that still work then; 0 where the term is over before."""
    recurring_tax: int | None
    next_billing_date: datetime | None
    trial_period_days: int | None


class CheckoutPreview(ResponseBody, frozen=True, kw_only=True):
    """The answer of POST /checkouts/preview. Keys of subscriptions are null for a cart without any."""

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
    subscriptions: list[PreviewedSubscription] | None
    tax_id_business_name: str | None
    tax_id_err_msg: str | None
    tax_id_format_name: str | None
    trial_amount: int | None
    trial_period_days: int | None


def read_preview(body: CheckoutPreviewRequest) -> SessionRequest:
    """Return the session whose cart a request wants to preview. Raises Problem as `read_session`."""
    refuse_collection(body.product_collection_id)
    return SessionRequest(
        items=[read_item(item, index, lists_addons=True) for index, item in enumerate(body.product_cart)],
        subscription=read_terms(body.subscription_data),
        billing=None if body.billing_address is None else read_address(body.billing_address),
        customer=None if body.customer is None else read_requested_customer(body.customer),
        fees_inclusive=body.adaptive_currency_fees_inclusive,
        allowed_payment_method_types=known_types(body.allowed_payment_method_types),
        billing_currency=body.billing_currency,
        discount_code=body.discount_code,
        discount_codes=body.discount_codes,
        tax_id=body.tax_id,
    )


def render_preview(preview: CartPreview) -> CheckoutPreview:
    """Render what a cart would cost, and what became of the tax id of its request."""
    today, payment, subscriptions = preview.quote, preview.payment, preview.subscriptions
    options, country = payment.options, payment.billing.country
    only = subscriptions[0] if len(subscriptions) == 1 else None
    return CheckoutPreview(
        billing_country=country,
        currency=today.currency,
        current_breakup=_breakup([today]),
        is_byop=False,
        payment_method_required=not subscriptions or any(each.payment_method_required for each in subscriptions),
        product_cart=_render_items(preview),
        total_price=today.total,
        total_tax=today.tax,
        next_billing_date=min((each.at for each in preview.renewals), default=None),
        recurring_breakup=_breakup([each.quote for each in preview.renewals if not each.ends])
        if subscriptions
        else None,
        subscriptions=_render_subscriptions(preview) if len(subscriptions) > 1 else None,
        tax_id_business_name=options.tax_id_register.name or None if options.tax_id_register else None,
        tax_id_err_msg=preview.tax_id_error,
        tax_id_format_name=None if options.tax_id is None else countries.get(country).tax_id_name,
        trial_amount=None if only is None else only.trial_amount,
        trial_period_days=None if only is None else only.trial_period_days or None,
    )


def _breakup(quotes: Sequence[Quote]) -> Breakup:
    """Return the sums of charges in one currency."""
    return Breakup(
        subtotal=sum(each.subtotal for each in quotes),
        discount=sum(each.discount for each in quotes),
        tax=sum(each.tax for each in quotes),
        total_amount=sum(each.total for each in quotes),
    )


def _render_subscriptions(preview: CartPreview) -> list[PreviewedSubscription]:
    rendered, line = [], 0
    for subscription, renewal in zip(preview.subscriptions, preview.renewals, strict=True):
        own = preview.quote.lines[line : line + len(subscription.plan.lines)]
        line += len(own)
        rendered.append(
            PreviewedSubscription(
                product_id=subscription.plan.product_id,
                amount_due_now=sum(each.total for each in own),
                tax_due_now=sum(each.tax for each in own),
                recurring_amount=0 if renewal.ends else renewal.amount,
                recurring_tax=0 if renewal.ends else renewal.quote.tax,
                next_billing_date=renewal.at,
                trial_period_days=subscription.trial_period_days or None,
            )
        )
    return rendered


def _render_items(preview: CartPreview) -> list[PreviewedItem]:
    starts: dict[int, Subscription] = {}
    line = 0
    for subscription in preview.subscriptions:
        starts[line] = subscription
        line += len(subscription.plan.lines)
    return [_render_item(preview, line, starts.get(line)) for line in preview.lines]


def _render_item(preview: CartPreview, line: int, subscription: Subscription | None) -> PreviewedItem:
    product_id = preview.payment.lines[line].product_id
    addons = [] if subscription is None else [line + 1 + index for index in range(len(subscription.plan.addons))]
    return PreviewedItem(
        product_id=product_id,
        discount_cycle=None if subscription is None else _cycles(subscription.codes, product_id),
        is_subscription=subscription is not None,
        is_usage_based=False,
        addons=[_render_addon(preview, each, subscription) for each in addons] or None,
        meters=[],
        credit_entitlements=[],
        monthly_equivalent=None,
        **_line_fields(preview, line, subscription),
    )


def _render_addon(preview: CartPreview, line: int, subscription: Subscription | None) -> PreviewedAddon:
    inputs = preview.quote.inputs
    single = msgspec.structs.replace(inputs.lines[line], quantity=1, discount_bps=0)
    return PreviewedAddon(
        addon_id=preview.payment.lines[line].product_id,
        single_quantity_price=quote([single], inputs.charge).subtotal,
        **_line_fields(preview, line, subscription),
    )


def _line_fields(preview: CartPreview, line: int, subscription: Subscription | None) -> dict[str, Any]:
    """Return what an item and an add-on tell of their line."""
    sold, inputs, amounts = preview.payment.lines[line], preview.quote.inputs.lines[line], preview.quote.lines[line]
    return {
        "name": sold.name,
        "description": sold.description,
        "quantity": sold.quantity,
        "currency": preview.quote.currency,
        "og_currency": inputs.currency,
        "og_price": inputs.unit_price,
        "discounted_price": amounts.net,
        "discount_amount": _percentage(_terms(preview, subscription), sold.product_id),
        "tax": amounts.tax,
        "tax_rate": inputs.tax_rate_ppm * 10_000 // MILLION,
        "tax_category": sold.tax_category,
        "tax_inclusive": inputs.tax_inclusive,
    }


def _terms(preview: CartPreview, subscription: Subscription | None) -> Sequence[DiscountTerms]:
    """Return the codes of a line: a subscription has those, too, that wait for the end of its trial."""
    return preview.quote.inputs.codes if subscription is None else [code.terms for code in subscription.codes]


def _percentage(codes: Sequence[DiscountTerms], product_id: str) -> int | None:
    return next((code.amount for code in codes if code.type == "percentage" and code.covers(product_id)), None)


def _cycles(codes: Sequence[RunningCode], product_id: str) -> int | None:
    """Return the charged cycles of the code that the line names, which is a percentage where there is one."""
    own = [code for code in codes if code.terms.covers(product_id)]
    own.sort(key=lambda code: code.terms.type != "percentage")
    return own[0].cycles_remaining if own else None
