"""Send what the simulator of test mode has to tell, as a real processor does over HTTP."""

from typing import Final

import structlog

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.notices.receive_notice import receive_notice
from nicobar.flows.runtime import Runtime
from nicobar.processors.simulator.simulator import Simulator

_log = structlog.get_logger(__name__)

_ROUNDS: Final = 10
"""How many batches are sent in one go; what is left waits for the next."""


async def deliver_simulated_notices(runtime: Runtime, only: Reckoning | None = None) -> int:
    """Send the notices that are due, through the door by which every processor's notices come in; return how many.

    A notice is sent at least once: whoever crashes between sending it and noting that leaves it to be sent again, and
    so does a refusal. Any number of processes may send at the same time.
    """
    simulator = runtime.processors.get(Simulator.name)
    if not isinstance(simulator, Simulator):
        return 0
    reckonings = await list_reckonings(runtime) if only is None else [only]
    return sum([await _deliver(runtime, simulator, reckoning) for reckoning in reckonings])


async def _deliver(runtime: Runtime, simulator: Simulator, reckoning: Reckoning) -> int:
    count = 0
    for _ in range(_ROUNDS):
        notices = await simulator.notices_due(reckoning)
        if not notices:
            break
        for notice in notices:
            tenant = Tenant(notice.business_id, "test")
            try:
                for _copy in range(notice.copies):
                    await receive_notice(runtime, tenant, simulator.name, notice.headers, notice.body)
            except Problem as problem:
                _log.warning("simulated_notice_not_taken", notice_id=notice.notice_id, why=str(problem))
                continue
            await simulator.sent(notice.notice_id)
            count += 1
    return count
