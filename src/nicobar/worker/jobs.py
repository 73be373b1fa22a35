"""The jobs: their names, and the flow behind each."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import msgspec

from nicobar.flows.handle_notice import NoticeJob, handle_notice
from nicobar.flows.receive_notice import JOB as HANDLE_NOTICE
from nicobar.flows.runtime import Runtime

Job = Callable[[Runtime, bytes], Awaitable[bool]]
"""Works on a payload; False when the job is not done and has to be tried again."""

LONGEST_PAUSE: Final = timedelta(minutes=30)
"""The longest time between two tries of a job."""


async def _handle_notice(runtime: Runtime, payload: bytes) -> bool:
    return await handle_notice(runtime, msgspec.json.decode(payload, type=NoticeJob))


JOBS: Final[dict[str, Job]] = {HANDLE_NOTICE: _handle_notice}
"""Every job by its name in the queue, which is stored there: a name is never given another meaning."""


def pause_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries that failed: 2, 4, 8 ... seconds, at most half an hour."""
    return min(timedelta(seconds=2 ** min(tries + 1, 12)), LONGEST_PAUSE)
