"""Gathering: what is asked for while a statement is under way is done together by the next one.

It waits for nothing: whoever comes when nobody is being served is served at once. Under load it saves most of the
statements and commits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar
from weakref import WeakKeyDictionary

from nicobar.storage.database import Database, DatabaseUnavailable, Deadlock

Item = TypeVar("Item")
Result = TypeVar("Result")

CarryOut = Callable[[list[Item]], Awaitable[Sequence[Result]]]
"""Does something for all items, or for none of them, and returns a result for each, in their order."""


PATIENCE: Final = 0.1
"""Seconds after which whoever waits first gets a further lane: a group under way is held up, by a lock or the disk."""


class _Queue(Generic[Item, Result]):
    """What waits under one key, how much of it is being carried out, and how many tasks do that."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self.lanes = 0
        self.under_way = 0


class Gathering(Generic[Item, Result]):
    """Queues of what is to be done together, one for each key."""

    def __init__(self, at_most: int, lanes: int = 1, usual: int | None = None) -> None:
        """Take how many items are carried out together at most, and how many such groups of one key side by side.

        With one lane everybody waits for the slowest of the group before; each further one takes a connection. A group
        takes all that waits. With `usual` it leaves the other lanes their share of what there is, or a lone lane's next
        group half of it, so that no one stands idle, as soon as its own is more than that.
        """
        self._at_most = at_most
        self._lanes = lanes
        self._usual = usual
        self._queues: dict[Hashable, _Queue[Item, Result]] = {}
        self._serving: set[asyncio.Task[None]] = set()

    async def ask(self, key: Hashable, item: Item, carry_out: CarryOut[Item, Result]) -> Result:
        """Return the result for an item, which is carried out together with others of its key, the oldest first.

        Raises what carrying it out raises. An item that fails spoils no other: when several fail together, each is
        carried out alone, unless the database is away. Who is cancelled before the turn of its item takes it back.
        """
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        queue.waiting.append((item, future))
        if len(queue.waiting) == 1:
            if queue.lanes < self._lanes:
                self._open_lane(key, queue, carry_out)
            else:
                self._relieve_later(key, queue, carry_out)
        return await future

    def _open_lane(self, key: Hashable, queue: _Queue[Item, Result], carry_out: CarryOut[Item, Result]) -> None:
        """Let another task serve a queue."""
        queue.lanes += 1
        task = asyncio.create_task(self._serve(key, queue, carry_out))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    def _relieve_later(self, key: Hashable, queue: _Queue[Item, Result], carry_out: CarryOut[Item, Result]) -> None:
        """Open one lane too many when whoever is first to wait still is after a while."""
        first = queue.waiting[0][1]

        def relieve() -> None:
            if queue.waiting and queue.waiting[0][1] is first and queue.lanes == self._lanes:
                self._open_lane(key, queue, carry_out)

        asyncio.get_running_loop().call_later(PATIENCE, relieve)

    async def _serve(self, key: Hashable, queue: _Queue[Item, Result], carry_out: CarryOut[Item, Result]) -> None:
        """Carry out what waits until nothing does, or until there is one lane too many."""
        waiting, taken = queue.waiting, []
        try:
            while waiting:
                taken = [waiting.popleft() for _ in range(self._size(queue))]
                queue.under_way += len(taken)
                if waiting and queue.lanes < self._lanes:
                    self._open_lane(key, queue, carry_out)
                try:
                    await _answer_each([asked for asked in taken if not asked[1].done()], carry_out)
                finally:
                    queue.under_way -= len(taken)
                if queue.lanes > self._lanes:
                    break
        except BaseException as error:  # nobody waits for ever for what is not going to be done
            for _, future in (*taken, *waiting):
                if isinstance(error, asyncio.CancelledError):
                    future.cancel()
                elif not future.done():
                    future.set_exception(error)
            raise
        finally:
            queue.lanes -= 1
            if not queue.lanes:
                del self._queues[key]
            elif waiting:
                self._relieve_later(key, queue, carry_out)

    def _size(self, queue: _Queue[Item, Result]) -> int:
        """Return how many of those that wait the next group takes."""
        size = min(len(queue.waiting), self._at_most)
        if self._usual is None:
            return size
        share = -(-(len(queue.waiting) + queue.under_way) // max(2, self._lanes))
        return min(size, max(share, self._usual))


class Gatherings(Generic[Item, Result]):
    """One gathering for each database, because a process may work on several."""

    def __init__(self, at_most: int, lanes: int = 1, usual: int | None = None) -> None:
        """Take the bounds of each, as `Gathering` does."""
        self._bounds = at_most, lanes, usual
        self._of: WeakKeyDictionary[Database, Gathering[Item, Result]] = WeakKeyDictionary()

    def of(self, database: Database) -> Gathering[Item, Result]:
        """Return the one of a database."""
        shared = database.shared
        found = self._of.get(shared)
        if found is None:
            found = self._of[shared] = Gathering(*self._bounds)
        return found


async def _answer_each(taken: list[tuple[Item, "asyncio.Future[Result]"]], carry_out: CarryOut[Item, Result]) -> None:
    """Give each of these its result, or the exception that it raised."""
    if not taken:
        return
    try:
        results = await carry_out([item for item, _ in taken])
    except Exception as error:  # noqa: BLE001 - whoever asked gets it
        is_away = isinstance(error, DatabaseUnavailable) and not isinstance(error, Deadlock)
        if len(taken) > 1 and not is_away:
            for asked in taken:
                if not asked[1].done():
                    await _answer_each([asked], carry_out)
            return
        for _, future in taken:
            if not future.done():
                future.set_exception(error)
        return
    for (_, future), result in zip(taken, results, strict=True):
        if not future.done():
            future.set_result(result)
