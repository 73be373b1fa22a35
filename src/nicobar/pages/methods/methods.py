"""The ways to pay on the payment page: which are shown in which order, the form of each, and reading the chosen one.

The page is one form. Each method is a radio button, and the part of the form that belongs to it is shown below the
button while it is chosen, which needs no script. Credit and debit cards are one choice: the card itself tells them
apart.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from stdnum import iban
from stdnum.us import rtn

from nicobar.core.business.tenant import Mode
from nicobar.core.payments.methods import CARD_TYPES, Decision
from nicobar.core.payments.payment import Payment
from nicobar.core.typed_text import compact, plain, without_label
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.pages.frame.view import FieldView, FormView, amount_text, filled
from nicobar.pages.methods.card_form import CheckedForm, check_card
from nicobar.pages.texts.method_names import method_name
from nicobar.pages.texts.texts import Reader, Reason, Texts
from nicobar.processors.base import MethodInput
from nicobar.reference import methods

CARD: Final = "card"
"""The choice for credit and debit cards."""

SHOWN: Final = 4
"""Methods that are shown at once; if there are more than one beyond them, the rest is folded."""

FAVOURITES: Final[Mapping[str, Sequence[str]]] = {
    "AT": ("eps",),
    "BE": ("bancontact_card",),
    "BR": ("pix",),
    "CN": ("we_chat_pay",),
    "IN": ("upi_collect",),
    "IT": ("satispay",),
    "KR": ("kakao_pay", "naver_pay", "payco"),
    "NL": ("ideal",),
    "PL": ("blik",),
    "PT": ("multibanco",),
}
"""What people of a country pay by before anything else but cards."""

WALLETS: Final = ("apple_pay", "google_pay")
"""Methods that need no typing, which come before everything else: on a phone they are the shortest way to pay."""

RANKING: Final = (
    "revolut_pay",
    "cashapp",
    "amazon_pay",
    "klarna",
    "afterpay_clearpay",
    "billie",
    "satispay",
    "sepa",
    "ach",
    "multibanco",
    "we_chat_pay",
    "crypto_currency",
)
"""The order of the methods that are nobody's favourites; a method that is missing comes last."""

_UPI_ID: Final = re.compile(r"[A-Za-z0-9._-]{2,64}@[A-Za-z][A-Za-z0-9.-]{1,63}")

_FIELDS: Final[Mapping[str, Sequence[tuple[str, bool, int]]]] = {
    # type: (name, numeric, maximum characters) of each field
    "ach": (("routing", True, 20), ("account", True, 40)),
    "blik": (("blik_code", True, 12),),
    "pix": (("tax_number", True, 24),),
    "sepa": (("iban", False, 50),),
    "upi_collect": (("upi_id", False, 128),),
}


class Alternative(NamedTuple):
    """A second button of a method."""

    name: str
    value: str
    label: str


class MethodOption(msgspec.Struct, frozen=True, kw_only=True):
    """One way to pay."""

    key: str
    """`card`, or a payment method type: the value of the radio button."""
    kind: str
    """The method's family, which chooses its picture."""
    name: str
    note: str | None = None
    chosen: bool
    lead: str | None = None
    """What happens when the customer goes on."""
    fields: tuple[FieldView, ...] = ()
    terms: str | None = None
    """What the customer agrees to by going on."""
    submit: str
    alternative: Alternative | None = None

    @property
    def is_plain(self) -> bool:
        """Whether all of its fields are."""
        return all(field.is_plain for field in self.fields)


class MethodsView(msgspec.Struct, frozen=True, kw_only=True):
    """All ways to pay a payment, one of them chosen. Without any there is nothing to pay with."""

    heading: str
    shown: list[MethodOption]
    folded: list[MethodOption]
    """The rest of a long list."""
    error: str | None
    """Why the method that was chosen cannot be used."""

    @property
    def options(self) -> list[MethodOption]:
        """All of them in order."""
        return self.shown + self.folded

    @property
    def single(self) -> MethodOption | None:
        """The only way to pay, where there is no choice."""
        return self.options[0] if len(self.options) == 1 else None

    @property
    def folded_chosen(self) -> bool:
        """Return whether the chosen one is folded, so that the fold has to be open."""
        return any(option.chosen for option in self.folded)

    @property
    def errors(self) -> list[FieldView]:
        """The fields of methods other than cards that need another look."""
        return [field for option in self.options for field in option.fields if field.error]


