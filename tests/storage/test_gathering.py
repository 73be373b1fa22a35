"""What is asked for side by side is done together; nobody waits for company, and one that fails spoils no other."""

import asyncio
from collections.abc import Sequence

import pytest

from nicobar.storage.database import DatabaseUnavailable, Deadlock
from nicobar.storage.gathering import Gathering


class Doubling:
    """Doubles numbers when it is let; odd numbers beyond 100 fail, and with them all that is done together."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.may_end = asyncio.Event()
        self.error: Exception = ValueError("odd")

    async def __call__(self, numbers: list[int]) -> Sequence[int]:
        self.calls.append(numbers)
        await self.may_end.wait()
        if any(number > 100 and number % 2 for number in numbers):
            raise self.error
        return [2 * number for number in numbers]


async def asked(gathering: Gathering[int, int], doubling: Doubling, *numbers: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(gathering.ask("a", number, doubling)) for number in numbers]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_the_first_is_served_at_once_and_what_comes_meanwhile_together() -> None:
    gathering: Gathering[int, int] = Gathering(3)
    doubling = Doubling()
    tasks = await asked(gathering, doubling, 1)
    assert doubling.calls == [[1]]
    tasks += await asked(gathering, doubling, 2, 3, 4, 5, 6)
    assert doubling.calls == [[1]]
    doubling.may_end.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10, 12]
    assert doubling.calls == [[1], [2, 3, 4], [5, 6]]


async def test_with_two_lanes_the_next_group_begins_while_the_first_is_under_way() -> None:
    gathering: Gathering[int, int] = Gathering(3, lanes=2)
    doubling = Doubling()
    tasks = await asked(gathering, doubling, 1)
    tasks += await asked(gathering, doubling, 2, 3)
    assert doubling.calls == [[1], [2, 3]]
    tasks += await asked(gathering, doubling, 4, 5)
    assert doubling.calls == [[1], [2, 3]]
    doubling.may_end.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert doubling.calls == [[1], [2, 3], [4, 5]]


async def test_a_lane_leaves_the_others_their_share_of_what_there_is_beyond_the_usual() -> None:
    gathering: Gathering[int, int] = Gathering(20, lanes=2, usual=2)
    doubling = Doubling()
    tasks = await asked(gathering, doubling, *range(8))
    assert doubling.calls == [[0, 1, 2, 3], [4, 5, 6, 7]]
    tasks += await asked(gathering, doubling, *range(8, 14))
    doubling.may_end.set()
    assert await asyncio.gather(*tasks) == [2 * number for number in range(14)]
    assert doubling.calls[2:] == [[8, 9, 10, 11, 12], [13]]


async def test_a_lone_lane_leaves_half_to_its_next_group_beyond_the_usual() -> None:
    gathering: Gathering[int, int] = Gathering(20, usual=2)
    doubling = Doubling()
    doubling.may_end.set()
    tasks = await asked(gathering, doubling, *range(9))
    assert await asyncio.gather(*tasks) == [2 * number for number in range(9)]
    assert doubling.calls == [[0, 1, 2, 3, 4], [5, 6], [7, 8]]


async def test_a_group_that_is_held_up_holds_up_nobody_else() -> None:
    """Others wait for it a moment and not longer, and one lane is enough again when it has ended."""
    gathering: Gathering[int, int] = Gathering(2)
    stuck, quick = Doubling(), Doubling()
    quick.may_end.set()

    async def carry_out(numbers: list[int]) -> Sequence[int]:
        return await (stuck if 1 in numbers else quick)(numbers)

    async def ask(*numbers: int) -> list[int]:
        return await asyncio.gather(*(gathering.ask("a", number, carry_out) for number in numbers))

    held = asyncio.create_task(gathering.ask("a", 1, carry_out))
    await asyncio.sleep(0)
    assert await ask(2, 3, 4, 5, 6) == [4, 6, 8, 10, 12]
    assert (stuck.calls, quick.calls) == ([[1]], [[2, 3], [4, 5], [6]])
    assert not held.done()
    stuck.may_end.set()
    assert await held == 2
    quick.may_end.clear()
    tasks = await asked(gathering, quick, 7)
    tasks += await asked(gathering, quick, 8)
    assert quick.calls[3:] == [[7]]
    quick.may_end.set()
    assert await asyncio.gather(*tasks) == [14, 16]
    assert quick.calls[3:] == [[7], [8]]


async def test_what_one_lane_may_not_take_opens_the_next() -> None:
    gathering: Gathering[int, int] = Gathering(3, lanes=2)
    doubling = Doubling()
    tasks = await asked(gathering, doubling, 1, 2, 3, 4, 5, 6, 7)
    assert doubling.calls == [[1, 2, 3], [4, 5, 6]]
    doubling.may_end.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10, 12, 14]
    assert doubling.calls == [[1, 2, 3], [4, 5, 6], [7]]


async def test_those_who_come_at_one_moment_share_the_first_statement() -> None:
    gathering: Gathering[int, int] = Gathering(20)
    doubling = Doubling()
    doubling.may_end.set()
    assert await asyncio.gather(*(gathering.ask("a", number, doubling) for number in (7, 8))) == [14, 16]
    assert doubling.calls == [[7, 8]]


async def test_keys_do_not_wait_for_one_another() -> None:
    gathering: Gathering[int, int] = Gathering(20)
    slow, quick = Doubling(), Doubling()
    (waiting,) = await asked(gathering, slow, 1)
    quick.may_end.set()
    assert await gathering.ask("b", 2, quick) == 4
    assert not waiting.done()
    slow.may_end.set()
    assert await waiting == 2


async def test_one_that_fails_spoils_no_other() -> None:
    gathering: Gathering[int, int] = Gathering(20)
    doubling = Doubling()
    doubling.may_end.set()
    results = await asyncio.gather(
        *(gathering.ask("a", number, doubling) for number in (101, 2, 3)), return_exceptions=True
    )
    assert results == [doubling.error, 4, 6]
    assert doubling.calls == [[101, 2, 3], [101], [2], [3]]
    assert await gathering.ask("a", 9, doubling) == 18


async def test_a_database_that_is_away_is_not_asked_for_each() -> None:
    gathering: Gathering[int, int] = Gathering(20)
    doubling = Doubling()
    doubling.error = DatabaseUnavailable("away")
    doubling.may_end.set()
    results = await asyncio.gather(
        *(gathering.ask("a", number, doubling) for number in (101, 2)), return_exceptions=True
    )
    assert results == [doubling.error, doubling.error]
    assert doubling.calls == [[101, 2]]


async def test_after_a_deadlock_each_is_carried_out_alone() -> None:
    gathering: Gathering[int, int] = Gathering(20)
    doubling = Doubling()
    doubling.error = Deadlock("deadlock detected")
    doubling.may_end.set()
    results = await asyncio.gather(
        *(gathering.ask("a", number, doubling) for number in (101, 2)), return_exceptions=True
    )
    assert results == [doubling.error, 4]
    assert doubling.calls == [[101, 2], [101], [2]]


async def test_who_is_cancelled_takes_back_what_has_not_begun() -> None:
    gathering: Gathering[int, int] = Gathering(20)
    doubling = Doubling()
    tasks = await asked(gathering, doubling, 1)
    tasks += await asked(gathering, doubling, 2, 3)
    tasks[0].cancel()  # it is under way already, and ends unheard
    tasks[1].cancel()
    await asyncio.gather(*tasks[:2], return_exceptions=True)
    doubling.may_end.set()
    assert await tasks[2] == 6
    assert doubling.calls == [[1], [3]]


async def test_nobody_waits_for_ever_when_the_serving_itself_is_cancelled() -> None:
    gathering: Gathering[int, int] = Gathering(20)
    doubling = Doubling()
    tasks = await asked(gathering, doubling, 1)
    tasks += await asked(gathering, doubling, 2)
    (serving,) = [task for task in asyncio.all_tasks() if "_serve" in repr(task.get_coro())]
    serving.cancel()
    for task in tasks:
        with pytest.raises(asyncio.CancelledError):
            await task
    doubling.may_end.set()
    assert await gathering.ask("a", 4, doubling) == 8


async def test_who_is_cancelled_while_a_group_fails_takes_back_what_would_be_tried_alone() -> None:
    gathering: Gathering[int, int] = Gathering(20)
    doubling = Doubling()
    tasks = [asyncio.create_task(gathering.ask("a", number, doubling)) for number in (101, 2, 3)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert doubling.calls == [[101, 2, 3]]
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    doubling.may_end.set()
    assert await tasks[2] == 6
    assert doubling.calls == [[101, 2, 3], [101], [3]]
    with pytest.raises(ValueError, match="odd"):
        await tasks[0]


class Death(BaseException):
    """What no handler of exceptions takes."""


async def test_nobody_waits_for_ever_when_a_group_ends_by_what_nobody_handles() -> None:
    gathering: Gathering[int, int] = Gathering(2)

    async def carry_out(_items: list[int]) -> list[int]:
        await asyncio.sleep(0)
        raise Death

    requests = [asyncio.create_task(gathering.ask(None, number, carry_out)) for number in range(3)]
    ended = await asyncio.wait_for(asyncio.gather(*requests, return_exceptions=True), 5)
    assert [type(each) for each in ended] == [Death] * 3
    assert not gathering._queues
