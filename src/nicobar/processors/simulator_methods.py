"""The simulator's other half: every method in service that is not a card, each by the flow of its row in the data.

- A redirect, a wallet or a code from a bank's app leads to a page of the simulator, where the customer decides.
- A QR code leads to a page that shows it; it holds the address of the same decision.
- A UPI ID or a bank account is charged by published test values only: it is pending first, and settles by the clock.
- A transfer or a voucher gets a code to pay by. It is pending until its page decides, or until it settles by itself.

What was typed is looked up and forgotten; of a bank account the last four characters go into the outcome.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

from nicobar.clock import Clock
from nicobar.core.ids import RANDOM_BITS, object_id
from nicobar.core.methods import CARD_TYPES
from nicobar.core.payment import Abandoned, Declined, NeedsAction, Outcome, Pending, PendingDetails, Succeeded
from nicobar.processors.base import ChargeRequest, InputRefused, MethodInput
from nicobar.reference import failures, methods

RUNNABLE: Final = frozenset(method.type for method in methods.offered())
"""The types that the simulator can run, cards included: all that are in service."""

REMEMBERED: Final = 10_000
"""Orders that are kept in memory; the oldest is forgotten first."""

DECISION_LIFETIME: Final = timedelta(minutes=15)
"""How long a customer may take over the decision on a page of the simulator."""

DEBIT_TAKES: Final = timedelta(seconds=15)
"""How long a bank debit is pending at least, so that it can be seen; real ones take days."""

CODE_SETTLES_AFTER: Final = timedelta(minutes=3)
"""After so long a code to pay by counts as paid, when nobody decided otherwise. Real ones take days."""

CODE_LIFETIME: Final = timedelta(days=7)
"""How long a code to pay by is said to be good."""

DECISION_PATH: Final = "/simulator/pay"
"""Where the page of the decision stands below the public address; the order's reference follows."""

QR_PATH: Final = "/simulator/qr"
"""Where the page that shows a QR code stands below the public address; the order's reference follows."""

Answer = Literal["approve", "fail", "cancel"]
"""What a customer can decide on a page of the simulator."""

TEST_VALUES: Final = {
    # type: (form field, reason for the customer)
    "ach": ("account", "not_a_test_account"),
    "pix": ("tax_number", "not_a_test_tax_number"),
    "sepa": ("iban", "not_a_test_iban"),
    "upi_collect": ("upi_id", "not_a_test_upi_id"),
}
"""Methods that take something typed and take published test values only. A UPI payment by QR code types nothing."""


class SimulatedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One remembered order and where it stands."""

    reference: str
    """The simulator's own id of the order, unguessable: it opens the order's pages."""
    type: str
    """Payment method type."""
    amount: int
    """Minor units of `currency`."""
    currency: str
    return_url: str
    outcome: Outcome
    approved: Outcome
    """What follows when the customer approves, or when the order settles by itself."""
    left: Outcome | None
    """What follows when the customer leaves without deciding; None stands for the usual refusals."""
    decide_until: datetime | None
    """Until when the customer may decide; None for an order that nobody decides about."""
    settles_at: datetime | None
    """When a pending order takes its end by itself; None for one that never does."""

    def is_open(self, now: datetime) -> bool:
        """Say whether the customer may still decide."""
        waiting = isinstance(self.outcome, NeedsAction | Pending)
        return waiting and self.decide_until is not None and now < self.decide_until


class _Plan(NamedTuple):
    """What becomes of an order."""

    first: Outcome
    approved: Outcome
    decide_for: timedelta | None = None
    settles_after: timedelta | None = None
    left: Outcome | None = None


class SimulatedMethods:
    """Runs the methods that are not cards, for the newest `REMEMBERED` orders of this process."""

    def __init__(self, clock: Clock, public_url: str) -> None:
        self._clock = clock
        self._public_url = public_url
        self._orders: OrderedDict[str, SimulatedOrder] = OrderedDict()
        self._attempts: dict[str, str] = {}

    def charge(self, method: MethodInput, request: ChargeRequest) -> Outcome:
        """Begin an order; the same attempt id gets the same answer again.

        Raises ValueError when an attempt id comes back with another amount, and what `check` raises.
        """
        earlier = self._orders.get(request.attempt_id)
        if earlier is not None:
            if (earlier.amount, earlier.currency) != (request.amount, request.currency):
                raise ValueError(f"{request.attempt_id} was ordered before with another amount")
            return earlier.outcome
        check(method)
        now = self._clock.now()
        reference = object_id("sim", now, self._clock.random_bits(RANDOM_BITS))
        plan = self._plan(method, reference, request.email, now)
        self._remember(
            request.attempt_id,
            SimulatedOrder(
                reference=reference,
                type=method.type,
                amount=request.amount,
                currency=request.currency,
                return_url=request.return_url,
                outcome=plan.first,
                approved=plan.approved,
                left=plan.left,
                decide_until=None if plan.decide_for is None else now + plan.decide_for,
                settles_at=None if plan.settles_after is None else now + plan.settles_after,
            ),
        )
        return plan.first

    def find(self, attempt_id: str) -> Outcome | None:
        """Return what became of an attempt; None when it never arrived here, or was forgotten."""
        order = self._orders.get(attempt_id)
        if order is None:
            return None
        now = self._clock.now()
        if isinstance(order.outcome, Pending) and order.settles_at is not None and now >= order.settles_at:
            return self._settle(attempt_id, order.approved)
        if isinstance(order.outcome, NeedsAction) and not order.is_open(now):
            return self._settle(attempt_id, order.left or declined("AUTHENTICATION_TIMEOUT", order.reference))
        return order.outcome

    def order(self, reference: str) -> SimulatedOrder | None:
        """Return the order whose page this reference opens, None when there is none (any more)."""
        attempt_id = self._attempts.get(reference)
        order = None if attempt_id is None else self._orders[attempt_id]
        return order if order is not None and order.decide_until is not None else None

    def decide(self, reference: str, answer: Answer) -> None:
        """Settle an order by the customer's answer. One that is settled, too old or unknown stays as it is."""
        order = self.order(reference)
        if order is None or not order.is_open(self._clock.now()):
            return
        outcomes: dict[Answer, Outcome] = {
            "approve": order.approved,
            "fail": declined("PAYMENT_METHOD_PROVIDER_DECLINED", reference),
            "cancel": order.left or declined("CUSTOMER_CANCELLED", reference),
        }
        if isinstance(order.outcome, Pending):  # a code that nobody pays runs out of time
            outcomes["fail"] = outcomes["cancel"] = declined("AUTHENTICATION_TIMEOUT", reference)
        self._settle(self._attempts[reference], outcomes[answer])

    def _plan(self, method: MethodInput, reference: str, email: str, now: datetime) -> _Plan:
        match methods.get(method.type).flow:
            case "bank_account" | "upi_id" if method.value:
                return _settling_by_itself(method, reference)
            case "qr" | "upi_id":
                first = NeedsAction(reference, f"{self._public_url}{QR_PATH}/{reference}")
                return _Plan(first, Succeeded(reference), DECISION_LIFETIME)
            case "transfer" | "voucher":
                details = PendingDetails(
                    entity="12345",
                    code=f"{self._clock.random_bits(RANDOM_BITS) % 10**9:09}",
                    pay_by=now + CODE_LIFETIME,
                    url=f"{self._public_url}{DECISION_PATH}/{reference}",
                )
                return _Plan(Pending(reference, details), Succeeded(reference), CODE_LIFETIME, CODE_SETTLES_AFTER)
            case _:
                first = NeedsAction(reference, f"{self._public_url}{DECISION_PATH}/{reference}")
                approved, left = _approval(method, reference, email), _leaving(method, reference)
                return _Plan(first, approved, DECISION_LIFETIME, left=left)

    def _remember(self, attempt_id: str, order: SimulatedOrder) -> None:
        self._orders[attempt_id] = order
        self._attempts[order.reference] = attempt_id
        while len(self._orders) > REMEMBERED:
            _, forgotten = self._orders.popitem(last=False)
            del self._attempts[forgotten.reference]

    def _settle(self, attempt_id: str, outcome: Outcome) -> Outcome:
        self._orders[attempt_id] = msgspec.structs.replace(self._orders[attempt_id], outcome=outcome)
        return outcome


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


def declined(code: str, reference: str) -> Declined:
    """Return a refusal with the merchant's sentences for its code."""
    return Declined(code, failures.get(code).error_message, reference)


def _settling_by_itself(method: MethodInput, reference: str) -> _Plan:
    """Return the plan of a published account or UPI ID: pending first, and then its documented end."""
    known = methods.published_input(method.type, method.value)
    if known is None:
        raise InputRefused(*TEST_VALUES[method.type])
    details = None if method.type == "upi_collect" else PendingDetails(account=method.value[-4:])
    end = Succeeded(reference) if known.error_code is None else declined(known.error_code, reference)
    forever = known.outcome == "processing_forever"
    settles_after = None if forever else max(timedelta(seconds=known.delay_seconds), DEBIT_TAKES)
    return _Plan(Pending(reference, details), end, settles_after=settles_after)


def _approval(method: MethodInput, reference: str, email: str) -> Outcome:
    """Return what follows an approval: Klarna decides by the customer's published e-mail address, the others agree."""
    known = methods.published_input(method.type, email)
    return Succeeded(reference) if known is None or known.error_code is None else declined(known.error_code, reference)


def _leaving(method: MethodInput, reference: str) -> Outcome | None:
    """Return what leaving the page does where that is published: closing Afterpay's leaves the payment as it was."""
    known = methods.published_input(method.type, "close")
    return Abandoned(reference) if known is not None and known.outcome == "unpaid" else None