def methods_view(
    payment: Payment,
    decisions: Sequence[Decision],
    seller: str,
    form: FormView,
    checked: CheckedForm,
    reader: Reader,
    elsewhere: bool = False,
) -> MethodsView:
    """Return the ways to pay that are offered; `form` is the card's, `checked` what came of the last try.

    With `elsewhere` cards and accounts are typed into the processor's own fields on the next page.
    """
    texts, country = reader.texts, payment.billing.country
    keys = _ordered(_keys(decisions), country)
    chosen = _chosen(payment, checked, keys)
    named = {"seller": seller, "amount": amount_text(payment.total_amount, payment.currency, reader.locale)}
    options = [
        _card(form, texts, chosen=chosen)
        if key == CARD
        else _option(key, payment, named, checked, texts, chosen=chosen)
        for key in keys
    ]
    if elsewhere:
        options = [_elsewhere(option, texts) for option in options]
    cut = SHOWN if len(options) > SHOWN + 1 else len(options)
    only = len(options) == 1
    error = checked.errors.get("method")
    return MethodsView(
        heading=_only_heading(options[0], texts) if only else texts("methods.heading"),
        shown=options[:cut],
        folded=options[cut:],
        error=error.sentence(texts) if error else None,
    )


def read_method(
    form: PostedForm, decisions: Sequence[Decision], now: datetime, *, elsewhere: bool = False
) -> CheckedForm:
    """Read the chosen way to pay from a posted form, and check what can be checked without asking a processor.

    A form that names none is a card's. With `elsewhere` nothing but the choice is read.
    """
    chosen = form.text("method") or CARD
    if chosen not in _keys(decisions):
        return CheckedForm(None, {"method": Reason("method_unavailable")}, {}, chosen)
    if elsewhere:
        kinds = [decision.type for decision in decisions if decision.offered and decision.type in CARD_TYPES]
        return CheckedForm(MethodInput(kinds[0] if chosen == CARD else chosen), {}, {}, chosen)
    if chosen == CARD:
        return check_card(form, now)._replace(chosen=CARD)
    if chosen == "upi_collect" and form.text("upi") == "qr":
        return CheckedForm(MethodInput(chosen), {}, {}, chosen)
    errors: dict[str, Reason] = {}
    shown: dict[str, str] = {}
    values = [_value(form, name, errors, shown) for name, _numeric, _maximum in _FIELDS.get(chosen, ())]
    if errors:
        return CheckedForm(None, errors, shown, chosen)
    return CheckedForm(MethodInput(chosen, "/".join(values)), errors, shown, chosen)


def _keys(decisions: Sequence[Decision]) -> frozenset[str]:
    return frozenset(
        [CARD if decision.type in CARD_TYPES else decision.type for decision in decisions if decision.offered]
    )


@lru_cache(maxsize=1024)
def _ordered(keys: frozenset[str], country: str) -> tuple[str, ...]:
    ranking = [*WALLETS, CARD, *FAVOURITES.get(country, ()), *RANKING]
    return tuple(sorted(keys, key=lambda key: (ranking.index(key) if key in ranking else len(ranking), key)))


def _chosen(payment: Payment, checked: CheckedForm, keys: Collection[str]) -> str:
    """Return what was chosen last, in this form or in the last attempt; otherwise the card, or else the first."""
    last = CARD if payment.payment_method_type in CARD_TYPES else payment.payment_method_type
    wanted = checked.chosen or last
    return wanted if wanted is not None and wanted in keys else CARD if CARD in keys else next(iter(keys), CARD)


def _card(form: FormView, texts: Texts, *, chosen: str) -> MethodOption:
    name = texts("methods.card")
    return MethodOption(key=CARD, kind=CARD, name=name, chosen=chosen == CARD, submit=form.submit)


