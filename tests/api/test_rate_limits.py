"""How many requests a key may make: by class, over several processes, and what it costs."""

import asyncio
from collections import Counter

import pytest

from harness import FakeClock, Merchant, client_for
from nicobar.api import rate_limits
from nicobar.api.rate_limits import RateLimits
from nicobar.app import create_app
from nicobar.clock import SystemClock
from nicobar.core.business.request_rate import DEFAULT_RATE, RequestRate
from nicobar.core.counted import counted
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.purge_request_shares import purge_request_shares
from nicobar.storage.business.request_shares import TakenShare


async def early_in_a_minute(runtime: Runtime) -> float:
    """Wait until the database's minute is far from over, and return its end in seconds since 1970."""
    async with runtime.database.read() as read:
        moment = float(await read.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
        if moment % 60 > 45:
            await asyncio.sleep(60.1 - moment % 60)
            moment = float(await read.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    return moment - moment % 60 + 60


async def admitted(limits: RateLimits, subject: str, tries: int) -> int:
    """Return how many of so many requests, four at a time, were admitted."""
    count = 0

    async def one() -> int:
        try:
            await limits.admit(subject, [])
        except Problem as problem:
            assert (problem.code, problem.status) == ("TOO_MANY_REQUESTS", 429)
            return 0
        return 1

    for _ in range(tries // 4):
        count += sum(await asyncio.gather(*(one() for _ in range(4))))
    return count


@pytest.mark.parametrize("processes", [1, 3])
async def test_processes_share_a_limit(runtime: Runtime, processes: int) -> None:
    rate = RequestRate(100_000, 400)
    runtime = runtime._replace(clock=SystemClock())
    await early_in_a_minute(runtime)
    all_limits = [RateLimits(runtime, rate) for _ in range(processes)]
    counts = await asyncio.gather(*(admitted(limits, "key_1 read", 800) for limits in all_limits))
    twentieth, tenth = rate.per_minute // 20, rate.per_minute // 10
    assert rate.per_minute - processes * tenth <= sum(counts) <= rate.per_minute + processes * twentieth
    assert await admitted(all_limits[0], "key_1 payments", 4) == 4
    assert await admitted(all_limits[0], "key_2 read", 4) == 4


async def test_no_statement_is_spent_on_a_request(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[int] = Counter()
    lease = vars(rate_limits)["lease_requests"]

    async def counted(runtime: Runtime, subject: str, seconds: int, amount: int) -> TakenShare:
        asked[seconds] += 1
        taken: TakenShare = await lease(runtime, subject, seconds, amount)
        return taken

    monkeypatch.setattr(rate_limits, "lease_requests", counted)
    runtime = runtime._replace(clock=SystemClock())
    await early_in_a_minute(runtime)
    limits = RateLimits(runtime, RequestRate(5000, 5000))
    assert await admitted(limits, "key_1 payments", 100) == 100
    assert asked == {60: 1}  # the first request asks for the database's clock
    assert await admitted(limits, "key_1 payments", 1900) == 1900
    assert asked[60] <= 1 + 2000 // 500 + 1


async def test_a_second_has_its_own_limit(runtime: Runtime) -> None:
    runtime = runtime._replace(clock=SystemClock())
    limits = RateLimits(runtime, RequestRate(20, 5000))
    headers: rate_limits.LimitHeaders = []
    with pytest.raises(Problem) as caught:
        for _ in range(200):
            headers.clear()
            await limits.admit("key_1 read", headers)
    assert caught.value.retry_after == 1
    assert dict(headers)[b"x-ratelimit-limit"] == b"20"
    await asyncio.sleep(1.05)
    await limits.admit("key_1 read", [])


async def test_reads_do_not_starve_payments_and_answers_tell_what_is_left(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    end = await early_in_a_minute(runtime)
    app = create_app(runtime, RequestRate(1000, 20))
    async with client_for(app, merchant.key) as client, client_for(app, merchant.live_key) as live:
        first = await client.get("/products")
        told = {name: first.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")}
        assert told == {"limit": "20", "remaining": "19", "reset": f"{end:.0f}"}
        answers = [await client.get("/products") for _ in range(30)]
        assert [answer.status_code for answer in answers] == [200] * 19 + [429] * 11
        refused = answers[-1]
        seconds = refused.headers["retry-after"]
        assert 1 <= int(seconds) <= 60
        message = f"Too many requests. Try again in {counted(int(seconds), 'second')}"
        assert refused.json() == {"code": "TOO_MANY_REQUESTS", "message": message}
        assert refused.headers["content-type"] == "application/json"
        assert (refused.headers["x-ratelimit-remaining"], refused.headers["x-ratelimit-reset"]) == ("0", f"{end:.0f}")
        assert (await client.post("/payments", json={})).status_code == 422
        assert (await client.post("/customers", json={"email": "a@example.com", "name": "A"})).status_code == 200
        assert (await live.get("/products")).status_code == 200
        strange = await client.get("/products", headers={"authorization": "Bearer unknown"})
        assert (strange.status_code, "x-ratelimit-limit" in strange.headers) == (401, False)


async def test_windows_that_are_over_are_cleared_away(runtime: Runtime) -> None:
    await RateLimits(runtime, DEFAULT_RATE).admit("key_1 read", [])
    async with runtime.database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM request_shares") == 1
        await purge_request_shares(runtime)
        assert await tx.fetchval("SELECT count(*) FROM request_shares") == 1
        await tx.execute("UPDATE request_shares SET starts_at = starts_at - interval '10 minutes'")
    await purge_request_shares(runtime)
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM request_shares") == 0


@pytest.mark.parametrize("text", ["", "500", "0/10", "10/5", "500/-1", "many", "500/5000/1"])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="off or two numbers"):
        RequestRate.parse(text)
    assert RequestRate.parse("off") is None
    assert RequestRate.parse("500/5000") == DEFAULT_RATE
