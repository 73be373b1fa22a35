"""List whose due rows are found by which time."""

from datetime import datetime

from nicobar.core.business.business_clock import Reckoning
from nicobar.flows.business_time.recall_clocks import recall_clocks
from nicobar.flows.runtime import Runtime
from nicobar.storage.test_clocks import remembered_clocks


async def list_reckonings(runtime: Runtime, real: datetime | None = None) -> list[Reckoning]:
    """Return all that live in real time first, then each test mode with a clock of its own that nobody is moving.

    `real` stands in for the real time.
    """
    await recall_clocks(runtime)
    return remembered_clocks(runtime.database).reckonings(real or runtime.real_now())
