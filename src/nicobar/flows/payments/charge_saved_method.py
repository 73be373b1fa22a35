"""Create a payment and charge a saved method at once, in the merchant's request: the customer is not there."""

from collections.abc import Awaitable, Callable

from nicobar.core.payments.payment import Payment
from nicobar.core.payments.saved_method import SavedChoice
from nicobar.flows.accounts.find_charging_processor import find_charging_processor
from nicobar.flows.customers.require_saved_method import require_saved_method
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx


async def charge_saved_method(
    runtime: Runtime, payment: Payment, payment_method_id: str, store: Callable[[Tx], Awaitable[object]]
) -> None:
    """Charge a payment that is not stored yet; `store` writes it in the transaction that records the attempt.

    What the processor says ends up in the payment: a decline is no refusal of the request, and a card whose bank wants
    to ask its holder is declined with AUTHENTICATION_REQUIRED. Raises Problem NOT_FOUND when the customer has no such
    method, NO_ELIGIBLE_PAYMENT_METHODS when it cannot pay this, and UNSUPPORTED_ACTION when no processor is there;
    nothing is stored then.
    """
    processor = await find_charging_processor(runtime, payment.tenant)
    if processor is not None:  # without one nothing can be confirmed
        customer_id, allowed = payment.customer.customer_id, payment.options.allowed_payment_method_types
        async with runtime.database.read() as read:
            await require_saved_method(
                read, payment.tenant, customer_id, payment_method_id, processor, payment.currency, allowed
            )
    choice = SavedChoice(payment_method_id)
    await confirm_payment(runtime, payment.tenant, payment.payment_id, choice, create=store)
