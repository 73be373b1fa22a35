"""The wire types of the test clock: this server's own, the contract has none."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from nicobar.core.problems import Problem
from nicobar.core.test_mode.clock_goal import ClockGoal, read_duration, read_moment
from nicobar.core.test_mode.happening import ClockMove
from nicobar.wire.common import RequestBody, ResponseBody


class ClockAdvance(RequestBody, frozen=True, kw_only=True):
    """The body of POST /test/clock: one of the two. With neither, a move that was broken off goes on."""

    advance: Annotated[str, Meta(max_length=12)] | None = None
    to: Annotated[str, Meta(max_length=40)] | None = None
    """A day or a moment, as `nicobar clock set` takes it."""


class ClockHappening(ResponseBody, frozen=True, kw_only=True):
    """Something that happened while the clock was moved."""

    at: datetime
    type: str
    object_id: str


class TestClockRead(ResponseBody, frozen=True, kw_only=True):
    """The clock of test mode, with what its latest move has brought about so far."""

    __test__ = False

    now: datetime
    """What time it is in test mode."""
    ahead_seconds: int
    """How far that is ahead of real time; at its last stand while it is being moved."""
    moving_to: datetime | None
    """The target of a move that is not done; null when there is none."""
    is_resumed: bool
    """Whether this call went on with a move that was broken off, to its own target."""
    happened: list[ClockHappening]
    """The first thousand."""
    happened_count: int


def read_goal(body: ClockAdvance) -> ClockGoal:
    """Return where the clock is to be moved to. Raises Problem INVALID_REQUEST_PARAMETERS."""
    if body.advance is not None and body.to is not None:
        raise Problem("INVALID_REQUEST_PARAMETERS", path="to", detail="Send either `advance` or `to`.")
    if body.advance is not None:
        return ClockGoal(by=read_duration(body.advance))
    return ClockGoal(to=None if body.to is None else read_moment(body.to))


def render_move(move: ClockMove, real: datetime) -> TestClockRead:
    """Return the shape of a move; `real` is the real time."""
    return TestClockRead(
        now=move.now,
        ahead_seconds=round((move.now - real).total_seconds()),
        moving_to=move.clock.moving_to,
        is_resumed=move.is_resumed,
        happened=[ClockHappening(at=one.at, type=one.type, object_id=one.object_id) for one in move.happened],
        happened_count=move.count,
    )
