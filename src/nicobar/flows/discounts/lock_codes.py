"""Hold discount codes, so that nobody else takes a use of them meanwhile."""

from collections.abc import Sequence

from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import CodeLimits
from nicobar.core.problems import Problem
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import lock_limits


async def lock_codes(tx: Tx, tenant: Tenant, discount_ids: Sequence[str]) -> dict[str, CodeLimits]:
    """Hold discounts, in the one order of all locks, until the transaction ends, and return their limits.

    Raises Problem DISCOUNT_CONCURRENT_REDEMPTION (503: a client may retry) when others held one for too long. The
    transaction must then roll back.
    """
    limits = await lock_limits(tx, tenant, discount_ids)
    if limits is None:
        raise Problem("DISCOUNT_CONCURRENT_REDEMPTION")
    return limits
