"""A key that many requests show at once is read once, and a revoked one works for five seconds at most."""

import asyncio

import pytest
from starlette.types import ASGIApp

from harness import FakeClock, Merchant, client_for
from nicobar.api import auth
from nicobar.flows.business.create_key import create_key
from nicobar.flows.business.revoke_key import revoke_key
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import StoredKey, find_stored_key
from nicobar.storage.database import DatabaseUnavailable, Read

HALF = auth.REMEMBERED_FOR.total_seconds() / 2


class Readings:
    """How often keys were read, and when those that are under way may end."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.failure: Exception | None = None

    async def find(self, read: Read, key_hash: bytes) -> StoredKey | None:
        self.begun += 1
        found = await find_stored_key(read, key_hash)
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return found


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    made = Readings()
    monkeypatch.setattr(auth, "find_stored_key", made.find)
    return made


async def test_one_request_reads_a_key_again_while_the_others_go_on(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, readings: Readings
) -> None:
    _, text = await create_key(runtime, merchant.tenant, False)
    async with client_for(app, text) as client:
        assert (await client.get("/locales")).status_code == 200
        clock.advance(seconds=HALF - 0.001)
        assert (await client.get("/locales")).status_code == 200
        assert readings.begun == 1
        clock.advance(seconds=0.001)
        readings.may_end.clear()
        first = asyncio.create_task(client.get("/locales"))
        while readings.begun < 2:
            await asyncio.sleep(0)
        others = await asyncio.gather(*(client.get("/locales") for _ in range(20)))
        assert ([other.status_code for other in others], readings.begun) == ([200] * 20, 2)
        assert not first.done()
        readings.may_end.set()
        assert (await first).status_code == 200
        assert (await client.get("/locales")).status_code == 200
    assert readings.begun == 2


@pytest.mark.parametrize("revoked", [False, True])
async def test_all_wait_for_one_reading_once_a_key_is_too_old(
    runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, readings: Readings, revoked: bool
) -> None:
    """Those who wait for a key that turns out to be revoked look for themselves, and are refused."""
    key, text = await create_key(runtime, merchant.tenant, False)
    async with client_for(app, text) as client:
        assert (await client.get("/locales")).status_code == 200
        if revoked:
            await revoke_key(runtime, merchant.business_id, key.key_id)
            assert (await client.get("/locales")).status_code == 200
        clock.advance(seconds=2 * HALF)
        readings.may_end.clear()
        asked = [asyncio.create_task(client.get("/locales")) for _ in range(20)]
        while readings.begun < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert (readings.begun, [task.done() for task in asked]) == (2, [False] * 20)
        readings.may_end.set()
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [401 if revoked else 200] * 20
    assert readings.begun == (21 if revoked else 2)


async def test_a_database_that_hangs_is_waited_for_once(
    app: ASGIApp, clock: FakeClock, merchant: Merchant, readings: Readings
) -> None:
    """Those who waited for the reading of another fail with it, and the next request asks again."""
    assert (await merchant.client.get("/locales")).status_code == 200
    clock.advance(seconds=2 * HALF)
    readings.may_end.clear()
    asked = [asyncio.create_task(merchant.client.get("/locales")) for _ in range(20)]
    while readings.begun < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    readings.failure = DatabaseUnavailable("it hangs")
    readings.may_end.set()
    answers = await asyncio.gather(*asked)
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "SERVICE_UNAVAILABLE")] * 20
    assert readings.begun == 2
    readings.failure = None
    assert (await merchant.client.get("/locales")).status_code == 200
    assert readings.begun == 3
