"""Charging what a form pays with, within the limits of its link and of its sender's address."""

from datetime import datetime

from starlette.requests import Request

from nicobar.client_address import client_address
from nicobar.core.payments.payment import Declined, Payment
from nicobar.core.payments.saved_method import SavedChoice
from nicobar.flows.payments.confirm_payment import Confirmation, confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.pages.entry.limits import PageLimits
from nicobar.processors.base import CardInput, InputRefused, MethodInput, SimulatedCharge
from nicobar.storage.payments.payments import VersionedPayment

ChosenMethod = CardInput | MethodInput | SimulatedCharge | None
"""What a form pays with; nothing for an order of nothing."""


async def charge(
    runtime: Runtime,
    limits: PageLimits,
    request: Request,
    payment: Payment,
    method: ChosenMethod | SavedChoice,
    seen: datetime,
    path: str,
    *,
    save: bool = False,
    known: VersionedPayment | None = None,
) -> Confirmation:
    """Confirm the payment, and count the attempt against its link. A page of the processor leads back to `path`.

    `known` is the payment as the request has read it, with what tells whether it has changed since.

    A try counts against the client's address as well, and is given back unless it failed. Raises what `confirm_payment`
    raises, and Problem TOO_MANY_REQUESTS.
    """
    link_id = payment.link_id or ""
    failures, address, now = limits.failures, client_address(request), runtime.clock.elapsed()
    failures.take(address, now)
    return_url = f"{runtime.public_url}{path}"
    try:
        confirmation = await confirm_payment(
            runtime, payment.tenant, payment.payment_id, method, seen, save=save, return_url=return_url, known=known
        )
    except InputRefused:
        limits.attempts.spend(link_id, now)
        raise
    if confirmation.outcome is not None:
        limits.attempts.spend(link_id, now)
    if not isinstance(confirmation.outcome, Declined):
        failures.give_back(address)
    return confirmation
