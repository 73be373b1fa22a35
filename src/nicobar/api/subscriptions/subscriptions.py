"""Subscriptions: create, read, list."""

from typing import Final

from nicobar.api.order_problems import ORDER_PROBLEMS, SUBSCRIBING_PROBLEMS
from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.subscription_request import CreatedSubscription
from nicobar.flows.events.load_whole_subscription import load_whole_subscription
from nicobar.flows.subscriptions.create_subscription import create_subscription
from nicobar.storage.subscriptions.subscriptions import SubscriptionFilters, get_subscription, list_subscriptions
from nicobar.wire.common import Items, NoQuery, in_utc
from nicobar.wire.subscriptions.creation import (
    SubscriptionCreate,
    SubscriptionCreated,
    read_subscription,
    render_created_subscription,
)
from nicobar.wire.subscriptions.subscriptions import (
    SubscriptionListItem,
    SubscriptionListQuery,
    SubscriptionQuery,
    SubscriptionRead,
    render_subscription,
    render_subscription_item,
)


async def create(call: Call[SubscriptionCreate, NoQuery]) -> SubscriptionCreated:
    """Start a subscription."""

    def response(created: CreatedSubscription) -> SubscriptionCreated:
        link_id = created.payment.link_id
        return render_created_subscription(created, None if link_id is None else call.runtime.link_url(link_id))

    return response(await create_subscription(call.runtime, call.tenant, read_subscription(call.body), response))


async def retrieve(call: Call[None, SubscriptionQuery]) -> SubscriptionRead:
    """Return one subscription."""
    async with call.runtime.database.snapshot() as read:
        subscription = await get_subscription(read, call.tenant, call.path["subscription_id"])
        if subscription is None:
            raise Problem("NOT_FOUND", what="Subscription")
        whole = await load_whole_subscription(read, subscription)
    return render_subscription(whole)


async def list_(call: Call[None, SubscriptionListQuery]) -> Items[SubscriptionListItem]:
    """Return a page of subscriptions, newest first."""
    query = call.query
    filters = SubscriptionFilters(
        created_at_gte=in_utc(query.created_at_gte),
        created_at_lte=in_utc(query.created_at_lte),
        status=query.status,
        customer_id=query.customer_id,
        product_id=query.product_id,
        brand_id=query.brand_id,
        cancel_at_next_billing_date=query.cancel_at_next_billing_date,
    )
    async with call.runtime.database.read() as read:
        found = await list_subscriptions(read, call.tenant, filters, query.page_size, query.offset)
    return Items(items=[render_subscription_item(subscription) for subscription in found])


OPERATIONS: Final = [
    Operation(
        "POST",
        "/subscriptions",
        create,
        SubscriptionCreated,
        body=SubscriptionCreate,
        summary="Start a subscription",
        problems=(*ORDER_PROBLEMS, *SUBSCRIBING_PROBLEMS),
    ),
    Operation(
        "GET",
        "/subscriptions/{subscription_id}",
        retrieve,
        SubscriptionRead,
        query=SubscriptionQuery,
        summary="Get a subscription",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "GET",
        "/subscriptions",
        list_,
        Items[SubscriptionListItem],
        query=SubscriptionListQuery,
        summary="List subscriptions",
        problems=("INVALID_QUERY_PARAMS",),
    ),
]
