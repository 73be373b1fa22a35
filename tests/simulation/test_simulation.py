"""A town of sellers and customers at random, with a faulty bank, dying processes and a moved clock, and an auditor.

Every run prints its seed. `NICOBAR_SIMULATION_SEED=7 pytest tests/simulation -k fresh` makes exactly that run again,
and with `NICOBAR_SIMULATION_SECONDS=600` one seed follows the other for that long.

In `make test` a run is a tenth as long as in `make prove`.
"""

import os
import random
from collections import Counter
from time import monotonic

import pytest

from proof import length
from simulation.runs import Runs

OPERATIONS = length(350)
"""How much happens in one run."""

pytestmark = pytest.mark.proof

SEEDS = (1, 2, 3)
"""Runs that are always made, besides a fresh one: what fails can be told from what a change has broken."""


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_paid_twice(runs: Runs, seed: int) -> None:
    await runs.run(seed, OPERATIONS)


async def test_nothing_is_lost_or_paid_twice_with_a_fresh_seed(runs: Runs) -> None:
    given, seconds = os.environ.get("NICOBAR_SIMULATION_SEED"), os.environ.get("NICOBAR_SIMULATION_SECONDS")
    seed = int(given) if given else random.SystemRandom().randrange(10**9)
    await runs.run(seed, OPERATIONS)
    end = monotonic() + float(seconds or 0)
    while monotonic() < end:
        seed += 1
        await runs.run(seed, OPERATIONS)


async def test_the_same_seed_is_the_same_run(runs: Runs) -> None:
    first = await runs.run(99, length(120))
    happened, runs.happened = runs.happened, Counter()
    assert await runs.run(99, length(120)) == first
    assert runs.happened == happened
