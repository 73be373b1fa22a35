"""Prepare what the first commit of a writing request keeps of it."""

from datetime import timedelta

from nicobar.core.retries.fingerprint import REPEAT_WINDOW, Fingerprint
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import FirstCommit, Runtime


async def open_first_commit(runtime: Runtime, request: Fingerprint, status: int) -> FirstCommit | None:
    """Return what is written with the request's first commit; None for a runtime that keeps no answers.

    With an idempotency key it is kept for as long as the business's setting says, without one for `REPEAT_WINDOW`.
    `status` is the HTTP status of a success.
    """
    if runtime.vault is None:
        return None
    lifetime = REPEAT_WINDOW
    if request.is_keyed:
        policy = await load_policy(runtime, request.tenant)
        lifetime = timedelta(days=policy.settings.idempotency_days)
    return FirstCommit(runtime.vault, runtime.clock, request, status, lifetime)
