"""Give a charge back that was made in addition to the one that paid the payment: nobody pays twice."""

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Unknown
from nicobar.core.refunds.refund import RefundOutcome, RefundSucceeded
from nicobar.flows.accounts.ask_processor import ANSWER_TIMEOUT, ask_processor
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor, RefundRequest
from nicobar.storage.payments.attempts import get_attempt, mark_returned

_log = structlog.get_logger(__name__)


async def refund_duplicate_charge(runtime: Runtime, tenant: Tenant, attempt_id: str) -> bool:
    """Give the whole charge of an attempt back; False until the processor says that it has.

    It is no refund of the payment, which stays paid, and of which the customer's money is kept once. The refund's id
    at the processor follows from the attempt's, so however often this runs, the money goes back once. Neither the
    charge nor its return is in the ledger: the seller never owned it.
    """
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, tenant, attempt_id)
    if attempt is None:
        return True
    processor = find_processor_of(runtime, await load_policy(runtime, tenant), attempt.processor, attempt.account)
    request = RefundRequest(f"ref_{attempt.attempt_id.partition('_')[2]}", attempt, attempt.amount)
    outcome = Unknown("processor not configured") if processor is None else await _give_back(processor, request)
    if not isinstance(outcome, RefundSucceeded):
        _log.warning("duplicate_charge_not_refunded_yet", attempt_id=attempt.attempt_id, outcome=type(outcome).__name__)
        return False
    async with runtime.database.statement() as tx:
        await mark_returned(tx, tenant, attempt.attempt_id, runtime.now(tenant))
    _log.info("duplicate_charge_refunded", payment_id=attempt.payment_id, attempt_id=attempt.attempt_id)
    return True


async def _give_back(processor: Processor, request: RefundRequest) -> RefundOutcome:
    """Ask what became of an earlier order, and place one if there was none."""

    async def find_or_place(asked: Processor) -> RefundOutcome:
        return await asked.find_refund(request) or await asked.refund(request)

    return await ask_processor(
        processor, find_or_place, ANSWER_TIMEOUT, "return_in_doubt", attempt_id=request.attempt.attempt_id
    )
