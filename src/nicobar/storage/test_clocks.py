"""The clocks of test modes: the table, what a process remembers of it, and rows that are due by one of them.

Every moment at which a row is due is a moment of its tenant's time. Real time is that of all live modes, and of the
test modes that nobody ever moved, so one query finds their rows; a test mode with a clock is asked for by itself.
"""

from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from nicobar.core.business.business_clock import BusinessClock, Reckoning
from nicobar.storage.database import Database, Read, Tx
from nicobar.storage.freshness import Freshness

REMEMBERED_FOR: Final = timedelta(milliseconds=500)
"""How long a process goes by what it has read. Nobody moves a clock before all have learnt that it will be moved."""

_COLUMNS: Final = ", ".join(BusinessClock.__struct_fields__)

_READ: Final = f"SELECT {_COLUMNS} FROM test_clocks"

_READ_ONE: Final = f"SELECT {_COLUMNS} FROM test_clocks WHERE business_id = $1"

_BEGIN: Final = f"""
INSERT INTO test_clocks (business_id, moving_to, began_at, began_after, moved_at, complete_until)
VALUES ($1, $2, $3, (SELECT coalesce(max(number), 0) FROM events WHERE business_id = $1 AND mode = 'test'), $4, $5)
ON CONFLICT (business_id) DO UPDATE SET moving_to = excluded.moving_to, began_at = excluded.began_at,
    began_after = excluded.began_after, ended_at = NULL, moved_at = excluded.moved_at,
    complete_until = excluded.complete_until
    WHERE test_clocks.moving_to IS NULL
RETURNING {_COLUMNS}
"""

# The clock is moved on from where the mover has left it: whoever was overtaken moves nothing.
_STAND: Final = f"""
UPDATE test_clocks SET stands_at = $2, moved_at = $3
WHERE business_id = $1 AND moving_to >= $2 AND stands_at IS NOT DISTINCT FROM $4
  AND (stands_at IS NULL OR $2 >= stands_at)
RETURNING {_COLUMNS}
"""

_RUN: Final = f"""
UPDATE test_clocks SET ahead = greatest(ahead, moving_to - $2), stands_at = NULL, ended_at = moving_to, moved_at = $2
WHERE business_id = $1 AND stands_at = moving_to RETURNING {_COLUMNS}
"""

_END: Final = f"UPDATE test_clocks SET moving_to = NULL, moved_at = $2 WHERE business_id = $1 RETURNING {_COLUMNS}"

_RESET: Final = f"""
INSERT INTO test_clocks (business_id, moved_at, resets) VALUES ($1, $2, 1)
ON CONFLICT (business_id) DO UPDATE SET ahead = '0', stands_at = NULL, moving_to = NULL, began_at = NULL,
    began_after = 0, ended_at = NULL, moved_at = $2, complete_until = NULL, resets = test_clocks.resets + 1
RETURNING {_COLUMNS}
"""


async def read_clocks(read: Read) -> list[BusinessClock]:
    """Return the clocks of all test modes that were ever moved."""
    return [msgspec.convert(dict(row), BusinessClock) for row in await read.fetch(_READ)]


async def get_clock(read: Read, business_id: str) -> BusinessClock:
    """Return the clock of one test mode; one that was never moved runs with real time."""
    row = await read.fetchrow(_READ_ONE, business_id)
    return BusinessClock(business_id=business_id) if row is None else msgspec.convert(dict(row), BusinessClock)


async def begin_move(
    tx: Tx, business_id: str, target: datetime, began_at: datetime, real: datetime, complete_until: datetime
) -> BusinessClock | None:
    """Note that a clock is going to be moved; None, and no change, when it is already."""
    return await _changed(tx, _BEGIN, business_id, target, began_at, real, complete_until)


async def stand_at(tx: Tx, clock: BusinessClock, moment: datetime, real: datetime) -> BusinessClock | None:
    """Let a clock stand at a moment, which is not before where it stands; None, and no change, when it was moved."""
    return await _changed(tx, _STAND, clock.business_id, moment, real, clock.stands_at)


