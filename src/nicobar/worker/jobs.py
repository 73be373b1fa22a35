"""The flow behind each job."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import msgspec

from nicobar.core.notices.jobs import HANDLE_NOTICE, RETURN_CHARGE, NoticeJob, ReturnJob
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.payments.return_charge import return_charge
from nicobar.flows.runtime import Runtime

Job = Callable[[Runtime, bytes], Awaitable[bool]]
"""Works on a payload; False when the job is not done and has to be tried again."""

LONGEST_PAUSE: Final = timedelta(minutes=30)
"""The longest time between two tries of a job."""


async def _handle_notice(runtime: Runtime, payload: bytes) -> bool:
    return await handle_notice(runtime, msgspec.json.decode(payload, type=NoticeJob))


async def _return_charge(runtime: Runtime, payload: bytes) -> bool:
    return await return_charge(runtime, msgspec.json.decode(payload, type=ReturnJob))


JOBS: Final[dict[str, Job]] = {HANDLE_NOTICE: _handle_notice, RETURN_CHARGE: _return_charge}
"""Every job by its name in the queue."""


def pause_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries that failed: 2, 4, 8 ... seconds, at most half an hour."""
    return min(timedelta(seconds=2 ** min(tries + 1, 12)), LONGEST_PAUSE)
