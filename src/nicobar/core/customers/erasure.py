"""What replaces a person whose data were erased."""

from typing import Any, Final

ERASED_NAME: Final = "Erased customer"

_EMPTY: Final[dict[str, Any]] = {
    "metadata": {},
    "card_holder_name": None,
    "custom_field_responses": None,
    "reason": None,
    "cancellation_comment": None,
}
_ADDRESS: Final = ("street", "city", "zipcode")


def erased_email(customer_id: str) -> str:
    """Return an address that reaches nobody (RFC 2606) and is nobody else's."""
    return f"{customer_id.lower()}@erased.invalid"


def without_person(body: Any, email: str, name: str) -> Any:
    """Return the JSON body of an event with `email` and `name` in place of the person, and nothing else of them.

    Amounts, ids, the country and the state stay. Metadata, reasons and answers to the merchant's questions go.
    """
    if isinstance(body, list):
        return [without_person(item, email, name) for item in body]
    if not isinstance(body, dict):
        return body
    clean = {key: _EMPTY[key] if key in _EMPTY else without_person(value, email, name) for key, value in body.items()}
    if isinstance(clean.get("customer"), dict):
        clean["customer"] |= {"email": email, "name": name, "phone_number": None}
    if isinstance(clean.get("cancelled_by"), dict) and clean["cancelled_by"].get("actor_type") == "customer":
        clean["cancelled_by"] |= {"email": None, "name": None}
    if isinstance(clean.get("billing"), dict):
        clean["billing"] |= {key: None for key in _ADDRESS if key in clean["billing"]}
    return clean
