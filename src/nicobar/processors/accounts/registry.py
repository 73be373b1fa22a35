"""Which processor charges what."""

from collections.abc import Mapping
from typing import TypeGuard

from nicobar.clock import Clock
from nicobar.core.business.tenant import Mode
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.processors.base import BringsFields, Processor
from nicobar.processors.simulator.simulator import Simulator
from nicobar.processors.simulator.store import SimulatorStore


def built_in_processors(clock: Clock, public_url: str, store: SimulatorStore) -> dict[str, Processor]:
    """Return the processors that need no configuration, by name: the simulator, with its books."""
    simulator = Simulator(clock, public_url, store)
    return {simulator.name: simulator}


def is_simulated(processor: Processor | None, mode: Mode) -> bool:
    """Return whether the simulator would charge a test payment.

    Only then a card may be typed into a form of ours, because it is a published one, and only then somebody may choose
    how the charge ends. Every other processor brings card fields of its own, and real cards never come by here.
    """
    return mode == "test" and isinstance(processor, Simulator)


def is_chargeable(method: SavedMethod, processor: Processor | None) -> bool:
    """Return whether the processor can charge a saved method: another one, or another account of it, cannot."""
    return processor is not None and (method.processor, method.account) == (processor.name, processor.account)


def brings_fields(processor: object) -> TypeGuard[BringsFields]:
    """Return whether cards and accounts are typed into fields of the processor's own, on a page of ours."""
    return hasattr(processor, BringsFields.fields_page.__name__)  # isinstance would look for each method of a protocol


def processor_for(processors: Mapping[str, Processor], mode: Mode) -> Processor | None:
    """Return the first processor that may charge in this mode, None when none is configured."""
    return next((processor for processor in processors.values() if mode in processor.modes), None)
