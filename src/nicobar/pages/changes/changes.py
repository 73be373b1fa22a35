"""What a customer changes on the payment page before paying, and what came of it.

A change that is refused changes nothing and stands in nobody's way: its reason is shown at the field, the old amounts
stay, and the ways to pay are where they were.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from nicobar.core.discounts.discounts import normalise_code
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import MAXIMUM_CODES, PaymentChange
from nicobar.core.problems import Problem
from nicobar.core.typed_text import plain
from nicobar.flows.payments.reprice_payment import reprice_payment
from nicobar.flows.runtime import Runtime
from nicobar.pages.changes.details_form import read_details
from nicobar.pages.details.details import country_name
from nicobar.pages.entry.limits import Guesses
from nicobar.pages.frame.posted_form import PostedForm, holds_card_number
from nicobar.pages.texts.texts import Reader
from nicobar.reference.codes import codes

MAXIMUM_CODE: Final = 64
"""Characters of a discount code that are looked at, as in the contract's request."""


class Changed(NamedTuple):
    """What came of a change."""

    payment: Payment
    """As it is now."""
    errors: Mapping[str, str]
    """Field to sentence; the discount code's field is `code`."""
    shown: Mapping[str, str]
    """What was typed and is not stored, to be shown again."""


async def change_details(
    runtime: Runtime, guesses: Guesses, payment: Payment, form: PostedForm, reader: Reader
) -> Changed:
    """Store contact, address and tax id of a posted form, and price the payment again where they decide its price.

    With `update` in the form only the price is asked for, and with `lang` another language: nobody complains about what
    is missing. With `check` the page asks what is wrong with the field of that name, and nothing is stored. A tax id
    that fails its check is left out, so that it never stands in the way of anything else.
    """
    left = form.text("check")
    insist = not (left or form.text("update") or form.text("lang"))
    change, errors, shown = read_details(payment, form, reader.texts, insist=insist)
    if left:
        return Changed(payment, {name: sentence for name, sentence in errors.items() if name == left}, shown)
    try:
        new = await _with_tax_id(runtime, guesses, payment, change, errors, reader)
    except Problem as problem:
        errors["country"] = _details_refusal(problem, form.text("country"), reader)
        new = payment
    if "tax_id" in errors:
        for name in ("tax_id", "business_name"):
            shown[name] = "" if holds_card_number(form.text(name)) else form.text(name)
    return Changed(new, errors, shown)


async def change_code(
    runtime: Runtime, guesses: Guesses, payment: Payment, form: PostedForm, reader: Reader
) -> Changed:
    """Add or remove a discount code. The other codes stay whatever comes of it."""
    texts = reader.texts
    shown: dict[str, str] = {}
    if "discount" in payment.options.locked:
        return Changed(payment, {"code": texts("discount.refused")}, shown)
    if form.text("remove"):
        change, fallback = PaymentChange(remove_code=normalise_code(form.text("remove"))), "discount.not_removed"
    else:
        code = normalise_code(plain(form.text("code")))
        shown = {"code": "" if holds_card_number(form.text("code")) else form.text("code")[:MAXIMUM_CODE]}
        reason = code_fault(code, payment.options.discount_codes)
        if reason is None and not guesses.take(runtime.clock.elapsed()):
            reason = "discount.guesses"
        if reason is not None:
            return Changed(payment, {"code": texts(reason, count=MAXIMUM_CODES)}, shown)
        change, fallback = PaymentChange(add_code=code), "discount.refused"
    try:
        new = await reprice_payment(runtime, payment.tenant, payment.payment_id, change)
    except Problem as problem:
        key = f"discount.{problem.code.lower()}"
        added = change.add_code is not None and key in texts
        if change.add_code is not None and not added:  # nobody guesses where the order is being changed already
            guesses.give_back()
        return Changed(payment, {"code": texts(key if added else fallback)}, shown)
    if change.add_code is not None:
        guesses.give_back()
    return Changed(new, {}, {})


async def _with_tax_id(
    runtime: Runtime,
    guesses: Guesses,
    payment: Payment,
    change: PaymentChange,
    errors: dict[str, str],
    reader: Reader,
) -> Payment:
    """Make the change; without the tax id when that is not valid."""
    now = runtime.clock.elapsed()
    taken = isinstance(change.tax_id, str) and guesses.take(now)
    if isinstance(change.tax_id, str) and not taken:
        errors["tax_id"] = reader.texts("details.tax_id_guesses")
        change = _without_tax_id(payment, change)
    wrong = False
    try:
        return await reprice_payment(runtime, payment.tenant, payment.payment_id, change)
    except Problem as problem:
        wrong = problem.code == "INVALID_TAX_ID"
        if not wrong:
            raise
    finally:
        if taken and not wrong:
            guesses.give_back()
    if not taken:  # the tax id that the order has is not one of the new country
        guesses.take(now)
    errors["tax_id"] = reader.texts("details.tax_id_invalid")
    change = _without_tax_id(payment, change)
    return await reprice_payment(runtime, payment.tenant, payment.payment_id, change)


def _without_tax_id(payment: Payment, change: PaymentChange) -> PaymentChange:
    """Leave the tax id as it is, except that one of another country cannot stay."""
    moved = change.billing is not UNSET and change.billing.country != payment.billing.country
    return msgspec.structs.replace(change, tax_id=None if moved else UNSET, business_name=None if moved else UNSET)


def code_fault(code: str, kept: Collection[str]) -> str | None:
    """Return why a code need not even be looked up, as the name of its sentence; `kept` are those that the order has.

    Nobody's code is a card number: one that is typed here goes no further.
    """
    if not code:
        return "discount.missing"
    if code in kept:
        return "discount.again"
    if len(kept) >= MAXIMUM_CODES:
        return "discount.many"
    unreadable = len(code) > MAXIMUM_CODE or not code.isprintable() or holds_card_number(code)
    return "discount.invalid_discount_code" if unreadable else None


def _details_refusal(problem: Problem, country: str, reader: Reader) -> str:
    """Return the customer's sentence for a change of details that was refused."""
    name = country_name(country, reader.locale) if country in codes().countries else ""
    if problem.code == "UNSUPPORTED_COUNTRY":
        return reader.texts("details.country_blocked", country=name)
    if problem.code == "NO_ELIGIBLE_PAYMENT_METHODS":
        return reader.texts("details.no_method", country=name)
    if problem.path is not None and problem.path.startswith("discount_codes["):
        return reader.texts("details.code_lost", country=name)
    return reader.texts("details.busy" if problem.status == 409 else "details.refused")
