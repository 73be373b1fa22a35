"""What the pages of the portal show: every text finished, every amount formatted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from nicobar.core.business.portal_settings import PortalSettings
from nicobar.core.payments.paying import is_payable
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.subscriptions.subscription import UNPAID, Subscription, SubscriptionStatus
from nicobar.flows.plans.foresee_renewal import Foreseen
from nicobar.pages.details.details import address_line
from nicobar.pages.frame.view import amount_text, card_name, day_text, expiry_text
from nicobar.pages.texts.texts import Reader, Texts

_STATUS: Final[dict[SubscriptionStatus, str]] = {
    "pending": "pending",
    "active": "active",
    "past_due": "overdue",
    "on_hold": "overdue",
    "paused": "paused",
    "cancelled": "cancelled",
    "failed": "ended",
    "expired": "ended",
}

_LIVE: Final = ("active", "past_due", "on_hold", "paused")


class Allowed(NamedTuple):
    """What a customer may do with a subscription as it is now."""

    cancel_later: bool
    cancel_now: bool
    keep: bool
    pause: bool
    resume: bool
    change_card: bool
    change_address: bool

    @property
    def cancel(self) -> bool:
        """Whether it can be cancelled in any way."""
        return self.cancel_later or self.cancel_now


class SubscriptionItem(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription in the overview."""

    subscription_id: str
    name: str
    quantity: str | None
    status: str
    bad: bool
    """Whether something has to be done about it."""
    facts: list[str]
    """What it is billed, when, and to what."""
    allowed: Allowed


class PaymentItem(msgspec.Struct, frozen=True, kw_only=True):
    """One payment in the list."""

    payment_id: str
    date: str
    amount: str
    status: str
    receipt: bool
    link_id: str | None
    """The link through which it can be paid; None when it cannot."""


class CardItem(msgspec.Struct, frozen=True, kw_only=True):
    """One saved card."""

    payment_method_id: str
    name: str
    expires: str


def allowed(subscription: Subscription, settings: PortalSettings) -> Allowed:
    """Return what the customer may do: what the settings allow and the state of the subscription permits.

    Only an active subscription has a paid period whose end can be waited for. A cancellation that the merchant has
    scheduled is not the customer's to take back.
    """
    status, live = subscription.status, subscription.status in _LIVE
    scheduled, by = subscription.cancel_at_next_billing_date, subscription.cancelled_by
    cancels = settings.portal_cancellation != "off" and live and not scheduled
    charge = subscription.open_charge
    under_way = charge is not None and charge.link_until is None  # a page that waits is left for another one
    return Allowed(
        cancel_later=cancels and status == "active",
        cancel_now=cancels and settings.portal_cancellation == "any",
        keep=settings.portal_cancellation != "off"
        and live
        and scheduled
        and by is not None
        and by.actor_type == "customer",
        pause=settings.portal_pause and status == "active" and charge is None and not scheduled,
        resume=settings.portal_pause and status == "paused",
        change_card=settings.portal_payment_method and live and not (under_way and status in UNPAID),
        change_address=settings.portal_details and live,
    )


def subscription_item(
    subscription: Subscription,
    foreseen: Foreseen | None,
    methods: Sequence[SavedMethod],
    settings: PortalSettings,
    reader: Reader,
) -> SubscriptionItem:
    """Return the view of a subscription; `methods` are its customer's saved ones."""
    texts, product = reader.texts, subscription.plan.product
    facts = [_next_date(subscription, foreseen, reader)]
    charged = [each.card for each in methods if each.payment_method_id == subscription.payment_method_id]
    if charged and subscription.status in _LIVE:
        facts.append(texts("portal.card", card=card_name(charged[0], texts)))
    if subscription.status in _LIVE:
        facts.append(texts("portal.address", address=address_line(subscription.billing, reader)))
    return SubscriptionItem(
        subscription_id=subscription.subscription_id,
        name=product.name,
        quantity=texts("order.quantity", count=product.quantity) if product.quantity != 1 else None,
        status=texts(f"portal.status_{_STATUS[subscription.status]}"),
        bad=subscription.status in UNPAID,
        facts=[fact for fact in facts if fact],
        allowed=allowed(subscription, settings),
    )


def _next_date(subscription: Subscription, foreseen: Foreseen | None, reader: Reader) -> str:
    texts, locale = reader.texts, reader.locale
    if subscription.cancelled_at is not None:
        return texts("portal.ended", date=day_text(subscription.cancelled_at, locale))
    if foreseen is None:
        return ""
    date = day_text(foreseen.at, locale)
    if foreseen.ends:
        return texts("portal.ends", date=date)
    if foreseen.total is None:
        return texts("portal.renews", date=date)
    amount = amount_text(foreseen.total, subscription.currency, locale)
    return texts("portal.renews_for", date=date, amount=amount)


def payment_item(payment: Payment, now: datetime, reader: Reader) -> PaymentItem:
    """Return the view of a payment."""
    payable = is_payable(payment, now)
    return PaymentItem(
        payment_id=payment.payment_id,
        date=day_text(payment.created_at, reader.locale),
        amount=amount_text(payment.total_amount, payment.currency, reader.locale),
        status=reader.texts(_payment_status(payment)),
        receipt=payment.status == "succeeded",
        link_id=payment.link_id if payable else None,
    )


def _payment_status(payment: Payment) -> str:
    match payment.status:
        case "succeeded" if 0 < payment.total_amount == payment.refund_succeeded_amount:
            return "portal.refunded"
        case "succeeded" if payment.refund_succeeded_amount:
            return "portal.partly_refunded"
        case "succeeded":
            return "portal.paid"
        case "failed":
            return "portal.failed"
        case "cancelled":
            return "portal.status_cancelled"
        case "requires_payment_method":
            return "portal.open"
        case _:
            return "portal.processing"


def card_item(method: SavedMethod, texts: Texts) -> CardItem:
    """Return the view of a saved card."""
    return CardItem(
        payment_method_id=method.payment_method_id,
        name=card_name(method.card, texts),
        expires=expiry_text(method.card, texts),
    )
