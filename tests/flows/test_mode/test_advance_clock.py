"""The clock of a test mode is moved: what was due happens, in order, once, and nobody else's time moves."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.types import ASGIApp

from api.subscriptions.subscribing import RENEWALS_FAIL, Club, open_club
from api.test_mode.held_walk import HeldWalk
from harness import START, FakeClock, Merchant, client_for, make_merchant
from nicobar.app import create_app
from nicobar.core.problems import Problem
from nicobar.core.test_mode.clock_goal import ClockGoal
from nicobar.core.test_mode.happening import ClockMove
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.business_time.recall_clocks import recall_clocks
from nicobar.flows.test_mode import advance_clock as module
from nicobar.flows.test_mode.advance_clock import advance_clock
from nicobar.flows.test_mode.reset_test_mode import reset_test_mode
from nicobar.program.configuration import Configuration
from nicobar.program.test_clock_check import check_test_clock
from nicobar.storage.database import Database
from nicobar.storage.test_mode.due_moments import clock_held
from orders import with_processors
from receiver import answer, endpoint_at, receiving

pytestmark = pytest.mark.usefixtures("settled")


async def advance(club: Club, **duration: float) -> ClockMove:
    return await advance_clock(club.runtime, club.merchant.tenant, ClockGoal(by=timedelta(**duration)))


def told(move: ClockMove, *types: str) -> list[tuple[str, str]]:
    """Return what happened, as dates and types; of some types only."""
    return [(f"{one.at:%Y-%m-%d}", one.type) for one in move.happened if not types or one.type in types]


async def test_a_year_of_a_monthly_subscription_with_month_ends(club: Club, clock: FakeClock) -> None:
    clock.moment = datetime(2027, 1, 31, 12, tzinfo=UTC)
    own = await club.subscribe()
    move = await advance(club, days=365)
    days = ["02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30", "12-31"]
    dates = [f"2027-{day}" for day in days] + ["2028-01-31"]
    assert told(move, "subscription.renewed") == [(date, "subscription.renewed") for date in dates]
    assert [one.at for one in move.happened] == sorted(one.at for one in move.happened)
    payments = await club.payments(own["subscription_id"])
    starts = [period["starts_at"][:10] for each in payments for period in each["service_periods"]]
    assert starts == ["2027-01-31", *dates]
    assert [each["status"] for each in payments] == ["succeeded"] * 13
    assert [each["created_at"][:10] for each in payments] == ["2027-01-31", *dates]
    assert move.now == club.runtime.now(club.merchant.tenant) == datetime(2028, 1, 31, 12, tzinfo=UTC)
    assert (move.count, move.is_resumed) == (len(move.happened), False)
    await club.books_agree()


async def test_the_list_is_exact_and_in_order(club: Club) -> None:
    own = await club.subscribe()
    made = await club.call(
        "POST",
        "/payments",
        {
            "billing": {"country": "US"},
            "customer": {"email": "bo@example.com", "name": "Bo"},
            "product_cart": [{"product_id": await _one_time(club), "quantity": 1}],
            "payment_link": True,
        },
    )
    move = await advance(club, days=32)
    renewal = (await club.payments(own["subscription_id"]))[1]["payment_id"]
    link_ends = START + timedelta(days=1)
    first = move.happened[0]
    assert (first.at, first.type, first.object_id) == (link_ends, "payment.cancelled", made["payment_id"])
    assert [(one.type, one.object_id) for one in move.happened[1:]] == [
        ("payment.succeeded", renewal),
        ("subscription.renewed", own["subscription_id"]),
        ("subscription.updated", own["subscription_id"]),
    ]
    assert {one.at for one in move.happened[1:]} == {datetime(2026, 4, 14, 15, 9, 26, 535897, tzinfo=UTC)}


async def _one_time(club: Club) -> str:
    price = {"type": "one_time_price", "currency": "USD", "price": 900}
    made: str = (await club.call("POST", "/products", {"name": "Album", "tax_category": "saas", "price": price}))[
        "product_id"
    ]
    return made


async def test_a_failing_card_goes_through_its_retries_to_on_hold(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "renewal_retry_days", "13")
    club.clock.advance(seconds=10)
    own = await club.subscribe(number=RENEWALS_FAIL)
    move = await advance(club, days=60)
    assert told(move, "subscription.on_hold") == [("2026-04-14", "subscription.on_hold")]
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    failed = told(move, "payment.failed")
    assert failed[0] == ("2026-04-14", "payment.failed")
    assert len(await club.payments(own["subscription_id"])) == 1 + len(failed)
    await club.books_agree()


async def test_many_steps_are_one_leap(club: Club) -> None:
    own = await club.subscribe()
    for _ in range(10):
        await advance(club, days=10)
    periods = [each["service_periods"][0]["starts_at"][:10] for each in await club.payments(own["subscription_id"])]
    assert periods == ["2026-03-14", "2026-04-14", "2026-05-14", "2026-06-14"]


async def test_nobody_elses_time_moves(club: Club, other_merchant: Merchant, clock: FakeClock, app: ASGIApp) -> None:
    other = open_club(other_merchant, app, club.runtime, clock)
    mine, others = await club.subscribe(), await other.subscribe()
    before = await other.read(others["subscription_id"])
    await advance(club, days=100)
    runtime = club.runtime
    assert runtime.now(other_merchant.tenant) == runtime.now(club.merchant.live_tenant) == runtime.real_now() == START
    assert runtime.now(club.merchant.tenant) == START + timedelta(days=100)
    assert await other.read(others["subscription_id"]) == before
    assert len(await club.payments(mine["subscription_id"])) == 4
    await other.work(
        days=31
    )  # the worker does what is due in real time, and in the time of the first, where it is day 131
    assert len(await other.payments(others["subscription_id"])) == 2
    assert len(await club.payments(mine["subscription_id"])) == 5
    await club.books_agree()


async def test_it_only_moves_forward(club: Club) -> None:
    tenant = club.merchant.tenant
    await advance(club, days=10)
    for goal in (
        ClockGoal(to=START + timedelta(days=10)),
        ClockGoal(to=START),
        ClockGoal(by=timedelta(days=-1)),
    ):
        with pytest.raises(Problem, match="only moves forward"):
            await advance_clock(club.runtime, tenant, goal)
    with pytest.raises(Problem, match="Say how far"):
        await advance_clock(club.runtime, tenant, ClockGoal())
    for far in (ClockGoal(by=timedelta(days=3654)), ClockGoal(to=START + timedelta(days=3654))):
        with pytest.raises(Problem, match="ten years"):
            await advance_clock(club.runtime, tenant, far)
    with pytest.raises(Problem, match="Live mode goes by real time"):
        await advance_clock(club.runtime, club.merchant.live_tenant, ClockGoal(by=timedelta(days=1)))
    assert club.runtime.now(tenant) == START + timedelta(days=10)
    assert await club.counted("test_clocks") == 1


async def test_webhooks_are_retried_on_the_way(club: Club) -> None:
    runtime, tenant = club.runtime, club.merchant.tenant
    async with receiving(answer(500)) as receiver:
        await endpoint_at(runtime, tenant, receiver.url)
        await club.subscribe()
        events = len(await club.told())
        move = await advance(club, days=3)
    tries = [one for one in move.happened if one.type == "webhook.failed"]
    assert len(tries) == events * 8
    first = [one.at - START for one in tries if one.object_id == tries[0].object_id]
    assert first[:2] == [timedelta(0), timedelta(seconds=5)]
    assert timedelta(seconds=5 + 270) <= first[2] <= timedelta(seconds=5 + 330)
    assert timedelta(hours=24) < first[-1] < timedelta(hours=31)
    async with runtime.database.read() as read:
        states = await read.fetch("SELECT DISTINCT state FROM webhook_deliveries")
    assert [tuple(row) for row in states] == [("failed",)]


async def test_an_endpoint_that_was_given_up_is_enabled_by_emptying(club: Club) -> None:
    runtime, tenant = club.runtime, club.merchant.tenant
    async with receiving(answer(500)) as receiver:
        await endpoint_at(runtime, tenant, receiver.url)
        off = await endpoint_at(runtime, tenant, f"{receiver.url}/off")
        await club.call("PATCH", f"/webhooks/{off.endpoint_id}", {"disabled": True})
        await club.subscribe()
        move = await advance(club, days=40)
    (given_up,) = [one.object_id for one in move.happened if one.type == "webhook.disabled"]
    state = "SELECT endpoint_id, disabled, given_up_at, failing_since FROM webhook_endpoints ORDER BY disabled"
    async with runtime.database.read() as read:
        before = {row["endpoint_id"]: row["given_up_at"] for row in await read.fetch(state)}
    assert before == {given_up: datetime(2026, 4, 14, 15, 9, 26, 535897, tzinfo=UTC), off.endpoint_id: None}
    await reset_test_mode(runtime, tenant)
    async with runtime.database.read() as read:
        after = [tuple(row) for row in await read.fetch(state)]
    assert after == [(given_up, False, None, None), (off.endpoint_id, True, None, None)]


async def test_signatures_keep_real_time_and_receivers_see_the_moment(club: Club) -> None:
    runtime, tenant = club.runtime, club.merchant.tenant
    async with receiving() as receiver:
        await endpoint_at(runtime, tenant, receiver.url)
        await club.subscribe()
        await advance(club, days=40)
        told = await club.told()
        got = await receiver.until(len(told))
    assert [json.loads(each.body)["type"] for each in got] == told
    moments = [json.loads(each.body)["timestamp"] for each in got]
    assert moments == sorted(moments) and moments[-1].startswith("2026-04-14T15:09:26")
    assert {each.headers["webhook-timestamp"] for each in got} == {str(int(START.timestamp()))}


async def test_one_advance_at_a_time(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = HeldWalk(monkeypatch)
    first = asyncio.create_task(advance(club, days=5))
    await walk.begun.wait()
    with pytest.raises(Problem, match="is being moved"):
        await advance(club, days=5)
    walk.goes_on.set()
    assert (await first).now == START + timedelta(days=5)
    assert (await advance(club, days=1)).now == START + timedelta(days=6)


async def test_many_who_move_their_clocks_leave_connections_to_others(
    club: Club, other_merchant: Merchant, app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each keeps one connection and takes others: eight on four connections would have waited for one another."""
    merchants = [await make_merchant(club.runtime, app, f"Business {number}") for number in range(8)]
    four = with_processors(club.runtime._replace(database=Database(club.runtime.database.dsn, size=4)))
    walk = HeldWalk(monkeypatch)
    goal = ClockGoal(by=timedelta(days=5))
    try:
        moves = [asyncio.create_task(advance_clock(four, each.tenant, goal)) for each in merchants]
        emptied = asyncio.create_task(reset_test_mode(four, other_merchant.tenant))
        await asyncio.wait_for(walk.begun.wait(), 5)
        await asyncio.sleep(0.05)
        assert four.database.connections[0] == 2  # of the one that is moved: to be the only mover, and for its step
        client = client_for(create_app(four), club.merchant.key)
        assert (await client.get("/products")).status_code == 200
        walk.goes_on.set()
        assert [(await move).now for move in moves] == [START + timedelta(days=5)] * 8
        assert await emptied == 0
    finally:
        await four.database.close()


