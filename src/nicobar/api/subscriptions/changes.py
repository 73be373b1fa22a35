"""What changes a subscription: PATCH, plan changes, charges on demand, payment methods."""

from typing import Final

import msgspec

from nicobar.api.order_problems import DUE_PROBLEMS
from nicobar.api.routing import Call, Operation
from nicobar.flows.events.load_whole_subscription import load_whole_subscription
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.change_plan import change_plan
from nicobar.flows.subscriptions.charge_on_demand import charge_on_demand
from nicobar.flows.subscriptions.drop_scheduled_change import drop_scheduled_change
from nicobar.flows.subscriptions.place_charge import PlacedCharge
from nicobar.flows.subscriptions.preview_plan_change import PreviewedChange, preview_plan_change
from nicobar.flows.subscriptions.require_subscription import require_subscription
from nicobar.flows.subscriptions.update_payment_method import update_payment_method
from nicobar.flows.subscriptions.update_subscription import update_subscription
from nicobar.wire.common import Items, NoQuery
from nicobar.wire.subscriptions.changes import (
    CreditUsage,
    MethodUpdateBody,
    PaymentHandles,
    PlanChangeBody,
    SubscriptionCharge,
    SubscriptionCharged,
    SubscriptionUpdate,
    UsageHistoryQuery,
    UsagePeriod,
    read_charge,
    read_method_update,
    read_plan_change,
    read_subscription_change,
)
from nicobar.wire.subscriptions.previews import (
    ImmediateCharge,
    PlanChangePreviewed,
    PreviewedSummary,
    render_lines,
)
from nicobar.wire.subscriptions.subscriptions import SubscriptionRead, render_subscription


async def update(call: Call[SubscriptionUpdate, NoQuery]) -> SubscriptionRead:
    """Change a subscription."""
    change = read_subscription_change(call.body)
    changed = await update_subscription(call.runtime, call.tenant, call.path["subscription_id"], change)
    async with call.runtime.database.read() as read:
        return render_subscription(await load_whole_subscription(read, changed))


async def change(call: Call[PlanChangeBody, NoQuery]) -> PaymentHandles:
    """Change the plan of a subscription."""
    request = read_plan_change(call.body)
    await change_plan(call.runtime, call.tenant, call.path["subscription_id"], request)
    return PaymentHandles()


async def preview(call: Call[PlanChangeBody, NoQuery]) -> PlanChangePreviewed:
    """Answer what changing the plan would come to, however it would be collected."""
    request = msgspec.structs.replace(read_plan_change(call.body), collect_via_link=False)
    found = await preview_plan_change(call.runtime, call.tenant, call.path["subscription_id"], request)
    return PlanChangePreviewed(immediate_charge=_immediate_charge(found), new_plan=render_subscription(found.after))


def _immediate_charge(found: PreviewedChange) -> ImmediateCharge:
    decided, before = found.decided, found.before
    order, cost = decided.order, decided.cost
    quote = order.priced.charge.quote
    at = before.next_billing_date if decided.scheduled else decided.change.created_at
    charged = render_lines(order.plan, cost.share, 1, list(order.priced.lines), list(quote.lines))
    given_back = render_lines(before.plan, cost.credit_share, -1, list(found.old_lines), None)
    return ImmediateCharge(
        effective_at=at,
        line_items=[*charged, *given_back],
        summary=PreviewedSummary(
            currency=quote.currency,
            total_amount=quote.total,
            tax=quote.tax,
            settlement_amount=quote.settlement_amount,
            settlement_currency=quote.settlement_currency,
            settlement_tax=quote.settlement_tax,
            customer_credits=order.credit_use.movement + order.credit_otherwise,
            customer_credits_currency=before.currency,
        ),
    )


async def delete_scheduled(call: Call[None, NoQuery]) -> None:
    """Delete the plan change that waits for the next billing date."""
    await drop_scheduled_change(call.runtime, call.tenant, call.path["subscription_id"])


async def charge(call: Call[SubscriptionCharge, NoQuery]) -> SubscriptionCharged:
    """Charge an on-demand subscription."""
    demanded = read_charge(call.body)
    payment_id = await charge_on_demand(call.runtime, call.tenant, call.path["subscription_id"], demanded)
    return SubscriptionCharged(payment_id=payment_id)


async def update_method(call: Call[MethodUpdateBody, NoQuery]) -> PaymentHandles:
    """Charge another payment method from now on."""
    method = read_method_update(call.body)
    placed = await update_payment_method(call.runtime, call.tenant, call.path["subscription_id"], method)
    return _handles(call.runtime, placed)


def _handles(runtime: Runtime, placed: PlacedCharge | None) -> PaymentHandles:
    if placed is None or placed.payment.link_id is None:
        return PaymentHandles(payment_id=None if placed is None else placed.payment.payment_id)
    return PaymentHandles(
        payment_id=placed.payment.payment_id,
        payment_link=runtime.link_url(placed.payment.link_id),
        client_secret=placed.client_secret,
        expires_on=placed.payment.expires_on,
    )


