"""Which processor charges what."""

from collections.abc import Mapping

from nicobar.clock import Clock
from nicobar.core.tenant import Mode
from nicobar.processors.base import Processor
from nicobar.processors.simulator import Simulator


def built_in_processors(clock: Clock, public_url: str) -> dict[str, Processor]:
    """Return the processors that need no configuration, by name: the simulator."""
    simulator = Simulator(clock, public_url)
    return {simulator.name: simulator}


def can_rehearse(processor: Processor, mode: Mode) -> bool:
    """Say whether somebody may choose how a charge ends: with the simulator and in test mode, never otherwise."""
    return mode == "test" and isinstance(processor, Simulator)


def processor_for(processors: Mapping[str, Processor], mode: Mode) -> Processor | None:
    """Return the first processor that may charge in this mode, None when none is configured."""
    return next((processor for processor in processors.values() if mode in processor.modes), None)
