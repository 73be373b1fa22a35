"""Reading the form of the customer's details: what of it is well formed, and what is wrong with the rest."""

import re
from typing import Final, NamedTuple

import msgspec
import phonenumbers
from msgspec import UNSET

from nicobar.core.customers.buyer import Address
from nicobar.core.payments.repricing import PaymentChange
from nicobar.core.tax.postal_code import written_code
from nicobar.core.typed_text import plain, tidy
from nicobar.pages.details.address_parts import missing_parts, shown_parts, state_label, state_value
from nicobar.pages.details.details import LENGTHS, Billed, contact_fields, is_unproven
from nicobar.pages.frame.posted_form import PostedForm, holds_card_number, text_fault
from nicobar.pages.texts.texts import Texts
from nicobar.reference import countries
from nicobar.reference.codes import codes
from nicobar.reference.countries import Country
from nicobar.reference.states import find_state, states
from nicobar.reference.tax_ids import is_checked
from nicobar.reference.tax_regions import tax_regions

_NUMBERS: Final = frozenset({"phone", "tax_id"})
"""Fields of long numbers, which by chance may look like a card's. They have checks of their own, but for the tax ids of
some countries."""


class ReadDetails(NamedTuple):
    """What a form of details says."""

    change: PaymentChange
    """What is well formed."""
    errors: dict[str, str]
    """Field to sentence."""
    shown: dict[str, str]
    """What was typed and is not in the change, to be shown again."""


def read_details(billed: Billed, form: PostedForm, texts: Texts, *, insist: bool) -> ReadDetails:
    """Read the details that were asked of this customer.

    With `insist` name and phone number are taken over, and an empty field that is needed is an error, too, unless the
    country is a new one, whose fields the form did not have. Without it only the price is asked for.
    """
    errors: dict[str, str] = {}
    typed = _typed(billed, form, errors, texts)
    address = _address(billed, form, typed, errors, texts)
    if holds_card_number(typed.get("tax_id", "")) and not is_checked(address.country):
        errors["tax_id"] = texts("details.card_number")
        del typed["tax_id"]
    asked = contact_fields(billed)
    phone = read_phone(typed.get("phone", ""), address.country, errors, texts)
    if insist and address.country == billed.billing.country:
        _miss(billed, address, typed, errors, texts)
        refused = {part: getattr(billed.billing, part) for part in ("city", "state", "zipcode") if part in errors}
        address = msgspec.structs.replace(address, **refused)
    change = PaymentChange(
        billing=billed.billing if billed.is_free else address,
        tax_id=typed["tax_id"] or None if _is_new(billed, typed) else UNSET,
        business_name=typed["business_name"] or None if "business_name" in typed else UNSET,
        name=typed["customer_name"] if insist and "customer_name" in typed else "",
        phone_number=phone if insist else None,
    )
    kept = asked if not insist else []
    if address.country != billed.billing.country:  # what does not fit the new country is not stored, but not lost
        kept += [part for part in ("state", "zipcode") if typed.get(part) and not getattr(address, part)]
    typed_again = {name: form.text(name) for name in [*errors, *kept] if name in LENGTHS}
    shown = {name: text for name, text in typed_again.items() if not holds_card_number(text)}
    return ReadDetails(change, errors, shown)


def _typed(billed: Billed, form: PostedForm, errors: dict[str, str], texts: Texts) -> dict[str, str]:
    """Return the fields that the form had and that can be read, with single blanks."""
    names = contact_fields(billed)
    if not billed.is_free:
        names += [*shown_parts(billed.options, countries.get(billed.billing.country)), "tax_id", "business_name"]
    typed = {}
    for name in [name for name in names if name not in billed.options.locked]:
        text = plain(form.text(name)) if name in _NUMBERS else tidy(form.text(name))
        fault = text_fault(text, LENGTHS[name], texts, may_look_like_card=name in _NUMBERS)
        if fault is None:
            typed[name] = text
        else:
            errors[name] = fault
    return typed


def _address(billed: Billed, form: PostedForm, typed: dict[str, str], errors: dict[str, str], texts: Texts) -> Address:
    """Return the address that was typed; a part that cannot be used stays as it was, or goes with its country."""
    old = billed.billing
    code = ("" if "country" in billed.options.locked else form.text("country")) or old.country
    if code not in codes().countries:
        errors["country"] = texts("details.country_missing")
        code = old.country
    country = countries.get(code)
    moved = code != old.country
    return Address(
        code,
        city=(typed["city"] or None) if "city" in typed else old.city,
        state=_state(country, old, typed.get("state"), moved=moved),
        street=(typed["street"] or None) if "street" in typed else old.street,
        zipcode=_zipcode(country, old, typed.get("zipcode"), errors, texts, moved=moved),
    )


def _state(country: Country, old: Address, typed: str | None, *, moved: bool) -> str | None:
    """Return the state. One that was written in another way before, such as in full, stays as it was written."""
    text = (old.state if typed is None else typed) or ""
    if moved:
        found = find_state(country.alpha2, text)
        return None if found is None else found.value
    value = state_value(country, text)
    if value == state_value(country, old.state):
        return old.state or None
    unknown = country.alpha2 in states() and find_state(country.alpha2, text) is None
    return None if unknown else value or None


def _zipcode(
    country: Country, old: Address, typed: str | None, errors: dict[str, str], texts: Texts, *, moved: bool
) -> str | None:
    """Return the postal code as the country's post writes it; one that does not fit a new country is dropped.

    A territory may have codes of another form than its country's.
    """
    if typed is None:
        return None if moved else old.zipcode
    pattern = country.postal_code_pattern
    zipcode = written_code(country.alpha2, typed, None if pattern is None else re.compile(pattern, re.ASCII))
    if zipcode is None and tax_regions().find(Address(country.alpha2, zipcode=typed)).found == "postal code":
        zipcode = typed.upper()
    if not typed or (zipcode is not None and country.postal_code_used):
        return zipcode or None
    if moved:
        return None
    errors["zipcode"] = texts(f"details.zipcode_{country.postal_code_kind}_unreadable")
    return old.zipcode


def read_phone(typed: str, country: str, errors: dict[str, str], texts: Texts) -> str | None:
    """Return a phone number in its international form; without a country code it is one of the billing country."""
    if not typed:
        return None
    try:
        number = phonenumbers.parse(typed, country)
    except phonenumbers.NumberParseException:
        number = None
    whole = phonenumbers.ValidationResult.IS_POSSIBLE  # and not only within one town
    if number is None or phonenumbers.is_possible_number_with_reason(number) != whole:
        errors["phone"] = texts("details.phone_unreadable")
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_new(billed: Billed, typed: dict[str, str]) -> bool:
    """Return whether a tax id was typed that has to be checked: another one, or one that no register confirmed yet."""
    if "tax_id" not in typed:
        return False
    return (typed["tax_id"] or None) != billed.options.tax_id or is_unproven(billed)


def _miss(billed: Billed, address: Address, typed: dict[str, str], errors: dict[str, str], texts: Texts) -> None:
    """Add an error for every field that is needed and was left empty."""
    for name in contact_fields(billed):
        if not typed.get(name):
            errors.setdefault(
                name, texts("details.name_missing" if name == "customer_name" else "details.phone_missing")
            )
    if billed.is_free:
        return
    country = countries.get(address.country)
    for part in missing_parts(billed.options, address):
        key = f"zipcode_{country.postal_code_kind}" if part == "zipcode" else part
        errors.setdefault(part, texts(f"details.{key}_missing", field=state_label(country, texts)))
