"""Make one try to deliver an event to an endpoint, and record what came of it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.delivery import Answer, DeliveryAttempt, DueDelivery
from nicobar.core.webhooks.endpoint import sealed_place
from nicobar.core.webhooks.retries import GIVEN_UP_AFTER, RANDOM_BITS, is_given_up, next_attempt_at
from nicobar.core.webhooks.signature import sign
from nicobar.flows.events.render_event_now import render_event_now
from nicobar.flows.runtime import Runtime
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.storage.gathering import Gatherings
from nicobar.storage.webhooks.deliveries import PLACES, Try, give_up, load_due, record_tries, stop_deliveries
from nicobar.storage.webhooks.endpoints import lock_endpoints

_log = structlog.get_logger(__name__)

# Deliveries to one endpoint that begin, or end, side by side share their statements.
_LOADS: Final = Gatherings[str, DueDelivery | None](PLACES)
_RECORDS: Final = Gatherings[Try, None](PLACES)


async def deliver_webhook(runtime: Runtime, tenant: Tenant, event_id: str, endpoint_id: str) -> bool:
    """Send the event if it still has to be sent, and note when it is tried again. It is always done with that: True.

    The body is the one that was frozen with the event as long as nothing newer was told about its object; then the
    object is shown as it is now, so that a late delivery never rolls a receiver's records back. Each try has a time
    and a signature of its own, by real time as receivers check it; the id stays. Nothing is locked while the receiver
    is waited for, so a worker that dies in the middle leaves a row that is due again when its lease has run out: the
    receiver may then get it twice.

    Raises VaultError, and sends nothing, when secret or headers cannot be decrypted, or are not meant for the address.
    """
    webhooks = runtime.webhooks
    assert webhooks is not None  # noqa: S101 - only some tests go without
    loads = _LOADS.of(runtime.database)
    due = await loads.ask((tenant, endpoint_id), event_id, partial(_load, runtime, tenant, endpoint_id))
    if due is None:
        return True
    body = due.event.payload
    if not due.is_newest:
        async with runtime.database.snapshot() as read:
            body = await render_event_now(runtime, read, tenant, due.event)
    at, real = runtime.now(tenant), runtime.real_now()
    place = sealed_place(tenant, endpoint_id, due.url)
    own = webhooks.open_headers(place, due.headers)
    secrets = _secrets(webhooks, place, due, real)
    answer = await webhooks.post(due.url, own | sign(secrets, due.message_id, real, body), body)
    await _record(runtime, tenant, endpoint_id, due, answer, at)
    return True


async def _load(
    runtime: Runtime, tenant: Tenant, endpoint_id: str, event_ids: list[str]
) -> Sequence[DueDelivery | None]:
    async with runtime.database.read() as read:
        return await load_due(read, tenant, endpoint_id, event_ids)


async def _store(runtime: Runtime, tenant: Tenant, endpoint_id: str, made: list[Try]) -> Sequence[None]:
    async with runtime.database.statement() as tx:
        await record_tries(tx, tenant, endpoint_id, made)
    return [None] * len(made)


def _secrets(webhooks: Webhooks, place: str, due: DueDelivery, at: datetime) -> list[str]:
    """Return the secrets to sign with: the new one first, and until its end the one before it."""
    sealed = [due.secret]
    if due.previous_secret is not None and due.previous_ends_at is not None and at < due.previous_ends_at:
        sealed.append(due.previous_secret)
    return [webhooks.open(place, secret) for secret in sealed]


async def _record(
    runtime: Runtime, tenant: Tenant, endpoint_id: str, due: DueDelivery, answer: Answer, at: datetime
) -> None:
    now = runtime.now(tenant)
    next_at = None
    if answer.failure is not None:
        next_at = next_attempt_at(due.step + 1, now, answer.retry_after, runtime.clock.random_bits(RANDOM_BITS))
    attempt = DeliveryAttempt(
        number=0,  # counted where it is stored
        attempted_at=at,
        duration_ms=answer.duration_ms,
        status=answer.status,
        answer=answer.content if answer.status is not None else None,
        reason=answer.failure,
        next_at=next_at,
    )
    made = Try(due.event.event_id, due.tries, attempt)
    await _RECORDS.of(runtime.database).ask((tenant, endpoint_id), made, partial(_store, runtime, tenant, endpoint_id))
    if answer.failure is not None and is_given_up(due.failing_since, now):
        await _give_up(runtime, tenant, endpoint_id, now)


class _StillWell(Exception):
    """Something has arrived meanwhile."""


async def _give_up(runtime: Runtime, tenant: Tenant, endpoint_id: str, now: datetime) -> None:
    """Disable an endpoint at which nothing has arrived for days, unless something has since.

    Deliveries are locked before their endpoint, as recording a try does.
    """
    with suppress(_StillWell):
        async with runtime.database.transaction() as tx:
            await lock_endpoints(tx, tenant)
            await stop_deliveries(tx, tenant, endpoint_id, now)
            if not await give_up(tx, tenant, endpoint_id, now, now - GIVEN_UP_AFTER):
                raise _StillWell
        _log.error("webhook_endpoint_disabled", endpoint_id=endpoint_id, mode=tenant.mode, days=GIVEN_UP_AFTER.days)