async def test_patience_ends_and_the_same_call_goes_on(club: Club) -> None:
    own = await club.subscribe()
    tenant = club.merchant.tenant
    broken = await advance_clock(club.runtime, tenant, ClockGoal(by=timedelta(days=70)), patience=timedelta(0))
    assert (broken.clock.moving_to, broken.now) == (START + timedelta(days=70), START)
    assert len(await club.payments(own["subscription_id"])) == 1
    club.clock.advance(days=3)  # while it stands, real time does not move it
    assert club.runtime.now(tenant) == START
    done = await advance_clock(club.runtime, tenant, ClockGoal(by=timedelta(days=70)))
    assert (done.is_resumed, done.clock.moving_to, done.now) == (True, None, START + timedelta(days=70))
    assert len(await club.payments(own["subscription_id"])) == 3
    assert len(told(done, "subscription.renewed")) == 2


async def test_doctor_says_how_the_clock_stands(club: Club) -> None:
    tenant = club.merchant.tenant

    async def told() -> tuple[bool | None, str, str]:
        async with club.runtime.database.read() as read:
            found = await check_test_clock(Configuration(), read, club.clock.now())
        return found.good, found.sentence, found.advice

    assert await told() == (True, "Test mode goes by real time.", "")
    await advance_clock(club.runtime, tenant, ClockGoal(by=timedelta(days=2)), patience=timedelta(0))
    good, sentence, advice = await told()
    assert (good, sentence) == (
        None,
        "The clock of test mode stands at 2026-03-14 15:09:26 UTC: its move to 2026-03-16 15:09:26 UTC was broken off.",
    )
    assert advice.endswith("clock advance 1d")
    async with club.runtime.database.read() as holder, clock_held(holder, tenant.business_id):
        moved = "The clock of test mode is being moved to 2026-03-16 15:09:26 UTC."
        assert await told() == (True, moved, "")
    await advance(club, days=1)
    ahead = "Test mode is 2 days ahead. Overdue work is looked for by real time."
    assert await told() == (True, ahead, "")


