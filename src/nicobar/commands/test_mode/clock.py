"""`nicobar clock`: show and move the time of test mode, and empty test mode."""

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    Json,
    confirm,
    moment,
    print_json,
    print_table,
    refuse_without_database,
    with_runtime,
)
from nicobar.core.counted import counted
from nicobar.program.banner import answer, command, say
from nicobar.program.configuration import Configuration, ConfigurationError, read_configuration

if TYPE_CHECKING:
    from nicobar.core.test_mode.clock_goal import ClockGoal
    from nicobar.core.test_mode.happening import ClockMove
    from nicobar.flows.runtime import Runtime

app = App(
    name="clock",
    help_epilogue="""Examples:
  nicobar clock show
  nicobar clock advance 30d
  nicobar clock set 2027-01-01
  nicobar clock reset --yes""",
)

_LISTED: Final = 1_000_000
"""Happenings that a command lists at most."""


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar clock show
  nicobar clock show --json"""
)
def show(*, json: Json = False, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """Show what time it is in test mode, and what its latest move brought about."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "clocks")

    async def work(runtime: "Runtime") -> "tuple[ClockMove, datetime]":
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.test_mode.load_move import load_move
        from nicobar.program.installation import own_business

        tenant = Tenant(await own_business(runtime), "test")
        return await load_move(runtime, tenant, limit=_LISTED), runtime.real_now()

    _print(configuration, *with_runtime(configuration, work), json=json)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar clock advance 30d
  nicobar clock advance 12h --json
  nicobar clock advance 52w"""
)
def advance(
    duration: Annotated[str, Parameter(help="By how much: 45s, 90m, 12h, 30d or 4w.", allow_leading_hyphen=True)],
    /,
    *,
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Move test mode forward. What was due on the way happens, in order, and is listed.

    A move that was broken off goes on to its own target. Live mode is not touched.
    """
    from nicobar.core.problems import Problem
    from nicobar.core.test_mode.clock_goal import ClockGoal, read_duration

    try:
        goal = ClockGoal(by=read_duration(duration))
    except Problem as problem:
        raise ConfigurationError(f"The clock cannot be moved by {duration!r}. {problem.message}") from problem
    return _move(goal, json=json, data=data, database_url=database_url)


@app.command(
    name="set",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar clock set 2027-01-01
  nicobar clock set 2027-01-31T12:00:00Z""",
)
def set_(
    to: Annotated[
        str,
        Parameter(name="TIME", help="A day or a moment, in UTC unless it says otherwise.", allow_leading_hyphen=True),
    ],
    /,
    *,
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Move test mode forward to a moment. What was due on the way happens, in order, and is listed."""
    from nicobar.core.problems import Problem
    from nicobar.core.test_mode.clock_goal import ClockGoal, read_moment

    try:
        goal = ClockGoal(to=read_moment(to))
    except Problem as problem:
        raise ConfigurationError(f"{to!r} is no time. {problem.message}") from problem
    return _move(goal, json=json, data=data, database_url=database_url)


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar clock reset
  nicobar clock reset --yes"""
)
def reset(
    *,
    yes: Annotated[bool, Parameter(help="Do it without being asked.")] = False,
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Delete everything in test mode, and set its clock back to real time.

    Keys, settings, taxes, processor accounts, webhook endpoints and the primary brand stay. Live mode is not touched.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "clocks")
    confirm("Delete all payments, customers, products and everything else of test mode?", yes)

    async def work(runtime: "Runtime") -> int:
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.test_mode.reset_test_mode import reset_test_mode
        from nicobar.program.installation import own_business

        return await reset_test_mode(runtime, Tenant(await own_business(runtime), "test"))

    count = with_runtime(configuration, work)
    if json:
        print_json({"deleted_rows": count})
    else:
        answer(f"Test mode is empty ({counted(count, 'row')} deleted), and its clock shows real time.")
    return 0


def _move(goal: "ClockGoal", *, json: bool, data: Data, database_url: DatabaseUrl) -> int:
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "clocks")

    async def work(opened: "Runtime") -> "tuple[ClockMove, datetime]":
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.test_mode.advance_clock import advance_clock
        from nicobar.flows.test_mode.load_move import load_move
        from nicobar.program.installation import beside_its_server, own_business

        runtime = await beside_its_server(opened, configuration)
        tenant = Tenant(await own_business(runtime), "test")
        move = await advance_clock(runtime, tenant, goal, tell=_Progress())
        whole = await load_move(runtime, tenant, limit=_LISTED, is_resumed=move.is_resumed)
        return whole, runtime.real_now()

    _print(configuration, *with_runtime(configuration, work), json=json)
    return 0


class _Progress:
    """Says where the clock stands, once a second."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, stands_at: datetime, target: datetime) -> None:
        if time.monotonic() - self._told >= 1:
            self._told = time.monotonic()
            say(f"It is {moment(stands_at)} in test mode, on the way to {moment(target)}.", sys.stderr)


def _print(configuration: Configuration, move: "ClockMove", real: datetime, *, json: bool) -> None:
    if json:
        print_json(_json(move, real))
        return
    if move.is_resumed:
        say("A move had been broken off. It went on to its own target.", sys.stderr)
    if move.happened:
        print_table(("At", "What", "Object"), [(moment(one.at), one.type, one.object_id) for one in move.happened])
    answer(f"It is {moment(move.now)} in test mode.")
    if move.clock.moving_to is not None:
        see = command(configuration, "clock advance 1d")
        answer(f"The clock stands: a move to {moment(move.clock.moving_to)} was broken off. It goes on with: {see}")


def _json(move: "ClockMove", real: datetime) -> dict[str, Any]:
    return {
        "now": move.now,
        "ahead_seconds": round((move.now - real).total_seconds()),
        "moving_to": move.clock.moving_to,
        "is_resumed": move.is_resumed,
        "happened": [{"at": one.at, "type": one.type, "object_id": one.object_id} for one in move.happened],
        "happened_count": move.count,
    }
