"""Know the time of the test modes: what this process remembers of their clocks, read again when it may be old."""

from nicobar.flows.runtime import Runtime
from nicobar.storage.test_clocks import read_clocks, remembered_clocks


async def recall_clocks(runtime: Runtime, business_id: str | None = None) -> None:
    """Read the clocks, unless what is remembered is fresh enough; one that is being moved is always read.

    Nobody goes by what is half a second old; one reads again before, while the others go on. `business_id` limits that
    to the clock of one business. `Runtime.now` goes by what is remembered after it.
    """
    clocks, asked = remembered_clocks(runtime.database), runtime.clock.elapsed()
    freshness = clocks.freshness
    if freshness.suffices(asked) and not clocks.is_moving(business_id):
        return
    async with freshness.reading():
        began, read_at = runtime.clock.elapsed(), freshness.read_at
        if read_at is not None and asked < read_at <= began:
            return  # another has read them since this one asked
        if freshness.is_fresh(began) and not clocks.is_moving(business_id):
            return
        async with runtime.database.shared.read() as read:
            found = await read_clocks(read)
        clocks.take(found, began, runtime.real_now())
