"""The clock of test mode over HTTP: for test keys that may write, and for nobody else."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.types import ASGIApp

from api.subscriptions.subscribing import Club, open_club
from api.test_mode.held_walk import HeldWalk
from harness import START, FakeClock, Merchant, client_for
from nicobar.core.business.business_clock import BusinessClock
from nicobar.core.sessions.checkout_session import KEPT_UNPAID
from nicobar.core.test_mode.clock_goal import LIVE_HAS_NO_CLOCK
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode.reset_test_mode import reset_test_mode
from nicobar.flows.upkeep.sweep import sweep
from nicobar.storage.database import Tx
from nicobar.storage.test_clocks import reset_clock
from nicobar.storage.test_mode.emptying import EMPTIED, KEPT
from orders import dump
from saved_cards import CONSENT, open_shop

pytestmark = pytest.mark.usefixtures("settled")


async def test_a_month_is_answered_with_what_happened(club: Club) -> None:
    own = await club.subscribe()
    before = await club.call("GET", "/test/clock")
    assert before == {
        "now": "2026-03-14T15:09:26.535897Z",
        "ahead_seconds": 0,
        "moving_to": None,
        "is_resumed": False,
        "happened": [],
        "happened_count": 0,
    }
    moved = await club.call("POST", "/test/clock", {"advance": "31d"})
    renewal = (await club.payments(own["subscription_id"]))[1]["payment_id"]
    at = "2026-04-14T15:09:26.535897Z"
    subscription = own["subscription_id"]
    assert moved == {
        "now": at,
        "ahead_seconds": 31 * 86400,
        "moving_to": None,
        "is_resumed": False,
        "happened": [
            {"at": at, "type": "payment.succeeded", "object_id": renewal},
            {"at": at, "type": "subscription.renewed", "object_id": subscription},
            {"at": at, "type": "subscription.updated", "object_id": subscription},
        ],
        "happened_count": 3,
    }
    assert await club.call("GET", "/test/clock") == moved
    club.clock.advance(seconds=5)
    assert (await club.read(subscription))["status"] == "active"
    await club.call("PATCH", f"/subscriptions/{subscription}", {"cancel_at_next_billing_date": True})
    told = await club.call("GET", "/test/clock")
    assert told == moved | {"now": "2026-04-14T15:09:31.535897Z"}  # what is done by hand afterwards is no part of it
    later = await club.call("POST", "/test/clock", {"to": "2026-04-15T00:00:00Z"})
    assert (later["now"], later["happened_count"]) == ("2026-04-15T00:00:00Z", 0)
    made = await club.call("POST", "/customers", {"email": "new@example.com", "name": "New"})
    assert made["created_at"].startswith("2026-04-15T00:00:00")


@pytest.mark.parametrize(
    ("to", "now"),
    [
        ("2026-04-15", "2026-04-15T00:00:00Z"),
        ("2026-04-15T12:30", "2026-04-15T12:30:00Z"),
        ("2026-04-15T12:30:00+02:00", "2026-04-15T10:30:00Z"),
    ],
)
async def test_a_day_is_its_beginning_as_on_the_command_line(club: Club, to: str, now: str) -> None:
    moved = await club.call("POST", "/test/clock", {"to": to})
    assert (moved["now"], moved["moving_to"]) == (now, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"advance": "-1d"},
        {"advance": "0d"},
        {"advance": "1y"},
        {"advance": "1.5d"},
        {"advance": "999999999w"},
        {"advance": "4000d"},
        {"to": "2020-01-01T00:00:00Z"},
        {"to": "2020-01-01"},
        {"to": "2026-02-30"},
        {"to": "tomorrow"},
        {"to": ""},
        {"to": "0001-01-01T00:00:00+01:00"},
        {"to": "9999-12-31T23:59:59-01:00"},
        {"to": "2100-01-01T00:00:00Z"},
        {"advance": "1d", "to": "2027-01-01T00:00:00Z"},
    ],
)
async def test_a_bad_goal_moves_nothing(club: Club, body: dict[str, Any]) -> None:
    before = await dump(club.runtime)
    refused = await club.call("POST", "/test/clock", body, 422)
    assert refused["code"] == "INVALID_REQUEST_PARAMETERS"
    assert ("advance" in refused["message"]) == (body.keys() != {"to"}), refused["message"]
    assert await dump(club.runtime) == before


async def test_live_keys_and_readers_get_nowhere(club: Club) -> None:
    live, reader, body = club.merchant.live_client, club.merchant.read_only_client, {"advance": "1d"}
    before = await dump(club.runtime)
    answers = [await live.get("/test/clock"), await live.post("/test/clock", json=body)]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(422, "UNSUPPORTED_ACTION")] * 2
    assert {one.json()["message"] for one in answers} == {LIVE_HAS_NO_CLOCK}
    assert (await reader.post("/test/clock", json=body)).status_code == 403
    assert (await reader.get("/test/clock")).status_code == 200
    assert await dump(club.runtime) == before


async def test_a_second_mover_is_told_to_wait(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = HeldWalk(monkeypatch)
    first = asyncio.create_task(club.call("POST", "/test/clock", {"advance": "2d"}))
    await walk.begun.wait()
    refused = await club.call("POST", "/test/clock", {"advance": "1d"}, 409)
    assert refused["code"] == "TEST_CLOCK_MOVING"
    walk.goes_on.set()
    assert (await first)["ahead_seconds"] == 2 * 86400


async def test_a_repeated_request_with_its_key_moves_once(club: Club) -> None:
    headers, client = {"idempotency-key": "one-day"}, club.merchant.client
    for _ in range(2):
        answer = await client.post("/test/clock", json={"advance": "1d"}, headers=headers)
        assert (answer.status_code, answer.json()["ahead_seconds"]) == (200, 86400)
    assert club.runtime.now(club.merchant.tenant) == START + timedelta(days=1)


async def test_resetting_empties_one_test_mode_and_nothing_else(
    club: Club, other_merchant: Merchant, app: ASGIApp, clock: FakeClock, runtime: Runtime
) -> None:
    other = open_club(other_merchant, app, runtime, clock)
    ours = await club.subscribe()
    theirs = await other.subscribe()
    customers = await open_shop(club.merchant, app, "ben@example.com")
    await customers.sell(**CONSENT)
    line = {"product_cart": [{"product_id": ours["product_id"], "quantity": 1}]}
    await club.call("POST", "/checkouts", line)
    await club.call("POST", f"/products/{ours['product_id']}/short_links", {"slug": "club"})
    await club.call("POST", "/addons", {"name": "Seat", "price": 500, "currency": "USD", "tax_category": "saas"})
    await club.call("POST", f"/customers/{ours['customer']['customer_id']}/customer-portal/session")
    await club.call("POST", "/test/clock", {"advance": "40d"})
    tenant = club.merchant.tenant
    live = await club.merchant.live_client.post("/customers", json={"email": "live@example.com", "name": "Live"})
    assert await reset_test_mode(runtime, tenant) > 20
    assert runtime.now(tenant) == runtime.real_now() == START
    for path in ("payments", "customers", "products", "subscriptions", "refunds", "disputes"):
        assert (await club.call("GET", f"/{path}"))["items"] == [], path
    assert (await club.merchant.live_client.get(f"/customers/{live.json()['customer_id']}")).status_code == 200
    assert (await other.read(theirs["subscription_id"]))["status"] == "active"
    async with runtime.database.read() as read:
        kept = await read.fetch("SELECT DISTINCT mode FROM ledger_entries WHERE business_id = $1", tenant.business_id)
        assert kept == []
        simulated = "SELECT DISTINCT business_id FROM simulator.charges"
        assert [row["business_id"] for row in await read.fetch(simulated)] == [other_merchant.business_id]
    again = await club.subscribe()
    assert again["created_at"].startswith("2026-03-14")
    await club.books_agree()
    await other.books_agree()


async def test_what_was_under_way_while_it_was_reset_is_gone(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reset_after_another_commit(tx: Tx, business_id: str, real: datetime) -> BusinessClock | None:
        await club.product()  # the table was emptied already
        return await reset_clock(tx, business_id, real)

    await club.call("POST", "/test/clock", {"advance": "40d"})
    with monkeypatch.context() as patch:
        patch.setattr("nicobar.flows.test_mode.reset_test_mode.reset_clock", reset_after_another_commit)
        assert await reset_test_mode(club.runtime, club.merchant.tenant) == 1
    assert await club.counted("products") == 0


async def test_every_table_with_a_mode_is_emptied_or_kept_on_purpose(club: Club) -> None:
    """A new table has to be put on one of the two lists; PostgreSQL knows which there are, and what names what."""
    async with club.runtime.database.read() as read:
        found = await read.fetch(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'mode' AND table_schema = 'public'"
            " AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')"
        )
        links = await read.fetch(
            "SELECT conrelid::regclass::text AS by, confrelid::regclass::text AS named FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid <> confrelid"
        )
    assert set(EMPTIED) & set(KEPT) == set()
    assert {row["table_name"] for row in found} == {*EMPTIED, *KEPT}
    assert len(EMPTIED) == len(set(EMPTIED))
    assert [row["by"] for row in links if row["by"] in KEPT and row["named"] in EMPTIED] == ["brands"]


async def test_a_link_to_the_portal_ends_by_the_time_of_test_mode(club: Club, app: ASGIApp) -> None:
    own = await club.subscribe()
    path = f"/customers/{own['customer']['customer_id']}/customer-portal/session"
    link = urlsplit((await club.call("POST", path))["link"]).path
    browser = client_for(app)
    opened = await browser.get(link)
    assert opened.status_code == 303
    place = opened.headers["location"]
    assert (await browser.get(place)).status_code == 200
    await club.call("POST", "/test/clock", {"advance": "23h"})
    assert (await browser.get(place)).status_code == 200
    await club.call("POST", "/test/clock", {"advance": "1h"})
    assert (await browser.get(place)).status_code == 404
    await sweep(club.runtime)
    assert await club.counted("portal_sessions") == 0


async def test_sessions_are_forgotten_by_the_time_of_their_test_mode(
    club: Club, other_merchant: Merchant, app: ASGIApp, clock: FakeClock, runtime: Runtime
) -> None:
    other = open_club(other_merchant, app, runtime, clock)
    made = []
    for each in (club, other):
        cart = [{"product_id": await each.product(), "quantity": 1}]
        made.append((await each.call("POST", "/checkouts", {"product_cart": cart}))["session_id"])
    kept = timedelta(hours=24) + KEPT_UNPAID
    await club.call("POST", "/test/clock", {"advance": f"{kept.total_seconds():.0f}s"})
    await sweep(runtime)
    assert (await club.call("GET", f"/checkouts/{made[0]}"))["id"] == made[0]
    await club.call("POST", "/test/clock", {"advance": "1s"})
    await sweep(runtime)
    await club.call("GET", f"/checkouts/{made[0]}", status=404)
    assert (await other.call("GET", f"/checkouts/{made[1]}"))["id"] == made[1]


async def test_entries_of_the_books_are_kept_otherwise(club: Club) -> None:
    await club.subscribe()
    with pytest.raises(Exception, match="are kept as they are"):
        async with club.runtime.database.transaction() as tx:
            await tx.execute("DELETE FROM ledger_entries")
    with pytest.raises(Exception, match="are kept as they are"):
        async with club.runtime.database.transaction() as tx:
            await tx.fetchval("SELECT set_config('nicobar.emptied_test_mode', $1, true)", club.merchant.business_id)
            await tx.execute("UPDATE ledger_entries SET gross = 0")
    assert await club.counted("ledger_entries") == 1
