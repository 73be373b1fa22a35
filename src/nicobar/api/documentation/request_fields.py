"""What the fields of requests mean, where the source of their types does not say it.

Most names mean the same wherever they occur, so each is explained once. A name that has a meaning of its own in one
type or one operation is found by both, as in `PreviewItem.amount`.
"""

from typing import Any, Final

from nicobar.api.documentation.schemas import Schema, component_name

_KEPT: Final = "Stored and returned; nothing follows from it on this server."
_NOT_LOADED: Final = "Checked and kept, and not loaded: the page asks no other host for anything."
_BUYABLE: Final = "Ids of the add-ons that can be bought with it."
_OF_BRAND: Final = "Lists only those of this brand."
_UNMETERED: Final = "Changes nothing: this server meters nothing, and the list is empty."
_OTHER_METHOD: Final = "`new`, typed on a page, or `existing`, a saved one."
_SAVED_METHOD: Final = "The saved method; needed for `existing`. What is owed is charged to it at once."
_EDITING: Final = "Whether the customer may change what you sent. Null: only what you did not send."

REQUEST_FIELDS: Final[dict[str, str]] = {
    # paying
    "adaptive_currency_fees_inclusive": "Whether the seller bears the fee of a conversion (true) or it is added to the "
    "price (false). Null takes the setting of the business.",
    "allowed_payment_method_types": "Only these types are offered to the customer; null offers all that fit.",
    "billing": "Where the customer is: it decides tax, currency and methods.",
    "billing_address": "Where the customer is: it decides tax, currency and methods.",
    "billing_currency": "The currency to charge, when adaptive pricing is on. Null takes that of the country.",
    "customer": "Who buys.",
    "customer_business_name": "Name of the company that buys; it needs `tax_id`.",
    "discount_code": "One discount code, in any case. Use `discount_codes` for several.",
    "discount_codes": "Discount codes in the order in which they are applied, in any case.",
    "force_3ds": "True asks the card's bank to authenticate the cardholder (3-D Secure), false to leave it out; null "
    "leaves it to the processor.",
    "payment_link": "Whether the answer has the address of a page on which the customer pays.",
    "payment_method_id": "A saved method of the customer, which is charged at once, without the customer being there.",
    "product_cart": "What is bought, line by line.",
    "redirect_immediately": "Whether a customer who has paid is led to `return_url` at once, without seeing a receipt.",
    "require_phone_number": "Whether a phone number is needed. The payment page asks for one that nobody knows.",
    "return_url": "Where the customer is led after paying; `payment_id` and `status` are added to its query.",
    "show_saved_payment_methods": "Whether the payment page may offer the customer's saved methods.",
    "tax_id": "The buyer's tax id, in a form of the billing country. A valid one can move the tax to the buyer.",
    "quantity": "How many units.",
    "image_id": "Id of a picture that was uploaded for it; null clears it.",
    # people and places
    "city": "Town or city.",
    "country": "ISO 3166-1 code of the country.",
    "state": "State, province or region; needed where it decides the tax and nothing else does.",
    "street": "Street and number.",
    "zipcode": "Postal code, with or without its separators.",
    "email": "The customer's e-mail address. Whoever gives a known one, in any case, is its customer.",
    "phone_number": "Phone number of the customer, best with its country code, as in `+14155552671`.",
    "preferred_locale": "Language in which the payment page speaks to the customer.",
    "customer_id": "Id of the customer.",
    "customer_ids": "Ids of customers who may use the discount. Those who may already stay.",
    # refunds
    "payment_id": "Id of the payment.",
    "reason": "Why the money goes back, for your own records. The customer does not see it.",
    # what is sold
    "addons": "The add-ons to buy with it.",
    "ProductCreate.addons": _BUYABLE,
    "ProductUpdate.addons": _BUYABLE,
    "AddonUpdate.price": "Of one unit for one cycle of the plan that it is bought with, in minor units.",
    "brand_id": "Id of the brand that sells; null takes the primary brand.",
    "GET /payments.brand_id": _OF_BRAND,
    "GET /products.brand_id": _OF_BRAND,
    "GET /subscriptions.brand_id": _OF_BRAND,
    "credit_entitlements": _KEPT,
    "SessionItemRequest.credit_entitlements": "Must be empty: no product of this server grants credits.",
    "description": "A text for people, shown with the name.",
    "digital_product_delivery": _KEPT,
    "entitlements": _KEPT,
    "license_key_activation_message": _KEPT,
    "license_key_activations_limit": _KEPT,
    "license_key_duration": _KEPT,
    "license_key_enabled": _KEPT,
    "name": "A name for people.",
    "price": "What it costs, and how often.",
    "pricing_mode": "How prices for countries and currencies of their own apply.",
    "product_id": "Id of the product.",
    "tax_category": "What the product is to the tax authorities.",
    "LocalizedPriceCreate.currency": "The currency of the price.",
    "discount_bps": "Deducted from the price before anything else, in basis points: 100 are one percent.",
    "pay_what_you_want": "Whether the customer names the price. Then `price` is the least.",
    "purchasing_power_parity": "Whether the price follows what people of the buyer's country can afford.",
    "suggested_price": "What a customer who names the price sees first, in minor units.",
    "tax_inclusive": "Whether the price contains the tax, or it is added.",
    "OneTimePriceRequest.type": "Always `one_time_price`.",
    "RecurringPriceRequest.type": "Always `recurring_price`.",
    "UsagePriceRequest.type": "Always `usage_based_price`.",
    "payment_frequency_count": "How many intervals lie between two payments.",
    "payment_frequency_interval": "The unit of `payment_frequency_count`.",
    "subscription_period_count": "How many intervals a subscription lasts.",
    "subscription_period_interval": "The unit of `subscription_period_count`.",
    "trial_amount": "What the trial costs, in minor units.",
    "trial_apply_discounts": "Whether discount codes lower the price of the trial.",
    "trial_payment_method_optional": "Whether a trial can begin without a payment method.",
    "trial_period_days": "How many days the trial lasts; 0 for none.",
    "zero_amount_payment_method_optional": "Whether an order of nothing can do without a payment method.",
    "meters": _KEPT,
    "meter_id": _KEPT,
    "GET /subscriptions/{subscription_id}/usage-history.meter_id": _UNMETERED,
    "free_threshold": _KEPT,
    "meter_units_per_credit": _KEPT,
    "price_per_unit": _KEPT,
    "credit_entitlement_id": _KEPT,
    "SessionCredit.credit_entitlement_id": "Id of a credit entitlement; a line that names one is refused.",
    "entitlement_id": _KEPT,
    "CreditEntitlementLink.currency": _KEPT,
    "expires_after_days": _KEPT,
    "low_balance_threshold_percent": _KEPT,
    "max_rollover_count": _KEPT,
    "overage_behavior": _KEPT,
    "overage_enabled": _KEPT,
    "overage_limit": _KEPT,
    "proration_behavior": _KEPT,
    "rollover_enabled": _KEPT,
    "rollover_percentage": _KEPT,
    "rollover_timeframe_count": _KEPT,
    "rollover_timeframe_interval": _KEPT,
    "trial_credits": _KEPT,
    "trial_credits_expire_after_trial": _KEPT,
    "external_url": _KEPT,
    "files": "Must be empty: no file can be uploaded to this server.",
    "instructions": _KEPT,
    "LicenseKeyDuration.count": "How many intervals the key is valid.",
    "LicenseKeyDuration.interval": "The unit of `count`.",
    # sessions
    "addon_id": "Id of the add-on.",
    "cancel_url": "Where the customer is led who goes back without paying.",
    "confirm": "Whether the payment is made at once, with nothing left to ask.",
    "credits_amount": "How many credits, in a list that must be empty.",
    "custom_fields": "Up to five questions of your own to the customer.",
    "customization": "How the page looks and speaks.",
    "feature_flags": "What the page asks for, and what the customer may change.",
    "minimal_address": "Whether the page asks only for the parts of the address that decide the tax.",
    "on_demand": "For a subscription that is charged when you ask for it, and not by its dates.",
    "product_collection_id": "Must be null: this server has no product collections.",
    "slug": "The last part of the short address: 3 to 64 letters, digits, `-` and `_`.",
    "field_type": "What kind of answer is asked for.",
    "label": "The question, as the customer reads it.",
    "options": "The answers that a dropdown offers.",
    "placeholder": "What stands in the empty field.",
    "required": "Whether the customer has to answer.",
    "SessionCustomField.key": "The name by which you find the answer.",
    "force_language": "The language of the page; null takes that of the browser.",
    "show_on_demand_tag": "Whether the page says that a subscription is charged on demand.",
    "show_order_details": "Whether the page shows the lines of the order from the beginning.",
    "theme": "Light, dark, or as the device of the customer has it.",
    "theme_config": "Colours, corners and the text of the button.",
    "dark": "The colours of the dark page.",
    "light": "The colours of the light page.",
    "font_primary_url": _NOT_LOADED,
    "font_secondary_url": _NOT_LOADED,
    "font_size": "The size of the text.",
    "font_weight": "How bold the text is.",
    "pay_button_text": "What the button that pays says.",
    "radius": "How round the corners are, in `px`, `rem` or `em`.",
    "bg_primary": "The background of the page.",
    "bg_secondary": "The background of what stands out of the page.",
    "border_primary": "Borders.",
    "border_secondary": "Borders of what stands out of the page.",
    "button_primary": "The button that pays.",
    "button_primary_hover": "The button that pays, under the pointer.",
    "button_secondary": "Other buttons.",
    "button_secondary_hover": "Other buttons, under the pointer.",
    "button_text_primary": "The text of the button that pays.",
    "button_text_secondary": "The text of other buttons.",
    "input_focus_border": "The border of the field that is being filled in.",
    "text_error": "What is wrong.",
    "text_placeholder": "The text in empty fields.",
    "text_primary": "Text.",
    "text_secondary": "Text that matters less.",
    "text_success": "What went well.",
    "allow_currency_selection": "Whether the customer may choose the currency.",
    "allow_customer_editing_business_name": "Whether the customer may change the name of the company.",
    "allow_customer_editing_city": _EDITING,
    "allow_customer_editing_country": _EDITING,
    "allow_customer_editing_email": _EDITING,
    "allow_customer_editing_name": _EDITING,
    "allow_customer_editing_state": _EDITING,
    "allow_customer_editing_street": _EDITING,
    "allow_customer_editing_tax_id": _EDITING,
    "allow_customer_editing_zipcode": _EDITING,
    "allow_discount_code": "Whether the customer may type discount codes.",
    "allow_editing_addons": "Whether the customer chooses how many of a product's add-ons to take.",
    "allow_phone_number_collection": "Whether the page asks for a phone number.",
    "allow_tax_id": "Whether the customer may buy as a company.",
    "always_create_new_customer": "Whether an e-mail address with a customer makes a new one. `customer_id` wins.",
    "require_cardholder_name": "Changes nothing: the card form asks for the name in any case.",
    "require_tax_id": "Whether a company has to give its tax id.",
    "single_page": "Whether details and payment are asked for in one step. It shortens the address, too.",
    # subscriptions
    "cancel_at_next_billing_date": "Whether it ends with the period that is paid.",
    "GET /subscriptions.cancel_at_next_billing_date": "Lists only those that end, or do not end, with their period.",
    "cancel_older_payment_link": "Changes nothing: a plan change has no link here.",
    "cancel_scheduled_change_plan": "Whether this replaces a change that waits for the next billing date.",
    "cancellation_comment": "What the customer says about leaving.",
    "cancellation_feedback": "Why the customer leaves.",
    "collect_via_payment_link": "Only false: changes are charged to the stored method.",
    "customer_name": "The name of the customer.",
    "disable_on_demand": "Charges an on-demand subscription by its dates from a moment on.",
    "effective_at": "Whether the plan changes now or on the next billing date.",
    "end_date": _UNMETERED,
    "next_billing_date": "When it is charged next: a moment to come.",
    "on_payment_failure": "Whether the plan changes even if its charge fails.",
    "one_time_product_cart": "What is sold once, with the first payment.",
    "payment_method": "The method, for those who wrap it.",
    "PlanChangeBody.return_url": "Must be null: it belongs to `collect_via_payment_link`.",
    "MethodOfUpdate.payment_method_id": _SAVED_METHOD,
    "MethodOfUpdate.type": _OTHER_METHOD,
    "MethodUpdateBody.payment_method_id": _SAVED_METHOD,
    "MethodUpdateBody.type": _OTHER_METHOD,
    "SubscriptionUpdate.status": "`cancelled`, `paused`, or `active` to resume.",
    "product_currency": "The currency of `product_price`.",
    "product_description": "What this charge is for, as the customer reads it.",
    "product_price": "What is charged, in minor units; null takes the price of the product.",
    "proration_billing_mode": "What the rest of the running period costs after the change.",
    "start_date": _UNMETERED,
    # brands
    "statement_descriptor": "What customers read on their card statements.",
    "support_email": "Where customers can write to; shown on the payment page.",
    "url": "Address of the brand's site.",
    # discounts
    "amount": "Percentage: basis points, at most 10000. Flat: stored as sent; `currency_options` hold the deduction.",
    "SessionItemRequest.amount": "What the buyer of a pay-what-you-want line pays for a unit, in minor units.",
    "code": "The code: 3 to 64 characters; letters, digits and `! $ % & * + . @ _ -`; stored in upper case.",
    "currency_options": "What the discount is worth, and its bounds, currency by currency.",
    "customer_eligibility": "Who may use the code: everyone, who has not bought before, who has, or those on its list.",
    "expires_at": "First moment at which the code no longer works.",
    "per_customer_usage_limit": "How often one customer may use it; null for any number of times.",
    "preserve_on_plan_change": "Whether a subscription keeps it when its plan changes.",
    "restricted_to": "Ids of the products that it lowers; an empty list means all of them.",
    "starts_at": "First moment at which it works; null for at once.",
    "subscription_cycles": "For how many payments of a subscription it holds; null for all.",
    "type": "Whether a percentage or an amount of money is taken off.",
    "usage_limit": "How often it may be used by everybody together; null for any number of times.",
    # webhooks
    "disabled": "Whether nothing is sent to it for now.",
    "endpoint_id": "Id of the endpoint that gets the events; null for all.",
    "filter_types": "The types that are sent; null for all of them, an empty list for none.",
    "rate_limit": "Deliveries a second; those beyond wait. 0 and null: no limit.",
    "types": "Types of the events that are sent; null for all.",
    "until": "Events up to this moment; null for all since then.",
    "WebhookUpdate.url": "Where events are posted to: https, in test mode http, too.",
    # everywhere
    "currency": "ISO 4217 code of the currency.",
    "metadata": "Up to 50 pairs of your own, which come back as they were sent.",
    # lists
    "created_at_gte": "The first moment that is listed; a day means its beginning.",
    "created_at_lte": "The last moment that is listed; a day means its end.",
    "discount_type": "Lists only discounts of this type.",
    "dispute_stage": "Lists only disputes in this stage.",
    "dispute_status": "Lists only disputes of this status.",
    "event_type": "Lists only lines of this type.",
    "include_archived": "Whether archived brands are listed, too.",
    "limit": "How many are on a page.",
    "locale": "A language to translate texts into. Nothing is translated here, so every language gets the base text.",
    "page_number": "The page, counted from 0.",
    "page_size": "How many are on a page.",
    "reference_object_id": "Lists only lines about this payment, refund or dispute.",
    "status": "Lists only those of this status.",
    "subscription_id": "Lists only those of this subscription.",
    "GET /events.type": "Lists only events of this type.",
    "GET /payments/{payment_id}/line-items.currency": "The currency that was paid; without it the "
    "amounts are in the settlement currency.",
    # the clock of test mode
    "ClockAdvance.advance": "How far: a duration such as 45s, 90m, 12h, 30d or 4w. Null for `to`.",
    "ClockAdvance.to": "Where to: a day such as 2027-01-31 or a moment, to come in test mode. Null for `advance`.",
}
"""By name, by component and name, or by operation and parameter."""


