"""The operations on the clock of test mode. A live key is refused."""

from datetime import timedelta
from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.flows.test_mode.advance_clock import advance_clock
from nicobar.flows.test_mode.load_move import load_move
from nicobar.wire.common import NoQuery
from nicobar.wire.test_mode.test_clock import ClockAdvance, TestClockRead, read_goal, render_move

PATIENCE: Final = timedelta(seconds=20)
"""How long one request moves the clock; the same request again goes on."""


async def retrieve(call: Call[None, NoQuery]) -> TestClockRead:
    """Return the clock, and what its latest move brought about."""
    return render_move(await load_move(call.runtime, call.tenant), call.runtime.real_now())


async def advance(call: Call[ClockAdvance, NoQuery]) -> TestClockRead:
    """Move the clock, and return what happened on the way."""
    move = await advance_clock(call.runtime, call.tenant, read_goal(call.body), patience=PATIENCE)
    return render_move(move, call.runtime.real_now())


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "GET",
        "/test/clock",
        retrieve,
        TestClockRead,
        summary="Show the clock of test mode",
        problems=("UNSUPPORTED_ACTION",),
    ),
    Operation(
        "POST",
        "/test/clock",
        advance,
        TestClockRead,
        body=ClockAdvance,
        summary="Move the clock of test mode forward",
        problems=("INVALID_REQUEST_PARAMETERS", "TEST_CLOCK_MOVING", "UNSUPPORTED_ACTION"),
    ),
]
