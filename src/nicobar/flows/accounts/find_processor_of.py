"""Who can be queried for what was done at a processor: the account that it was done with, and no other one."""

import structlog

from nicobar.core.pricing.policy import Policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor
from nicobar.vault import VaultError

_log = structlog.get_logger(__name__)


def find_processor_of(runtime: Runtime, policy: Policy, processor: str, account: str) -> Processor | None:
    """Return the processor with this account, retired or not; None when it was removed or cannot be decrypted.

    Another account has never heard of what this one has charged, and its word would be taken for the truth: so when
    this one cannot be asked, nobody can, and nothing is decided.
    """
    for stored in policy.accounts:
        if (stored.processor, stored.account) == (processor, account) and runtime.accounts is not None:
            try:
                return runtime.accounts.open(stored)
            except VaultError as error:
                _log.error("processor_account_unreadable", why=str(error))
                return None
    return None if account else runtime.processors.get(processor)
