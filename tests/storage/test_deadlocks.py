"""Two transactions that wait for each other: one of them is told to try again, and has written nothing."""

import asyncio

import pytest

from harness import Merchant
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Deadlock

RENAME = "UPDATE customers SET name = $2 WHERE customer_id = $1"


async def test_one_of_two_is_ended_and_the_other_goes_on(runtime: Runtime, merchant: Merchant) -> None:
    made = [
        await merchant.client.post("/customers", json={"email": f"{name}@example.com", "name": "Nobody"})
        for name in ("ana", "ben")
    ]
    ids = [answer.json()["customer_id"] for answer in made]
    both_hold = asyncio.Barrier(2)

    async def rename(order: list[str], name: str) -> str:
        async with runtime.database.transaction() as tx:
            await tx.execute(RENAME, order[0], name)
            await both_hold.wait()
            await tx.execute(RENAME, order[1], name)
        return name

    ended = await asyncio.gather(rename(ids, "First"), rename(ids[::-1], "Second"), return_exceptions=True)
    (winner,) = [each for each in ended if isinstance(each, str)]
    (loser,) = [each for each in ended if isinstance(each, BaseException)]
    assert isinstance(loser, Deadlock)
    with pytest.raises(Deadlock, match="deadlock detected"):
        raise loser
    names = [(await merchant.client.get(f"/customers/{one}")).json()["name"] for one in ids]
    assert names == [winner, winner]
