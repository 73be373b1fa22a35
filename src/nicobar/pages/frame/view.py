"""What the templates show: every text finished, every amount formatted. Templates decide nothing."""

import copy
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec
from babel import Locale
from babel.dates import format_date, format_time, get_datetime_format
from babel.numbers import NumberPattern

from nicobar.core.business.tenant import Mode
from nicobar.core.payments.payment import CardDetails, Payment, PaymentLine
from nicobar.pages.texts.method_names import method_name
from nicobar.pages.texts.texts import Reader, Reason, Texts
from nicobar.reference import currencies, failures
from nicobar.storage.payments.hosted_pages import PageFacts

LINES_SHOWN: Final = 6
"""Lines of an order that are shown at once; longer orders fold the rest, so that the form stays in reach."""

_LETTER_BESIDE_DIGIT: Final = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")

_LOOSE_SIGN: Final = re.compile(r"-(?=\d)|(?<=[A-Z])\$")
"""A minus and the end of `US$`, which would jump to the other side of their number or letters among Arabic words."""

_NETWORK_NAMES: Final = {
    "amex": "American Express",
    "diners": "Diners Club",
    "discover": "Discover",
    "jcb": "JCB",
    "maestro": "Maestro",
    "mastercard": "Mastercard",
    "rupay": "RuPay",
    "unionpay": "UnionPay",
    "visa": "Visa",
}


class LineView(msgspec.Struct, frozen=True):
    """One line of the order."""

    name: str
    description: str | None
    quantity: str | None
    """None for a single piece, where it would only be noise."""
    amount: str
    picture: str | None
    """The id of the product's picture."""


class OrderView(msgspec.Struct, frozen=True):
    """The order as customer and seller agreed on it."""

    lines: list[LineView]
    folded: list[LineView]
    """The rest of a long order."""
    subtotal: str | None
    """None where it equals the total and would only repeat it."""
    discount_label: str
    discount: str | None
    tax: str | None
    tax_open: bool
    """Whether no tax is foreseen yet, and the address may add one to the total; `tax` has the words for that then."""
    total: str
    currency: str | None
    """The currency's code where the formatted total does not show it already."""
    pictured: bool
    """Whether any line has a picture; then the others leave its place empty, so that the names line up in one
    column."""


class FieldView(msgspec.Struct, frozen=True):
    """One field of the card form."""

    name: str
    label: str
    autocomplete: str
    hint: str | None
    value: str
    error: str | None
    numeric: bool
    maximum: int
    """Characters that the field takes."""
    wrong: str | None = None
    """What the script says when the field is left with something that cannot be right."""

    @property
    def is_plain(self) -> bool:
        """Whether nothing is typed into it, and nothing wrong with it: it is the same for everybody then."""
        return not (self.value or self.error)

    @property
    def described_by(self) -> str | None:
        """Ids of the texts that belong to the field, for `aria-describedby`."""
        ids = [f"{self.name}-error"] if self.error else []
        ids += [f"{self.name}-hint"] if self.hint else []
        return " ".join(ids) or None


class FormView(msgspec.Struct, frozen=True):
    """The form, for a card or for a free order."""

    token: str
    fields: list[FieldView]
    """Empty for a free order."""
    submit: str
    decline: str | None
    """Why the last attempt failed, in the customer's words."""

    @property
    def errors(self) -> list[FieldView]:
        """The fields that need another look."""
        return [field for field in self.fields if field.error]


class ReceiptView(msgspec.Struct, frozen=True):
    """What was paid, when and how."""

    free: bool
    date: str
    moment: str
    """The date for machines, ISO 8601."""
    method: str | None
    """A card's network and last digits, or the name of another method; None when nothing was paid."""
    payment_id: str


class RenewalView(msgspec.Struct, frozen=True):
    """What comes after the first payment of a subscription."""

    name: str | None
    """None for the only line of the order, which says it already."""
    sentences: list[str]
    renews: bool
    """Whether anything is charged again."""


class PageView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one payment's page that does not depend on its state."""

    texts: Texts
    seller: str
    monogram: str
    picture: str | None
    """The id of the picture that is shown in place of the monogram."""
    support_email: str | None
    test_mode: bool
    email: str | None
    """Masked: a link may be forwarded."""
    order: OrderView
    renewals: Sequence[RenewalView]
    """The subscriptions that the payment starts."""


