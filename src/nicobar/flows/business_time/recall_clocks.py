"""Know the time of the test modes: what this process remembers of their clocks, read again when it may be old."""

from nicobar.flows.runtime import Runtime
from nicobar.storage.test_clocks import read_clocks, remembered_clocks


async def recall_clocks(runtime: Runtime, business_id: str | None = None) -> None:
    """Read the clocks, unless they were read half a second ago or later; one that is being moved is always read.

    `business_id` limits that to the clock of one business. `Runtime.now` goes by what is remembered after it.
    """
    clocks, asked = remembered_clocks(runtime.database), runtime.clock.elapsed()
    if clocks.is_fresh(asked, business_id):
        return
    async with clocks.reading:
        began = runtime.clock.elapsed()
        if clocks.is_read_between(asked, began) or clocks.is_fresh(began, business_id):
            return  # another has read them meanwhile, for all who waited
        async with runtime.database.shared.read() as read:
            found = await read_clocks(read)
        clocks.take(found, began, runtime.real_now())
