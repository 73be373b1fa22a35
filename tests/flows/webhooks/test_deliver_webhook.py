"""A delivery: the frozen body, signed; the ladder in full; rotation; giving up; what the log keeps."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from dodopayments import DodoPayments
from standardwebhooks import Webhook, WebhookVerificationError

from due_work import run_due
from harness import START, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.delivery import Delivery
from nicobar.core.webhooks.endpoint import Endpoint, EndpointChange
from nicobar.core.webhooks.retries import RANDOM_BITS
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.delete_endpoint import delete_endpoint
from nicobar.flows.webhooks.rotate_secret import rotate_secret
from nicobar.flows.webhooks.update_endpoint import update_endpoint
from nicobar.storage.events.events import EventFilter, events_of, list_events
from nicobar.storage.webhooks.delivery_log import deliveries_of
from nicobar.storage.webhooks.endpoints import get_endpoint
from orders import card, order, paid, place, with_processors
from receiver import Got, answer, endpoint_at, receiving, secret_of


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    return with_processors(runtime)


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def log(runtime: Runtime, tenant: Tenant) -> list[Delivery]:
    """Return every delivery of a tenant, the oldest event first."""
    async with runtime.database.snapshot() as read:
        events = await list_events(read, tenant, EventFilter(), 100, before=None, after=None)
        return await deliveries_of(read, tenant, sorted(event.event_id for event in events))


async def reread(runtime: Runtime, endpoint: Endpoint) -> Endpoint:
    async with runtime.database.read() as read:
        found = await get_endpoint(read, endpoint.tenant, endpoint.endpoint_id)
    assert found is not None
    return found


async def test_a_paid_payment_arrives_signed_and_frozen(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    async with receiving() as receiver:
        endpoint = await endpoint_at(runtime, tenant, receiver.url, headers={"X-Shop": "7"})
        payment = await paid(runtime, tenant)
        clock.advance(seconds=2)
        assert await run_due(runtime) == 1
        assert await run_due(runtime) == 0
    (got,) = receiver.got
    async with runtime.database.read() as read:
        (event,) = await events_of(read, tenant, payment.payment_id)
    (delivery,) = await log(runtime, tenant)
    assert got.body == event.payload
    assert got.path == "/hook"
    assert got.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "user-agent": "Nicobar/0.1.0",
        "x-shop": "7",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(int((START + timedelta(seconds=2)).timestamp())),
        "webhook-signature": got.headers["webhook-signature"],
        "content-type": "application/json",
        "content-length": str(len(event.payload)),
    }
    assert delivery.message_id.startswith("msg_") and len(delivery.message_id) == 31
    (tried,) = delivery.attempts
    assert (delivery.state, delivery.due_at, delivery.endpoint_id) == ("delivered", None, endpoint.endpoint_id)
    assert (tried.number, tried.attempted_at, tried.status, tried.answer, tried.reason, tried.next_at) == (
        1,
        START + timedelta(seconds=2),
        200,
        "ok",
        None,
        None,
    )


async def test_the_official_sdk_accepts_it(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    clock.moment = datetime.now(UTC)  # the SDK looks at the real clock
    async with receiving() as receiver:
        endpoint = await endpoint_at(runtime, tenant, receiver.url)
        payment = await paid(runtime, tenant)
        await run_due(runtime)
    (got,) = receiver.got
    client = DodoPayments(bearer_token="x", webhook_key=secret_of(runtime, endpoint), _strict_response_validation=True)
    event = client.webhooks.unwrap(got.body.decode(), headers=got.headers)
    assert event.type == "payment.succeeded"
    assert event.data.payment_id == payment.payment_id
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(got.body, got.headers)


async def test_nobody_else_gets_it(runtime: Runtime, merchant: Merchant, other_merchant: Merchant) -> None:
    async with receiving() as receiver:
        for tenant in (merchant.live_tenant, other_merchant.tenant):
            await endpoint_at(runtime, tenant, receiver.url.replace("http:", "https:"))
        for types in ([], ["payment.failed", "refund.succeeded"]):
            await endpoint_at(runtime, merchant.tenant, receiver.url, types)
        await endpoint_at(runtime, merchant.tenant, receiver.url, disabled=True)
        wanted = await endpoint_at(runtime, merchant.tenant, receiver.url, ["payment.succeeded", "payout.success"])
        await paid(runtime, merchant.tenant)
        assert await run_due(runtime) == 1
    assert [delivery.endpoint_id for delivery in await log(runtime, merchant.tenant)] == [wanted.endpoint_id]
    assert len(receiver.got) == 1


async def test_each_endpoint_has_an_id_of_its_own(runtime: Runtime, tenant: Tenant) -> None:
    async with receiving() as receiver:
        for _ in range(2):
            await endpoint_at(runtime, tenant, receiver.url)
        await paid(runtime, tenant)
        assert await run_due(runtime) == 2
    first, second = receiver.got
    assert first.message_id != second.message_id
    assert first.body == second.body


async def test_the_ladder_in_full(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    clock.random_bits = lambda count: 1 << (RANDOM_BITS - 1)  # type: ignore[method-assign]
    async with receiving(answer(500, b"broken")) as receiver:
        await endpoint_at(runtime, tenant, receiver.url)
        clock_of_ids = FakeClock("ids")
        clock.random_bits = clock_of_ids.random_bits  # type: ignore[method-assign]
        await paid(runtime, tenant)
        clock.random_bits = lambda count: 1 << (RANDOM_BITS - 1)  # type: ignore[method-assign]
        began = clock.now()
        moments: list[timedelta] = []
        while True:
            assert await run_due(runtime) == 1
            moments.append(clock.now() - began)
            (delivery,) = await log(runtime, tenant)
            if delivery.due_at is None:
                break
            clock.moment = delivery.due_at - timedelta(microseconds=1)
            assert await run_due(runtime) == 0
            clock.moment = delivery.due_at
        assert await run_due(runtime) == 0
    assert moments == [
        timedelta(0),
        timedelta(seconds=5),
        timedelta(minutes=5, seconds=5),
        timedelta(minutes=35, seconds=5),
        timedelta(hours=2, minutes=35, seconds=5),
        timedelta(hours=7, minutes=35, seconds=5),
        timedelta(hours=17, minutes=35, seconds=5),
        timedelta(hours=27, minutes=35, seconds=5),
    ]
    assert delivery.state == "failed"
    assert [attempt.number for attempt in delivery.attempts] == list(range(1, 9))
    assert {(attempt.status, attempt.answer, attempt.reason) for attempt in delivery.attempts} == {
        (500, "broken", "It answered 500 instead of 2xx.")
    }
    assert [attempt.next_at for attempt in delivery.attempts] == [began + moment for moment in moments[1:]] + [None]
    assert len({got.message_id for got in receiver.got}) == 1
    assert len({got.headers["webhook-signature"] for got in receiver.got}) == 8
    assert len({got.body for got in receiver.got}) == 1


async def test_retry_after_is_a_wish_within_bounds(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    async with receiving(answer(503, b"", "retry-after: 90")) as receiver:
        await endpoint_at(runtime, tenant, receiver.url)
        await paid(runtime, tenant)
        await run_due(runtime)
        (delivery,) = await log(runtime, tenant)
        assert delivery.due_at == clock.now() + timedelta(seconds=90)
        receiver.answers = [answer(429, b"", "retry-after: Mon, 16 Mar 2026 15:09:26 GMT")]
        clock.advance(seconds=90)
        await run_due(runtime)
        (delivery,) = await log(runtime, tenant)
        assert delivery.due_at == clock.now() + timedelta(hours=24)


async def test_a_late_try_shows_the_object_as_it_is_now(
    runtime: Runtime, merchant: Merchant, tenant: Tenant, clock: FakeClock
) -> None:
    """A decline that arrives after the success must not roll the shop's row back; nor a payment after its refund."""
    async with receiving(answer(500)) as receiver:
        await endpoint_at(runtime, tenant, receiver.url, ["payment.failed", "payment.succeeded"])
        payment = await place(runtime, order(runtime, tenant))
        await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000009995"))
        await run_due(runtime)
        declined = json.loads(receiver.got[0].body)
        assert (declined["type"], declined["data"]["status"]) == ("payment.failed", "failed")
        clock.advance(seconds=5)
        await confirm_payment(runtime, tenant, payment.payment_id, card())
        receiver.answers = [answer()]
        receiver.got.clear()
        await run_due(runtime)
        bodies: dict[str, Any] = {json.loads(got.body)["type"]: json.loads(got.body) for got in receiver.got}
        shown = (await merchant.client.get(f"/payments/{payment.payment_id}")).json()
        assert set(bodies) == {"payment.failed", "payment.succeeded"}
        assert bodies["payment.failed"]["timestamp"] == declined["timestamp"]
        for body in bodies.values():
            assert body["data"] == {"payload_type": "Payment"} | shown
        assert shown["status"] == "succeeded"
        clock.advance(seconds=5)
        assert (await merchant.client.post("/refunds", json={"payment_id": payment.payment_id})).status_code == 200
        receiver.got.clear()
        for event_type in ("payment.succeeded",):
            body = {"what": "all", "since": "2026-01-01T00:00:00Z", "types": [event_type]}
            assert (await merchant.client.post("/events/replay", json=body)).json() == {"scheduled": 1}
        await run_due(runtime)
        (got,) = receiver.got
        assert json.loads(got.body)["data"]["refund_status"] == "full"


