"""Find the saved method that somebody wants to pay with, and refuse one that cannot."""

from collections.abc import Collection

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.saved_method import SavedMethod, can_pay
from nicobar.core.problems import Problem
from nicobar.processors.accounts.registry import is_chargeable
from nicobar.processors.base import Processor
from nicobar.storage.database import Read
from nicobar.storage.payments.saved_methods import get_method


async def require_saved_method(
    read: Read,
    tenant: Tenant,
    customer_id: str,
    payment_method_id: str,
    processor: Processor | None,
    currency: str,
    allowed: Collection[str] | None,
) -> SavedMethod:
    """Return a saved method of a customer that the processor can charge in a currency.

    `allowed` are the payment method types that may pay; None allows all. Raises Problem NOT_FOUND for a method that is
    unknown, deleted or somebody else's, and NO_ELIGIBLE_PAYMENT_METHODS for one that cannot pay.
    """
    method = await get_method(read, tenant, customer_id, payment_method_id)
    if method is None:
        raise Problem("NOT_FOUND", what=f"Payment method {payment_method_id}", path="payment_method_id")
    if not can_pay(method, currency, allowed) or not is_chargeable(method, processor):
        raise Problem("NO_ELIGIBLE_PAYMENT_METHODS", path="payment_method_id")
    return method
