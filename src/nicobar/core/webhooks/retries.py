"""When a delivery that failed is tried again, and when an endpoint is given up (contract, "Delivery")."""

from datetime import datetime, timedelta
from typing import Final

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
"""What lies between one try and the next; the first is made at once, and after the last the delivery has failed."""

ATTEMPTS: Final = len(PAUSES) + 1
"""How often a delivery is tried in all."""

JITTER_FROM: Final = 3
"""The first try that comes a little earlier or later than the ladder says. An endpoint that was down is not met by all
that waited for it at one moment; the first two, which people wait for, are punctual."""

JITTER_PERCENT: Final = 10
"""The most by which a pause is shorter or longer."""

RANDOM_BITS: Final = 20
"""Random bits that `next_attempt_at` needs."""

LONGEST_WISH: Final = timedelta(hours=24)
"""The longest pause that a receiver can ask for with `Retry-After`."""

GIVEN_UP_AFTER: Final = timedelta(days=5)
"""An endpoint at which nothing has arrived for this long is disabled with the next failure."""


def next_attempt_at(made: int, failed_at: datetime, wish: timedelta | None, random_bits: int) -> datetime | None:
    """Return when a delivery is tried again after `made` tries, the last of which failed just now; None for never.

    `wish` is what the receiver asked for: it makes a pause longer, up to `LONGEST_WISH`, and never shorter.
    """
    if made >= ATTEMPTS:
        return None
    pause = PAUSES[made - 1]
    if made + 1 >= JITTER_FROM:
        span = 2 * JITTER_PERCENT * (random_bits & (1 << RANDOM_BITS) - 1)
        pause = pause * (100 - JITTER_PERCENT) // 100 + pause * span // (100 << RANDOM_BITS)
    if wish is not None:
        pause = max(pause, min(wish, LONGEST_WISH))
    return failed_at + pause


def is_given_up(failing_since: datetime | None, now: datetime) -> bool:
    """Return whether an endpoint that fails once more now is disabled."""
    return failing_since is not None and now - failing_since >= GIVEN_UP_AFTER
