"""The card form: checking it, and the token that ties it to one payment in one state.

The number and the security code go from the request's bytes into a `CardInput`, which hides them, and into nothing
else: no error, log line, address or re-rendered field ever holds them.
"""

import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from nicobar.core.payments.paying import revision
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.saved_method import last_day
from nicobar.core.typed_text import compact, tidy, unusable, without_label
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.pages.texts.texts import Reason
from nicobar.processors.base import CardInput, MethodInput

MAXIMUM_NAME: Final = 100
MAXIMUM_YEARS: Final = 20
"""How far in the future a card may expire."""

_EXPIRY: Final = re.compile(
    r"(?P<m1>\d{1,2})[ /.\-]+(?P<y1>\d{2}|\d{4})"
    r"|(?P<y2>\d{4})[ /.\-]+(?P<m2>\d{1,2})"
    r"|(?P<m3>\d{1,2})(?P<y3>\d{2}|20\d{2})"
)
"""Month and year with something between them, the year first as calendars of computers write it, or nothing between:
`430` and `0430` are both April 2030."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class CheckedForm(NamedTuple):
    """What came of a form: a card or another method to pay with, or what is wrong with it."""

    instrument: CardInput | MethodInput | None
    errors: dict[str, Reason]
    """Field to reason, in the order of the form."""
    shown: dict[str, str]
    """What may be put back into the form: name and expiry where they are nothing else. Never a card number."""
    chosen: str | None = None
    """The way to pay that was chosen: `card`, or a payment method type; None for none yet."""


def check_card(form: PostedForm, now: datetime) -> CheckedForm:
    """Check what can be checked without knowing the card: all fields at once, so that all errors show together."""
    errors: dict[str, Reason] = {}
    shown: dict[str, str] = {}
    number = _number(form.text("number"))
    if isinstance(number, Reason):
        errors["number"] = number
    expiry = _expiry(form.text("expiry"), now)
    if isinstance(expiry, Reason):
        errors["expiry"] = expiry
    else:
        shown["expiry"] = f"{expiry[0]:02} / {expiry[1] % 100:02}"
    cvc = compact(without_label(form.text("cvc")))
    if not form.text("cvc"):
        errors["cvc"] = Reason("cvc_missing")
    elif not (_are_digits(cvc) and 3 <= len(cvc) <= 4):
        errors["cvc"] = Reason("cvc_unreadable")
    name = tidy(form.text("name"))
    reason = _name_error(name)
    if reason is not None:
        errors["name"] = reason
    else:
        shown["name"] = name
    if isinstance(number, Reason) or isinstance(expiry, Reason) or errors:
        return CheckedForm(None, errors, shown)
    return CheckedForm(CardInput(number, expiry[0], expiry[1], cvc, name), errors, shown)


def form_token(payment: Payment, form_key: bytes) -> str:
    """Return the token of a form for this payment as it is: the moment of its last change, and a signature.

    There is no session that a foreign site could ride on; the token proves that the form was made by this server for
    this payment. Its key is the payment's own secret, so it holds across restarts and processes and needs no cookie.
    The moment makes it good for one use: every attempt changes the payment, and with it the token.
    """
    moment = str((revision(payment) - _EPOCH) // _MICROSECOND)
    return f"{moment}.{_signature(payment, form_key, moment)}"


def moment_of_token(payment: Payment, form_key: bytes, token: str) -> datetime | None:
    """Return the revision that a token was made for, None when this server did not make it for this payment."""
    moment, _, signature = token.partition(".")
    genuine = hmac.compare_digest(signature.encode(), _signature(payment, form_key, moment).encode())
    return _EPOCH + int(moment) * _MICROSECOND if genuine else None


def _signature(payment: Payment, form_key: bytes, moment: str) -> str:
    return hmac.digest(form_key, f"form\0{payment.payment_id}\0{moment}".encode(), "sha256").hex()


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _number(typed: str) -> str | Reason:
    """Return the digits of a card number, or what is wrong with them."""
    number = compact(without_label(typed))
    if not number:
        return Reason("number_missing")
    strange = next((character for character in number if not _are_digits(character)), None)
    if strange is not None:
        return Reason("number_character", strange if strange.isprintable() else f"U+{ord(strange):04X}")
    return number if 12 <= len(number) <= 19 else Reason("number_incomplete")


def _expiry(typed: str, now: datetime) -> tuple[int, int] | Reason:
    """Return month and four-digit year, or the reason why there is none.

    A card is good to the end of its month wherever on earth its bank is (`core.payments.saved_method.last_day`).
    """
    text = re.sub(r"\s*([/.-])\s*", r"\1", without_label(typed))
    if not text:
        return Reason("expiry_missing")
    match = _EXPIRY.fullmatch(text)
    if match is None:
        return Reason("expiry_unreadable")
    month, year = (int(match[f"{part}1"] or match[f"{part}2"] or match[f"{part}3"]) for part in "my")
    if year < 100:
        year += now.year // 100 * 100
    if not 1 <= month <= 12:
        return Reason("expiry_unreadable")
    today = last_day(now)
    if (year, month) < (today.year, today.month):
        return Reason("expiry_past")
    return Reason("expiry_far") if year > now.year + MAXIMUM_YEARS else (month, year)


def _name_error(name: str) -> Reason | None:
    if not name:
        return Reason("name_missing")
    if len(name) > MAXIMUM_NAME:
        return Reason("name_long")
    if sum(character.isdecimal() for character in name) >= 8:
        return Reason("name_number")
    strange = unusable(name)
    return None if strange is None else Reason("name_unreadable", strange)
