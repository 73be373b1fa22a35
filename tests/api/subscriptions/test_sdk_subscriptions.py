"""The official Python SDK, unmodified, against a running server: every call on subscriptions and add-ons."""

from typing import Any

import httpx
import pytest
from dodopayments import ConflictError, DodoPayments, NotFoundError, UnprocessableEntityError
from dodopayments.types import (
    AddonResponse,
    Subscription,
    SubscriptionCreateResponse,
    SubscriptionListResponse,
    SubscriptionPreviewChangePlanResponse,
)

from api.answers import has_every_key
from api.subscriptions.subscribing import PRICE
from harness import Server

# The SDK marks POST /subscriptions as legacy.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PRICE_WITH_TRIAL: Any = PRICE | {"trial_period_days": 14, "trial_payment_method_optional": True}


def start(client: DodoPayments, addon_id: str, **changes: Any) -> SubscriptionCreateResponse:
    product = client.products.create(name="Club", tax_category="saas", price=PRICE_WITH_TRIAL, addons=[addon_id])
    values: dict[str, Any] = {
        "billing": {"country": "US"},
        "customer": {"email": "ana@example.com", "name": "Ana"},
        "product_id": product.product_id,
        "quantity": 1,
        "addons": [{"addon_id": addon_id, "quantity": 2}],
    }
    return client.subscriptions.create(**(values | changes))


def test_every_call(server: Server, client: DodoPayments) -> None:
    addon = client.addons.create(name="Seat", price=500, currency="USD", tax_category="saas")
    assert client.addons.retrieve(addon.id) == addon
    assert client.addons.update(addon.id, name="Seats").name == "Seats"
    assert [each.id for each in client.addons.list()] == [addon.id]
    assert client.addons.update_images(addon.id).image_id
    made = start(client, addon.id)
    assert (made.recurring_pre_tax_amount, made.payment_method_required) == (4000, False)
    own = client.subscriptions.retrieve(made.subscription_id)
    assert (own.status, own.addons[0].quantity, own.has_payment_method) == ("active", 2, False)
    assert [each.subscription_id for each in client.subscriptions.list(status="active")] == [own.subscription_id]
    changed = client.subscriptions.update(own.subscription_id, metadata={"a": "1"})
    assert changed.metadata == {"a": "1"}
    plan: Any = {"product_id": own.product_id, "quantity": 3, "proration_billing_mode": "do_not_bill"}
    preview = client.subscriptions.preview_change_plan(own.subscription_id, **plan)
    assert preview.new_plan.quantity == 3 and preview.immediate_charge.summary.total_amount == 0
    assert client.subscriptions.change_plan(own.subscription_id, **plan).payment_id is None
    later = plan | {"proration_billing_mode": "full_immediately", "effective_at": "next_billing_date"}
    client.subscriptions.change_plan(own.subscription_id, **later)
    with pytest.raises(ConflictError):
        client.subscriptions.change_plan(own.subscription_id, **later)
    assert client.subscriptions.retrieve(own.subscription_id).scheduled_change is not None
    client.subscriptions.cancel_change_plan(own.subscription_id)
    handles = client.subscriptions.update_payment_method(own.subscription_id, payment_method={"type": "new"})
    assert handles.payment_link is not None and handles.expires_on is not None
    assert client.subscriptions.retrieve_usage_history(own.subscription_id).items == []
    assert client.subscriptions.retrieve_credit_usage(own.subscription_id).items == []
    paused = client.subscriptions.update(own.subscription_id, status="paused")
    assert paused.status == "paused" and paused.paused_at is not None
    assert client.subscriptions.update(own.subscription_id, status="active").status == "active"
    ended = client.subscriptions.update(own.subscription_id, status="cancelled", cancellation_feedback="unused")
    assert ended.cancelled_by is not None and ended.cancelled_by.actor_type == "api_key"
    demand = start(client, addon.id, addons=None, on_demand={"mandate_only": True}, trial_period_days=0)
    with pytest.raises(UnprocessableEntityError) as refused:
        client.subscriptions.charge(demand.subscription_id, product_price=100)
    assert refused.value.body == {"code": "SUBSCRIPTION_INACTIVE", "message": "Subscription is not active"}
    with pytest.raises(NotFoundError):
        client.subscriptions.retrieve("sub_no")


def test_answers_have_every_key_of_the_sdk(server: Server, client: DodoPayments) -> None:
    addon = client.addons.create(name="Seat", price=500, currency="USD", tax_category="saas")
    made = start(client, addon.id)
    headers = {"authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.base_url, headers=headers) as raw:
        path = f"/subscriptions/{made.subscription_id}"
        plan = {"product_id": client.subscriptions.retrieve(made.subscription_id).product_id, "quantity": 2}
        body = plan | {"proration_billing_mode": "prorated_immediately"}
        preview = raw.post(f"{path}/change-plan/preview", json=body).json()
        has_every_key(raw.get(path).json(), Subscription)
        has_every_key(raw.get("/subscriptions").json()["items"][0], SubscriptionListResponse)
        has_every_key(raw.get(f"/addons/{addon.id}").json(), AddonResponse)
        has_every_key(preview, SubscriptionPreviewChangePlanResponse)
