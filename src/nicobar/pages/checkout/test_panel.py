"""The panel on the pages of test payments: try every end of a payment without typing a card.

A live page has no panel, and what its form would send is refused there: by this room, by the flow that charges, and by
the simulator, which no live payment ever reaches.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final, get_args

import msgspec
from markupsafe import Markup

from nicobar.core.payments.methods import Decision
from nicobar.core.payments.payment import Outcome, Payment
from nicobar.core.problems import Problem
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.end_link import end_link
from nicobar.flows.runtime import Runtime
from nicobar.pages.checkout.visit import Visit
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.processors.accounts.registry import is_simulated
from nicobar.processors.base import CardInput, Scenario, SimulatedCharge
from nicobar.reference import failures

FIELD: Final = "panel"
"""The form field that says what to do: a scenario, or `expire`."""

_CARDS: Final = {"credit": "4242424242424242", "debit": "4000056655665556"}
"""Published test cards that pay, by payment method type; one that the payment is offered is used."""

_USUAL: Final = "GENERIC_DECLINE"
"""The failure code that is chosen until another one is."""

_SCENARIOS: Final[tuple[Scenario, ...]] = get_args(Scenario)


class PanelView(msgspec.Struct, frozen=True):
    """What the panel shows."""

    token: str
    action: str
    can_charge: bool
    """False for an order of nothing, and where no kind of card can pay: only the link can be ended then."""
    codes: Markup
    """Every failure code of the contract, as the entries of a list."""


def panel_view(visit: Visit, token: str, action: str) -> PanelView | None:
    """Return the panel of a payment that can be paid; None for a live one, and without the simulator."""
    payment = visit.payment
    if not is_simulated(visit.processor, payment.mode):
        return None
    can_charge = not payment.is_free and _card_number(visit.decisions) is not None
    return PanelView(token, action, can_charge, _codes())


async def use_panel(
    runtime: Runtime, visit: Visit, form: PostedForm, seen: datetime, return_url: str
) -> Outcome | None:
    """Do what was chosen on the panel; return what the simulator said, None when nothing was charged.

    `seen` is the revision that the panel was made for, `return_url` is where the simulated bank sends the customer
    back to. Raises Problem UNSUPPORTED_ACTION for a live payment, and INVALID_REQUEST_BODY for a choice that the panel
    does not have.
    """
    payment, choice = visit.payment, form.text(FIELD)
    if payment.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail="A live payment has no test panel")
    if choice == "expire":
        await end_link(runtime, payment.tenant, payment.payment_id)
        return None
    simulated = _simulated_charge(payment, visit, choice, form.text("error_code"))
    confirmation = await confirm_payment(
        runtime, payment.tenant, payment.payment_id, simulated, seen, return_url=return_url
    )
    return confirmation.outcome


def _simulated_charge(payment: Payment, visit: Visit, choice: str, error_code: str) -> SimulatedCharge:
    scenario = next((scenario for scenario in _SCENARIOS if scenario == choice), None)
    if scenario is None:
        raise Problem("INVALID_REQUEST_BODY", path=FIELD, detail="It is none of the panel's buttons.")
    known = {failure.code for failure in failures.ALL}
    if scenario == "decline" and error_code not in known:
        raise Problem("INVALID_REQUEST_BODY", path="error_code", detail="It is none of the failure codes.")
    number = _card_number(visit.decisions)
    if number is None:
        raise Problem("UNSUPPORTED_ACTION", detail="No card can pay for this order")
    year = visit.now.year + 2
    card = CardInput(number, 12, year, "123", payment.customer.name or None)
    return SimulatedCharge(card, scenario, error_code if scenario == "decline" else None)


@cache
def _codes() -> Markup:
    entries = "\n".join(f"<option>{failure.code}</option>" for failure in failures.ALL)
    return Markup(entries.replace(f">{_USUAL}<", f" selected>{_USUAL}<"))  # noqa: S704 - of our own codes


def _card_number(decisions: Sequence[Decision]) -> str | None:
    """Return a test card of a kind that the payment is offered, None when it is offered none."""
    offered = {decision.type for decision in decisions if decision.offered}
    return next((number for kind, number in _CARDS.items() if kind in offered), None)
