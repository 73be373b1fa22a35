"""PostgreSQL is stopped under load, in each of its ways, and comes back: clear errors, nothing lost, no help needed."""

import asyncio
import os
import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from cli.program import PATIENCE, Serving, eventually, is_alive, new_folder, postmaster, run
from faults.aftermath import audit, opened
from faults.shopping import Journal, Shop, shop_at_random
from nicobar.core.business.tenant import Tenant
from nicobar.storage.business.businesses import first_business
from nicobar.storage.embedded.embedded import open_embedded

WAYS = [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL]
"""PostgreSQL's fast shutdown, its immediate one, and a crash."""


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = new_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def _until_paid_again(journal: Journal) -> None:
    """Wait until shoppers pay as before."""
    before = len(journal.statuses)
    async with asyncio.timeout(PATIENCE):
        while len(journal.statuses) < before + 3:
            await asyncio.sleep(0.05)


async def test_the_server_outlives_its_database(folder: Path) -> None:
    data, journal, stop = folder / "data", Journal(), asyncio.Event()
    key = (await asyncio.to_thread(run, "keys", "create", "--data", data)).stdout.strip()
    serving = Serving("--data", data)
    try:
        await asyncio.to_thread(serving.ready)
        async with AsyncExitStack() as stack:
            shops = [
                await stack.enter_async_context(Shop(serving.base_url, key, journal, f"127.0.1.{1 + index}"))
                for index in range(4)
            ]
            product_id = await shops[0].product()
            tasks = [
                asyncio.create_task(shop_at_random(shop, product_id, random.Random(index), stop))  # noqa: S311
                for index, shop in enumerate(shops)
            ]
            for way in WAYS:
                await _until_paid_again(journal)
                database = postmaster(data)
                assert database is not None
                os.kill(database, way)
                await asyncio.to_thread(eventually, partial(_is_gone, database))
            await _until_paid_again(journal)
            stop.set()
            await asyncio.gather(*tasks)
    finally:
        serving.close()
    assert journal.unavailable >= len(WAYS)
    assert journal.interrupted == 0  # the server itself never hung up
    with open_embedded(data) as postgres:
        async with opened(postgres.dsn) as runtime:
            async with runtime.database.read() as read:
                business_id = await first_business(read)
            await audit(runtime, Tenant(business_id or "", "test"), journal)
    examined = await asyncio.to_thread(run, "doctor", "--data", data)
    assert examined.returncode == 0, examined.stdout


def _is_gone(pid: int) -> bool:
    return not is_alive(pid)