async def run_on(tx: Tx, business_id: str, real: datetime) -> BusinessClock | None:
    """Let a clock that stands at its target run on from there; None, and no change, when it stands elsewhere."""
    return await _changed(tx, _RUN, business_id, real)


async def end_move(tx: Tx, business_id: str, real: datetime) -> BusinessClock | None:
    """Note that nobody moves the clock any more."""
    return await _changed(tx, _END, business_id, real)


async def reset_clock(tx: Tx, business_id: str, real: datetime) -> BusinessClock | None:
    """Set a clock back to real time. Only for a test mode that was emptied in the same transaction."""
    return await _changed(tx, _RESET, business_id, real)


async def _changed(tx: Tx, query: str, *values: object) -> BusinessClock | None:
    row = await tx.fetchrow(query, *values)
    return None if row is None else msgspec.convert(dict(row), BusinessClock)


class RememberedClocks:
    """What a process remembers of the clocks. Its time of a business never goes back but by a reset."""

    def __init__(self) -> None:
        self.freshness = Freshness(REMEMBERED_FOR / 2, REMEMBERED_FOR)
        self._clocks: dict[str, BusinessClock] = {}
        self._floors: dict[str, datetime] = {}

    def now(self, business_id: str, real: datetime) -> datetime:
        """Return the time of a business's test mode."""
        clock = self._clocks.get(business_id)
        return real if clock is None else max(clock.moment(real), self._floors[business_id])

    def take(self, found: list[BusinessClock], read_at: timedelta, real: datetime) -> None:
        """Remember what was just read: all there are. `read_at` is when the reading began, as `Clock.elapsed`."""
        known = {clock.business_id for clock in found}
        self._clocks = {business_id: clock for business_id, clock in self._clocks.items() if business_id in known}
        for clock in found:
            self.keep(clock, real)
        self.freshness.read_at = read_at

    def keep(self, clock: BusinessClock, real: datetime) -> None:
        """Remember one clock."""
        before = self._clocks.get(clock.business_id)
        if before is not None and clock.resets < before.resets:
            return  # it was read before the reset
        is_reset = before is not None and clock.resets > before.resets
        self._floors[clock.business_id] = clock.moment(real) if is_reset else self.now(clock.business_id, real)
        self._clocks[clock.business_id] = clock

    def is_moving(self, business_id: str | None) -> bool:
        """Return whether the clock of a business, or any one, is being moved: nobody may go by what he remembers."""
        asked = self._clocks.values() if business_id is None else [self._clocks.get(business_id)]
        return any(clock is not None and clock.moving_to is not None for clock in asked)

    def reckonings(self, real: datetime) -> list[Reckoning]:
        """Return whose rows are due by which time, for workers: a clock that is being moved has its own worker."""
        own = [
            Reckoning(self.now(business_id, real), business_id)
            for business_id, clock in self._clocks.items()
            if clock.moving_to is None
        ]
        return [Reckoning(real, None, tuple(self._clocks)), *own]


_remembered: "WeakKeyDictionary[Database, RememberedClocks]" = WeakKeyDictionary()
"""By database, because a process may work on several."""


def remembered_clocks(database: Database) -> RememberedClocks:
    """Return what this process remembers of the clocks in a database."""
    found = _remembered.get(database.shared)
    if found is None:
        found = _remembered[database.shared] = RememberedClocks()
    return found


def reckoned(reckoning: Reckoning, alias: str, number: int) -> str:
    """Return the SQL condition for the rows of a reckoning; `reckoned_value` is its parameter $`number`."""
    if reckoning.business_id is None:
        return f"NOT ({alias}.mode = 'test' AND {alias}.business_id = ANY(${number}::text[]))"
    return f"({alias}.mode = 'test' AND {alias}.business_id = ${number}::text)"


def reckoned_value(reckoning: Reckoning) -> str | list[str]:
    """Return the parameter of the condition."""
    return list(reckoning.others) if reckoning.business_id is None else reckoning.business_id
