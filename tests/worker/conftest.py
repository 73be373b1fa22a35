"""Fixtures of the worker's tests."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.storage.due_work import NOTICES
from nicobar.storage.notices.notices import mark_handled
from nicobar.worker import worker as module
from nicobar.worker.kinds import Kind
from worker.working import Handle


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks and tries again without a pause worth mentioning."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(module, "pause_after", lambda _tries: timedelta(0))


@pytest.fixture
def handled_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handle], None]:
    """Lets notices be handled by a function of the test, and marks those as handled of which it says so."""

    def put(handle: Handle) -> None:
        async def marking(runtime: Runtime, tenant: Tenant, processor: str, notice_id: str) -> bool:
            if not await handle(runtime, tenant, processor, notice_id):
                return False
            async with runtime.database.statement() as tx:
                await mark_handled(tx, tenant, processor, notice_id, runtime.clock.now())
            return True

        monkeypatch.setattr(module, "KINDS", [Kind("handle_notice", NOTICES, marking)])

    return put
