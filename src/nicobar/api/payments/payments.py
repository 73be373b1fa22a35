"""Payments: create, read, list, line items."""

from datetime import timedelta
from typing import Final

from nicobar.api.order_problems import DUE_PROBLEMS, ORDER_PROBLEMS
from nicobar.api.routing import Call, Operation
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.payment_request import CreatedPayment
from nicobar.core.pricing.pricing import recompute
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.retry_ladder import MANUAL_SENDS, retries_within
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.create_payment import create_payment
from nicobar.flows.pricing.load_settled_lines import load_settled_lines
from nicobar.flows.subscriptions.load_retry_state import load_retry_state
from nicobar.flows.subscriptions.retry_payment import retry_payment
from nicobar.reference import methods
from nicobar.storage.belongings.payment_belongings import get_payment_with_belongings
from nicobar.storage.database import Read
from nicobar.storage.disputes.disputes import latest_statuses
from nicobar.storage.payments.attempts import processors_of_payments
from nicobar.storage.payments.payments import PaymentFilters, get_payment, get_pricing, list_payments
from nicobar.storage.subscriptions.charges import charges_of_payments
from nicobar.wire.common import Items, NoQuery, in_utc
from nicobar.wire.payments.payment_reads import (
    LineItems,
    LineItemsQuery,
    ManualRetry,
    ManualRetryState,
    PaymentListItem,
    PaymentListQuery,
    PaymentRead,
    render_line_item,
    render_list_item,
    render_payment,
)
from nicobar.wire.payments.payments import PaymentCreate, PaymentCreated, read_payment, render_created
from nicobar.wire.pricing.explanations import Explanation, render_explanation


async def create(call: Call[PaymentCreate, NoQuery]) -> PaymentCreated:
    """Create a one-time payment."""

    def response(created: CreatedPayment) -> PaymentCreated:
        link_id = created.payment.link_id
        link = None if link_id is None else call.runtime.link_url(link_id)
        return render_created(created.payment, created.client_secret, link, created.discount_ids)

    return response(await create_payment(call.runtime, call.tenant, read_payment(call.body), response))


async def retrieve(call: Call[None, NoQuery]) -> PaymentRead:
    """Return one payment."""
    async with call.runtime.database.read() as read:
        found = await get_payment_with_belongings(read, call.tenant, call.path["payment_id"])
    if found is None:
        raise Problem("NOT_FOUND", what="Payment")
    payment, belongings = found
    link = None if payment.link_id is None else call.runtime.link_url(payment.link_id)
    return render_payment(WholePayment(payment, link, *belongings))


async def list_(call: Call[None, PaymentListQuery]) -> Items[PaymentListItem]:
    """Return a page of payments, newest first."""
    query = call.query
    offset = query.offset
    filters = PaymentFilters(
        created_at_gte=in_utc(query.created_at_gte),
        created_at_lte=in_utc(query.created_at_lte),
        status=query.status,
        currency=query.currency,
        customer_id=query.customer_id,
        product_id=query.product_id,
        brand_id=query.brand_id,
        subscription_id=query.subscription_id,
    )
    async with call.runtime.database.snapshot() as read:
        payments = await list_payments(read, call.tenant, filters, query.page_size, offset)
        ids = [payment.payment_id for payment in payments]
        disputes = await latest_statuses(read, call.tenant, ids)
        processors = await processors_of_payments(read, call.tenant, ids)
        charging = [payment.payment_id for payment in payments if payment.options.charges_subscription]
        found = await charges_of_payments(read, call.tenant, charging) if charging else []
    return Items(
        items=[
            render_list_item(
                payment,
                disputes.get(payment.payment_id),
                [charge for charge in found if charge.payment_id == payment.payment_id],
                processors.get(payment.payment_id),
            )
            for payment in payments
        ]
    )


async def line_items(call: Call[None, LineItemsQuery]) -> LineItems:
    """Return a payment's lines in the settlement currency, or in the currency the customer pays in if asked for."""
    wanted = call.query.currency
    async with call.runtime.database.snapshot() as read:
        payment = await _payment(call, read)
        if wanted not in (None, payment.currency):
            detail = f"the customer pays this payment in {payment.currency}"
            raise Problem("UNSUPPORTED_CURRENCY", detail=detail, path="currency")
        settled = [] if wanted is not None else await load_settled_lines(read, payment)
    kind = payment.payment_method_type
    if wanted is not None:
        items = [render_line_item(line, line.total, line.tax, line.refund_reserved_amount) for line in payment.lines]
    else:
        items = [
            render_line_item(line, total, tax, line.refund_reserved_settlement_amount)
            for line, (total, tax) in zip(payment.lines, settled, strict=True)
        ]
    return LineItems(
        currency=wanted or payment.settlement_currency,
        partial_refund_allowed=kind is None or methods.get(kind).partial_refund,
        items=items,
    )


