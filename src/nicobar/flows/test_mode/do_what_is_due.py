"""Do what is due in a test mode at the moment at which its clock stands."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

import structlog

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.flows.discounts.release_discounts import release_discounts
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.payments.refund_duplicate_charge import refund_duplicate_charge
from nicobar.flows.payments.resolve_attempts_due import resolve_attempts_due
from nicobar.flows.refunds.resolve_refunds_due import resolve_refunds_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.work_on_subscription import work_on_subscription
from nicobar.flows.webhooks.deliver_webhook import deliver_webhook
from nicobar.storage.database import DatabaseUnavailable
from nicobar.storage.due_work import DELIVERIES, NOTICES, RETURNS, SUBSCRIPTIONS, DueRows, pause_after
from nicobar.storage.test_mode.due_moments import Due, DueDeliveryRow, due_deliveries, due_rows, put_off_due

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 100
"""Rows of one kind that are done before it is asked again what is due first."""


async def do_what_is_due(runtime: Runtime, tenant: Tenant, due: Due) -> None:
    """Do some of it. What cannot be done now is due again later in the time of the test mode, as with a worker.

    Raises DatabaseUnavailable.
    """
    only = Reckoning(due.at, tenant.business_id)
    match due.kind:
        case "links":
            await expire_payments(runtime, only)
        case "notices":
            await deliver_simulated_notices(runtime, only)
        case "inbox":
            await _work(runtime, tenant, NOTICES, handle_notice, due.at)
        case "attempts":
            await resolve_attempts_due(runtime, due.at, only)
        case "refunds":
            await resolve_refunds_due(runtime, due.at, only)
        case "returns":
            await _work(runtime, tenant, RETURNS, refund_duplicate_charge, due.at)
        case "subscriptions":
            await _work(runtime, tenant, SUBSCRIPTIONS, work_on_subscription, due.at)
        case "codes":
            await release_discounts(runtime, only)
        case "deliveries":
            await _deliver(runtime, tenant, due.at)


async def _work(
    runtime: Runtime, tenant: Tenant, rows: DueRows, handle: Callable[..., Awaitable[bool]], now: datetime
) -> None:
    """Work on rows one after the other, the longest due first."""
    async with runtime.database.read() as read:
        found = await due_rows(read, rows, tenant, now, _AT_ONCE)
    for key, tries in found:
        await _handle(runtime, tenant, rows, handle, (key, tries, now))


async def _handle(
    runtime: Runtime,
    tenant: Tenant,
    rows: DueRows,
    handle: Callable[..., Awaitable[bool]],
    row: tuple[tuple[str, ...], int, datetime],
) -> None:
    """Work on a row, and put it off unless it is done."""
    key, tries, now = row
    done = False
    try:
        done = await handle(runtime, tenant, *key)
    except DatabaseUnavailable:
        raise
    except Exception:  # noqa: BLE001 - as in the worker: nothing is lost because of a bug, and the log says why
        _log.exception("work_failed", table=rows.table, key=key)
    if not done:
        async with runtime.database.statement() as tx:
            await put_off_due(tx, rows, tenant, key, now, now + pause_after(tries + 1))


async def _deliver(runtime: Runtime, tenant: Tenant, now: datetime) -> None:
    """Send what is due, to each endpoint in the order of the events, and not faster than it allows."""
    async with runtime.database.read() as read:
        found = await due_deliveries(read, tenant.business_id, now, _AT_ONCE)
    by_endpoint = groupby(sorted(found, key=attrgetter("endpoint_id")), attrgetter("endpoint_id"))
    await asyncio.gather(*[_deliver_to_one(runtime, tenant, list(group), now) for _, group in by_endpoint])


async def _deliver_to_one(runtime: Runtime, tenant: Tenant, found: list[DueDeliveryRow], now: datetime) -> None:
    for number, row in enumerate(found, 1):
        key = (row.event_id, row.endpoint_id)
        await _handle(runtime, tenant, DELIVERIES, deliver_webhook, (key, row.tries, now))
        if row.rate_limit and number % row.rate_limit == 0:
            await asyncio.sleep(1)
