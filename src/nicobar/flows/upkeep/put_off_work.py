"""Let work that is not done be tried again later."""

from datetime import timedelta

from nicobar.flows.runtime import Runtime
from nicobar.storage.due_work import Claim, DueRows, put_off


async def put_off_work(runtime: Runtime, rows: DueRows, claim: Claim, pause: timedelta) -> None:
    """Make a claimed row due again after a pause, unless it is done or another worker has taken it since."""
    async with runtime.database.statement() as tx:
        await put_off(tx, rows, claim, runtime.now(claim.tenant) + pause)
