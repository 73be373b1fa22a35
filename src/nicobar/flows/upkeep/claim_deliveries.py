"""Take deliveries that are due, so that no other worker does meanwhile, and none of one endpoint alone."""

from collections.abc import Mapping

from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.claim_due_work import LEASE
from nicobar.storage.due_work import Claim
from nicobar.storage.webhooks import deliveries


async def claim_deliveries(runtime: Runtime, running: Mapping[str, int]) -> list[Claim]:
    """Return deliveries that are due, as many for each endpoint as it has places.

    They belong to the caller for `LEASE`. `running` is how many deliveries to each endpoint the caller is working on.
    """
    reckoned = await list_reckonings(runtime)
    async with runtime.database.statement() as tx:
        return await deliveries.claim_deliveries(tx, reckoned, LEASE, running)
