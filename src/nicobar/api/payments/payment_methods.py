"""Payment methods of a payment: which are offered, and which rule decided about each."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.flows.pricing.offer_methods import offer_methods
from nicobar.storage.payments.payments import get_payment
from nicobar.wire.common import NoQuery
from nicobar.wire.payments.payment_methods import PaymentMethodDecisions, render_decisions


async def decisions(call: Call[None, NoQuery]) -> PaymentMethodDecisions:
    """Return for every payment method type whether the payment is offered it now, and which rule decided."""
    async with call.runtime.database.snapshot() as read:
        payment = await get_payment(read, call.tenant, call.path["payment_id"])
    if payment is None:
        raise Problem("NOT_FOUND", what="Payment")
    return render_decisions(payment, await offer_methods(call.runtime, payment))


OPERATIONS: Final = [
    Operation(
        "GET",
        "/payments/{payment_id}/methods",
        decisions,
        PaymentMethodDecisions,
        summary="Explain which payment methods a payment is offered",
        problems=("NOT_FOUND", "EXCHANGE_RATE_NOT_FOUND"),
    ),
]
"""The payment methods' part of the table in `app.py`."""
