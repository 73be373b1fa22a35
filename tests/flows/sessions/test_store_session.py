"""Sessions that are created side by side are stored as if each had been alone."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from harness import START, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment_request import RequestedCustomer
from nicobar.core.retries.fingerprint import Fingerprint, KeptAnswer
from nicobar.core.sessions.checkout_session import CheckoutSession, SessionItem, SessionRequest
from nicobar.flows.payments.store_payment import AT_MOST
from nicobar.flows.runtime import Runtime
from nicobar.flows.sessions.store_session import store_session
from nicobar.storage.database import UniqueViolation
from nicobar.storage.retries.kept_answers import AnswerToKeep
from nicobar.storage.sessions.sessions import NewSession, get_session, insert_sessions

FEW = 6
CUSTOMERS = (
    None,
    RequestedCustomer(customer_id=" cus_1 "),
    RequestedCustomer(email="Ana@Example.com", name='A "quoted" \\ é name'),
)


def session_of(tenant: Tenant, number: int) -> CheckoutSession:
    item = SessionItem(product_id="pdt_1", quantity=number + 1)
    return CheckoutSession(
        business_id=tenant.business_id,
        mode=tenant.mode,
        session_id=f"cks_{number:021}",
        request=SessionRequest(items=[item], customer=CUSTOMERS[number % 3], metadata={"n": str(number)}),
        payment_id=None,
        created_at=START,
        expires_at=START + timedelta(hours=1),
    )


def answer_of(tenant: Tenant, number: int) -> AnswerToKeep:
    """Return the answer to a request with an idempotency key."""
    answer = KeptAnswer(answer_id="", content=bytes(32), object_id=f"cks_{number}", status=200, sealed=b"sealed")
    return AnswerToKeep(Fingerprint(tenant, bytes([number]) * 32, bytes(32), 0), answer, START + timedelta(minutes=5))


async def rows_of(runtime: Runtime, tenant: Tenant) -> list[list[dict[str, Any]]]:
    """Return the rows of a tenant, without the id of its business."""
    found = []
    async with runtime.database.read() as read:
        for table in ("checkout_sessions", "kept_answers"):
            query = f"SELECT * FROM {table} t WHERE business_id = $1 ORDER BY t::text"
            found.append([dict(row) | {"business_id": ""} for row in await read.fetch(query, tenant.business_id)])
    return found


async def test_they_share_a_commit_and_are_as_if_alone(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    together, alone = merchant.tenant, other_merchant.tenant
    kept = [number if number % 2 else None for number in range(FEW)]
    new = [session_of(together, number) for number in range(FEW)]
    answers = [None if number is None else answer_of(together, number) for number in kept]
    await asyncio.gather(*(store_session(runtime, *one) for one in zip(new, answers, strict=True)))
    async with runtime.database.read() as read:
        commits = "SELECT count(DISTINCT xmin::text) FROM checkout_sessions WHERE business_id = $1"
        assert await read.fetchval(commits, together.business_id) == 1
        assert [await get_session(read, together, one.session_id) for one in new] == new
    for number in range(FEW):
        async with runtime.database.transaction() as tx:
            await tx.execute("DELETE FROM checkout_sessions WHERE session_id = $1", new[number].session_id)
            answer = None if kept[number] is None else answer_of(alone, number)
            await insert_sessions(tx, [NewSession(session_of(alone, number), answer)])
    sessions, answers_alone = await rows_of(runtime, alone)
    assert [(row["customer_id"], row["email_key"]) for row in sessions[:3]] == [
        (None, None),
        ("cus_1", None),
        (None, "ana@example.com"),
    ]
    assert [row["metadata"] for row in (row["request"] for row in sessions)] == [{"n": str(n)} for n in range(FEW)]
    assert (await rows_of(runtime, together))[1] == answers_alone


async def test_one_that_is_refused_leaves_its_neighbours_stored(runtime: Runtime, tenant: Tenant) -> None:
    new = [session_of(tenant, number) for number in range(4)]
    answers = [answer_of(tenant, 1), answer_of(tenant, 2), answer_of(tenant, 1), None]
    results = await asyncio.gather(
        *(store_session(runtime, *one) for one in zip(new, answers, strict=True)), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), type(None), UniqueViolation, type(None)]
    sessions, kept = await rows_of(runtime, tenant)
    assert [row["session_id"] for row in sessions] == [new[index].session_id for index in (0, 1, 3)]
    assert [row["object_id"] for row in kept] == ["cks_1", "cks_2"]


@pytest.mark.parametrize("count", [1, 3 * AT_MOST])
async def test_any_number_is_stored(runtime: Runtime, tenant: Tenant, count: int) -> None:
    await asyncio.gather(*(store_session(runtime, session_of(tenant, number), None) for number in range(count)))
    assert len((await rows_of(runtime, tenant))[0]) == count
