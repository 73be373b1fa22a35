"""When a failed renewal is tried again by itself (contract, "Failed renewals")."""

from datetime import datetime, timedelta
from typing import Final

MANUAL_SENDS: Final = 10
"""How often a failed charge of a subscription can be sent again by hand."""

_DELAYS: Final = tuple(timedelta(hours=hours) for hours in (12, 24, 48, 72, 96, 120, 168, 168))
"""From each try to the next one; together they reach 29.5 days."""


def retries_within(window: timedelta) -> int:
    """Return how many automatic tries a window has room for."""
    count, elapsed = 0, timedelta()
    for delay in _DELAYS:
        elapsed += delay
        if elapsed > window:
            break
        count += 1
    return count


def next_retry(created_at: datetime, failed_at: datetime, tries: int, window: timedelta) -> datetime | None:
    """Return when the automatic try number `tries` + 1 is made, or None when there is no further one.

    `created_at` is when the invoice was made, `failed_at` when the last try failed, and `window` how long after the
    invoice tries are made; no time at all switches them off.
    """
    if tries >= len(_DELAYS):
        return None
    at = failed_at + _DELAYS[tries]
    return at if at <= created_at + window else None