GUIDES: Final[dict[str, str]] = {
    "POST /payments": "In test mode any future expiry and any security code will do. `4242424242424242` pays, "
    "`4000000000000002` is declined, `4000000000009995` lacks funds, `4000000000000127` has another security code, "
    "`378282246310005` is an American Express card.\n\nThe guides come with the source: `docs/links.md` follows a "
    "customer through the payment page and back to `return_url`, `docs/simulator.md` has every test card and makes "
    "lost answers, late ends and disputes, `docs/stripe.md` takes live payments.",
    "POST /refunds": "Without `items` all that is left goes back. With them, `item_id` is the `items_id` of "
    "`GET /payments/{payment_id}/line-items`, which also tells how much of each line can be refunded.\n\nThe guides "
    "come with the source: `docs/ledger.md` shows what a refund moves in the books, `docs/simulator.md` makes refunds "
    "that are pending, fail or come back.",
}
"""What the two operations that move money say besides, by method and path."""


def explain_request_fields(paths: dict[str, Any], components: dict[str, Schema]) -> None:
    """Add the texts to every field of a request and every parameter that has none of its own, and the guides."""
    seen: set[str] = set()
    for path, operations in paths.items():
        for method, operation in operations.items():
            if guide := GUIDES.get(f"{method.upper()} {path}"):
                operation["description"] = "\n\n".join(filter(None, [operation.get("description"), guide]))
            _explain(operation.get("requestBody", {}), components, seen)
            for parameter in operation.get("parameters", ()):
                name = parameter.get("name", "")
                text = REQUEST_FIELDS.get(f"{method.upper()} {path}.{name}") or REQUEST_FIELDS.get(name)
                if text is not None:
                    parameter.setdefault("description", text)


def _explain(node: Any, components: dict[str, Schema], seen: set[str]) -> None:
    if isinstance(node, list):
        for part in node:
            _explain(part, components, seen)
    elif isinstance(node, dict) and "$ref" in node:
        name = component_name(node["$ref"])
        if name not in seen:
            seen.add(name)
            component = components[name]
            for field, schema in component.get("properties", {}).items():
                text = REQUEST_FIELDS.get(f"{name}.{field}") or REQUEST_FIELDS.get(field)
                if text is not None:
                    schema.setdefault("description", text)
            _explain(component, components, seen)
    elif isinstance(node, dict):
        for part in node.values():
            _explain(part, components, seen)
