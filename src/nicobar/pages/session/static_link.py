"""A static link: the session that its query asks for. What cannot be used of it is dropped, and nobody is told.

The parameters are the contract's ("Checkout sessions", section 12).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from nicobar.core.catalog.product import OneTimePrice, Price
from nicobar.core.customers.buyer import Address
from nicobar.core.fields import MAXIMUM_METADATA_PAIRS, checked_web_address
from nicobar.core.payments.payment_request import RequestedCustomer
from nicobar.core.pricing.cart import MAXIMUM_QUANTITY
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import Customization, FeatureFlags, SessionItem, SessionRequest
from nicobar.core.sessions.theme import Theme
from nicobar.core.typed_text import tidy, unusable
from nicobar.pages.details.details import LENGTHS
from nicobar.pages.frame.posted_form import holds_card_number
from nicobar.pages.session.price_entry import read_price
from nicobar.reference import currencies
from nicobar.reference.codes import codes
from nicobar.reference.contacts import checked_email

MAXIMUM_PRICE: Final = 2_147_483_647
_METADATA: Final = "metadata_"
_METADATA_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PARTS: Final = {"street": "addressLine", "city": "city", "state": "state", "zipcode": "zipCode"}
_THEMES: Final[Mapping[str, Theme]] = {"dark": "dark", "light": "light", "system": "system"}


def read_static_link(product_id: str, price: Price, query: Mapping[str, str]) -> SessionRequest:
    """Return the session that a static link of a product asks for. What its query fills in can be changed, unless
    a `disable...` says otherwise.
    """
    name, name_locked = _name(query)
    email = _email(query)
    billing = _billing(query)
    locks: dict[str, Any] = {
        "allow_customer_editing_name": not name_locked if name else None,
        "allow_customer_editing_email": not _is_on(query, "disableEmail") if email else None,
    }
    for part, parameter in ({"country": "country"} | _PARTS).items():
        if billing is not None and getattr(billing, part) is not None:
            lock = f"disable{parameter[0].upper()}{parameter[1:]}"
            locks[f"allow_customer_editing_{part}"] = not _is_on(query, lock)
    return SessionRequest(
        items=[SessionItem(product_id, _quantity(query), _amount(price, query))],
        customer=RequestedCustomer(email=email, name=name) if email or name else None,
        billing=billing,
        billing_currency=_currency(query),
        return_url=_address(query.get("redirect_url")),
        customization=Customization(theme=_THEMES.get(query.get("theme", ""))),
        flags=FeatureFlags(
            allow_currency_selection=query.get("showCurrencySelector") != "false",
            allow_discount_code=query.get("showDiscounts") != "false",
            **locks,
        ),
        metadata=_metadata(query),
    )


def _is_on(query: Mapping[str, str], name: str) -> bool:
    return query.get(name) == "true"


def _text(query: Mapping[str, str], name: str, maximum: int) -> str | None:
    text = tidy(query.get(name, ""))
    wrong = not text or len(text) > maximum or unusable(text) is not None or holds_card_number(text)
    return None if wrong else text


def _name(query: Mapping[str, str]) -> tuple[str | None, bool]:
    """Return the name and whether it is locked. Both parts of a name have to be, because the page has one field."""
    first, last = _text(query, "firstName", 120), _text(query, "lastName", 120)
    if first is None and last is None:
        return _text(query, "fullName", LENGTHS["customer_name"]), _is_on(query, "disableFullName")
    whole = " ".join(part for part in (first, last) if part is not None)
    is_whole = first is not None and last is not None
    return whole, is_whole and _is_on(query, "disableFirstName") and _is_on(query, "disableLastName")


def _email(query: Mapping[str, str]) -> str | None:
    try:
        return checked_email(query["email"]) if query.get("email") else None
    except Problem:
        return None


def _billing(query: Mapping[str, str]) -> Address | None:
    """Return the address; without a country that is sold to, the rest of it belongs nowhere."""
    country = query.get("country", "").strip().upper()
    if country not in codes().countries:
        return None
    return Address(country, **{part: _text(query, name, LENGTHS[part]) for part, name in _PARTS.items()})


def _quantity(query: Mapping[str, str]) -> int:
    text = query.get("quantity", "")
    wanted = int(text) if re.fullmatch(r"\d{1,6}", text, re.ASCII) else 1
    return wanted if 1 <= wanted <= MAXIMUM_QUANTITY else 1


def _amount(price: Price, query: Mapping[str, str]) -> int | None:
    """Return what the link pays for a unit, which it says in units of the currency and not in minor ones."""
    if not isinstance(price, OneTimePrice) or not price.pay_what_you_want:
        return None
    amount = read_price(query.get("paymentAmount", ""), price.currency)
    return amount if amount is not None and price.price <= amount <= MAXIMUM_PRICE else None


def _currency(query: Mapping[str, str]) -> str | None:
    code = query.get("paymentCurrency", "").strip().upper()
    return code if code in currencies.chargeable() else None


def _address(text: str | None) -> str | None:
    """Return an address of the web: anybody can write such a link, which then opens no app."""
    try:
        return checked_web_address(text)
    except Problem:
        return None


def _metadata(query: Mapping[str, str]) -> dict[str, Any]:
    """Return the pairs that the limits of metadata allow; each value stays a text."""
    named = {name.removeprefix(_METADATA): value for name, value in query.items() if name.startswith(_METADATA)}
    kept = {
        name: value
        for name, value in named.items()
        if _METADATA_KEY.fullmatch(name) and len(value) <= 500 and "\x00" not in value
    }
    return dict(list(kept.items())[:MAXIMUM_METADATA_PAIRS])
