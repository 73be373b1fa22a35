"""The kinds of work that is due: where the rows of each are, and the flow that works on one."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.payments.refund_duplicate_charge import refund_duplicate_charge
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.work_on_subscription import work_on_subscription
from nicobar.flows.upkeep.claim_deliveries import claim_deliveries
from nicobar.flows.upkeep.claim_due_work import claim_due_work
from nicobar.flows.webhooks.deliver_webhook import deliver_webhook
from nicobar.storage.due_work import DELIVERIES, NOTICES, RETURNS, SUBSCRIPTIONS, Claim, DueRows
from nicobar.storage.webhooks.deliveries import PLACES

AT_ONCE: Final = 20
"""Rows of one kind that one worker works on side by side. Each kind has its own places: none keeps another waiting."""


async def claim_up_to_places(runtime: Runtime, rows: DueRows, running: Mapping[str, int]) -> list[Claim]:
    """Take as many rows as there are free places, whatever they are about."""
    free = AT_ONCE - sum(running.values())
    return await claim_due_work(runtime, rows, free) if free > 0 else []


async def _claim_deliveries(runtime: Runtime, _rows: DueRows, running: Mapping[str, int]) -> list[Claim]:
    return await claim_deliveries(runtime, running)


def _one_group(_claim: Claim) -> str:
    return ""


def _endpoint(claim: Claim) -> str:
    return claim.key[1]


class Kind(NamedTuple):
    """One kind of work."""

    name: str
    """What the log calls it."""
    rows: DueRows
    handle: Callable[..., Awaitable[bool]]
    """Called with the runtime, the tenant and the row's key; False when it is not done and has to be tried again.

    Whoever returns True has ended the row, or has noted when it is due again. Handling is idempotent: a lease that ran
    out lets it run again.
    """
    claim: Callable[[Runtime, DueRows, Mapping[str, int]], Awaitable[list[Claim]]] = claim_up_to_places
    """Takes rows; it is told how many rows of each group the worker is working on."""
    group: Callable[[Claim], str] = _one_group
    """Whose places a row takes: rows of one group never wait for those of another."""
    places: int = AT_ONCE
    """Places of one group. Where there was more to take, the worker looks again as soon as half of them are free."""


KINDS: Final[list[Kind]] = [
    Kind("handle_notice", NOTICES, handle_notice),
    Kind("refund_duplicate_charge", RETURNS, refund_duplicate_charge),
    Kind("work_on_subscription", SUBSCRIPTIONS, work_on_subscription),
    Kind("deliver_webhook", DELIVERIES, deliver_webhook, _claim_deliveries, _endpoint, PLACES),
]
"""Every kind."""
