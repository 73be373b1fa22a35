"""The simulator keeps the contract of every processor."""

from collections.abc import Awaitable, Callable, Mapping

import pytest

from harness import FakeClock
from nicobar.core.simulator.bank_charge import SimulatedNotice
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput
from nicobar.processors.simulator.notices import sign_notice
from nicobar.processors.simulator.simulator import Simulator
from orders import card
from processor_contract import ProcessorContract, Subject, new_id


@pytest.fixture
def subject(runtime: Runtime, simulator: Simulator, clock: FakeClock) -> Subject:
    secret = simulator._secret

    async def count(table: str, moment: str, attempt_id: str) -> int:
        query = f"SELECT coalesce(sum(amount), 0)::bigint FROM {table} WHERE attempt_id = $1 AND {moment} <= $2"
        async with runtime.database.read() as read:
            total: int = await read.fetchval(query, attempt_id, clock.now())
        return total

    async def taken(attempt_id: str) -> int:
        return await count("simulator.charges", "taken_at", attempt_id)

    async def given_back(attempt_id: str) -> int:
        return await count("simulator.refunds", "given_at", attempt_id)

    def sign(attempt_id: str) -> tuple[Mapping[str, str], bytes]:
        notice = SimulatedNotice(
            notice_id=new_id("simnt"),
            attempt_id=attempt_id,
            business_id="bus_contract",
            subject="attempt",
            reference=attempt_id,
            due_at=clock.now(),
        )
        signed = sign_notice(notice, secret, clock.now())
        return signed.headers, signed.body

    return Subject(
        processor=simulator,
        now=clock.now(),
        pays=typing("4242424242424242"),
        declines=typing("4000000000000002"),
        asks=typing("4000002500003155"),
        taken=taken,
        given_back=given_back,
        sign=sign,
        secrets=[secret.hex(), str(secret)],
    )


def typing(number: str) -> Callable[[], Awaitable[CardInput]]:
    """Return what types a card."""

    async def type_it() -> CardInput:
        return card(number)

    return type_it


class TestContract(ProcessorContract):
    """Every test of the contract."""