async def test_two_signatures_for_a_day_after_a_rotation(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    async with receiving() as receiver:
        endpoint = await endpoint_at(runtime, tenant, receiver.url)
        old = secret_of(runtime, endpoint)
        new = await rotate_secret(runtime, tenant, endpoint.endpoint_id)
        assert new != old
        for wait in (timedelta(hours=24) - timedelta(microseconds=1), timedelta(microseconds=1)):
            clock.moment += wait
            await paid(runtime, tenant)
            await run_due(runtime)

    def signed(got: Got) -> list[bool]:
        return [_signs(secret, got, index) for index, secret in enumerate((new, old))]

    during, after = receiver.got
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    assert signed(during) == [True, True]
    assert len(after.headers["webhook-signature"].split(" ")) == 1
    assert signed(after) == [True, False]


def _signs(secret: str, got: Got, index: int) -> bool:
    """Return whether the signature at a place is that of a secret."""
    at = datetime.fromtimestamp(int(got.headers["webhook-timestamp"]), UTC)
    made = got.headers["webhook-signature"].split(" ")
    expected: str = Webhook(secret).sign(got.message_id, at, got.body.decode())
    return index < len(made) and made[index] == expected


async def test_five_days_without_a_success_disable_an_endpoint(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    async with receiving(answer(500)) as receiver:
        endpoint = await endpoint_at(runtime, tenant, receiver.url)
        await paid(runtime, tenant)
        await run_due(runtime)
        failing = await reread(runtime, endpoint)
        assert (failing.failing_since, failing.disabled) == (clock.now(), False)
        clock.moment = START + timedelta(days=5) - timedelta(microseconds=1)
        await paid(runtime, tenant)
        await run_due(runtime)
        assert not (await reread(runtime, endpoint)).disabled
        clock.moment = START + timedelta(days=5)
        await paid(runtime, tenant)
        await run_due(runtime)
    given_up = await reread(runtime, endpoint)
    assert (given_up.disabled, given_up.given_up_at) == (True, clock.now())
    assert {delivery.state for delivery in await log(runtime, tenant)} == {"stopped"}
    await paid(runtime, tenant)
    assert len(await log(runtime, tenant)) == 3
    change = EndpointChange(disabled=False)
    enabled = await update_endpoint(runtime, tenant, endpoint.endpoint_id, change)
    assert (enabled.disabled, enabled.given_up_at, enabled.failing_since) == (False, None, None)


async def test_a_success_between_starts_the_five_days_anew(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    async with receiving(answer(500), answer(), answer(500)) as receiver:
        endpoint = await endpoint_at(runtime, tenant, receiver.url)
        await paid(runtime, tenant)
        await run_due(runtime)
        clock.advance(seconds=5)
        await run_due(runtime)
        assert (await reread(runtime, endpoint)).failing_since is None
        clock.advance(days=6)
        await paid(runtime, tenant)
        await run_due(runtime)
    found = await reread(runtime, endpoint)
    assert (found.failing_since, found.disabled) == (clock.now(), False)


@pytest.mark.parametrize("how", ["disabled", "deleted"])
async def test_disabling_and_deleting_stop_what_is_on_its_way(
    runtime: Runtime, tenant: Tenant, clock: FakeClock, how: str
) -> None:
    async with receiving(answer(500)) as receiver:
        endpoint = await endpoint_at(runtime, tenant, receiver.url)
        await paid(runtime, tenant)
        await run_due(runtime)
        await paid(runtime, tenant)
        if how == "disabled":
            await update_endpoint(runtime, tenant, endpoint.endpoint_id, EndpointChange(disabled=True))
        else:
            await delete_endpoint(runtime, tenant, endpoint.endpoint_id)
        clock.advance(days=3)
        assert await run_due(runtime) == 0
        await paid(runtime, tenant)
        assert await run_due(runtime) == 0
    assert len(receiver.got) == 1
    assert [(delivery.state, delivery.due_at) for delivery in await log(runtime, tenant)] == [("stopped", None)] * 2
    async with runtime.database.read() as read:
        row = await read.fetchrow("SELECT secret, headers, deleted_at FROM webhook_endpoints")
    assert row is not None
    assert (row["secret"] is None) == (row["deleted_at"] is not None) == (how == "deleted")
