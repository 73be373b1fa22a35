"""Which payment methods the processor of a tenant can run."""

from nicobar.core.business.tenant import Mode
from nicobar.core.pricing.policy import Policy
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.registry import processor_for


def find_runnable_methods(runtime: Runtime, policy: Policy, mode: Mode) -> frozenset[str]:
    """Return the method types of the processor that charges new payments; none while no processor is configured."""
    processor = processor_for(find_processors(runtime, policy), mode)
    return frozenset() if processor is None else processor.methods