def _option(
    key: str, payment: Payment, named: Mapping[str, str], checked: CheckedForm, texts: Texts, *, chosen: str
) -> MethodOption:
    empty = _empty_option(key, payment.billing.country, texts, payment.mode)
    if key != chosen and not empty.fields and empty.submit and f"methods.terms_{key}" not in texts:
        return empty
    return msgspec.structs.replace(
        empty,
        chosen=chosen == key,
        fields=tuple(
            filled(each, texts, checked.errors.get(each.name), checked.shown.get(each.name)) for each in empty.fields
        ),
        terms=_optional(texts, f"methods.terms_{key}", **named),
        submit=empty.submit or texts("form.submit", **named),
    )


@lru_cache(maxsize=1024)
def _empty_option(key: str, country: str, texts: Texts, mode: Mode) -> MethodOption:
    """Return what an option is for every payment: not chosen, and without what names the amount or the seller."""
    method, name = methods.get(key), method_name(key, country, texts)
    return MethodOption(
        key=key,
        kind=method.family,
        name=name,
        note=_optional(texts, f"methods.note_{key}"),
        chosen=False,
        lead=_optional(texts, f"methods.lead_{method.flow}", name=name),
        fields=tuple(_empty_field(texts, *field, mode) for field in _FIELDS.get(key, ())),
        submit=_optional(texts, f"methods.submit_{method.flow}", name=name) or "",
        alternative=Alternative("upi", "qr", texts("methods.submit_upi_qr")) if method.flow == "upi_id" else None,
    )


def _elsewhere(option: MethodOption, texts: Texts) -> MethodOption:
    """Return an option for which nothing is typed on this page, nor agreed to: the processor's fields say to what."""
    if option.key == CARD:
        return msgspec.structs.replace(option, lead=texts("methods.lead_fields"), submit=texts("details.submit"))
    if not option.fields:
        return option
    return msgspec.structs.replace(option, fields=(), terms=None, submit=texts("details.submit"), alternative=None)


def _only_heading(option: MethodOption, texts: Texts) -> str:
    return texts("form.heading") if option.key == CARD else texts("methods.heading_only", name=option.name)


def _optional(texts: Texts, key: str, **values: object) -> str | None:
    return texts(key, **values) if key in texts else None


def _empty_field(texts: Texts, name: str, numeric: bool, maximum: int, mode: Mode) -> FieldView:
    hints = (f"methods.{name}_hint_{mode}", f"methods.{name}_hint")
    hint = next((texts(key) for key in hints if key in texts), None)
    wrong = texts(f"error.{name}_unreadable")
    return FieldView(name, texts(f"methods.{name}"), "off", hint, "", None, numeric, maximum, wrong)


def _value(form: PostedForm, name: str, errors: dict[str, Reason], shown: dict[str, str]) -> str:
    """Return a field in one spelling, without what only divides it. A UPI ID and a bank's number may be shown again."""
    typed = form.text(name)
    value = plain(typed).replace(" ", "") if name == "upi_id" else compact(_number_in(name, typed)).upper()
    if not value:
        errors[name] = Reason(f"{name}_missing")
    elif not _is_well_formed(name, value):
        errors[name] = Reason(f"{name}_unreadable")
    elif name in ("upi_id", "routing") and sum(character.isdigit() for character in value) < 12:
        shown[name] = value
    return value


def _number_in(name: str, typed: str) -> str:
    """Return what was pasted without a label before it. An IBAN begins with letters of its own."""
    return plain(typed).removeprefix("IBAN") if name == "iban" else without_label(typed)


def _is_well_formed(name: str, value: str) -> bool:
    match name:
        case "upi_id":
            return _UPI_ID.fullmatch(value) is not None
        case "routing":
            return bool(rtn.is_valid(value))
        case "account":
            return _is_number(value, 4, 17)
        case "iban":
            return bool(iban.is_valid(value, check_country=False))
        case "blik_code":
            return _is_number(value, 6, 6)
        case _:
            return _is_number(value, 1, 14)


def _is_number(value: str, shortest: int, longest: int) -> bool:
    return value.isascii() and value.isdigit() and shortest <= len(value) <= longest
