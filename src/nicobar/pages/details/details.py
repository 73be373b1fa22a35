"""The customer's details on the payment page: contact, billing address by the rules of its country, tax id.

They are a form of their own, above the ways to pay: a card number never travels with an address, and whoever changes
the country sees the new total before paying. While something is missing that the order needs, the page asks for that
first; once all is known, the form is folded.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import msgspec
from babel import Locale
from markupsafe import Markup

from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.payments.payment import Payment, PaymentOptions
from nicobar.pages.details.address_parts import (
    address_parts,
    missing_parts,
    paired_parts,
    required_parts,
    shown_parts,
    state_label,
    state_value,
)
from nicobar.pages.details.choices import Choices
from nicobar.pages.texts.texts import Reader, Texts
from nicobar.reference import countries
from nicobar.reference.countries import Country
from nicobar.reference.states import states
from nicobar.reference.tax_regions import tax_regions

LENGTHS: Final[Mapping[str, int]] = {
    "customer_name": 250,
    "phone": 40,
    "street": 250,
    "city": 250,
    "state": 250,
    "zipcode": 32,
    "tax_id": 64,
    "business_name": 250,
}
"""Characters that each field takes, as in the contract's request."""

_AUTOCOMPLETE: Final[Mapping[str, str]] = {
    "customer_name": "name",
    "phone": "tel",
    "street": "billing address-line1",
    "city": "billing address-level2",
    "state": "billing address-level1",
    "zipcode": "billing postal-code",
    "tax_id": "off",
    "business_name": "billing organization",
}


class Billed(Protocol):
    """Whose details are asked: a payment, or what a subscription is billed with."""

    @property
    def billing(self) -> Address:
        """The address as it is known."""

    @property
    def options(self) -> PaymentOptions:
        """What is asked of it, and the tax id."""

    @property
    def customer(self) -> Buyer:
        """Who is billed."""

    @property
    def is_free(self) -> bool:
        """Whether no bill is made out, so that no address is needed."""


class DetailField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the details: a text, or a list when it has choices."""

    name: str
    label: str
    autocomplete: str
    value: str = ""
    choices: Markup | None = None
    """The entries of a list, as HTML."""
    required: bool
    hint: str | None = None
    error: str | None = None
    maximum: int = 0
    """Characters that a text takes."""
    half: bool = False
    """Whether it shares its row with its neighbour."""
    prices: bool = False
    """Whether it can change the total, so that the page asks for a new one when it is left."""
    kind: str = "text"
    """What is typed: the `type` of an input, or `decimal` or `count`; `box` is ticked."""
    placeholder: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is typed into it or chosen, and nothing wrong with it: it is the same for everybody then."""
        return not (self.value or self.error or self.choices)

    @property
    def described_by(self) -> str | None:
        """Ids of the texts that belong to the field, for `aria-describedby`."""
        ids = [f"{self.name}-error"] if self.error else []
        ids += [f"{self.name}-hint"] if self.hint else []
        return " ".join(ids) or None


class AskedDetails(NamedTuple):
    """The fields of the details."""

    contact: list[DetailField]
    address: list[DetailField]
    """Country first; empty for an order of nothing, and where nothing of it can be changed."""
    business: list[DetailField]


