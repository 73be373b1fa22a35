"""Ask a processor for what its own fields need in the browser of a customer."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, Unknown
from nicobar.core.problems import Problem
from nicobar.flows.accounts.ask_processor import ANSWER_TIMEOUT, ask_processor
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.registry import brings_fields
from nicobar.processors.base import OwnFields


async def ask_for_fields(runtime: Runtime, tenant: Tenant, attempt: Attempt) -> OwnFields | None:
    """Return what the fields need for an attempt that waits for its customer; None for one that does not wait any more.

    Raises Problem SERVICE_UNAVAILABLE when the processor does not answer, or is not there any more.
    """
    processor = find_processor_of(runtime, await load_policy(runtime, tenant), attempt.processor, attempt.account)
    if not brings_fields(processor):
        raise Problem("SERVICE_UNAVAILABLE")
    fields = await ask_processor(
        processor,
        lambda asked: asked.fields(attempt),
        ANSWER_TIMEOUT,
        "fields_unavailable",
        attempt_id=attempt.attempt_id,
    )
    if isinstance(fields, Unknown):
        raise Problem("SERVICE_UNAVAILABLE")
    return fields
