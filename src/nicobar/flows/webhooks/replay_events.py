"""Send events again, or for the first time to an endpoint that was not there when they happened."""

from datetime import timedelta
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.storage.due_work import DELIVERIES
from nicobar.storage.events.events import get_event
from nicobar.storage.webhooks.delivery_log import Replay, find_replayed, schedule
from nicobar.storage.webhooks.endpoints import get_endpoint, lock_endpoints

MAXIMUM_REPLAYED: Final = 10_000
"""Deliveries that one replay schedules at most."""


async def replay_events(runtime: Runtime, tenant: Tenant, replay: Replay) -> int:
    """Schedule the deliveries that a replay is about, and return how many.

    Each starts at the first step of the ladder and keeps its message id. Only endpoints that are enabled and want the
    type are sent anything; what is under way already stays as it is.

    What was never scheduled is looked for as far back as the log is kept: before that nobody knows what was sent.

    Raises Problem NOT_FOUND (no such endpoint, or no such event), UNSUPPORTED_ACTION (the endpoint is disabled) and
    INVALID_REQUEST_PARAMETERS (more than `MAXIMUM_REPLAYED`); nothing is scheduled then.
    """
    if replay.what == "missing":
        kept = timedelta(days=(await load_policy(runtime, tenant)).settings.webhook_log_days)
        replay = msgspec.structs.replace(replay, since=max(replay.since, runtime.now(tenant) - kept))
    async with runtime.database.transaction() as tx:
        await lock_endpoints(tx, tenant)
        if replay.endpoint_id is not None:
            endpoint = await get_endpoint(tx, tenant, replay.endpoint_id)
            if endpoint is None:
                raise Problem("NOT_FOUND", what="Webhook endpoint")
            if endpoint.disabled:
                raise Problem("UNSUPPORTED_ACTION", detail="The webhook endpoint is disabled. Enable it first.")
        if replay.event_id is not None and await get_event(tx, tenant, replay.event_id) is None:
            raise Problem("NOT_FOUND", what="Event")
        pairs = await find_replayed(tx, tenant, replay, MAXIMUM_REPLAYED + 1)
        if len(pairs) > MAXIMUM_REPLAYED:
            detail = f"These are more than {MAXIMUM_REPLAYED} deliveries. Narrow the range, the types or the endpoint."
            raise Problem("INVALID_REQUEST_PARAMETERS", path="until", detail=detail)
        await schedule(tx, tenant, pairs, runtime.now(tenant))
        if pairs:
            runtime.database.announce_work(tx, DELIVERIES.table)
    return len(pairs)