class DetailsView(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the details, and what is known already."""

    action: str
    token: str
    complete: bool
    """Whether everything is known that the order needs, so that it can be paid."""
    contact: list[DetailField]
    address: list[DetailField]
    """Country first; empty for an order of nothing, and where nothing of it can be changed."""
    business: list[DetailField]
    summary: str | None
    """The address in one line."""
    business_summary: str | None
    business_note: str | None
    """Why the tax id lowers no tax, when the reason may pass."""
    general_error: str | None = None
    """Why a change was not made, when no field of the form is to blame."""
    retyped: bool = False
    """Whether the form shows something that was typed and not stored, so that it has to be open."""

    @property
    def fields(self) -> list[DetailField]:
        """All fields of the form."""
        return [*self.contact, *self.address, *self.business]

    @property
    def errors(self) -> list[DetailField]:
        """The fields that need another look."""
        return [field for field in self.fields if field.error]

    @property
    def changeable(self) -> bool:
        """Whether the form has any field."""
        return bool(self.fields)

    @property
    def business_open(self) -> bool:
        """Whether the part for businesses shows something."""
        return any(field.value or field.error for field in self.business)


def details_view(
    payment: Payment,
    reader: Reader,
    *,
    action: str,
    token: str,
    blocked: frozenset[str],
    errors: Mapping[str, str],
    shown: Mapping[str, str],
) -> DetailsView | None:
    """Return the details of a payment; None when there is nothing to ask.

    `errors` maps fields to sentences, `shown` to what was typed and could not be stored. `blocked` are the countries
    that the seller does not sell to.
    """
    asked = asked_details(payment, reader, blocked=blocked, errors=errors, shown=shown)
    if payment.is_free and not asked.contact:
        return None
    named = {field.name for group in asked for field in group}
    return DetailsView(
        action=action,
        token=token,
        complete=is_complete(payment),
        contact=asked.contact,
        address=asked.address,
        business=asked.business,
        summary=address_line(payment.billing, reader) if payment.total_amount else None,
        business_summary=_business_summary(payment),
        business_note=reader.texts("details.tax_id_unproven") if payment.tax and is_unproven(payment) else None,
        general_error=next((errors[name] for name in errors if name not in {*named, "code"}), None),
        retyped=bool(shown),
    )


def asked_details(
    billed: Billed, reader: Reader, *, blocked: frozenset[str], errors: Mapping[str, str], shown: Mapping[str, str]
) -> AskedDetails:
    """Return the fields of the details, with `errors`, `shown` and `blocked` as in `details_view`."""
    texts, country = reader.texts, countries.get(billed.billing.country)
    known = {"customer_name": billed.customer.name, "phone": billed.customer.phone_number or ""}
    contact = [
        _filled(_empty_field(name, texts, required=True), known[name], errors, shown) for name in contact_fields(billed)
    ]
    if billed.is_free:
        return AskedDetails(contact, [], [])
    address = _address_fields(billed, country, texts, errors, shown)
    if "country" not in billed.options.locked:
        address.insert(0, country_field(billed, reader, blocked, errors))
    return AskedDetails(contact, address, _business_fields(billed, country, reader, errors, shown))


def asked_of(billed: Billed) -> list[str]:
    """Return what the page asks of the customer besides the address: what nobody knows yet."""
    buyer = billed.customer
    asked = [] if buyer.name or "customer_name" in billed.options.locked else ["customer_name"]
    return asked + (["phone"] if billed.options.require_phone_number and not buyer.phone_number else [])


def contact_fields(billed: Billed) -> list[str]:
    """Return the fields of the contact: what is asked for, and what was entered here and can be corrected until
    paying."""
    told = billed.options.told_on_page
    asked = asked_of(billed)
    fields = (("customer_name", "name"), ("phone", "phone_number"))
    return [field for field, part in fields if field in asked or part in told]


def is_complete(payment: Payment) -> bool:
    """Return whether everything is known that the order needs; an order of nothing needs no address."""
    return not asked_of(payment) and (payment.is_free or not missing_parts(payment.options, payment.billing))


def tax_may_grow(payment: Payment) -> bool:
    """Return whether a tax that comes on top waits for a part of the address, where the seller's orders bear tax."""
    on_top = any(not line.tax_inclusive for line in payment.lines)
    return (
        payment.total_amount != 0
        and on_top
        and bool({"state", "zipcode"} & set(missing_parts(payment.options, payment.billing)))
    )


def is_unproven(billed: Billed) -> bool:
    """Return whether a register that was queried for the tax id has not answered."""
    register = billed.options.tax_id_register
    return billed.options.tax_id is not None and register is not None and register.answer == "unavailable"


@lru_cache(maxsize=64)
def country_names(locale: str) -> tuple[tuple[str, str], ...]:
    """Return code and name of every country of the contract, ordered by the names in this language."""
    territories = Locale.parse(locale).territories
    named = [(country.alpha2, str(territories.get(country.alpha2, country.name))) for country in countries.ALL]
    return tuple(sorted(named, key=lambda pair: _plain(pair[1])))


def country_name(code: str, locale: Locale) -> str:
    """Return a country's name in this language."""
    return _by_code(str(locale))[code]


@lru_cache(maxsize=64)
def _by_code(locale: str) -> dict[str, str]:
    return dict(country_names(locale))


def _plain(name: str) -> str:
    """Return a name without case and accents, for comparing and ordering."""
    decomposed = unicodedata.normalize("NFKD", name.strip())
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def _empty_field(
    name: str,
    texts: Texts,
    *,
    required: bool,
    label: str | None = None,
    hint: str | None = None,
    half: bool = False,
    prices: bool = False,
) -> DetailField:
    key = "name" if name == "customer_name" else name
    if hint is None and f"details.{key}_hint" in texts and name != "tax_id":
        hint = texts(f"details.{key}_hint")
    return DetailField(
        name=name,
        label=label or texts(f"details.{key}"),
        autocomplete=_AUTOCOMPLETE[name],
        required=required,
        hint=hint,
        maximum=LENGTHS[name],
        half=half,
        prices=prices,
        kind="tel" if name == "phone" else "text",
    )


def _filled(field: DetailField, value: str | None, errors: Mapping[str, str], shown: Mapping[str, str]) -> DetailField:
    """Return an empty field with what is known of it or was typed, and with what is wrong with that."""
    value, error = shown.get(field.name, value or ""), errors.get(field.name)
    return msgspec.structs.replace(field, value=value, error=error) if value or error else field


def country_field(billed: Billed, reader: Reader, blocked: frozenset[str], errors: Mapping[str, str]) -> DetailField:
    """Return the list of countries, without those that are `blocked`."""
    current = billed.billing.country
    choices = _chosen_country(str(reader.locale), blocked - {current}, current)
    return DetailField(
        name="country",
        label=reader.texts("details.country"),
        autocomplete="billing country",
        choices=choices,
        required=True,
        error=errors.get("country"),
        prices=True,
    )


@lru_cache(maxsize=64)  # of some 20 KB each
def _chosen_country(locale: str, blocked: frozenset[str], current: str) -> Markup:
    return _countries(locale, blocked).html(current)


@lru_cache(maxsize=64)
def _countries(locale: str, blocked: frozenset[str]) -> Choices:
    return Choices((code, name) for code, name in country_names(locale) if code not in blocked)


def _address_fields(
    billed: Billed, country: Country, texts: Texts, errors: Mapping[str, str], shown: Mapping[str, str]
) -> list[DetailField]:
    address, code = billed.billing, country.alpha2
    values = {"street": address.street, "city": address.city, "zipcode": address.zipcode, "state": address.state}
    required, parts, pair = required_parts(country, billed.options), shown_parts(billed.options, country), []
    if set(paired_parts(country)) <= set(parts):
        pair = paired_parts(country)
    fields = []
    for name in parts:
        empty = _empty_part(name, code, texts, required=required.get(name, False), half=name in pair)
        field = _filled(empty, values[name], errors, shown)
        if name == "state" and code in states():
            field = msgspec.structs.replace(field, choices=_states(code, texts).html(state_value(country, field.value)))
        fields.append(field)
    return fields


@lru_cache(maxsize=4096)
def _empty_part(name: str, alpha2: str, texts: Texts, *, required: bool, half: bool) -> DetailField:
    """Return the field of one part of an address in its country."""
    country = countries.get(alpha2)
    labels = {"zipcode": texts(f"details.zipcode_{country.postal_code_kind}"), "state": state_label(country, texts)}
    prices = name == "state" or (name in ("zipcode", "city") and tax_regions().asks_for_code(alpha2))
    return _empty_field(name, texts, required=required, label=labels.get(name), half=half, prices=prices)


@lru_cache(maxsize=512)
def _states(alpha2: str, texts: Texts) -> Choices:
    """Return the list of a country's states, ordered by their names."""
    listed = sorted(states()[alpha2], key=lambda each: _plain(each.names[0]))
    return Choices([("", texts("details.choose")), *((each.value, each.names[0]) for each in listed)])


def _business_fields(
    billed: Billed, country: Country, reader: Reader, errors: Mapping[str, str], shown: Mapping[str, str]
) -> list[DetailField]:
    options = billed.options
    values = {"tax_id": options.tax_id, "business_name": options.customer_business_name}
    empty = [field for field in _empty_business(country.alpha2, reader) if field.name not in options.locked]
    return [_filled(field, values[field.name], errors, shown) for field in empty]


@lru_cache(maxsize=1024)
def _empty_business(alpha2: str, reader: Reader) -> tuple[DetailField, DetailField]:
    texts, country = reader.texts, countries.get(alpha2)
    hint = texts("details.tax_id_hint_plain")
    if country.tax_id_name is not None:
        name = country_name(alpha2, reader.locale)
        hint = texts("details.tax_id_hint", country=name, name=country.tax_id_name)
    tax_id = _empty_field("tax_id", texts, required=False, hint=hint, prices=True)
    return tax_id, _empty_field("business_name", texts, required=False)


def address_line(address: Address, reader: Reader) -> str:
    """Return the address in one line, in the order in which people of the country write it."""
    parts = [getattr(address, name) for name in address_parts(countries.get(address.country))]
    return ", ".join([*[part for part in parts if part], country_name(address.country, reader.locale)])


def _business_summary(payment: Payment) -> str | None:
    options = payment.options
    return ", ".join([part for part in (options.customer_business_name, options.tax_id) if part]) or None
