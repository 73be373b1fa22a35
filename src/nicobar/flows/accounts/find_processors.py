"""Which processors charge new payments of a business: its own accounts first, then the built-in ones."""

from collections.abc import Mapping

import structlog

from nicobar.core.pricing.policy import Policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor
from nicobar.vault import VaultError

_log = structlog.get_logger(__name__)


def find_processors(runtime: Runtime, policy: Policy) -> Mapping[str, Processor]:
    """Return the processors by name for the tenant of `policy`, the one that charges new payments first.

    There are none at all while an account cannot be decrypted: nobody should find a payment charged by another
    processor than the seller has chosen.
    """
    if policy.charging is None or runtime.accounts is None:
        return runtime.processors
    own: dict[str, Processor] = {}
    try:
        for account in policy.accounts:
            if account.retired_at is None:
                own[account.processor] = runtime.accounts.open(account)
    except VaultError as error:
        _log.error("processor_account_unreadable", why=str(error))
        return {}
    return own | dict(runtime.processors)
