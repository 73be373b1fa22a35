"""The `webhooks` section of the OpenAPI document: what this server posts to the receivers of merchants."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from nicobar.api.documentation.examples import example_of
from nicobar.api.documentation.schemas import Schema
from nicobar.core.events.event import EventType
from nicobar.core.subscriptions.subscription import SubscriptionEventType
from nicobar.wire.disputes.disputes import DisputeRead
from nicobar.wire.payments.payment_reads import PaymentRead
from nicobar.wire.refunds.refunds import RefundRead
from nicobar.wire.subscriptions.subscriptions import SubscriptionEventData


class Hook(NamedTuple):
    """A type of events, and what its body holds."""

    type: EventType
    when: str
    payload_type: str
    data: Any
    """The wire type of `data`, without its `payload_type`."""


_SUBSCRIPTION_EVENTS: Final[dict[SubscriptionEventType, str]] = {
    "subscription.active": "A subscription has begun, or what it owed was paid.",
    "subscription.renewed": "A period was paid, the first one included.",
    "subscription.on_hold": "A charge has failed, and nothing is renewed until it is paid.",
    "subscription.past_due": "A renewal has failed, and the days of grace run.",
    "subscription.paused": "A subscription rests.",
    "subscription.unpaused": "A subscription that rested goes on.",
    "subscription.cancelled": "A subscription has ended because somebody wanted it.",
    "subscription.failed": "A subscription never began: its first payment came to nothing.",
    "subscription.expired": "The term of a subscription is over.",
    "subscription.plan_changed": "A subscription has another product, quantity or add-ons.",
    "subscription.updated": "Something about a subscription has changed.",
    "subscription.update_payment_method": "A subscription is charged to another payment method.",
}

HOOKS: Final[Sequence[Hook]] = (
    Hook("payment.succeeded", "A payment was paid.", "Payment", PaymentRead),
    Hook("payment.failed", "An attempt to pay was declined; another may follow.", "Payment", PaymentRead),
    Hook("payment.processing", "The method takes its time; the end is told later.", "Payment", PaymentRead),
    Hook("payment.cancelled", "The link has expired and nobody has paid.", "Payment", PaymentRead),
    Hook("refund.succeeded", "Money was given back.", "Refund", RefundRead),
    Hook("refund.failed", "Money could not be given back, or came back from the bank.", "Refund", RefundRead),
    Hook("dispute.opened", "The customer's bank wants the money back.", "Dispute", DisputeRead),
    Hook("dispute.expired", "A dispute was not answered in time.", "Dispute", DisputeRead),
    Hook("dispute.accepted", "The merchant gives in to a dispute.", "Dispute", DisputeRead),
    Hook("dispute.cancelled", "A dispute was withdrawn.", "Dispute", DisputeRead),
    Hook("dispute.challenged", "The merchant contests a dispute.", "Dispute", DisputeRead),
    Hook("dispute.won", "A dispute was decided for the merchant.", "Dispute", DisputeRead),
    Hook("dispute.lost", "A dispute was decided for the customer.", "Dispute", DisputeRead),
    *(Hook(type, when, "Subscription", SubscriptionEventData) for type, when in _SUBSCRIPTION_EVENTS.items()),
)
"""Every type that is sent, in the contract's order."""

_HEADERS: Final = {
    "webhook-id": ("The same for every try and every replay; a receiver that knows it has had the event.", "msg_..."),
    "webhook-timestamp": ("Seconds since 1970 when the try was made. Refuse more than five minutes.", "1790848800"),
    "webhook-signature": (
        "`v1,` and the HMAC-SHA256 of id, timestamp and raw body, with `.` between them, in base64. Two, with a "
        "blank between them, for 24 hours after the secret was rotated.",
        "v1,S7aOeSKv2vUik6iIFf4EAMuxzvbNIOsT1iOj0ze4kJU=",
    ),
}


def webhook_section(hooks: Sequence[Hook], data: Sequence[Schema], components: dict[str, Schema]) -> dict[str, Any]:
    """Return a path item for each hook. `data` are the schemas of their objects, in the order of the hooks."""
    return {hook.type: {"post": _post(hook, schema, components)} for hook, schema in zip(hooks, data, strict=True)}


def _post(hook: Hook, data: Schema, components: dict[str, Schema]) -> dict[str, Any]:
    marked = {"type": "object", "properties": {"payload_type": {"const": hook.payload_type}}}
    marked["required"] = ["payload_type"]
    schema = {
        "type": "object",
        "properties": {
            "business_id": {"type": "string"},
            "type": {"const": hook.type},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": {"allOf": [marked, data]},
        },
        "required": ["business_id", "type", "timestamp", "data"],
    }
    example = {
        "business_id": example_of({"type": "string"}, components, "business_id"),
        "type": hook.type,
        "timestamp": example_of({"type": "string", "format": "date-time"}, components, "timestamp"),
        "data": {"payload_type": hook.payload_type} | example_of(data, components, whole=True),
    }
    return {
        "operationId": "on_" + hook.type.replace(".", "_"),
        "summary": hook.when,
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
                "example": sample,
            }
            for name, (text, sample) in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}},
        "responses": {"2XX": {"description": "Taken. Any other answer, or none within 15 seconds, is tried again."}},
    }
