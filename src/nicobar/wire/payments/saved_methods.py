"""The wire types of a customer's saved payment methods (contract, "Customers"), and how one is rendered."""

from datetime import datetime

from nicobar.core.payments.saved_method import SavedMethod
from nicobar.reference import methods
from nicobar.wire.codes import PaymentMethodType
from nicobar.wire.common import ResponseBody


class SavedCard(ResponseBody, frozen=True, kw_only=True):
    """What is known of a saved card; never its number."""

    card_holder_name: str | None
    card_issuing_country: str | None
    card_network: str | None
    card_type: str | None
    expiry_month: str | None
    expiry_year: str | None
    last4_digits: str | None


class SavedPaymentMethod(ResponseBody, frozen=True, kw_only=True):
    """One saved payment method."""

    payment_method: str
    """The family; this server saves cards only."""
    payment_method_id: str
    card: SavedCard | None
    last_used_at: datetime | None
    payment_method_type: PaymentMethodType | None
    recurring_enabled: bool | None
    """Whether it can be charged again without the customer."""


class CustomerProof(ResponseBody, frozen=True, kw_only=True):
    """A proof that somebody is this customer, to be appended to a payment link as `?proof=...`."""

    proof: str
    expires_on: datetime


def render_saved_method(method: SavedMethod) -> SavedPaymentMethod:
    """Render one saved card; its token stays here."""
    card = method.card
    kind = methods.get(method.payment_method_type)
    return SavedPaymentMethod(
        payment_method=kind.family,
        payment_method_id=method.payment_method_id,
        card=SavedCard(
            card_holder_name=card.holder_name,
            card_issuing_country=card.issuing_country,
            card_network=card.network,
            card_type=card.funding,
            expiry_month=card.exp_month,
            expiry_year=card.exp_year,
            last4_digits=card.last_four,
        ),
        last_used_at=method.last_used_at,
        payment_method_type=method.payment_method_type,
        recurring_enabled=kind.recurring,
    )
