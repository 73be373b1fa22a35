"""The merchant's own questions to the buyer: seven kinds of fields, and what counts as an answer to each."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from nicobar.core.fields import checked_web_address
from nicobar.core.payments.payment import CustomFieldResponse
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import CustomField
from nicobar.core.typed_text import plain, tidy
from nicobar.pages.details.choices import Choices
from nicobar.pages.details.details import DetailField
from nicobar.pages.frame.posted_form import PostedForm, text_fault
from nicobar.pages.texts.texts import Texts
from nicobar.reference.contacts import checked_email

MAXIMUM_CUSTOM_FIELDS: Final = 5
"""Questions of a session, as in the contract's request."""

MAXIMUM_ANSWER: Final = 500
"""Characters of an answer."""

_NUMBER: Final = re.compile(r"-?\d{1,18}(?:[.,]\d{1,9})?", re.ASCII)

_KINDS: Final = {"email": "email", "url": "url", "date": "date", "number": "decimal"}


def field_name(index: int) -> str:
    """Return the name of the form's field for the question at this place."""
    return f"custom_{index}"


def custom_field_view(
    field: CustomField, index: int, texts: Texts, errors: Mapping[str, str], shown: Mapping[str, str]
) -> DetailField:
    """Return one question as the form shows it; a dropdown has choices, a yes or no is a box."""
    name = field_name(index)
    value = shown.get(name, "")
    choices = None
    if field.field_type == "dropdown":
        listed = Choices([("", texts("details.choose")), *((option, option) for option in field.options)])
        choices = listed.html(value if value in listed else "")
    return DetailField(
        name=name,
        label=field.label,
        autocomplete="off",
        value=value,
        choices=choices,
        required=field.required,
        error=errors.get(name),
        maximum=MAXIMUM_ANSWER,
        kind="box" if field.field_type == "boolean" else _KINDS.get(field.field_type, "text"),
        placeholder=field.placeholder,
    )


def read_custom_field(
    field: CustomField, index: int, form: PostedForm, texts: Texts, errors: dict[str, str]
) -> CustomFieldResponse | None:
    """Return the answer to one question; None for none, with an error where there has to be a good one."""
    name = field_name(index)
    text = tidy(form.text(name))
    if field.field_type == "boolean":
        if field.required and not text:
            errors[name] = texts("details.state_missing", field=field.label)
        return CustomFieldResponse(field.key, "true" if text else "false")
    if not text:
        if field.required:
            errors[name] = texts("details.state_missing", field=field.label)
        return None
    fault = text_fault(text, MAXIMUM_ANSWER, texts, may_look_like_card=field.field_type == "number")
    if fault is not None:
        errors[name] = fault
    elif (answer := _answer(field, text)) is not None:
        return CustomFieldResponse(field.key, answer)
    else:
        errors[name] = texts("session.answer_unreadable", field=field.label)
    return None


def _answer(field: CustomField, text: str) -> str | None:
    """Return an answer in the form of its kind; None for what is none."""
    match field.field_type:
        case "number":
            number = plain(text).replace(" ", "")
            return number.replace(",", ".") if _NUMBER.fullmatch(number) else None
        case "email":
            return _checked(checked_email, text)
        case "url":
            return _checked(checked_web_address, text)
        case "date":
            return _date(plain(text))
        case "dropdown":
            return text if text in {tidy(option) for option in field.options} else None
    return text


def _checked(check: Callable[[str, str], str | None], text: str) -> str | None:
    try:
        return check(text, "value")
    except Problem:
        return None


def _date(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else None
    except ValueError:
        return None
