"""The simulator's other half: every method in service that is not a card, each by the flow of its row in the data.

- A redirect, a wallet or a code from a bank's app leads to a page of the simulator, where the customer decides.
- A QR code leads to a page that shows it; it holds the address of the same decision.
- A UPI ID or a bank account is charged by published test values only: it is pending first, and ends by the clock.
- A transfer or a voucher gets a code to pay by. It is pending until its page decides, or until it is paid by itself.

What was typed is looked up and forgotten; of a bank account the last four characters go into the outcome.
"""

from datetime import timedelta
from typing import Final

import msgspec

from nicobar.core.payments.methods import CARD_TYPES
from nicobar.core.payments.payment import Abandoned, Declined, NeedsAction, Outcome, Pending, PendingDetails, Succeeded
from nicobar.core.payments.three_ds import ThreeDs
from nicobar.core.simulator.bank_charge import BankCharge
from nicobar.processors.base import InputRefused, MethodInput
from nicobar.reference import failures, methods

RUNNABLE: Final = frozenset(method.type for method in methods.offered())
"""The types that the simulator can run, cards included: all that are in service."""

DECISION_LIFETIME: Final = timedelta(minutes=15)
"""How long a customer may take over the decision on a page of the simulator."""

DEBIT_TAKES: Final = timedelta(seconds=15)
"""How long a bank debit is pending at least, so that it can be seen; real ones take days."""

CODE_PAID_AFTER: Final = timedelta(minutes=3)
"""After so long a code to pay by counts as paid, when nobody decided otherwise. Real ones take days."""

CODE_BITS: Final = 80
"""Random bits for a code of 9 digits: far more than it has, so that no code is noticeably likelier than another."""

CODE_LIFETIME: Final = timedelta(days=7)
"""How long a code to pay by is said to be good."""

SOON: Final = timedelta(seconds=60)
"""When a published card or account does later what it is published for: its charge is disputed, its refund ends."""

DECISION_PATH: Final = "/simulator/pay"
"""The path of the page of the decision below the public address; the charge's reference follows."""

QR_PATH: Final = "/simulator/qr"
"""The path of the page that shows a QR code below the public address; the charge's reference follows."""

TEST_VALUES: Final = {
    # type: (form field, reason for the customer)
    "ach": ("account", "not_a_test_account"),
    "pix": ("tax_number", "not_a_test_tax_number"),
    "sepa": ("iban", "not_a_test_iban"),
    "upi_collect": ("upi_id", "not_a_test_upi_id"),
}
"""Methods that take something typed and take published test values only. A UPI payment by QR code types nothing."""


def check(method: MethodInput) -> None:
    """Refuse an input that nobody published for testing, so that no real account is ever used here.

    Raises InputRefused, and KeyError for a type that the simulator does not run.
    """
    if method.type not in RUNNABLE - CARD_TYPES:
        raise KeyError(method.type)
    rule = TEST_VALUES.get(method.type)
    by_qr = method.type == "upi_collect" and not method.value
    if rule is not None and not by_qr and methods.published_input(method.type, method.value) is None:
        raise InputRefused(*rule)


def declined(code: str | None, reference: str, three_ds: ThreeDs | None = None) -> Declined:
    """Return a refusal with the merchant's sentences for its code."""
    failure = failures.get(code or "GENERIC_DECLINE")
    return Declined(failure.code, failure.error_message, reference, three_ds)


def charge_method(method: MethodInput, email: str, charge: BankCharge, public_url: str, bits: int) -> BankCharge:
    """Return what a new charge becomes by its method and its scenario; random `bits` make a code to pay by.

    Raises what `check` raises.
    """
    check(method)
    now, reference = charge.created_at, charge.reference
    match methods.get(method.type).flow:
        case "bank_account" | "upi_id" if method.value:
            return _ending_by_itself(method, charge)
        case "qr" | "upi_id":
            first = NeedsAction(reference, f"{public_url}{QR_PATH}/{reference}")
            return _asking(charge, first, Succeeded(reference), None)
        case "transfer" | "voucher":
            details = PendingDetails(
                entity="12345",
                code=f"{bits % 10**9:09}",
                pay_by=now + CODE_LIFETIME,
                url=f"{public_url}{DECISION_PATH}/{reference}",
            )
            unpaid = declined("AUTHENTICATION_TIMEOUT", reference)  # a code that nobody pays runs out of time
            paid = _end(charge, Succeeded(reference))
            waiting = charge.waiting(
                Pending(reference, details),
                {"approve": paid, "fail": unpaid, "cancel": unpaid},
                later=paid,
                later_at=now + (charge.scenario.late or CODE_PAID_AFTER),
            )
            return msgspec.structs.replace(waiting, decide_until=now + CODE_LIFETIME)
        case _:
            first = NeedsAction(reference, f"{public_url}{DECISION_PATH}/{reference}")
            return _asking(charge, first, _approval(method, reference, email), _leaving(method, reference))


def _asking(charge: BankCharge, first: Outcome, approved: Outcome, left: Outcome | None) -> BankCharge:
    """Return a charge that its customer decides about; `left` is what leaving does, None for the usual refusals."""
    until, reference = charge.created_at + DECISION_LIFETIME, charge.reference
    waiting = charge.waiting(
        first,
        {
            "approve": _end(charge, approved),
            "fail": declined("PAYMENT_METHOD_PROVIDER_DECLINED", reference),
            "cancel": left or declined("CUSTOMER_CANCELLED", reference),
        },
        later=left or declined("AUTHENTICATION_TIMEOUT", reference),
        later_at=until,
    )
    return msgspec.structs.replace(waiting, decide_until=until)


def _end(charge: BankCharge, end: Outcome) -> Outcome:
    """Return the end of a charge, which its scenario can turn into a decline."""
    code = charge.scenario.decline
    return declined(code, charge.reference) if code is not None and isinstance(end, Succeeded) else end


def _ending_by_itself(method: MethodInput, charge: BankCharge) -> BankCharge:
    """Return a charge by a published account or UPI ID: pending first, and then its documented end."""
    known, reference = methods.published_input(method.type, method.value), charge.reference
    if known is None:
        raise InputRefused(*TEST_VALUES[method.type])
    if known.outcome == "succeed_then_dispute" and charge.scenario.dispute_after is None:
        charge = msgspec.structs.replace(charge, scenario=msgspec.structs.replace(charge.scenario, dispute_after=SOON))
    first = Pending(reference, None if method.type == "upi_collect" else PendingDetails(account=method.value[-4:]))
    if known.outcome == "processing_forever":
        return charge.waiting(first, {}, later=None, later_at=None)
    end = Succeeded(reference) if known.error_code is None else declined(known.error_code, reference)
    takes = charge.scenario.late or max(timedelta(seconds=known.delay_seconds), DEBIT_TAKES)
    return charge.waiting(first, {}, later=_end(charge, end), later_at=charge.created_at + takes)


def _approval(method: MethodInput, reference: str, email: str) -> Outcome:
    """Return what follows an approval: Klarna decides by the customer's published e-mail address, the others agree."""
    known = methods.published_input(method.type, email)
    return Succeeded(reference) if known is None or known.error_code is None else declined(known.error_code, reference)


def _leaving(method: MethodInput, reference: str) -> Outcome | None:
    """Return what leaving the page does where that is published: closing Afterpay's leaves the payment as it was."""
    known = methods.published_input(method.type, "close")
    return Abandoned(reference) if known is not None and known.outcome == "unpaid" else None
