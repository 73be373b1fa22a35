"""The simulator on an empty database."""

import pytest

from nicobar.flows.runtime import Runtime
from nicobar.processors.simulator.simulator import Simulator


@pytest.fixture
def simulator(runtime: Runtime) -> Simulator:
    found = runtime.processors[Simulator.name]
    assert isinstance(found, Simulator)
    return found