@pytest.mark.parametrize(("days", "ahead"), [(1, "1 day"), (1.5, "1.5 days")])
async def test_doctor_says_how_far_it_is_ahead(club: Club, days: float, ahead: str) -> None:
    await advance(club, days=days)
    async with club.runtime.database.read() as read:
        found = await check_test_clock(Configuration(), read, club.clock.now())
    assert found.sentence == f"Test mode is {ahead} ahead. Overdue work is looked for by real time."


async def test_two_processes_have_one_time(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process learns of a move before it begins, and never dates anything before what it has seen."""
    monkeypatch.setattr(module, "SETTLING_SECONDS", 0.05)
    await club.subscribe()
    tenant = club.merchant.tenant
    other = with_processors(club.runtime._replace(database=Database(club.runtime.database.dsn, size=2)))
    try:
        await recall_clocks(other, tenant.business_id)
        assert other.now(tenant) == START
        moving = asyncio.create_task(advance(club, days=400))
        seen = [START]
        while not moving.done():
            club.clock._elapsed += timedelta(seconds=1)  # what it remembers is old
            await recall_clocks(other, tenant.business_id)
            seen.append(other.now(tenant))
            await asyncio.sleep(0.002)
        await moving
        await recall_clocks(other, tenant.business_id)
        assert other.now(tenant) == club.runtime.now(tenant) == START + timedelta(days=400)
        assert seen == sorted(seen) and len(set(seen)) > 5
        client: httpx.AsyncClient = client_for(create_app(other), club.merchant.key)
        made = await client.post("/customers", json={"email": "new@example.com", "name": "New"})
        assert made.json()["created_at"].startswith(f"{START + timedelta(days=400):%Y-%m-%dT%H:%M:%S}")
    finally:
        await other.database.close()
