"""Store what became of a subscription, and tell merchants, in the transaction of the caller."""

from datetime import datetime

from nicobar.core.subscriptions.due import wake_at
from nicobar.core.subscriptions.subscription import Moved
from nicobar.flows.events.load_whole_subscription import load_whole_subscription
from nicobar.flows.events.write_event import write_event
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.due_work import SUBSCRIPTIONS
from nicobar.storage.subscriptions.subscriptions import update_subscription


async def save_move(runtime: Runtime, tx: Tx, result: Moved, at: datetime, payment_id: str | None = None) -> None:
    """Store the subscription, which the caller holds, and write its events in their order.

    `payment_id` is what paid for a period that was renewed. The row is due again when the subscription says so.
    """
    subscription = result.subscription
    await update_subscription(tx, subscription, wake_at(subscription))
    for type in result.events:
        paid_by = payment_id if type == "subscription.renewed" else None
        whole = await load_whole_subscription(tx, subscription, paid_by)
        await write_event(runtime, tx, subscription.tenant, type, whole, at)
    runtime.database.announce_work(tx, SUBSCRIPTIONS.table)
