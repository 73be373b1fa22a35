"""Empty a test mode and set its clock back to real time."""

import asyncio
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.test_mode.clock_goal import LIVE_HAS_NO_CLOCK
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode import advance_clock
from nicobar.storage.database import Deadlock, ReferenceGone
from nicobar.storage.test_clocks import remembered_clocks, reset_clock
from nicobar.storage.test_mode.due_moments import clock_held
from nicobar.storage.test_mode.emptying import empty_tables

_TRIES: Final = 10


async def reset_test_mode(runtime: Runtime, tenant: Tenant) -> int:
    """Delete every object of the test mode, and return how many rows that were.

    API keys, settings, the tax table, processor accounts, webhook endpoints, the primary brand and the audit log stay.
    When it returns, every process goes by the new time. Raises Problem UNSUPPORTED_ACTION in live mode and
    TEST_CLOCK_MOVING while the clock is moved; nothing is deleted then.
    """
    if tenant.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail=LIVE_HAS_NO_CLOCK)
    async with runtime.database.long_read() as holder, clock_held(holder, tenant.business_id) as is_held:
        if not is_held:
            raise Problem("TEST_CLOCK_MOVING")
        count = await _empty(runtime, tenant, sets_clock_back=True)
        await asyncio.sleep(advance_clock.SETTLING_SECONDS)
        # What was still under way in another request, and is dated by the old time.
        return count + await _empty(runtime, tenant, sets_clock_back=False)


async def _empty(runtime: Runtime, tenant: Tenant, *, sets_clock_back: bool) -> int:
    """Delete the objects, and set the clock back if it is to be; return how many rows that were.

    It is tried again while others create what names the objects. Raises Deadlock or ReferenceGone if that does not end.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            async with runtime.database.transaction() as tx:
                count, clock = await empty_tables(tx, tenant.business_id), None
                if sets_clock_back:
                    clock = await reset_clock(tx, tenant.business_id, runtime.real_now())
                    await write_audit_entry(runtime, tx, tenant, "test_mode.emptied", [tenant.business_id])
            break
        except (Deadlock, ReferenceGone):
            if not tries_left:
                raise
    if clock is not None:
        remembered_clocks(runtime.database).keep(clock, runtime.real_now())
    return count
