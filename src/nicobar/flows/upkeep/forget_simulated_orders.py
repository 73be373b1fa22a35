"""Let the simulator of test mode forget what is long over, so that its books do not grow for ever."""

from nicobar.flows.runtime import Runtime
from nicobar.processors.simulator.simulator import Simulator


async def forget_simulated_orders(runtime: Runtime) -> None:
    """Delete some of the orders that are older than the simulator remembers."""
    simulator = runtime.processors.get(Simulator.name)
    if isinstance(simulator, Simulator):
        await simulator.forget()
