"""Record how a first attempt ended without its payment's lock, in a commit that others may share."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import PAYMENT_EVENTS
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.ledger.ledger import payment_entry
from nicobar.core.payments.payment import (
    Declined,
    Outcome,
    Payment,
    Succeeded,
    method_type,
    status_after,
    without_token,
)
from nicobar.flows.events.make_event import make_event
from nicobar.flows.payments.begin_first_attempt import AT_MOST, LANES, BegunAttempt
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database
from nicobar.storage.due_work import DELIVERIES
from nicobar.storage.gathering import Gatherings
from nicobar.storage.payments.first_attempts import FirstEnd, end_first_attempts

_log = structlog.get_logger(__name__)

_ENDS: Final = Gatherings[FirstEnd, int | None](AT_MOST, LANES)


async def end_first_attempt(runtime: Runtime, begun: BegunAttempt, outcome: Outcome) -> bool:
    """Record how an attempt ended: status, books and event are one commit, as in `record_payment_outcome`.

    False, and no change, for an outcome that is no end, when the payment has changed since the attempt began, or when
    somebody works on it at this moment. It has to be recorded under the payment's lock then.
    """
    if not isinstance(outcome, Succeeded | Declined):
        return False
    left, attempt = begun
    tenant, database = left.payment.tenant, runtime.database
    at = runtime.now(tenant)
    payment = _ended(left.payment, outcome, at)
    entry = None
    if isinstance(outcome, Succeeded):
        entry = payment_entry(runtime.new_id("led", at), payment, left.conversion, at)
    link = None if payment.link_id is None else runtime.link_url(payment.link_id)
    whole = WholePayment(payment, link, [], [], [], [], attempt.processor)  # as it moves alone, it has no more
    event = make_event(runtime, tenant, PAYMENT_EVENTS[payment.status], whole, at)
    end = FirstEnd(left, attempt.attempt_id, without_token(outcome), payment, entry, event, at)
    scheduled = await _ENDS.of(database).ask(tenant, end, partial(_end, database.shared, tenant))
    if scheduled is None:
        return False
    if scheduled:
        database.work_announced.tell(DELIVERIES.table)
    _log.info("payment_moved", payment_id=payment.payment_id, origin=left.payment.status, status=payment.status)
    return True


def _ended(payment: Payment, outcome: Succeeded | Declined, at: datetime) -> Payment:
    """Return a payment whose attempt has ended. What the attempt left in it stays, unless the outcome knows better."""
    card = outcome.card if isinstance(outcome, Succeeded) else None
    declined = outcome if isinstance(outcome, Declined) else None
    return msgspec.structs.replace(
        payment,
        status=status_after(outcome),
        updated_at=at,
        payment_method_type=payment.payment_method_type if card is None else method_type(card),
        card=payment.card if card is None else card,
        three_ds=outcome.three_ds,
        error_code=None if declined is None else declined.error_code,
        error_message=None if declined is None else declined.error_message,
    )


async def _end(database: Database, tenant: Tenant, ended: list[FirstEnd]) -> Sequence[int | None]:
    async with database.statement() as tx:
        return await end_first_attempts(tx, tenant, ended)
