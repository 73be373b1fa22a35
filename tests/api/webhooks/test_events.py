"""Events over HTTP: the list, the body, what became of each delivery, and sending again."""

import json
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from due_work import run_due
from harness import START, FakeClock, Merchant
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks import replay_events as module
from nicobar.flows.webhooks.purge_deliveries import purge_deliveries
from orders import dump, paid, with_processors
from receiver import answer, endpoint_at, receiving


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    return with_processors(runtime)


async def get(merchant: Merchant, path: str, **query: Any) -> Any:
    answered = await merchant.client.get(path, params=query)
    assert answered.status_code == 200, answered.text
    return answered.json()


async def event_ids(merchant: Merchant, **query: Any) -> list[str]:
    return [event["event_id"] for event in (await get(merchant, "/events", **query))["data"]]


async def replay(merchant: Merchant, what: str, **body: Any) -> Any:
    answered = await merchant.client.post("/events/replay", json={"what": what, "since": "2026-01-01T00:00:00Z"} | body)
    assert answered.status_code == 200, answered.text
    return answered.json()["scheduled"]


async def test_events_of_one_moment_keep_their_order(runtime: Runtime, merchant: Merchant) -> None:
    """The clock stands still, so the ids are in random order: the numbers are not."""
    payments = [(await paid(runtime, merchant.tenant)).payment_id for _ in range(12)]
    listed = await get(merchant, "/events")
    assert [event["object_id"] for event in listed["data"]] == payments[::-1]
    ids = [event["event_id"] for event in listed["data"]]
    assert ids != sorted(ids, reverse=True)
    assert listed["data"][0] == {
        "event_id": ids[0],
        "business_id": merchant.business_id,
        "type": "payment.succeeded",
        "object_id": payments[-1],
        "created_at": "2026-03-14T15:09:26.535897Z",
    }
    first = await get(merchant, "/events", limit=5)
    second = await get(merchant, "/events", limit=5, iterator=first["iterator"])
    third = await get(merchant, "/events", limit=5, iterator=second["iterator"])
    assert [event["event_id"] for page in (first, second, third) for event in page["data"]] == ids
    assert (first["done"], second["done"], third["done"]) == (False, False, True)
    back = await get(merchant, "/events", limit=5, iterator=third["prev_iterator"])
    assert back["data"] == second["data"]
    assert await event_ids(merchant, iterator="evt_0") == []


async def test_events_are_narrowed(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, clock: FakeClock
) -> None:
    one = (await paid(runtime, merchant.tenant)).payment_id
    clock.advance(days=1)
    two = (await paid(runtime, merchant.tenant, number="4000000000009995")).payment_id
    await paid(runtime, other_merchant.tenant)

    async def objects(**query: Any) -> list[str]:
        return [event["object_id"] for event in (await get(merchant, "/events", **query))["data"]]

    assert await objects() == [two, one]
    assert await objects(type="payment.failed") == [two]
    assert await objects(type="payout.success") == []
    assert await objects(object_id=one) == [one]
    assert await objects(created_at_gte="2026-03-15") == [two]
    assert await objects(created_at_lte="2026-03-14") == [one]
    assert await objects(created_at_lte="2026-03-15") == [two, one]  # the whole day
    refused = await merchant.client.get("/events", params={"type": "payment.paid"})
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_QUERY_PARAMS")


