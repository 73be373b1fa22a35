"""The form of a session's page: what is asked, and what was entered."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from nicobar.core.payments.payment import Payment
from nicobar.core.payments.payment_request import RequestedCustomer
from nicobar.core.pricing.quote import Quote
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.core.sessions.told_details import ToldDetails, may_edit
from nicobar.flows.sessions.draft_payment import DraftedPayment
from nicobar.flows.sessions.offer_addons import OfferedAddon
from nicobar.pages.details.choices import Choices
from nicobar.pages.details.details import LENGTHS, DetailField, DetailsView, country_field, details_view
from nicobar.pages.frame.posted_form import holds_card_number
from nicobar.pages.frame.view import amount_text
from nicobar.pages.session.addon_entry import addon_views
from nicobar.pages.session.custom_fields import custom_field_view
from nicobar.pages.session.price_entry import LONGEST, price_text
from nicobar.pages.texts.texts import Reader

EMAIL_LENGTH: Final = 254

CONTACT_LENGTHS: Final[Mapping[str, int]] = {
    "email": EMAIL_LENGTH,
    **{name: LENGTHS[name] for name in ("customer_name", "phone")},
}
"""Characters that the fields of the contact take."""


class SessionForm(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the form of a session shows."""

    action: str
    hidden: list[tuple[str, str]]
    """What the answer has to know of this page: the country and the currency that it was made for, and the codes."""
    contact: list[DetailField]
    details: DetailsView | None
    """Address and business; None for an order of nothing."""
    prices: list[DetailField]
    """Lines whose price the buyer names."""
    addons: list[DetailField]
    """Add-ons whose number the buyer chooses."""
    questions: list[DetailField]
    """The merchant's own fields."""
    currency: DetailField | None
    codes: list[str]
    codes_locked: bool
    code: str
    code_error: str | None
    general_error: str | None
    """Why the order cannot be made, when no field of the form is to blame."""

    @property
    def errors(self) -> list[DetailField]:
        """The fields that need another look."""
        return [field for field in self.fields if field.error]

    @property
    def fields(self) -> list[DetailField]:
        """All fields but the code's."""
        details = [] if self.details is None else self.details.fields
        return [*self.prices, *self.addons, *self.contact, *self.questions, *details]


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed and has to be shown again."""

    told: ToldDetails = ToldDetails()
    errors: Mapping[str, str] = {}
    shown: Mapping[str, str] = {}
    unasked: bool = False
    """Whether the country is another one now, with fields that the form did not have and the order needs."""
    drafted: DraftedPayment | None = None
    """What it was priced to, where it could be."""


def session_form(
    session: CheckoutSession,
    drafted: DraftedPayment,
    typed: Typed,
    reader: Reader,
    *,
    offers: Sequence[OfferedAddon],
    action: str,
    blocked: frozenset[str],
    currencies: Sequence[str],
) -> SessionForm:
    """Return the form; `offers` are the add-ons that the buyer may take, `currencies` those that the buyer can choose
    from, none where none can be chosen.

    What may be a card number is never shown again.
    """
    payment, texts, errors = drafted.payment, reader.texts, typed.errors
    kept = {name: text for name, text in typed.shown.items() if not holds_card_number(text)}
    typed = msgspec.structs.replace(typed, shown=kept)
    shown = typed.shown
    details = details_view(
        without_contact(drafted).payment, reader, action=action, token="", blocked=blocked, errors=errors, shown=shown
    )
    form = SessionForm(
        action=action,
        hidden=[
            ("shown_country", payment.billing.country),
            ("shown_currency", payment.currency),
            ("shown_total", total_shown(payment)),
            ("chosen_currency", typed.told.billing_currency or ""),
            *((f"code_{index}", code) for index, code in enumerate(payment.options.discount_codes)),
        ],
        contact=[
            *_contact(session, drafted, reader, errors, shown),
            *([country_field(payment, reader, blocked, errors)] if asks_country_alone(session, payment) else []),
        ],
        details=details,
        prices=_prices(session, drafted, typed, reader),
        addons=addon_views(offers, reader, errors, shown),
        questions=[
            custom_field_view(field, index, texts, errors, shown)
            for index, field in enumerate(session.request.custom_fields)
        ],
        currency=_currency(payment.currency, currencies, reader),
        codes=payment.options.discount_codes,
        codes_locked=not session.request.flags.allow_discount_code,
        code=shown.get("code", "") if "code" in errors else "",
        code_error=errors.get("code"),
        general_error=None,
    )
    named = {field.name for field in form.fields} | (set() if form.codes_locked else {"code"})
    elsewhere = next((sentence for name, sentence in errors.items() if name not in named), None)
    return msgspec.structs.replace(form, general_error=elsewhere)


def total_shown(payment: Payment) -> str:
    """Return the total as the form carries it: nobody pays another one than was shown."""
    return f"{payment.total_amount} {payment.currency}"


def without_contact(drafted: DraftedPayment) -> DraftedPayment:
    """Return a draft of which address and business alone are asked: this page has its own fields for the contact.

    Who types the e-mail address of a known customer must not learn by missing fields what is known of them.
    """
    payment = drafted.payment
    buyer = msgspec.structs.replace(payment.customer, name="-", phone_number="-")
    return drafted._replace(payment=msgspec.structs.replace(payment, customer=buyer))


def contact_names(session: CheckoutSession, drafted: DraftedPayment) -> list[str]:
    """Return the fields of the contact that this session's buyer fills in.

    The name of a customer whom the merchant named by an id is asked for where nothing is stored, and so is a phone
    number that is required. A buyer who can become somebody else by an e-mail address is asked for the name on the page
    of the payment, or here where the payment is made at once.
    """
    request, flags = session.request, session.request.flags
    customer, stored = request.customer or RequestedCustomer(), drafted.payment.customer
    names = ["email"] if may_edit(request, "email") else []
    asks_name, asks_phone = True, not customer.phone_number
    if customer.customer_id is not None:
        asks_name = flags.single_page if names else not stored.name
        asks_phone = flags.require_phone_number and bool(names or not stored.phone_number)
    if asks_name and may_edit(request, "name"):
        names.append("customer_name")
    if asks_phone and flags.allow_phone_number_collection:
        names.append("phone")
    return names


def asks_country_alone(session: CheckoutSession, payment: Payment) -> bool:
    """Return whether the country is all that is asked of the address: nothing is due, and nobody has told it.

    A subscription whose trial needs no card is taxed by it later, and a receipt names it.
    """
    return payment.is_free and session.request.billing is None


def _contact(
    session: CheckoutSession,
    drafted: DraftedPayment,
    reader: Reader,
    errors: Mapping[str, str],
    shown: Mapping[str, str],
) -> list[DetailField]:
    texts, customer, flags = reader.texts, session.request.customer, session.request.flags
    known = {} if customer is None else {"email": customer.email, "customer_name": customer.name}
    looks = {
        "email": (texts("session.email"), "email", "email", True),
        "customer_name": (texts("details.name"), "name", "text", True),
        "phone": (texts("details.phone"), "tel", "tel", flags.require_phone_number),
    }
    fields = []
    for name in contact_names(session, drafted):
        label, autocomplete, kind, required = looks[name]
        fields.append(
            DetailField(
                name=name,
                label=label,
                autocomplete=autocomplete,
                value=shown.get(name, known.get(name) or ""),
                required=required,
                error=errors.get(name),
                maximum=CONTACT_LENGTHS[name],
                kind=kind,
            )
        )
    return fields


def priced_items(session: CheckoutSession, drafted: DraftedPayment) -> list[tuple[int, int]]:
    """Return the items whose price the buyer names, by their place in the cart, each with its line of the payment."""
    lines = drafted.quote.inputs.lines
    places = zip(session.request.items, drafted.lines, strict=True)
    return [
        (place, line)
        for place, (item, line) in enumerate(places)
        if item.amount is None and lines[line].pay_what_you_want
    ]


def least_price(quote: Quote, line: int) -> int:
    """Return the least that a line's unit may cost, in minor units of its product's currency."""
    product_id = quote.inputs.lines[line].product_id
    return next(product.price.price for product in quote.inputs.products if product.product_id == product_id)


def _prices(session: CheckoutSession, drafted: DraftedPayment, typed: Typed, reader: Reader) -> list[DetailField]:
    fields, quote = [], drafted.quote
    for place, number in priced_items(session, drafted):
        line, name = quote.inputs.lines[number], f"amount_{place}"
        least = amount_text(least_price(quote, number), line.currency, reader.locale)
        fields.append(
            DetailField(
                name=name,
                label=reader.texts("session.price", name=drafted.payment.lines[number].name, currency=line.currency),
                autocomplete="transaction-amount",
                value=typed.shown.get(name, price_text(line.unit_price, line.currency)),
                required=True,
                hint=reader.texts("session.price_hint", amount=least),
                error=typed.errors.get(name),
                maximum=LONGEST,
                kind="decimal",
            )
        )
    return fields


def _currency(current: str, currencies: Sequence[str], reader: Reader) -> DetailField | None:
    if len(currencies) < 2:
        return None
    names = reader.locale.currencies
    listed = Choices((code, f"{code} – {names.get(code, code)}") for code in sorted(currencies))
    return DetailField(
        name="currency",
        label=reader.texts("session.currency"),
        autocomplete="transaction-currency",
        choices=listed.html(current if current in listed else None),
        required=True,
        prices=True,
    )
