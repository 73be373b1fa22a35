"""The server, and sometimes PostgreSQL with it, is killed at random moments under load. Nothing that was told is lost.

`NICOBAR_KILLS` sets how often, `NICOBAR_KILLS_SEED` repeats a run's choices: `NICOBAR_KILLS=200 make test
ARGS="tests/faults/test_kills.py -n 0 -s"` is the long run. A kill comes after a number of answers, so that a slow
computer gets as far as a quick one; at which instruction it hits is chance, and what must be true does not depend on
it.
"""

import asyncio
import os
import random
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from cli.program import PATIENCE, Serving, new_folder, postmaster, run
from faults.aftermath import audit, opened
from faults.shopping import Journal, Shop, shop_at_random
from nicobar.core.business.tenant import Tenant
from nicobar.storage.business.businesses import first_business
from nicobar.storage.embedded.embedded import open_embedded
from proof import length

KILLS = int(os.environ.get("NICOBAR_KILLS", length(60)))
SEED = int(os.environ.get("NICOBAR_KILLS_SEED", secrets.randbelow(10**6)))
SHOPPERS = 6


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = new_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def _killed_under_load(
    data: Path, key: str, product_id: str | None, journal: Journal, chance: random.Random
) -> str:
    """Serve, let people shop for a moment, and kill; return the product that is sold."""
    serving = Serving("--data", data)
    stop = asyncio.Event()
    try:
        await asyncio.to_thread(serving.ready)
        async with AsyncExitStack() as shops:
            opening = [Shop(serving.base_url, key, journal, f"127.0.0.{2 + index}") for index in range(SHOPPERS)]
            opened_shops = [await shops.enter_async_context(shop) for shop in opening]
            product_id = product_id or await opened_shops[0].product()
            seeds = [chance.getrandbits(32) for _ in opened_shops]
            shopping = asyncio.gather(
                *(
                    shop_at_random(shop, product_id, random.Random(seed), stop)  # noqa: S311 - a run can be repeated
                    for shop, seed in zip(opened_shops, seeds, strict=True)
                )
            )
            await _until_told(journal, journal.answers + chance.randint(1, 120))
            if chance.random() < 0.3 and (database := postmaster(data)):
                with suppress(ProcessLookupError):
                    os.kill(database, signal.SIGKILL)
            serving.process.send_signal(signal.SIGKILL)
            assert await asyncio.to_thread(serving.process.wait, PATIENCE) == -signal.SIGKILL
            stop.set()
            await shopping
    finally:
        serving.close()
    return product_id


async def _until_told(journal: Journal, answers: int) -> None:
    """Wait until clients have had so many answers, and one of them that a payment has succeeded."""
    async with asyncio.timeout(PATIENCE):
        while journal.answers < answers or not journal.statuses:
            await asyncio.sleep(0.001)


@pytest.mark.proof
async def test_nothing_is_lost_by_kills_under_load(
    folder: Path, record_property: Callable[[str, object], None]
) -> None:
    print(f"NICOBAR_KILLS={KILLS} NICOBAR_KILLS_SEED={SEED}")  # noqa: T201 - how to repeat it
    chance = random.Random(SEED)  # noqa: S311 - a run can be repeated
    data, journal, product_id = folder / "data", Journal(), None
    made = await asyncio.to_thread(run, "keys", "create", "--data", data)
    assert made.returncode == 0, made.stderr
    for _ in range(KILLS):
        product_id = await _killed_under_load(data, made.stdout.strip(), product_id, journal, chance)
    with open_embedded(data) as postgres:
        async with opened(postgres.dsn) as runtime:
            async with runtime.database.read() as read:
                business_id = await first_business(read)
            counts = await audit(runtime, Tenant(business_id or "", "test"), journal)
    print(counts, f"told: {len(journal.payments)} payments, {len(journal.refunds)} refunds")  # noqa: T201
    assert counts["succeeded"] >= len(journal.statuses) >= 1
    examined = await asyncio.to_thread(run, "doctor", "--data", data)
    assert examined.returncode == 0, examined.stdout
    record_property(f"kills of seed {SEED}", KILLS)