async def usage_history(call: Call[None, UsageHistoryQuery]) -> Items[UsagePeriod]:
    """Return the metered use of a subscription: none, because this server meters nothing."""
    await require_subscription(call.runtime, call.tenant, call.path["subscription_id"])
    return Items(items=[])


async def credit_usage(call: Call[None, NoQuery]) -> CreditUsage:
    """Return the credit entitlements of a subscription: none, because this server has none."""
    found = await require_subscription(call.runtime, call.tenant, call.path["subscription_id"])
    return CreditUsage(subscription_id=found.subscription_id, items=[])


_PLAN_PROBLEMS: Final = (
    "NOT_FOUND",
    "INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED",
    "ON_DEMAND_PLAN_CHANGE_NOT_SUPPORTED",
    "PLAN_CHANGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION",
    "PENDING_PLAN_CHANGE_EXISTS",
    "PREVIOUS_PAYMENT_PENDING",
    "SCHEDULED_PLAN_CHANGE_EXISTS",
    "INVALID_PRORATION_MODE_WITH_NEXT_BILLING_DATE",
    "PRODUCT_IS_DELETED",
    "BRAND_MISMATCH",
    "UNSUPPORTED_ACTION",
    "UNSUPPORTED_CURRENCY",
    "DUPLICATE_ADDON_IDS_IN_REQUEST",
    "MISSING_ADDON_IDS",
    "DISCOUNT_NOT_APPLICABLE_TO_NEW_PRODUCT",
    "INVALID_REQUEST_PARAMETERS",
    *DUE_PROBLEMS,
)

_PLACE: Final = "/subscriptions/{subscription_id}"

OPERATIONS: Final = [
    Operation(
        "PATCH",
        _PLACE,
        update,
        SubscriptionRead,
        body=SubscriptionUpdate,
        summary="Change, pause, resume or cancel a subscription",
        problems=(
            "NOT_FOUND",
            "INVALID_REQUEST_PARAMETERS",
            "INVALID_TAX_ID",
            "MAXIMUM_KEYS_REACHED",
            "PREVIOUS_PAYMENT_PENDING",
            "SUBSCRIPTION_ALREADY_PAUSED",
            "SUBSCRIPTION_INACTIVE",
            "SUBSCRIPTION_NOT_ELIGIBLE_FOR_PAUSE",
            "SUBSCRIPTION_NOT_ON_DEMAND",
            "SUBSCRIPTION_NOT_PAUSED",
            "UNSUPPORTED_ACTION",
        ),
    ),
    Operation(
        "POST",
        f"{_PLACE}/change-plan",
        change,
        PaymentHandles,
        body=PlanChangeBody,
        summary="Change the plan of a subscription",
        problems=(*_PLAN_PROBLEMS, "NO_ELIGIBLE_PAYMENT_METHODS", "MAXIMUM_KEYS_REACHED"),
    ),
    Operation(
        "POST",
        f"{_PLACE}/change-plan/preview",
        preview,
        PlanChangePreviewed,
        body=PlanChangeBody,
        summary="Preview a plan change",
        problems=_PLAN_PROBLEMS,
        is_preview=True,
    ),
    Operation(
        "DELETE",
        f"{_PLACE}/change-plan/scheduled",
        delete_scheduled,
        None,
        summary="Delete a scheduled plan change",
        problems=(("NOT_FOUND", 422), "SCHEDULED_PLAN_CHANGE_NOT_FOUND"),
        status=204,
    ),
    Operation(
        "POST",
        f"{_PLACE}/charge",
        charge,
        SubscriptionCharged,
        body=SubscriptionCharge,
        summary="Charge an on-demand subscription",
        problems=(
            "NOT_FOUND",
            "SUBSCRIPTION_NOT_ON_DEMAND",
            "SUBSCRIPTION_EXPIRED",
            "SUBSCRIPTION_INACTIVE",
            "CHARGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION",
            "PREVIOUS_PAYMENT_PENDING",
            "NO_ELIGIBLE_PAYMENT_METHODS",
            "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT",
            *DUE_PROBLEMS,
            "MAXIMUM_KEYS_REACHED",
        ),
    ),
    Operation(
        "POST",
        f"{_PLACE}/update-payment-method",
        update_method,
        PaymentHandles,
        body=MethodUpdateBody,
        summary="Charge another payment method from now on",
        problems=(
            "NOT_FOUND",
            "SUBSCRIPTION_INACTIVE",
            "PREVIOUS_PAYMENT_PENDING",
            "NO_ELIGIBLE_PAYMENT_METHODS",
            "UNSUPPORTED_ACTION",
            *DUE_PROBLEMS,
        ),
    ),
    Operation(
        "GET",
        f"{_PLACE}/usage-history",
        usage_history,
        Items[UsagePeriod],
        query=UsageHistoryQuery,
        summary="List the metered use of a subscription",
        problems=("NOT_FOUND", "INVALID_QUERY_PARAMS"),
    ),
    Operation(
        "GET",
        f"{_PLACE}/credit-usage",
        credit_usage,
        CreditUsage,
        summary="List the credit entitlements of a subscription",
        problems=("NOT_FOUND",),
    ),
]
