"""Notices of Stripe over HTTP: what a genuine one sets going, and that a forged one changes nothing."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from at_stripe import LocalStripe, connect, runtime_at_stripe, signed_notice
from harness import Merchant
from nicobar.core.payments.payment import NeedsAction, Payment
from nicobar.flows.notices.handle_notice import handle_notice
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import MethodInput
from orders import attempts_of, order, place, reload

__all__ = ["runtime_at_stripe"]


@pytest_asyncio.fixture
async def payment(runtime: Runtime, merchant: Merchant, localstripe: LocalStripe) -> Payment:
    """A payment that waits in Stripe's fields."""
    await connect(runtime, merchant.tenant, localstripe)
    payment = await place(runtime, order(runtime, merchant.tenant))
    confirmed = await confirm_payment(runtime, merchant.tenant, payment.payment_id, MethodInput("credit"))
    assert isinstance(confirmed.outcome, NeedsAction)
    return payment


def path_of(merchant: Merchant) -> str:
    return f"/processors/stripe/notices/{merchant.business_id}/test"


async def inbox(runtime: Runtime) -> list[dict[str, Any]]:
    async with runtime.database.read() as read:
        return [dict(row) for row in await read.fetch("SELECT * FROM notices ORDER BY notice_id")]


async def due(runtime: Runtime) -> int:
    async with runtime.database.read() as read:
        return int(await read.fetchval("SELECT count(*) FROM notices WHERE due_at <= $1", runtime.clock.now()))


async def intent_of(runtime: Runtime, payment: Payment, localstripe: LocalStripe) -> dict[str, object]:
    (attempt,) = await attempts_of(runtime, payment)
    return localstripe.intent(attempt["outcome"]["reference"])


async def test_a_notice_makes_us_ask(
    runtime: Runtime, merchant: Merchant, payment: Payment, app_client: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    intent = await intent_of(runtime, payment, localstripe)
    localstripe.pay(str(intent["id"]))
    headers, body = signed_notice("payment_intent.succeeded", intent)
    for _ in range(2):
        response = await app_client.post(path_of(merchant), content=body, headers=headers)
        assert (response.status_code, response.content, response.headers["content-type"]) == (
            200,
            b"{}",
            "application/json",
        )
    (notice,) = await inbox(runtime)
    (attempt,) = await attempts_of(runtime, payment)
    assert (notice["subject"], notice["reference"]) == ("attempt", attempt["attempt_id"])
    assert await due(runtime) == 1
    assert (await reload(runtime, payment)).status == "requires_customer_action"

    assert await handle_notice(runtime, merchant.tenant, "stripe", notice["notice_id"])
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_what_a_notice_says_is_not_believed(
    runtime: Runtime, merchant: Merchant, payment: Payment, app_client: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    intent = await intent_of(runtime, payment, localstripe)
    headers, body = signed_notice("payment_intent.succeeded", intent | {"status": "succeeded"})
    assert (await app_client.post(path_of(merchant), content=body, headers=headers)).status_code == 200
    (notice,) = await inbox(runtime)
    assert await handle_notice(runtime, merchant.tenant, "stripe", notice["notice_id"])
    assert (await reload(runtime, payment)).status == "requires_customer_action"


async def test_a_forged_notice_changes_nothing(
    runtime: Runtime, merchant: Merchant, payment: Payment, app_client: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    intent = await intent_of(runtime, payment, localstripe)
    headers, body = signed_notice("payment_intent.succeeded", intent)
    foreign, _ = signed_notice("payment_intent.succeeded", intent, secret="whsec_somebodyelse")
    for given, text in ((foreign, body), ({}, body), (headers, body.replace(b"succeeded", b"canceled"))):
        response = await app_client.post(path_of(merchant), content=text, headers=given)
        assert (response.status_code, response.json()["code"]) == (401, "UNAUTHORIZED")
        assert response.headers["x-should-retry"] == "false"
    assert await inbox(runtime) == []
    assert await due(runtime) == 0


async def test_notices_about_nothing_of_ours_are_taken_and_left_alone(
    runtime: Runtime, merchant: Merchant, payment: Payment, app_client: httpx.AsyncClient
) -> None:
    for type, subject in (
        ("customer.created", {"id": "cus_1", "object": "customer"}),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {}}),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"attempt_id": "'; DROP TABLE"}}),
        ("refund.updated", {"id": "re_1", "metadata": None}),
    ):
        headers, body = signed_notice(type, subject)
        response = await app_client.post(path_of(merchant), content=body, headers=headers)
        assert response.status_code == 200, type
    assert await inbox(runtime) == []