async def explain(call: Call[None, NoQuery]) -> Explanation:
    """Explain a payment's amounts step by step, from the list price to the settlement."""
    async with call.runtime.database.snapshot() as read:
        payment = await _payment(call, read)
        inputs = await get_pricing(read, call.tenant, payment.payment_id)
    if inputs is None:
        raise Problem("NOT_FOUND", what="Payment")
    return render_explanation(payment, recompute(inputs))


async def retry_state(call: Call[None, NoQuery]) -> ManualRetryState:
    """Answer whether a failed charge of a subscription can be sent again by hand."""
    state = await load_retry_state(call.runtime, call.tenant, call.path["payment_id"])
    if state.subscription is None:
        return ManualRetryState(reason=state.reason)
    arrears, number, total = state.subscription.arrears, None, None
    if arrears is not None and arrears.next_retry_at is not None:
        settings = (await load_policy(call.runtime, call.tenant)).settings
        number = arrears.automatic_tries + 1
        total = max(number, retries_within(timedelta(days=settings.renewal_retry_days)))
    return ManualRetryState(
        can_retry=state.reason is None,
        sends_allowed=MANUAL_SENDS,
        sends_used=state.sends_used,
        automatic_retry_number=number,
        automatic_retry_total=total,
        next_automatic_retry_at=None if arrears is None else arrears.next_retry_at,
        reason=state.reason,
    )


async def retry(call: Call[None, NoQuery]) -> ManualRetry:
    """Send a failed charge of a subscription again."""
    made = await retry_payment(call.runtime, call.tenant, call.path["payment_id"])
    return ManualRetry(
        invoice_id=call.path["payment_id"],
        payment_id=made.payment.payment_id,
        retry_attempt=made.retry_attempt,
        sends_allowed=MANUAL_SENDS,
        sends_used=made.sends_used,
        status=made.payment.status,
    )


async def _payment(call: Call[None, NoQuery] | Call[None, LineItemsQuery], read: Read) -> Payment:
    payment = await get_payment(read, call.tenant, call.path["payment_id"])
    if payment is None:
        raise Problem("NOT_FOUND", what="Payment")
    return payment


OPERATIONS: Final = [
    Operation(
        "POST",
        "/payments",
        create,
        PaymentCreated,
        body=PaymentCreate,
        summary="Create a one-time payment",
        problems=(*ORDER_PROBLEMS, "PRODUCT_CART_EMTPY"),
    ),
    Operation("GET", "/payments/{payment_id}", retrieve, PaymentRead, summary="Get a payment", problems=("NOT_FOUND",)),
    Operation(
        "GET",
        "/payments",
        list_,
        Items[PaymentListItem],
        query=PaymentListQuery,
        summary="List payments",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation(
        "GET",
        "/payments/{payment_id}/line-items",
        line_items,
        LineItems,
        query=LineItemsQuery,
        summary="Get the lines of a payment",
        problems=("NOT_FOUND", "UNSUPPORTED_CURRENCY"),
    ),
    Operation(
        "GET",
        "/payments/{payment_id}/explain",
        explain,
        Explanation,
        summary="Explain the amounts of a payment",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "GET",
        "/payments/{payment_id}/retry",
        retry_state,
        ManualRetryState,
        summary="Ask whether a failed renewal can be retried",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "POST",
        "/payments/{payment_id}/retry",
        retry,
        ManualRetry,
        summary="Retry a failed renewal",
        problems=(
            "NOT_FOUND",
            "UNSUPPORTED_ACTION",
            "SUBSCRIPTION_INACTIVE",
            "PREVIOUS_PAYMENT_PENDING",
            "SUBSCRIPTION_PAYMENT_RETRY_LIMIT_EXCEEDED",
            "NO_ELIGIBLE_PAYMENT_METHODS",
            *DUE_PROBLEMS,
        ),
    ),
]
