"""Which processor charges the new payments of a tenant at this moment."""

from nicobar.core.business.tenant import Tenant
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.registry import processor_for
from nicobar.processors.base import Processor


async def find_charging_processor(runtime: Runtime, tenant: Tenant) -> Processor | None:
    """Return the processor with the account that takes new payments; None when there is none."""
    return processor_for(find_processors(runtime, await load_policy(runtime, tenant)), tenant.mode)
