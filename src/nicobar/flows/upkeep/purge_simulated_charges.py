"""Purge what is long over from the simulator's books, so that they do not grow for ever."""

from nicobar.flows.runtime import Runtime
from nicobar.processors.simulator.simulator import Simulator


async def purge_simulated_charges(runtime: Runtime) -> None:
    """Delete some of the orders that are older than the simulator remembers."""
    simulator = runtime.processors.get(Simulator.name)
    if isinstance(simulator, Simulator):
        await simulator.purge()
