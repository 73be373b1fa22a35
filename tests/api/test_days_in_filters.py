"""A day in a filter: its first moment begins a range, and its last one ends it."""

import httpx
import pytest

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from orders import paid


@pytest.mark.parametrize("path", ["/payments", "/customers", "/refunds", "/balances/ledger"])
async def test_a_day_is_part_of_the_range_that_it_ends(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, path: str
) -> None:
    assert f"{clock.now():%Y-%m-%d %H}" == "2026-03-14 15"
    payment = await paid(runtime, merchant.tenant)
    refund = await merchant.client.post("/refunds", json={"payment_id": payment.payment_id})
    assert refund.status_code == 200, refund.text

    async def count(**query: str) -> int:
        response: httpx.Response = await merchant.client.get(path, params=query)
        assert response.status_code == 200, response.text
        answer = response.json()
        return len(answer["items"] if isinstance(answer, dict) else answer)

    everything = await count()
    assert everything > 0
    assert await count(created_at_lte="2026-03-14") == everything
    assert await count(created_at_gte="2026-03-14", created_at_lte="2026-03-14") == everything
    assert await count(created_at_lte="2026-03-13") == 0
    assert await count(created_at_gte="2026-03-15") == 0


async def test_a_day_that_does_not_exist_is_refused(merchant: Merchant) -> None:
    for name in ("created_at_gte", "created_at_lte"):
        response = await merchant.client.get("/payments", params={name: "2026-02-30"})
        assert (response.status_code, response.json()["code"]) == (422, "INVALID_QUERY_PARAMS")
        assert response.json()["message"].startswith(f"{name}: ")
