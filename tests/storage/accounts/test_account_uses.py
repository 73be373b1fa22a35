"""What an account is needed for is counted without reading every payment while charges wait for the answer."""

import pytest

from nicobar.clock import SystemClock
from nicobar.core.accounts.account_uses import AccountWork
from nicobar.core.accounts.processor_account import ProcessorAccount
from nicobar.flows.runtime import Runtime
from nicobar.storage.accounts.account_uses import account_work
from nicobar.storage.database import Read
from storage.plans.explained import explained

MANY = """
INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, account, amount, currency, created_at,
    updated_at, resolved_at)
SELECT 'bus_1', 'live', 'att_' || n, 'pay_' || n, 'stripe', 'acct_1', 2400, 'USD', now(), now(),
    CASE WHEN n > 2 THEN now() END
FROM generate_series(1, 20000) n
"""


async def test_what_is_under_way_is_counted_by_an_index(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    account = ProcessorAccount(
        business_id="bus_1",
        mode="live",
        processor="stripe",
        account="acct_1",
        account_id="acct_1",
        number=1,
        publishable_key="pk_live_1",
        api_base=None,
        sealed=None,
        changed_at=SystemClock().now(),
        retired_at=None,
    )
    heard: list[tuple[str, tuple[str, ...]]] = []
    fetchrow = Read.fetchrow

    async def listen(self: Read, query: str, *values: str) -> object:
        heard.append((query, values))
        return await fetchrow(self, query, *values)

    monkeypatch.setattr(Read, "fetchrow", listen)
    async with runtime.database.read() as read:
        await read.execute("SET session_replication_role = replica")  # payments and the like are not looked at
        await read.execute(MANY)
        await read.execute("RESET session_replication_role; ANALYZE attempts")
        assert await account_work(read, account) == AccountWork(open_attempts=2, pending_refunds=0, returns=0)
        ((query, values),) = heard
        found = await explained(read, query, values)
    assert ("attempts", "attempts_one_live") in found and ("attempts", "Seq Scan") not in found
