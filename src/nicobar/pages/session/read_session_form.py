"""Reading the form of a session's page: what its buyer has told, and what is wrong with it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import UNSET

from nicobar.core.customers.buyer import Address
from nicobar.core.discounts.discounts import normalise_code
from nicobar.core.payments.payment import CustomFieldResponse
from nicobar.core.payments.repricing import MAXIMUM_CODES
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import CheckoutSession, SessionRequest
from nicobar.core.sessions.told_details import ToldDetails
from nicobar.core.typed_text import plain, tidy
from nicobar.flows.sessions.draft_payment import DraftedPayment
from nicobar.flows.sessions.offer_addons import OfferedAddon
from nicobar.pages.changes.changes import MAXIMUM_CODE, code_fault
from nicobar.pages.changes.details_form import read_details, read_phone
from nicobar.pages.frame.posted_form import PostedForm, holds_card_number, text_fault
from nicobar.pages.frame.view import amount_text
from nicobar.pages.session.addon_entry import LONGEST as LONGEST_COUNT
from nicobar.pages.session.addon_entry import addon_field, read_addons
from nicobar.pages.session.custom_fields import field_name, read_custom_field
from nicobar.pages.session.price_entry import LONGEST, read_price
from nicobar.pages.session.session_form import (
    CONTACT_LENGTHS,
    asks_country_alone,
    contact_names,
    least_price,
    priced_items,
    without_contact,
)
from nicobar.pages.texts.texts import Reader
from nicobar.reference.codes import codes
from nicobar.reference.contacts import checked_email

_SHORT: Final = 500


class ReadSession(NamedTuple):
    """What a form says."""

    told: ToldDetails
    errors: dict[str, str]
    """Field to sentence."""
    shown: dict[str, str]
    """What was typed, to be shown again."""


def asks_for_price(form: PostedForm) -> bool:
    """Return whether a form only asks what the order costs, with another country or code, or in another language."""
    return any(form.text(name) for name in ("update", "apply", "remove", "lang"))


def told_before(form: PostedForm) -> ToldDetails:
    """Return what the form was made for: its country, currency and codes, which its fields belong to."""
    country = form.text("shown_country")
    return ToldDetails(
        billing=Address(country) if country in codes().countries else None,
        billing_currency=_currency(form.text("chosen_currency")),
        discount_codes=_codes(form),
    )


def read_session_form(
    session: CheckoutSession,
    base: DraftedPayment,
    offers: Sequence[OfferedAddon],
    form: PostedForm,
    reader: Reader,
) -> ReadSession:
    """Read everything at once, so that all errors show together. `base` is the draft that the form was made for,
    `offers` are the add-ons that it lists.

    Where only the price is asked for nobody complains about what is missing.
    """
    insist, texts = not asks_for_price(form), reader.texts
    asked = without_contact(base).payment
    details = read_details(asked, form, texts, insist=insist)
    errors, change = dict(details.errors), details.change
    billing = base.payment.billing if change.billing is UNSET else change.billing
    if asks_country_alone(session, base.payment) and form.text("country") in codes().countries:
        billing = Address(form.text("country"))
    contact = _read_contact(session, base, form, billing.country, reader, errors)
    amounts = _read_prices(session, base, form, reader, errors)
    addons = read_addons(offers, form, texts, errors)
    responses: list[CustomFieldResponse] = []
    for index, field in enumerate(session.request.custom_fields):
        answer = read_custom_field(field, index, form, texts, errors)
        responses += [] if answer is None else [answer]
    tax_id = None if change.tax_id is UNSET else change.tax_id or ""
    business_name = change.business_name if change.business_name is not UNSET else None
    if session.request.flags.require_tax_id and business_name and not tidy(form.text("tax_id")):
        errors.setdefault("tax_id", texts("details.state_missing", field=texts("details.tax_id")))
    if not insist:
        errors = {name: errors[name] for name in errors if form.text(name)}
    told = ToldDetails(
        email=contact.get("email"),
        name=contact.get("customer_name"),
        phone_number=contact.get("phone"),
        billing=billing,
        tax_id=tax_id,
        business_name=business_name,
        billing_currency=_chosen_currency(form),
        discount_codes=_codes(form),
        amounts=amounts,
        addons=addons,
        responses=responses,
    )
    return ReadSession(told, errors, {**_shown(session, base, offers, form), **details.shown})


def codes_of(request: SessionRequest) -> list[str]:
    """Return the codes that the merchant has given, as they are looked up."""
    given = [request.discount_code] if request.discount_code is not None else request.discount_codes or ()
    return [normalise_code(code) for code in given]


def read_code(form: PostedForm, told: ToldDetails, reader: Reader) -> tuple[list[str], str | None]:
    """Return the codes with the one that was added or without the one that was removed, and what is wrong with it."""
    kept = list(told.discount_codes or ())
    if removed := normalise_code(form.text("remove")):
        return [code for code in kept if code != removed], None
    code = normalise_code(plain(form.text("code")))
    if not code and not form.text("apply"):
        return kept, None
    fault = code_fault(code, kept)
    return ([*kept, code], None) if fault is None else (kept, reader.texts(fault, count=MAXIMUM_CODES))


def _read_contact(
    session: CheckoutSession,
    base: DraftedPayment,
    form: PostedForm,
    country: str,
    reader: Reader,
    errors: dict[str, str],
) -> dict[str, str]:
    """Return e-mail address, name and phone number, as far as they can be used."""
    texts, found = reader.texts, {}
    for name in contact_names(session, base):
        text = plain(form.text(name)) if name == "phone" else tidy(form.text(name))
        if not text:
            if name != "phone" or session.request.flags.require_phone_number:
                missing = {"email": "session.email_missing", "customer_name": "details.name_missing"}
                errors[name] = texts(missing.get(name, "details.phone_missing"))
        elif (fault := text_fault(text, CONTACT_LENGTHS[name], texts, may_look_like_card=name == "phone")) is not None:
            errors[name] = fault
        elif (read := _contact_text(name, text, country, errors, reader)) is not None:
            found[name] = read
    return found


def _contact_text(name: str, text: str, country: str, errors: dict[str, str], reader: Reader) -> str | None:
    if name == "phone":
        return read_phone(text, country, errors, reader.texts)
    if name == "customer_name":
        return text
    try:
        return checked_email(text, name)
    except Problem:
        errors[name] = reader.texts("session.email_unreadable")
        return None


def _read_prices(
    session: CheckoutSession, base: DraftedPayment, form: PostedForm, reader: Reader, errors: dict[str, str]
) -> dict[int, int]:
    """Return the prices that the buyer has named, by the place of their lines."""
    amounts = {}
    for place, line in priced_items(session, base):
        name, currency = f"amount_{place}", base.quote.inputs.lines[line].currency
        price, least = read_price(form.text(name), currency), least_price(base.quote, line)
        if price is None or price < least or price > 2_147_483_647:
            errors[name] = reader.texts("session.price_low", amount=amount_text(least, currency, reader.locale))
        else:
            amounts[place] = price
    return amounts


def _codes(form: PostedForm) -> list[str]:
    found = [normalise_code(form.text(f"code_{index}"))[:MAXIMUM_CODE] for index in range(MAXIMUM_CODES)]
    return list(dict.fromkeys(code for code in found if code and code.isprintable()))


def _currency(text: str) -> str | None:
    return text if text in codes().currencies else None


def _chosen_currency(form: PostedForm) -> str | None:
    """Return the currency that the buyer has chosen; one that stayed as it was shown follows the country."""
    typed = _currency(form.text("currency"))
    if typed is not None and typed != form.text("shown_currency"):
        return typed
    return _currency(form.text("chosen_currency"))


def _shown(
    session: CheckoutSession, base: DraftedPayment, offers: Sequence[OfferedAddon], form: PostedForm
) -> dict[str, str]:
    """Return what was typed, cut to what its field takes; nothing of what may be a card number."""
    questions = [field_name(index) for index in range(len(session.request.custom_fields))]
    prices = [f"amount_{place}" for place in range(len(session.request.items)) if form.text(f"amount_{place}")]
    addons = [addon_field(offered) for offered in offers]
    names = [*contact_names(session, base), *questions, *prices, *addons, "street", "city", "tax_id", "business_name"]
    limits = dict.fromkeys(prices, LONGEST) | dict.fromkeys(addons, LONGEST_COUNT)
    typed = {name: form.text(name) for name in names if not holds_card_number(form.text(name))}
    return {name: text[: limits.get(name, _SHORT)] for name, text in typed.items()}
