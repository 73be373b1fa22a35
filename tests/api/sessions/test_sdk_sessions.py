"""The official library, with all that its own types know of a checkout session."""

import typing
from typing import Any

import dodopayments
from dodopayments.types import (
    CheckoutSessionCreateParams,
    CheckoutSessionPreviewParams,
    CheckoutSessionResponse,
    CheckoutSessionStatus,
)
from dodopayments.types.checkout_session_customization_param import CheckoutSessionCustomizationParam
from dodopayments.types.checkout_session_flags_param import CheckoutSessionFlagsParam
from dodopayments.types.custom_field_param import CustomFieldParam
from dodopayments.types.on_demand_subscription_param import OnDemandSubscriptionParam
from dodopayments.types.product_item_req_param import ProductItemReqParam
from dodopayments.types.subscription_data_param import SubscriptionDataParam
from dodopayments.types.theme_config_param import ThemeConfigParam
from dodopayments.types.theme_mode_config_param import ThemeModeConfigParam

from api.sessions.opening import ADDRESS, ANA
from nicobar.core.sessions.theme import ColourSet
from nicobar.wire.sessions.session_requests import (
    CheckoutSessionCreate,
    SessionCustomField,
    SessionCustomization,
    SessionFlags,
    SessionItemRequest,
    SessionTheme,
    SubscriptionData,
)
from nicobar.wire.subscriptions.creation import OnDemandRequest

COLOURS = ("#fff", "112233", "rgb(1, 2, 3)", "rgba(1 2 3 / 50%)", "hsl(120deg 100% 50%)", "oklch(0.6 0.1 250)", "Red")

FIELDS: list[Any] = [
    {"field_type": "text", "key": "a", "label": "A", "placeholder": "x", "required": True, "options": None},
    {"field_type": "number", "key": "b", "label": "B"},
    {"field_type": "email", "key": "c", "label": "C"},
    {"field_type": "date", "key": "d", "label": "D"},
    {"field_type": "dropdown", "key": "e", "label": "E", "options": ["1", "2"]},
]


def whole_request(product_id: str) -> dict[str, Any]:
    """Return every field that the library's types know, but for those that exclude others."""
    names = list(ThemeModeConfigParam.__annotations__)
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    return {
        "product_cart": [
            {"product_id": product_id, "quantity": 2, "addons": [], "amount": 700, "credit_entitlements": None}
        ],
        "allowed_payment_method_types": ["credit", "debit"],
        "billing_address": ADDRESS,
        "billing_currency": "EUR",
        "cancel_url": "https://shop.example.com/cart",
        "confirm": False,
        "custom_fields": FIELDS,
        "customer": ANA,
        "customer_business_name": "Lima GmbH",
        "customization": {
            "force_language": "de",
            "show_on_demand_tag": False,
            "show_order_details": False,
            "theme": "dark",
            "theme_config": {
                "dark": colours,
                "light": colours,
                "font_primary_url": "https://fonts.example.com/a.woff2",
                "font_secondary_url": "https://fonts.example.com/b.woff2",
                "font_size": "lg",
                "font_weight": "extraBold",
                "pay_button_text": "Buy now",
                "radius": "0.5rem",
            },
        },
        "discount_code": None,
        "discount_codes": ["TEN"],
        "feature_flags": dict.fromkeys(CheckoutSessionFlagsParam.__annotations__, True),
        "force_3ds": True,
        "mandate_min_amount_inr_paise": 1_500_000,
        "metadata": {"order": "17", "gift": True, "share": 0.5, "count": 3},
        "minimal_address": True,
        "payment_method_id": None,
        "product_collection_id": None,
        "return_url": "https://shop.example.com/thanks?x=1#y",
        "short_link": True,
        "show_saved_payment_methods": True,
        "subscription_data": {"trial_period_days": 7, "on_demand": {"mandate_only": True, "product_price": 100}},
        "tax_id": "DE136695976",
    }


async def sell(sdk: dodopayments.AsyncDodoPayments) -> str:
    product = await sdk.products.create(
        name="Guide", tax_category="e_book", price={"type": "one_time_price", "currency": "USD", "price": 1999}
    )
    await sdk.discounts.create(type="percentage", amount=1000, code="TEN")
    return product.product_id


async def test_every_parameter_is_taken(sdk: dodopayments.AsyncDodoPayments) -> None:
    body = whole_request(await sell(sdk))
    assert body.keys() == CheckoutSessionCreateParams.__annotations__.keys()
    raw = await sdk.checkout_sessions.with_raw_response.create(**body)
    told: Any = await raw.json()
    assert told.keys() == CheckoutSessionResponse.model_fields.keys()
    created = await raw.parse()
    status = await sdk.checkout_sessions.with_raw_response.retrieve(created.session_id)
    told = await status.json()
    assert told.keys() == CheckoutSessionStatus.model_fields.keys()
    read = await status.parse()
    assert (read.id, read.customer_email, read.payment_id) == (created.session_id, "ana@example.com", None)
    assert body.keys() | {"locale"} == CheckoutSessionPreviewParams.__annotations__.keys()
    preview = await sdk.checkout_sessions.preview(**body, locale="de")
    confirmed = await sdk.checkout_sessions.create(
        **body | {"confirm": True, "custom_fields": [field | {"required": False} for field in FIELDS]}
    )
    payment = await sdk.payments.retrieve(typing.cast(str, confirmed.payment_id))
    assert (payment.total_amount, payment.currency) == (preview.total_price, preview.currency)
    assert (payment.checkout_session_id, payment.metadata) == (confirmed.session_id, body["metadata"])
    assert confirmed.client_secret is not None and confirmed.publishable_key is not None


def test_no_parameter_is_forgotten() -> None:
    """Each type of the library has its counterpart here, field by field."""
    pairs: list[tuple[Any, Any]] = [
        (CheckoutSessionCreateParams, CheckoutSessionCreate),
        (CheckoutSessionCustomizationParam, SessionCustomization),
        (CheckoutSessionFlagsParam, SessionFlags),
        (CustomFieldParam, SessionCustomField),
        (OnDemandSubscriptionParam, OnDemandRequest),
        (ProductItemReqParam, SessionItemRequest),
        (SubscriptionDataParam, SubscriptionData),
        (ThemeConfigParam, SessionTheme),
        (ThemeModeConfigParam, ColourSet),
    ]
    for theirs, ours in pairs:
        extra = {"adaptive_currency_fees_inclusive"} if ours is CheckoutSessionCreate else set()
        assert set(ours.__struct_fields__) - extra == set(theirs.__annotations__), ours


async def test_a_new_customer_of_a_known_address(sdk: dodopayments.AsyncDodoPayments) -> None:
    product_id = await sell(sdk)
    known = await sdk.customers.create(email="ana@example.com", name="Ana")
    body: dict[str, Any] = {"product_cart": [{"product_id": product_id, "quantity": 1}], "customer": ANA}
    body |= {"billing_address": ADDRESS, "confirm": True, "feature_flags": {"always_create_new_customer": True}}
    confirmed = await sdk.checkout_sessions.create(**body)
    payment = await sdk.payments.retrieve(typing.cast(str, confirmed.payment_id))
    listed = await sdk.customers.list(email="Ana@Example.com")
    assert {each.customer_id for each in listed.items} == {known.customer_id, payment.customer.customer_id}
    assert len(listed.items) == 2
    assert await sdk.customers.create(email="ana@example.com", name="Somebody") == known