def page_view(
    payment: Payment,
    facts: PageFacts,
    reader: Reader,
    renewals: Sequence[RenewalView] = (),
    *,
    tax_open: bool = False,
) -> PageView:
    """Return the view of a payment for one reader; `tax_open` says that an address will decide its tax."""
    return PageView(
        texts=reader.texts,
        seller=facts.seller,
        monogram=monogram(facts.seller),
        picture=facts.image_id,
        support_email=facts.support_email,
        test_mode=payment.mode == "test",
        email=mask_email(payment.customer.email),
        order=_order(payment, facts.pictures, reader, tax_open=tax_open),
        renewals=renewals,
    )


def monogram(seller: str) -> str:
    """Return the letter that stands for a seller without a picture."""
    return next((letter for letter in seller if letter.isalnum()), "•").upper()


def form_view(
    payment: Payment,
    reader: Reader,
    token: str,
    errors: Mapping[str, Reason],
    shown: Mapping[str, str],
    own_words: str | None,
) -> FormView:
    """Return the payable form; `errors` maps fields to reasons and `shown` to what may be filled in again.

    `own_words` are the seller's for its button, if there are any.
    """
    texts = reader.texts
    if payment.is_free:
        return FormView(token, [], own_words or texts("form.free_submit"), None)
    amount = amount_text(payment.total_amount, payment.currency, reader.locale)
    submit = own_words or texts("form.submit", amount=amount)
    empty = [_empty_field(texts, name, payment.mode) for name in _FIELDS]
    fields = [filled(field, texts, errors.get(field.name), shown.get(field.name)) for field in empty]
    declined = payment.status == "failed" and not errors
    return FormView(token, fields, submit, decline_text(payment.error_code, texts) if declined else None)


def receipt_view(payment: Payment, reader: Reader) -> ReceiptView:
    """Return the receipt of a payment that succeeded."""
    paid_at = (payment.updated_at or payment.created_at).astimezone(UTC)
    card, method_type = payment.card, payment.payment_method_type
    method = None if method_type is None else method_name(method_type, payment.billing.country, reader.texts)
    if card is not None:
        method = card_name(card, reader.texts)
    return ReceiptView(
        free=payment.total_amount == 0,
        date=date_text(paid_at, reader.locale),
        moment=paid_at.isoformat(),
        method=method,
        payment_id=payment.payment_id,
    )


def card_name(card: CardDetails, texts: Texts) -> str:
    """Return a card's network, as people know it, and its last four digits."""
    network = _NETWORK_NAMES.get(card.network, card.network.title())
    return texts("receipt.card", network=network, last_four=card.last_four)


def expiry_text(card: CardDetails, texts: Texts) -> str:
    """Return when a saved card expires."""
    return texts("form.saved_expires", month=card.exp_month, year=card.exp_year[-2:])


def day_text(moment: datetime, locale: Locale) -> str:
    """Return a moment's day in UTC, as people of this locale write it."""
    return _long_date(moment.astimezone(UTC).date(), locale)


@lru_cache(maxsize=512)
def _long_date(day: date, locale: Locale) -> str:
    return str(format_date(day, "long", locale))


@lru_cache(maxsize=1024)  # a page names its total once for each way to pay
def amount_text(minor: int, currency: str, locale: Locale) -> str:
    """Write an amount as people of this locale do, with exactly the currency's own number of decimals.

    The decimals are the contract's: the locale data knows some currencies with fewer, and would round. A currency
    that is shown by letters is set apart from the number (`KWD 1.500`), which the formatter leaves undone.
    """
    exponent = currencies.exponent(currency)
    value = Decimal(minor).scaleb(-exponent)
    pattern = _amount_pattern(str(locale), exponent)
    text = str(pattern.apply(value, locale, currency=currency, currency_digits=False))
    text = _LETTER_BESIDE_DIGIT.sub("\u00a0", text)
    return _LOOSE_SIGN.sub(_hold, text) if locale.character_order == "right-to-left" else text


def date_text(moment: datetime, locale: Locale) -> str:
    """Write a moment in UTC as date and time of day, with the zone in words: few customers know the abbreviation."""
    together = _date_and_time(locale).replace("{0}", _short_time(moment.hour, moment.minute, locale))
    return together.replace("{1}", _long_date(moment.date(), locale))


@lru_cache(maxsize=4096)
def _short_time(hour: int, minute: int, locale: Locale) -> str:
    return str(format_time(time(hour, minute), "short", tzinfo=UTC, locale=locale))


