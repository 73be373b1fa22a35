"""Example values for the API reference, made from the schemas, so that they cannot drift away from the types.

A required field is always shown; an optional one where it makes the example clearer. Tests decode each example with
the type that it illustrates.
"""

import re
from typing import Any, Final

from nicobar.api.documentation.schemas import Schema, component_name

_ID: Final = "0CbKX2hT9vQ1mN4rZ7sLe"
_PREFIXES: Final = {
    "addon": "adn",
    "brand": "brd",
    "checkout": "cks",
    "discount": "dsc",
    "dispute": "dp",
    "endpoint": "ep",
    "event": "evt",
    "invoice": "pay",
    "localized-price": "lcp",
    "object": "pay",
    "payment_method": "pm",
    "product": "pdt",
    "session": "cks",
    "webhook": "ep",
}
"""First part of ids, where it is not just the first three letters of the noun."""

_VALUES: Final[dict[str, Any]] = {
    "AddonRead.id": f"adn_{_ID}",
    "BalanceLedgerEntry.id": f"led_{_ID}",
    "CheckoutSessionRead.id": f"cks_{_ID}",
    "LocalizedPriceRead.id": f"lcp_{_ID}",
    "WebhookDetails.id": f"ep_{_ID}",
    "CountryCode": "US",
    "CurrencyCode": "USD",
    "IntentStatus": "succeeded",
    "PaymentMethodType": "credit",
    "TaxCategory": "saas",
    "amount": 1000,
    "card_exp_month": "12",
    "card_exp_year": "2030",
    "card_last_four": "4242",
    "card_network": "visa",
    "card_type": "credit",
    "client_secret": f"pay_{_ID}_secret_4fJq",
    "code": "SPRING24",
    "country": "US",
    "currency": "USD",
    "email": "customer@example.com",
    "enabled": True,
    "image": "https://pay.example.com/images/3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "image_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "items_id": f"pdt_{_ID}",
    "locales": [{"code": "en", "name": "English", "native_name": "English"}],
    "metadata": {"order": "A-1001"},
    "move_products_to": f"brd_{_ID}",
    "name": "Example",
    "partial_refund_allowed": True,
    "payment_link": "https://pay.example.com/x7Kp2mQa",
    "link": "https://pay.example.com/portal/cps_0CbKX2hT9vQ1mN4rZ7sLe/open/kQ2vR8nTz5xW1bYc7LdJh3MfPg9SaUe4Ro6iNt0BmVw",
    "payment_method": "card",
    "payment_method_type": "credit",
    "payment_provider": "dodo",
    "price": 1000,
    "quantity": 1,
    "refundable_amount": 1000,
    "return_url": "https://shop.example.com/thanks",
    "settlement_amount": 1000,
    "settlement_currency": "USD",
    "statement_descriptor": "EXAMPLE",
    "supported_countries": ["AD", "AE", "AG"],
    "tax_category": "saas",
    "total_amount": 1000,
    "type": "percentage",
    "url": "https://example.com/",
    "verification_status": "Success",
}
"""Values by the name of a field, of a component, of both, or of the last segment of a path."""

_SHOWN: Final = frozenset({"email", "name", "payment_link", "return_url", "metadata"})
"""Optional fields of a request that its example shows."""

_FILLED: Final = frozenset({"items", "product_cart"})
"""Lists of an answer that its example shows with one item; the others are shown empty."""

_MOMENT: Final = "2026-01-15T12:00:00Z"
_FALLBACK_TEXTS: Final = ("text", "1", "a")


def example_of(schema: Schema, components: dict[str, Schema], name: str = "", *, whole: bool = False) -> Any:
    """Return a plain JSON value that fits a schema.

    `name` is the field's name, which tells what kind of text it is. `whole` shows every field, as answers do, with
    null and empty lists for what holds nothing at first; otherwise optional fields are shown sparingly.
    """
    if "$ref" in schema:
        target = component_name(schema["$ref"])
        if target in _VALUES:
            return _VALUES[target]
        return example_of(components[target], components, name, whole=whole)
    if "anyOf" in schema:
        return _of_union(schema, components, name, whole=whole)
    if "enum" in schema:
        return _VALUES[name] if _VALUES.get(name) in schema["enum"] else schema["enum"][0]
    match schema.get("type"):
        case "object":
            return _of_object(schema, components, name, whole=whole)
        case "array":
            return _of_list(schema, components, name, whole=whole)
        case "integer" | "number":
            return _of_number(schema, name)
        case "boolean":
            return _VALUES.get(name) is True if whole else True
        case "string":
            return _of_text(schema, name)
    return None


def example_id(noun: str) -> str:
    """Return an id of the shape that objects of this kind have, `pay_...` for `payment`."""
    return f"{_PREFIXES.get(noun, noun[:3])}_{_ID}"


def _of_union(schema: Schema, components: dict[str, Schema], name: str, *, whole: bool) -> Any:
    branches = schema["anyOf"]
    if whole and {"type": "null"} in branches and name not in _VALUES and name not in _FILLED:
        return schema.get("default")
    first = next(branch for branch in branches if branch.get("type") != "null")
    return example_of(first, components, name, whole=whole)


def _of_list(schema: Schema, components: dict[str, Schema], name: str, *, whole: bool) -> list[Any]:
    if isinstance(value := _VALUES.get(name), list):
        return value
    if "items" not in schema or (whole and name not in _FILLED):
        return []
    return [example_of(schema["items"], components, name, whole=whole)]


def _of_object(schema: Schema, components: dict[str, Schema], name: str, *, whole: bool) -> Any:
    properties = schema.get("properties")
    if properties is None:
        return _VALUES.get(name, {})
    shown = [field for field in properties if whole or field in schema.get("required", ()) or field in _SHOWN]
    shown = shown or list(properties)[:1]
    owner = schema.get("title", "")
    return {
        field: _VALUES.get(f"{owner}.{field}") or example_of(properties[field], components, field, whole=whole)
        for field in shown
    }


def _of_number(schema: Schema, name: str) -> int:
    value = _VALUES.get(name, 1 if "minimum" in schema and schema["minimum"] > 0 else 0)
    return int(min(max(value, schema.get("minimum", value)), schema.get("maximum", value)))


def _of_text(schema: Schema, name: str) -> str:
    if schema.get("format") == "date-time":
        return _MOMENT
    text = _VALUES.get(name)
    if type(text) is int:
        text = str(text)  # the amounts of disputes
    if not isinstance(text, str):
        text = example_id(name.removesuffix("s").removesuffix("_id")) if name.endswith(("_id", "_ids")) else "text"
    pattern = schema.get("pattern", "")
    fitting = (candidate for candidate in (text, *_FALLBACK_TEXTS) if re.search(pattern, candidate))
    return next(fitting, text)[: schema.get("maxLength", len(text))]