@pytest.mark.parametrize(
    ("type", "subject", "expected"),
    [
        ("charge.refund.updated", {"id": "re_1", "metadata": {"refund_id": "ref_1"}}, ("refund", "ref_1")),
        ("refund.failed", {"id": "re_1", "metadata": {"refund_id": "ref_1"}}, ("refund", "ref_1")),
        ("charge.dispute.created", {"id": "du_1"}, ("dispute", "du_1")),
    ],
)
async def test_refunds_and_disputes_have_notices_too(
    type: str,
    subject: dict[str, object],
    expected: tuple[str, str],
    runtime: Runtime,
    merchant: Merchant,
    payment: Payment,
    app_client: httpx.AsyncClient,
) -> None:
    headers, body = signed_notice(type, subject)
    assert (await app_client.post(path_of(merchant), content=body, headers=headers)).status_code == 200
    (notice,) = await inbox(runtime)
    assert (notice["subject"], notice["reference"]) == expected


async def test_a_dispute_is_recorded(
    runtime: Runtime, merchant: Merchant, payment: Payment, app_client: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    reference = str((await intent_of(runtime, payment, localstripe))["id"])
    localstripe.pay(reference)
    headers, body = signed_notice("payment_intent.succeeded", localstripe.intent(reference))
    await app_client.post(path_of(merchant), content=body, headers=headers)
    dispute_id = localstripe.dispute(reference, "needs_response")
    headers, body = signed_notice("charge.dispute.created", {"id": dispute_id})
    await app_client.post(path_of(merchant), content=body, headers=headers)
    for notice in sorted(await inbox(runtime), key=lambda notice: str(notice["subject"])):
        assert await handle_notice(runtime, merchant.tenant, "stripe", notice["notice_id"])
    async with runtime.database.read() as read:
        (dispute,) = await read.fetch("SELECT * FROM disputes")
    assert (dispute["payment_id"], dispute["status"]) == (payment.payment_id, "dispute_opened")


async def test_who_is_not_there_takes_no_notices(
    runtime: Runtime,
    merchant: Merchant,
    other_merchant: Merchant,
    payment: Payment,
    app_client: httpx.AsyncClient,
    localstripe: LocalStripe,
) -> None:
    headers, body = signed_notice("payment_intent.succeeded", await intent_of(runtime, payment, localstripe))
    for path in (
        f"/processors/adyen/notices/{merchant.business_id}/test",
        f"/processors/stripe/notices/{merchant.business_id}/live",
        f"/processors/stripe/notices/{merchant.business_id}/rehearsal",
        f"/processors/stripe/notices/{other_merchant.business_id}/test",
        "/processors/stripe/notices/bus_0000000000000000000000/test",
        "/processors/stripe/notices/nobody/test",
    ):
        response = await app_client.post(path, content=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND"), path
    assert (await app_client.get(path_of(merchant))).status_code == 405
    assert await inbox(runtime) == []


async def test_a_notice_is_bounded(
    runtime: Runtime, merchant: Merchant, payment: Payment, app_client: httpx.AsyncClient
) -> None:
    headers, body = signed_notice("customer.created", {"id": "c" * 262_144})
    response = await app_client.post(path_of(merchant), content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "INVALID_REQUEST_BODY")


async def test_money_goes_back_through_stripe(
    runtime: Runtime, merchant: Merchant, payment: Payment, app_client: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    reference = str((await intent_of(runtime, payment, localstripe))["id"])
    localstripe.pay(reference)
    headers, body = signed_notice("payment_intent.succeeded", localstripe.intent(reference))
    await app_client.post(path_of(merchant), content=body, headers=headers)
    (notice,) = await inbox(runtime)
    assert await handle_notice(runtime, merchant.tenant, "stripe", notice["notice_id"])
    response = await merchant.client.post("/refunds", json={"payment_id": payment.payment_id})
    assert (response.status_code, response.json()["status"], response.json()["amount"]) == (200, "succeeded", 2400)
    made = localstripe.client.get("/v1/refunds", params={"payment_intent": reference}).json()["data"]
    assert [(one["amount"], one["metadata"]) for one in made] == [(2400, {"refund_id": response.json()["refund_id"]})]


async def test_nothing_is_read_of_a_notice_for_nobody(app_client: httpx.AsyncClient) -> None:
    """A stranger could otherwise fill the memory with them."""
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 1000

    for path in ("/processors/stripe/notices/bus_0000000000000000000001/test", "/processors/stripe/notices/x/other"):
        response = await app_client.post(path, content=body())
        assert (response.status_code, read) == (404, 0)


async def test_an_id_beyond_measure_is_refused(
    runtime: Runtime, merchant: Merchant, payment: Payment, app_client: httpx.AsyncClient, localstripe: LocalStripe
) -> None:
    intent = {**await intent_of(runtime, payment, localstripe), "id": "pi_" + "1" * 253}
    headers, body = signed_notice("payment_intent.succeeded", intent)
    response = await app_client.post(path_of(merchant), content=body, headers=headers)
    assert response.status_code == 401
    assert await inbox(runtime) == []
