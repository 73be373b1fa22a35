"""Gathering: what is asked for while a statement is under way is done together by the next one.

It waits for nothing: whoever comes when nobody is being served is served at once. Under load it saves most of the
statements and commits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from nicobar.storage.database import DatabaseUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

CarryOut = Callable[[list[Item]], Awaitable[Sequence[Result]]]
"""Does something for all items, or for none of them, and returns a result for each, in their order."""


class Gathering(Generic[Item, Result]):
    """Queues of what is to be done together, one for each key."""

    def __init__(self, at_most: int) -> None:
        """Take how many items are carried out together at most."""
        self._at_most = at_most
        self._waiting: dict[Hashable, list[tuple[Item, asyncio.Future[Result]]]] = {}
        self._serving: set[asyncio.Task[None]] = set()

    async def ask(self, key: Hashable, item: Item, carry_out: CarryOut[Item, Result]) -> Result:
        """Return the result for an item, which is carried out together with others of its key, the oldest first.

        Raises what carrying it out raises. An item that fails spoils no other: when several fail together, each is
        carried out alone, unless the database is away. Who is cancelled before the turn of its item takes it back.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        if (waiting := self._waiting.get(key)) is not None:
            waiting.append((item, future))
        else:
            self._waiting[key] = [(item, future)]
            task = asyncio.create_task(self._serve(key, carry_out))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        return await future

    async def _serve(self, key: Hashable, carry_out: CarryOut[Item, Result]) -> None:
        """Carry out what waits until nothing does."""
        waiting = self._waiting[key]
        taken: list[tuple[Item, asyncio.Future[Result]]] = []
        try:
            while waiting:
                taken = [asked for asked in waiting[: self._at_most] if not asked[1].done()]
                del waiting[: self._at_most]
                await _answer_each(taken, carry_out)
        finally:
            del self._waiting[key]
            for _, future in (*taken, *waiting):  # some are left only where this task itself is cancelled
                future.cancel()


async def _answer_each(taken: list[tuple[Item, "asyncio.Future[Result]"]], carry_out: CarryOut[Item, Result]) -> None:
    """Give each of these its result, or the exception that it raised."""
    if not taken:
        return
    try:
        results = await carry_out([item for item, _ in taken])
    except Exception as error:  # noqa: BLE001 - whoever asked gets it
        if len(taken) > 1 and not isinstance(error, DatabaseUnavailable):
            for asked in taken:
                await _answer_each([asked], carry_out)
            return
        for _, future in taken:
            if not future.done():
                future.set_exception(error)
        return
    for (_, future), result in zip(taken, results, strict=True):
        if not future.done():
            future.set_result(result)
