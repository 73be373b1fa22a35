"""Load how the clock of a test mode stands, with what its latest move brought about."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.test_mode.clock_goal import LIVE_HAS_NO_CLOCK
from nicobar.core.test_mode.happening import LISTED, ClockMove
from nicobar.flows.runtime import Runtime
from nicobar.storage.test_clocks import get_clock, remembered_clocks
from nicobar.storage.test_mode.happenings import list_happenings


async def load_move(runtime: Runtime, tenant: Tenant, *, limit: int = LISTED, is_resumed: bool = False) -> ClockMove:
    """Return it. Raises Problem UNSUPPORTED_ACTION in live mode, which has no clock but the real one."""
    if tenant.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail=LIVE_HAS_NO_CLOCK)
    async with runtime.database.snapshot() as read:
        clock = await get_clock(read, tenant.business_id)
        remembered_clocks(runtime.database).keep(clock, runtime.real_now())
        now = runtime.now(tenant)
        happened, count = await list_happenings(read, clock, now, limit)
    return ClockMove(clock=clock, now=now, happened=happened, count=count, is_resumed=is_resumed)
