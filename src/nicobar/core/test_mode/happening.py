"""What happened in a test mode while its clock was moved."""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.business_clock import BusinessClock

LISTED: Final = 1000
"""Happenings that one answer lists."""


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened on the way."""

    at: datetime
    """When, in the time of the test mode."""
    type: str
    """The type of the event; or, of a try to deliver one, `webhook.retried` when it arrived and `webhook.failed`; or
    `webhook.disabled`, or `discount.released`."""
    object_id: str
    """What it is about: of a try the event."""


class ClockMove(msgspec.Struct, frozen=True, kw_only=True):
    """A move of the clock, whole or as far as it has come."""

    clock: BusinessClock
    now: datetime
    """What time it is in the test mode."""
    happened: list[Happening]
    """The first of what happened since the move began, in order."""
    count: int
    """How many there are of these in all."""
    is_resumed: bool = False
    """Whether it went on with a move that was broken off, to the target of that one."""
