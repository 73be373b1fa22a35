"""The forms of e-mail addresses and phone numbers, by the packages that know them."""

import re
from functools import lru_cache
from typing import Final

import email_validator
import phonenumbers

from nicobar.core.fields import blank_to_none
from nicobar.core.problems import Problem
from nicobar.core.typed_text import plain, tidy

# Nothing is looked up, and people test with `.test`, `.local` and their like: only the form of an address counts.
# Emptying this list is the way that the package itself documents.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_NATIONAL_PHONE: Final = re.compile(r"[0-9(][0-9 ().\-/#x]*", re.ASCII)
"""A number without country code, as a checkout form may send it."""

_MINIMUM_PHONE_DIGITS: Final = 3

_REMEMBERED: Final = 4096
"""Results of checks kept in memory: the same customers come back, and a check costs about 20 µs."""


def checked_email(email: str, path: str = "email") -> str:
    """Return the address as it was written, without blanks and unseen marks around it.

    Raises Problem INVALID_REQUEST_BODY when it is none.
    """
    trimmed = tidy(email)
    fault = _email_fault(trimmed)
    if fault is not None:
        raise Problem("INVALID_REQUEST_BODY", path=path, detail=fault)
    return trimmed


def checked_phone(phone: str | None, path: str = "phone_number") -> str | None:
    """Return the number as it was written, in western digits without unseen marks; None for null and for blanks.

    With a leading `+` it must be possible in its country's numbering plan (right country code and length; the plans
    change too often to ask whether it is in use). Without one it is a national number, whose country is not known: at
    least three digits with the usual separators. Raises Problem INVALID_REQUEST_BODY otherwise.
    """
    trimmed = blank_to_none(plain(phone or ""))
    if trimmed is None:
        return None
    fault = _phone_fault(trimmed)
    if fault is not None:
        raise Problem("INVALID_REQUEST_BODY", path=path, detail=fault)
    return trimmed


@lru_cache(maxsize=_REMEMBERED)
def _email_fault(email: str) -> str | None:
    try:
        found = email_validator.validate_email(email, check_deliverability=False, globally_deliverable=False)
    except email_validator.EmailNotValidError as error:
        return str(error)
    if found.ascii_domain is None or "." not in found.ascii_domain:
        return "The part after the @-sign is not a full domain name."
    return None


@lru_cache(maxsize=_REMEMBERED)
def _phone_fault(phone: str) -> str | None:
    if not phone.startswith("+"):
        digits = sum(character.isdigit() for character in phone)
        if _NATIONAL_PHONE.fullmatch(phone) is None or digits < _MINIMUM_PHONE_DIGITS:
            return "It is not a phone number; write it like +14155552671."
        return None
    try:
        possible = phonenumbers.is_possible_number(phonenumbers.parse(phone, None))
    except phonenumbers.NumberParseException:
        possible = False
    return None if possible else "It is not a possible phone number of any country; write it like +14155552671."
