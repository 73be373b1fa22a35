"""Real receivers on Node: the official adapters, the JavaScript SDK and Standard Webhooks accept what is sent."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from due_work import run_due
from harness import FakeClock, Merchant
from nicobar.core.disputes.dispute import DisputeFacts
from nicobar.core.webhooks.endpoint import EndpointChange
from nicobar.flows.disputes.record_dispute import record_dispute
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.update_endpoint import update_endpoint
from nicobar.storage.payments.attempts import get_attempt
from orders import attempts_of, card, order, place, with_processors
from receiver import endpoint_at, secret_of

NODE_MODULES = Path(__file__).resolve().parents[3] / "build" / "node" / "node_modules"
RECEIVERS = ["express", "nextjs", "standardwebhooks", "sdk", "core", "core-of-march", "written-anew"]

ODD = {
    "b": "b",
    "10": "ten",
    "2": "two",
    "007": "no index",
    "4294967295": "no index either",
    "whole": 1.0,
    "large": 9007199254740993,
    "larger": 1e21,
    "small": 1e-7,
    "flag": True,
    "text": 'é \u2028 / \\ " 象 \x7f \t',
}
"""Metadata in which every rule of JavaScript about keys and numbers shows."""


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, clock: FakeClock) -> Runtime:
    clock.moment = datetime.now(UTC)  # receivers look at the real clock
    return with_processors(runtime)


class Shop:
    """The receivers, as one process of Node."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process, self.port = process, port

    async def told(self, number: int) -> list[dict[str, Any]]:
        """Return the next lines."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            return [json.loads(await self._process.stdout.readline()) for _ in range(number)]


@pytest_asyncio.fixture
async def shop(runtime: Runtime, merchant: Merchant) -> AsyncIterator[Shop]:
    if shutil.which("node") is None or not (NODE_MODULES / "core-of-march").exists():
        pytest.skip("needs Node.js and its packages: make setup")
    endpoints = [await endpoint_at(runtime, merchant.tenant, f"http://127.0.0.1:1/{name}") for name in RECEIVERS]
    secret, webhooks = secret_of(runtime, endpoints[0]), runtime.webhooks
    assert webhooks is not None
    async with runtime.database.transaction() as tx:  # all receivers share the secret of the first, sealed for each
        for endpoint in endpoints:
            sealed = webhooks.seal(endpoint.place, secret)
            query = "UPDATE webhook_endpoints SET secret = $2 WHERE endpoint_id = $1"
            await tx.execute(query, endpoint.endpoint_id, sealed)
    script = Path(__file__).with_name("receivers.cjs")
    process = await asyncio.create_subprocess_exec(
        "node",
        str(script),
        secret,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "NODE_PATH": str(NODE_MODULES)},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            port = int(await process.stdout.readline())
        for name, endpoint in zip(RECEIVERS, endpoints, strict=True):
            change = EndpointChange(url=f"http://127.0.0.1:{port}/{name}")
            await update_endpoint(runtime, merchant.tenant, endpoint.endpoint_id, change)
        yield Shop(process, port)
    finally:
        process.kill()
        await process.wait()


async def failures(runtime: Runtime) -> dict[str, str]:
    """Return what each receiver that refused an event has answered."""
    async with runtime.database.read() as read:
        rows = await read.fetch(
            "SELECT e.url, v.type, a.status, a.answer, a.reason FROM webhook_attempts a"
            " JOIN webhook_endpoints e USING (business_id, mode, endpoint_id)"
            " JOIN events v USING (business_id, mode, event_id) WHERE a.reason IS NOT NULL"
        )
    return {
        f"{row['url'].rpartition('/')[2]} {row['type']}": f"{row['reason']} {row['status']} {row['answer']}"
        for row in rows
    }


async def test_every_receiver_takes_every_event_of_a_payment_and_of_its_refund(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, shop: Shop
) -> None:
    payment = await place(runtime, order(runtime, merchant.tenant, metadata=ODD))
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card("4000000000009995"))
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card())
    refunded = await merchant.client.post(
        "/refunds", json={"payment_id": payment.payment_id, "metadata": {"2": "a", "1": "b"}}
    )
    assert refunded.status_code == 200, refunded.text
    await place(runtime, order(runtime, merchant.tenant, expires_on=clock.now()))
    await expire_payments(runtime)
    types = ["payment.failed", "payment.succeeded", "refund.succeeded", "payment.cancelled"]
    assert await run_due(runtime) == len(types) * len(RECEIVERS)
    assert await failures(runtime) == {}
    told = await shop.told(len(types) * len(RECEIVERS))
    assert sorted((line["receiver"], line["type"]) for line in told) == sorted(
        (receiver, type) for receiver in RECEIVERS for type in types
    )
    assert {line["kind"] for line in told if line["type"].startswith("refund")} == {"Refund"}


async def test_disputes_are_taken_by_all_but_the_old_core(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, shop: Shop
) -> None:
    """The older core, which the adapter for Express has in it, does not know the stage `dispute`: nothing helps it."""
    payment = await place(runtime, order(runtime, merchant.tenant))
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card())
    await run_due(runtime)
    await shop.told(len(RECEIVERS))
    (stored,) = await attempts_of(runtime, payment)
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, merchant.tenant, stored["attempt_id"])
    assert attempt is not None
    facts = DisputeFacts(
        reference="du_1",
        attempt_id=attempt.attempt_id,
        amount=2400,
        currency="USD",
        stage="dispute",
        status="dispute_opened",
        reason="fraudulent",
        opened_at=clock.now(),
    )
    assert await record_dispute(runtime, merchant.tenant, attempt, facts, clock.now())
    await run_due(runtime)
    assert sorted(await failures(runtime)) == ["core-of-march dispute.opened", "express dispute.opened"]
    told = await shop.told(len(RECEIVERS) - 2)
    assert {line["receiver"] for line in told} == set(RECEIVERS) - {"core-of-march", "express"}
    assert {line["kind"] for line in told} == {"Dispute"}
