"""Check what can be checked of a request for a session before anything is read. No I/O."""

from typing import Final
from urllib.parse import urlsplit

import msgspec

from nicobar.core.customers.buyer import Address
from nicobar.core.fields import blank_to_none, checked_web_address
from nicobar.core.payments.payment_request import RequestedCustomer
from nicobar.core.problems import Problem
from nicobar.core.return_url import checked_return_url
from nicobar.core.sessions.checkout_session import CustomField, SessionRequest
from nicobar.core.sessions.theme import ColourSet, ThemeConfig, css_colour, css_length
from nicobar.core.typed_text import tidy
from nicobar.flows.sessions.check_buys_something import check_buys_something
from nicobar.reference import countries
from nicobar.reference.tax_regions import tax_regions

MAXIMUM_BUTTON_TEXT: Final = 100
_THEME: Final = "customization.theme_config"


def check_session_request(request: SessionRequest) -> SessionRequest:
    """Return the request as it is stored. Raises Problem for the first thing that contradicts itself or could never be
    paid.

    What is checked of every payment (addresses, metadata, codes) is checked where the session is priced.
    """
    flags = request.flags
    if blank_to_none(request.payment_method_id) is not None:
        known = request.customer is not None and blank_to_none(request.customer.customer_id) is not None
        if not request.confirm or not known:
            detail = "payment_method_id needs confirm: true and customer.customer_id"
            raise Problem("INVALID_REQUEST_PARAMETERS", path="payment_method_id", detail=detail)
    if flags.require_phone_number and not flags.allow_phone_number_collection:
        raise _invalid("feature_flags.require_phone_number", "It needs allow_phone_number_collection.")
    if flags.require_tax_id and not flags.allow_tax_id:
        raise _invalid("feature_flags.require_tax_id", "It needs allow_tax_id.")
    if blank_to_none(request.tax_id) is not None and request.billing is None:
        raise _invalid("tax_id", "It needs billing_address.country: a tax id belongs to a country.")
    if blank_to_none(request.customer_business_name) is not None and blank_to_none(request.tax_id) is None:
        raise _invalid("customer_business_name", "It needs a tax_id.")
    check_buys_something(request)
    _check_custom_fields(request)
    _check_theme(request.customization.theme_config)
    cancel_url = checked_return_url(request.cancel_url, "cancel_url")
    if request.confirm:
        _check_confirmed(request)
    return msgspec.structs.replace(request, cancel_url=cancel_url, customer=_without_blanks(request.customer))


def _without_blanks(customer: RequestedCustomer | None) -> RequestedCustomer | None:
    """Return the customer with nothing where a text is blank: the page asks for what nobody has told."""
    if customer is None:
        return None
    return RequestedCustomer(
        customer_id=blank_to_none(customer.customer_id),
        email=blank_to_none(customer.email),
        name=tidy(customer.name or "") or None,
        phone_number=blank_to_none(customer.phone_number),
    )


def _invalid(path: str, detail: str) -> Problem:
    return Problem("INVALID_REQUEST_BODY", path=path, detail=detail)


def _check_custom_fields(request: SessionRequest) -> None:
    keys: set[str] = set()
    for index, field in enumerate(request.custom_fields):
        path = f"custom_fields[{index}]"
        _check_custom_field(field, path)
        if field.key in keys:
            raise _invalid(f"{path}.key", "Another field has this key.")
        keys.add(field.key)


def _check_custom_field(field: CustomField, path: str) -> None:
    for name in ("key", "label"):
        if not getattr(field, name).strip():
            raise _invalid(f"{path}.{name}", "It is blank.")
    if field.field_type != "dropdown":
        return
    if not field.options:
        raise _invalid(f"{path}.options", "A dropdown needs options.")
    if any(not option.strip() for option in field.options) or len(set(field.options)) < len(field.options):
        raise _invalid(f"{path}.options", "An option is blank, or there twice.")


def _check_theme(theme: ThemeConfig | None) -> None:
    """Let nothing through into a style sheet but what is on the list."""
    if theme is None:
        return
    for mode, colours in (("light", theme.light), ("dark", theme.dark)):
        _check_colours(colours or ColourSet(), f"{_THEME}.{mode}")
    if blank_to_none(theme.radius) is not None and css_length(theme.radius or "") is None:
        raise _invalid(f"{_THEME}.radius", "It is no number followed by px, rem or em.")
    if len(theme.pay_button_text or "") > MAXIMUM_BUTTON_TEXT:
        raise _invalid(f"{_THEME}.pay_button_text", f"It has more than {MAXIMUM_BUTTON_TEXT} characters.")
    for name in ("font_primary_url", "font_secondary_url"):
        address = checked_web_address(getattr(theme, name), f"{_THEME}.{name}")
        if address is not None and urlsplit(address).scheme.lower() != "https":
            raise _invalid(f"{_THEME}.{name}", "It is no https address.")


def _check_colours(colours: ColourSet, path: str) -> None:
    for name in msgspec.structs.fields(colours):
        text = blank_to_none(getattr(colours, name.name))
        if text is not None and css_colour(text) is None:
            raise _invalid(f"{path}.{name.name}", "It is no colour of CSS, such as #aabbcc or rgb(0 0 0).")


def _check_confirmed(request: SessionRequest) -> None:
    """Refuse a session whose payment is made with it, and that lacks something a page would have asked for."""
    if not request.items:
        raise Problem("PRODUCT_CART_EMTPY", path="product_cart")
    missing = _missing_of_confirmed(request)
    fields = enumerate(request.custom_fields)
    required = [f"custom_fields[{index}].required" for index, field in fields if field.required]
    needs = f"confirm: true needs {', '.join(missing)}." if missing else ""
    asks = f"With confirm: true nobody can answer {', '.join(required)}." if required else ""
    if missing or required:
        raise _invalid((missing + required)[0], f"{needs} {asks}".strip())


def _missing_of_confirmed(request: SessionRequest) -> list[str]:
    customer, billing, missing = request.customer, request.billing, []
    if customer is None or not (blank_to_none(customer.customer_id) or blank_to_none(customer.email)):
        missing.append("customer")
    if billing is None:
        missing.append("billing_address.country")
    for part in _needed_parts(billing, minimal=request.is_minimal):
        if billing is None or blank_to_none(getattr(billing, part)) is None:
            missing.append(f"billing_address.{part}")
    if request.flags.require_tax_id and blank_to_none(request.tax_id) is None:
        missing.append("tax_id")
    return missing


def _needed_parts(billing: Address | None, *, minimal: bool) -> tuple[str, ...]:
    """Return what a confirmed session needs of an address besides the country, on which it may depend."""
    if not minimal:
        return ("street", "city", "state", "zipcode")
    if billing is None:
        return ()
    country = countries.get(billing.country)
    return ("zipcode",) if country.postal_code_required or tax_regions().asks_for_code(country.alpha2) else ()
