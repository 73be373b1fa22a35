"""Emptying test mode while a payment is just being recorded."""

import asyncio
from typing import Any

import pytest

from flows.payments.paying import pay, placed
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Succeeded
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode import advance_clock
from nicobar.flows.test_mode.reset_test_mode import reset_test_mode
from nicobar.storage.payments import first_attempts

TABLES = ("payments", "payment_lines", "attempts", "ledger_entries", "events", "customers")


@pytest.mark.parametrize("way", ["locked", "unlocked"])
async def test_it_waits_for_what_is_just_recorded_and_takes_it_along(
    runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(advance_clock, "SETTLING_SECONDS", 0)
    known = await placed(runtime, tenant)
    recording = asyncio.Event()

    async def record_slowly(*args: Any) -> bool:
        recorded = await record_payment_outcome(*args)
        recording.set()
        await asyncio.sleep(0.3)
        return recorded

    async def end_slowly(*args: Any) -> Any:
        asyncio.get_running_loop().call_later(0.1, recording.set)
        return await first_attempts.end_first_attempts(*args)

    if way == "locked":
        known = known._replace(version=1)  # so it has changed since it was read
    slow_end = first_attempts._END.replace("FROM told", "FROM told CROSS JOIN pg_sleep(0.3)")
    monkeypatch.setattr(first_attempts, "_END", slow_end)
    monkeypatch.setattr("nicobar.flows.payments.end_first_attempt.end_first_attempts", end_slowly)
    monkeypatch.setattr("nicobar.flows.payments.confirm_payment.record_payment_outcome", record_slowly)
    paying = asyncio.create_task(pay(runtime, known))
    await recording.wait()
    emptied = await reset_test_mode(runtime, tenant)
    assert isinstance((await paying).outcome, Succeeded)
    assert emptied > len(TABLES)
    async with runtime.database.read() as read:
        for table in TABLES:
            assert await read.fetchval(f"SELECT count(*) FROM {table}") == 0, table