async def test_an_event_shows_its_body_and_another_business_sees_nothing(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    payment_id = (await paid(runtime, merchant.tenant)).payment_id
    (event_id,) = await event_ids(merchant)
    event = await get(merchant, f"/events/{event_id}")
    assert event["payload"]["data"]["payment_id"] == payment_id
    assert list(event["payload"]) == ["business_id", "type", "timestamp", "data"]
    before = await dump(runtime)
    for client in (other_merchant.client, merchant.live_client):
        for method, path in (("GET", ""), ("GET", "/deliveries"), ("POST", "/redeliver")):
            answered = await client.request(method, f"/events/{event_id}{path}", json={} if method == "POST" else None)
            assert (answered.status_code, answered.json()["code"]) == (404, "NOT_FOUND")
        assert (await client.get("/events")).json()["data"] == []
    assert await dump(runtime) == before


async def test_the_log_tells_each_try(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    async with receiving(answer(500, b"x" * 3000), answer(200, b"fine")) as receiver:
        endpoint = await endpoint_at(runtime, merchant.tenant, receiver.url)
        await paid(runtime, merchant.tenant)
        await run_due(runtime)
        clock.advance(seconds=5)
        await run_due(runtime)
        (event_id,) = await event_ids(merchant)
        (delivery,) = (await get(merchant, f"/events/{event_id}/deliveries"))["data"]
        first, second = delivery.pop("attempts")
    assert delivery == {
        "message_id": receiver.got[0].message_id,
        "event_id": event_id,
        "endpoint_id": endpoint.endpoint_id,
        "url": receiver.url,
        "state": "delivered",
        "next_attempt_at": None,
        "created_at": "2026-03-14T15:09:26.535897Z",
        "updated_at": "2026-03-14T15:09:31.535897Z",
    }
    assert first == {
        "number": 1,
        "attempted_at": "2026-03-14T15:09:26.535897Z",
        "duration_ms": 0,
        "response_status": 500,
        "response_body": "x" * 1024,
        "reason": "It answered 500 instead of 2xx.",
        "next_attempt_at": "2026-03-14T15:09:31.535897Z",
    }
    assert second == first | {
        "number": 2,
        "attempted_at": "2026-03-14T15:09:31.535897Z",
        "response_status": 200,
        "response_body": "fine",
        "reason": None,
        "next_attempt_at": None,
    }


async def test_one_event_is_sent_again(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    async with receiving() as receiver:
        endpoint = await endpoint_at(runtime, merchant.tenant, receiver.url)
        await endpoint_at(runtime, merchant.tenant, receiver.url, disabled=True)
        await paid(runtime, merchant.tenant)
        (event_id,) = await event_ids(merchant)
        path = f"/events/{event_id}/redeliver"
        again = await merchant.client.post(path, json={})
        assert again.json() == {"scheduled": 0}  # it is on its way
        await run_due(runtime)
        for body in ({}, {"endpoint_id": endpoint.endpoint_id}):
            assert (await merchant.client.post(path, json=body)).json() == {"scheduled": 1}
            assert await run_due(runtime) == 1
        assert len(receiver.got) == 3
        assert len({got.message_id for got in receiver.got}) == 1
        (delivery,) = (await get(merchant, f"/events/{event_id}/deliveries"))["data"]
        assert [attempt["number"] for attempt in delivery["attempts"]] == [1, 2, 3]
        refused = await merchant.client.post(path, json={"endpoint_id": "ep_0"})
        assert refused.status_code == 404
        disabled = (await get(merchant, "/webhooks"))["data"]
        (other,) = [found["id"] for found in disabled if found["disabled"]]
        refused = await merchant.client.post(path, json={"endpoint_id": other})
        assert refused.json() == {
            "code": "UNSUPPORTED_ACTION",
            "message": "The webhook endpoint is disabled. Enable it first.",
        }
        assert await run_due(runtime) == 0


async def test_what_was_before_the_endpoint_is_sent_only_by_replay(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, clock: FakeClock
) -> None:
    payments = [(await paid(runtime, merchant.tenant)).payment_id for _ in range(3)]
    await paid(runtime, other_merchant.tenant)
    declined = (await paid(runtime, merchant.tenant, number="4000000000009995")).payment_id
    clock.advance(hours=1)
    async with receiving() as receiver:
        endpoint = await endpoint_at(runtime, merchant.tenant, receiver.url)
        assert await run_due(runtime) == 0
        assert await replay(merchant, "failed") == 0
        assert await replay(merchant, "missing", until="2026-03-14T15:00:00Z") == 0
        assert await replay(merchant, "missing", types=["payment.failed"]) == 1
        assert await run_due(runtime) == 1
        assert await replay(merchant, "missing", endpoint_id=endpoint.endpoint_id) == 3
        assert await replay(merchant, "missing") == 0
        assert await run_due(runtime) == 3
        assert await replay(merchant, "all") == 4
        assert await run_due(runtime) == 4
    told = [json.loads(got.body)["data"]["payment_id"] for got in receiver.got]
    assert sorted(told) == sorted([declined, *payments] * 2)
    assert len({got.message_id for got in receiver.got}) == 4


async def test_what_failed_is_recovered_from_the_first_step(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    async with receiving(answer(500)) as receiver:
        await endpoint_at(runtime, merchant.tenant, receiver.url)
        await paid(runtime, merchant.tenant)
        for _ in range(8):
            assert await run_due(runtime) == 1
            clock.advance(hours=12)
        assert await run_due(runtime) == 0
        assert await replay(merchant, "failed") == 1
        await run_due(runtime)
        (event_id,) = await event_ids(merchant)
        (delivery,) = (await get(merchant, f"/events/{event_id}/deliveries"))["data"]
        assert (delivery["state"], len(delivery["attempts"])) == ("waiting", 9)
        clock.advance(seconds=5)
        receiver.answers = [answer()]
        assert await run_due(runtime) == 1
        assert await replay(merchant, "failed") == 0


async def test_a_replay_of_too_much_schedules_nothing(
    runtime: Runtime, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAXIMUM_REPLAYED", 2)
    for _ in range(3):
        await paid(runtime, merchant.tenant)
    await endpoint_at(runtime, merchant.tenant, "http://127.0.0.1:1/")
    before = await dump(runtime)
    refused = await merchant.client.post("/events/replay", json={"what": "missing", "since": "2026-01-01T00:00:00Z"})
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_REQUEST_PARAMETERS")
    assert refused.json()["message"].startswith("until: These are more than 2 deliveries.")
    assert await dump(runtime) == before


async def test_the_log_is_kept_for_the_days_of_the_setting(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, clock: FakeClock
) -> None:
    await change_setting(runtime, merchant.tenant, "webhook_log_days", "3")
    async with receiving() as receiver:
        for each in (merchant, other_merchant):
            await endpoint_at(runtime, each.tenant, receiver.url)
            await paid(runtime, each.tenant)
        await run_due(runtime)
    await endpoint_at(runtime, merchant.tenant, receiver.url, ["refund.failed"])
    ids = {each.business_id: (await event_ids(each))[0] for each in (merchant, other_merchant)}

    async def kept() -> list[int]:
        pages = [await get(each, f"/events/{ids[each.business_id]}/deliveries") for each in (merchant, other_merchant)]
        return [len(page["data"]) for page in pages]

    clock.moment = START + timedelta(days=3)
    await purge_deliveries(runtime)
    assert await kept() == [1, 1]
    clock.moment = START + timedelta(days=3, microseconds=1)
    await purge_deliveries(runtime)
    assert await kept() == [0, 1]
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM webhook_attempts") == 1
    assert await replay(merchant, "missing") == 0  # nobody knows any more whether it was sent
    assert len(await event_ids(merchant)) == 1
