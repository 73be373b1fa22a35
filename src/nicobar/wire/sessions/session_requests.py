"""The body of POST /checkouts and of its preview (contract, "Checkout sessions", section 2)."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from nicobar.core.catalog.addon import RequestedAddon
from nicobar.core.pricing.cart import MAXIMUM_QUANTITY
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import (
    CustomField,
    Customization,
    FeatureFlags,
    FieldType,
    SessionItem,
    SessionRequest,
    SubscriptionTerms,
)
from nicobar.core.sessions.theme import ColourSet, FontSize, FontWeight, Theme, ThemeConfig
from nicobar.wire.codes import CurrencyCode
from nicobar.wire.common import (
    INT32_MAX,
    Amount,
    BillingAddress,
    DiscountCodes,
    DiscountCodeText,
    Metadata,
    MethodTypes,
    ObjectId,
    PositiveInt32,
    RequestBody,
    TaxIdText,
    Text100,
    Text250,
    Url,
    known_types,
    read_address,
)
from nicobar.wire.payments.payments import CustomerRequest, read_requested_customer
from nicobar.wire.subscriptions.creation import OnDemandRequest, read_on_demand

CssText = Annotated[str, Meta(max_length=100)]


class SessionAddon(RequestBody, frozen=True, kw_only=True):
    """An add-on of a subscription line."""

    addon_id: ObjectId
    quantity: Annotated[int, Meta(ge=0, le=INT32_MAX)]


class SessionCredit(RequestBody, frozen=True, kw_only=True):
    """Another number of credits than the product grants."""

    credit_entitlement_id: ObjectId
    credits_amount: Annotated[str, Meta(max_length=40)]


class SessionItemRequest(RequestBody, frozen=True, kw_only=True):
    """One line of the cart; the buyer chooses the price of a pay-what-you-want line without `amount`."""

    product_id: ObjectId
    quantity: Annotated[int, Meta(ge=0, le=MAXIMUM_QUANTITY)]
    addons: Annotated[list[SessionAddon], Meta(max_length=100)] | None = None
    amount: Amount | None = None
    credit_entitlements: Annotated[list[SessionCredit], Meta(max_length=100)] | None = None


class SessionCustomField(RequestBody, frozen=True, kw_only=True):
    """A question to the buyer; a dropdown has options."""

    field_type: FieldType
    key: Annotated[str, Meta(min_length=1, max_length=64)]
    label: Annotated[str, Meta(min_length=1, max_length=250)]
    options: Annotated[list[Annotated[str, Meta(max_length=250)]], Meta(max_length=100)] | None = None
    placeholder: Text250 | None = None
    required: bool | None = None


class SessionColours(RequestBody, frozen=True, kw_only=True):
    """The colours of one mode, in the forms of CSS."""

    bg_primary: CssText | None = None
    bg_secondary: CssText | None = None
    border_primary: CssText | None = None
    border_secondary: CssText | None = None
    button_primary: CssText | None = None
    button_primary_hover: CssText | None = None
    button_secondary: CssText | None = None
    button_secondary_hover: CssText | None = None
    button_text_primary: CssText | None = None
    button_text_secondary: CssText | None = None
    input_focus_border: CssText | None = None
    text_error: CssText | None = None
    text_placeholder: CssText | None = None
    text_primary: CssText | None = None
    text_secondary: CssText | None = None
    text_success: CssText | None = None


class SessionTheme(RequestBody, frozen=True, kw_only=True):
    """Colours, corners and words of the page; fonts are kept, and not loaded."""

    dark: SessionColours | None = None
    font_primary_url: Url | None = None
    font_secondary_url: Url | None = None
    font_size: FontSize | None = None
    font_weight: FontWeight | None = None
    light: SessionColours | None = None
    pay_button_text: Text100 | None = None
    radius: CssText | None = None


class SessionCustomization(RequestBody, frozen=True, kw_only=True):
    """How the page looks and speaks."""

    force_language: Annotated[str, Meta(max_length=35)] | None = None
    show_on_demand_tag: bool | None = None
    show_order_details: bool | None = None
    theme: Theme | None = None
    theme_config: SessionTheme | None = None


class SessionFlags(RequestBody, frozen=True, kw_only=True):
    """What the page asks for, and what its buyer may change."""

    allow_currency_selection: bool | None = None
    allow_customer_editing_business_name: bool | None = None
    allow_customer_editing_city: bool | None = None
    allow_customer_editing_country: bool | None = None
    allow_customer_editing_email: bool | None = None
    allow_customer_editing_name: bool | None = None
    allow_customer_editing_state: bool | None = None
    allow_customer_editing_street: bool | None = None
    allow_customer_editing_tax_id: bool | None = None
    allow_customer_editing_zipcode: bool | None = None
    allow_discount_code: bool | None = None
    allow_editing_addons: bool | None = None
    allow_phone_number_collection: bool | None = None
    allow_tax_id: bool | None = None
    always_create_new_customer: bool | None = None
    redirect_immediately: bool | None = None
    require_cardholder_name: bool | None = None
    require_phone_number: bool | None = None
    require_tax_id: bool | None = None
    single_page: bool | None = None


class SubscriptionData(RequestBody, frozen=True, kw_only=True):
    """What is special about the subscription lines of a cart."""

    on_demand: OnDemandRequest | None = None
    trial_period_days: Annotated[int, Meta(ge=0, le=10_000)] | None = None


class CheckoutSessionCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /checkouts. Null equals "not sent" everywhere."""

    product_cart: Annotated[list[SessionItemRequest], Meta(max_length=20)]
    adaptive_currency_fees_inclusive: bool | None = None
    allowed_payment_method_types: MethodTypes | None = None
    billing_address: BillingAddress | None = None
    billing_currency: CurrencyCode | None = None
    cancel_url: Url | None = None
    confirm: bool | None = None
    custom_fields: Annotated[list[SessionCustomField], Meta(max_length=5)] | None = None
    customer: CustomerRequest | None = None
    customer_business_name: Text250 | None = None
    customization: SessionCustomization | None = None
    discount_code: DiscountCodeText | None = None
    discount_codes: DiscountCodes | None = None
    feature_flags: SessionFlags | None = None
    force_3ds: bool | None = None
    mandate_min_amount_inr_paise: PositiveInt32 | None = None
    """Changes nothing: this server asks for no Indian mandates."""
    metadata: Metadata | None = None
    minimal_address: bool | None = None
    payment_method_id: ObjectId | None = None
    product_collection_id: ObjectId | None = None
    return_url: Url | None = None
    short_link: bool | None = None
    """Changes nothing: the address of a session is short."""
    show_saved_payment_methods: bool | None = None
    subscription_data: SubscriptionData | None = None
    """What is special about the subscriptions of the cart; the one-time products do not care."""
    tax_id: TaxIdText | None = None


