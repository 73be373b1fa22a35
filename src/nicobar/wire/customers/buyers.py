"""The customer as payments, refunds and disputes show it (contract, "Reading payments")."""

from typing import Any

from nicobar.core.customers.buyer import Buyer
from nicobar.wire.common import ResponseBody


class CustomerLimitedDetails(ResponseBody, frozen=True, kw_only=True):
    """The customer as a payment shows it."""

    customer_id: str
    email: str
    name: str
    metadata: dict[str, Any]
    phone_number: str | None


def render_buyer(buyer: Buyer) -> CustomerLimitedDetails:
    """Render the customer of a payment."""
    return CustomerLimitedDetails(
        customer_id=buyer.customer_id,
        email=buyer.email,
        name=buyer.name,
        metadata=buyer.metadata,
        phone_number=buyer.phone_number,
    )