@lru_cache(maxsize=256)
def _date_and_time(locale: Locale) -> str:
    """Return the pattern of a moment, with its time for `{0}` and its date for `{1}`."""
    zone = locale.time_zones["Etc/UTC"]["long"]["standard"]
    return f"{get_datetime_format('medium', locale)} UTC ({zone})"


def mask_email(email: str) -> str | None:
    """Return enough of an address for its owner to recognise it, and too little for anybody else."""
    local, at, domain = email.rpartition("@")
    if not (local and at and domain):
        return None
    name, dot, ending = domain.rpartition(".")
    return f"{local[0]}•••@{(name or ending)[0]}•••{dot}{ending if dot else ''}"


def decline_text(error_code: str | None, texts: Texts) -> str:
    """Return the customer's sentence for a failure code; a code of the processor's own gets the neutral decline."""
    key = f"decline.{error_code}"
    if key in texts:
        return texts(key)
    try:
        return failures.get(error_code or "").customer_message
    except KeyError:
        return texts("error.decline_unknown")


_FIELDS: Final = {
    # name: (autocomplete, numeric, maximum characters)
    "number": ("cc-number", True, 80),
    "expiry": ("cc-exp", True, 30),
    "cvc": ("cc-csc", True, 20),
    "name": ("cc-name", False, 100),
}


_WRONG: Final = {
    "number": "number_wrong",
    "expiry": "expiry_unreadable",
    "cvc": "cvc_unreadable",
    "name": "name_number",
}


def filled(field: FieldView, texts: Texts, reason: Reason | None, value: str | None) -> FieldView:
    """Return an empty field with what was typed, and with what is wrong with it in place of its hint."""
    if reason is not None:
        field = msgspec.structs.replace(field, error=reason.sentence(texts), hint=None)
    return msgspec.structs.replace(field, value=value) if value else field


@lru_cache(maxsize=512)
def _empty_field(texts: Texts, name: str, mode: Mode) -> FieldView:
    autocomplete, numeric, maximum = _FIELDS[name]
    hints = (f"form.{name}_hint_{mode}", f"form.{name}_hint")
    hint = next((texts(key) for key in hints if key in texts), None)
    wrong = texts(f"error.{_WRONG[name]}") if name in _WRONG else None
    return FieldView(name, texts(f"form.{name}"), autocomplete, hint, "", None, numeric, maximum, wrong)


def _order(payment: Payment, pictures: dict[str, str], reader: Reader, *, tax_open: bool) -> OrderView:
    texts, locale, currency = reader.texts, reader.locale, payment.currency
    lines = [_line(line, currency, pictures.get(line.product_id), reader) for line in payment.lines]
    shown = LINES_SHOWN if len(lines) > LINES_SHOWN + 1 else len(lines)
    total = amount_text(payment.total_amount, currency, locale)
    tax = amount_text(payment.tax, currency, locale) if payment.tax else None
    tax_open = tax_open and tax is None
    plain = not tax_open and payment.subtotal == payment.total_amount and payment.discount == 0 and payment.tax == 0
    codes = ", ".join(payment.options.discount_codes)
    return OrderView(
        lines=lines[:shown],
        folded=lines[shown:],
        subtotal=None if plain else amount_text(payment.subtotal, currency, locale),
        discount_label=texts("order.discount_codes", codes=codes) if codes else texts("order.discount"),
        discount=amount_text(-payment.discount, currency, locale) if payment.discount else None,
        tax=texts("order.tax_later") if tax_open else tax,
        tax_open=tax_open,
        total=total,
        currency=None if currency in total else currency,
        pictured=bool(pictures),
    )


def _line(line: PaymentLine, currency: str, picture: str | None, reader: Reader) -> LineView:
    return LineView(
        name=line.name,
        description=line.description,
        quantity=reader.texts("order.quantity", count=line.quantity) if line.quantity != 1 else None,
        amount=amount_text(line.subtotal, currency, reader.locale),
        picture=picture,
    )


def _hold(sign: re.Match[str]) -> str:
    """Return a sign with a mark that ties it to what is written from left to right alongside it."""
    return "\u200e-" if sign[0] == "-" else "$\u200e"


@lru_cache(maxsize=256)
def _amount_pattern(locale: str, exponent: int) -> NumberPattern:
    pattern: NumberPattern = copy.copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (exponent, exponent)
    return pattern