def read_session(body: CheckoutSessionCreate) -> SessionRequest:
    """Return the session that a request asks for.

    Raises Problem UNSUPPORTED_ACTION for a collection of products and INVALID_REQUEST_BODY for credits, because no
    product has any.
    """
    refuse_collection(body.product_collection_id)
    return SessionRequest(
        items=[read_item(item, index) for index, item in enumerate(body.product_cart)],
        subscription=read_terms(body.subscription_data),
        customer=None if body.customer is None else read_requested_customer(body.customer),
        billing=None if body.billing_address is None else read_address(body.billing_address),
        tax_id=body.tax_id,
        customer_business_name=body.customer_business_name,
        billing_currency=body.billing_currency,
        fees_inclusive=body.adaptive_currency_fees_inclusive,
        allowed_payment_method_types=known_types(body.allowed_payment_method_types),
        show_saved_payment_methods=bool(body.show_saved_payment_methods),
        payment_method_id=body.payment_method_id,
        confirm=bool(body.confirm),
        minimal_address=body.minimal_address,
        discount_code=body.discount_code,
        discount_codes=body.discount_codes,
        return_url=body.return_url,
        cancel_url=body.cancel_url,
        custom_fields=[_read_custom_field(field) for field in body.custom_fields or ()],
        customization=_read_customization(body.customization or SessionCustomization()),
        flags=_given(body.feature_flags or SessionFlags(), FeatureFlags),
        force_3ds=body.force_3ds,
        metadata=body.metadata or {},
    )


def refuse_collection(product_collection_id: str | None) -> None:
    """Raise Problem UNSUPPORTED_ACTION for a collection of products."""
    if product_collection_id is not None:
        detail = "There are no product collections on this server; send the products in product_cart"
        raise Problem("UNSUPPORTED_ACTION", path="product_collection_id", detail=detail)


def read_item(item: SessionItemRequest, index: int, *, lists_addons: bool = False) -> SessionItem:
    """Return one line of the cart; with `lists_addons` those of its add-ons, too, of which none is taken.

    Raises Problem INVALID_REQUEST_BODY for credits, because no product has any.
    """
    if item.credit_entitlements:
        detail = f"The product has no credit entitlement {item.credit_entitlements[0].credit_entitlement_id}."
        raise Problem("INVALID_REQUEST_BODY", path=f"product_cart[{index}].credit_entitlements", detail=detail)
    listed = [each for each in item.addons or () if each.quantity or lists_addons]
    addons = [RequestedAddon(each.addon_id, each.quantity) for each in listed]
    return SessionItem(item.product_id, item.quantity, item.amount, addons)


def read_terms(data: SubscriptionData | None) -> SubscriptionTerms:
    """Return what is special about the subscriptions of the cart."""
    data = data or SubscriptionData()
    return SubscriptionTerms(
        trial_period_days=data.trial_period_days,
        on_demand=None if data.on_demand is None else read_on_demand(data.on_demand),
    )


def _read_custom_field(field: SessionCustomField) -> CustomField:
    return CustomField(
        key=field.key,
        label=field.label,
        field_type=field.field_type,
        required=bool(field.required),
        placeholder=field.placeholder,
        options=(field.options or []) if field.field_type == "dropdown" else [],
    )


def _read_customization(customization: SessionCustomization) -> Customization:
    theme = customization.theme_config
    look = None
    if theme is not None:
        light, dark = theme.light, theme.dark
        look = msgspec.structs.replace(
            _given(msgspec.structs.replace(theme, light=None, dark=None), ThemeConfig),
            light=None if light is None else _given(light, ColourSet),
            dark=None if dark is None else _given(dark, ColourSet),
        )
    return msgspec.structs.replace(
        _given(msgspec.structs.replace(customization, theme_config=None), Customization), theme_config=look
    )


CoreT = TypeVar("CoreT", bound=msgspec.Struct)


def _given(body: RequestBody, shape: type[CoreT]) -> CoreT:
    """Return the core value with the fields of a body that are not null, and its own defaults for the others."""
    return shape(**{name: value for name, value in msgspec.structs.asdict(body).items() if value is not None})
