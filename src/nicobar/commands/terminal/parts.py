"""What the commands share: the options that say which installation is meant, opening it, and printing a table."""

import json
import os
import pwd
import shutil
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import msgspec
from cyclopts import Parameter
from rich.cells import cell_len

from nicobar.program.banner import answer, command, plain, say, step
from nicobar.program.configuration import Configuration, ConfigurationError

if TYPE_CHECKING:
    from nicobar.core.business.tenant import Mode, Tenant
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.database import Read

ResultT = TypeVar("ResultT")

_DATA: Final = "Folder of the embedded database [env: NICOBAR_DATA]."
_URL: Final = (
    "An external PostgreSQL instead of the embedded one [env: NICOBAR_DATABASE_URL, which keeps the password out of "
    "the list of processes]."
)

Data = Annotated[Path | None, Parameter(help=_DATA)]
DatabaseUrl = Annotated[str | None, Parameter(help=_URL)]
InMode = Annotated[Literal["test", "live"], Parameter(help="Test money or real money [default: test].")]
OfCustomer = Annotated[
    str | None,
    Parameter(name="--customer", help="Only those of this customer, by the id that 'nicobar customers list' shows."),
]

Json = Annotated[bool, Parameter(name="--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, Parameter(name="--yes", help="Do not ask whether it is meant.")]

_LEAST_WRAPPED: Final = 20
"""Characters below which a column is not made narrower by wrapping its words."""

WHERE: Final = """\
Without --data and --database-url the data is in the default folder:
~/.local/share/nicobar, or /var/lib/nicobar for root."""


def read_file(file: Path, maximum: int, otherwise: str) -> bytes:
    """Return what is in a file, of which no more than `maximum` bytes are ever read, whatever it says of its size.

    `otherwise` says what a larger one is, as "no tax table". Raises ConfigurationError.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(maximum + 1)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > maximum:
        raise ConfigurationError(f"{file} is larger than {maximum} bytes, which is {otherwise}.")
    return content


def told_name(file: Path) -> str:
    """Return the name of a file as text that can be stored, whatever bytes it has: `rates\\xff.csv`."""
    plain = file.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in plain)[:200]


def with_runtime(configuration: Configuration, work: "Callable[[Runtime], Awaitable[ResultT]]") -> ResultT:
    """Open the installation, do the work, and release everything again.

    Raises ConfigurationError with the words of a refusal.
    """
    import asyncio

    from nicobar.core.audit.entry import Actor
    from nicobar.core.problems import Problem
    from nicobar.flows.runtime import acting
    from nicobar.program.installation import open_runtime
    from nicobar.program.logs import configure_logs
    from nicobar.program.postgres import Postgres

    configure_logs("warning")  # to the standard error; what goes well is said by the command itself

    async def opened() -> ResultT:
        acting.set(Actor("command", _user(), None))
        async with open_runtime(postgres, configuration, configuration.port) as runtime:
            return await work(runtime)

    with step("Opening the database", sys.stderr):
        postgres = Postgres(configuration)
        try:
            result = asyncio.run(opened())
        except Problem as problem:
            raise ConfigurationError(problem.message) from problem
        finally:
            postgres.release()
    for notice in postgres.notices:
        say(notice, sys.stderr)
    if postgres.made_now:
        say(f"There was no database in {postgres.place}, so a new one was made.", sys.stderr)
    return result


def _user() -> str:
    """Return the name of the system's user, or its number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def refuse_without_database(configuration: Configuration, what: str) -> None:
    """Refuse to look for `what` (in the plural) in a database that is not there, instead of making it.

    Raises ConfigurationError.
    """
    from nicobar.program.postgres import data_folder, has_database

    if not has_database(configuration):
        raise ConfigurationError(
            f"There is no database in {data_folder(configuration)}, so there are no {what}. Check --data."
        )


def look_up(
    configuration: Configuration,
    what: str,
    mode: "Mode",
    query: "Callable[[Runtime, Read, Tenant], Awaitable[ResultT]]",
) -> ResultT:
    """Return what a query finds of the business in one snapshot. `what` is looked for, in the plural.

    Raises ConfigurationError without a database.
    """
    refuse_without_database(configuration, what)

    async def work(runtime: "Runtime") -> ResultT:
        from nicobar.core.business.tenant import Tenant
        from nicobar.storage.business.businesses import first_business

        async with runtime.database.snapshot() as read:
            return await query(runtime, read, Tenant(await first_business(read) or "", mode))

    return with_runtime(configuration, work)


def look_up_one(
    configuration: Configuration,
    noun: str,
    object_id: str,
    mode: "Mode",
    find: "Callable[[Runtime, Read, Tenant], Awaitable[ResultT | None]]",
    commands: str | None = None,
) -> ResultT:
    """Return what `find` finds of the object with this id; `noun` is what it is, as "payment".

    `commands` is the group of commands about it, where that is not the plural of the noun.

    Raises ConfigurationError without a database, and for an unknown id or one of the other mode, which it names.
    """

    async def query(runtime: "Runtime", read: "Read", tenant: "Tenant") -> "tuple[ResultT | None, Mode]":
        from nicobar.core.business.tenant import Tenant

        if (found := await find(runtime, read, tenant)) is not None:
            return found, mode
        other: Mode = "live" if mode == "test" else "test"
        return None, other if await find(runtime, read, Tenant(tenant.business_id, other)) is not None else mode

    group = commands or f"{noun}s"
    found, its_mode = look_up(configuration, f"{noun}s", mode, query)
    if its_mode != mode:
        see = command(configuration, f"{group} show {object_id} --mode {its_mode}")
        raise ConfigurationError(f"{object_id} is a {its_mode} {noun}. It is shown by: {see}")
    if found is None:
        see = command(configuration, f"{group} list --mode {mode}")
        raise ConfigurationError(f"There is no {noun} with the id {object_id!r}. The newest are listed by: {see}")
    return found


def confirm(question: str, yes: bool) -> None:
    """Ask before something that cannot be undone, unless `yes` was given; anything but yes leaves everything as it is.

    Raises ConfigurationError for a no, and where nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{question} This cannot be undone: give --yes to do it without being asked.")
    print(f"{question} This cannot be undone. [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - a question
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigurationError("Nothing was changed.")


def print_json(value: Any) -> None:
    """Print a value as JSON that people can read, too: structs and moments are written as the API writes them.

    Characters that do not print stand as JSON escapes them, so that the text is the same on a terminal and in a file.
    """
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()
    answer("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns. On a terminal that is too narrow for them they are made to fit, as `fit` does it."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    answer("\n".join(table(titles, rows) if columns is None else fit(titles, rows, columns)))


def fit(titles: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> list[str]:
    """Return the lines of a table that is at most `columns` wide.

    Where the last column is all that is too wide, its words are wrapped; else each row becomes a block with one line
    for each cell. Nothing is cut off, because ids are there to be copied.
    """
    titles, rows = _plain(titles, rows)
    lines = list(table(titles, rows))
    if max(map(cell_len, lines)) <= columns:
        return lines
    left = max(map(cell_len, table(titles[:-1], [row[:-1] for row in rows]))) + 2
    room = columns - left
    if room >= max(_LEAST_WRAPPED, *(cell_len(word) for row in rows for word in row[-1].split())):
        wrapped: list[list[str]] = []
        for row in rows:
            first, *others = textwrap.wrap(row[-1], room) or [""]
            wrapped.append([*row[:-1], first])
            wrapped += [[*[""] * (len(row) - 1), other] for other in others]
        return list(table(titles, wrapped))
    width = max(map(len, titles))
    blocks = ["\n".join(f"{title:{width}}  {cell}" for title, cell in zip(titles, row, strict=True)) for row in rows]
    return "\n\n".join(blocks).splitlines()


def _plain(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    return [plain(title) for title in titles], [[plain(cell) for cell in row] for row in rows]


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Return the lines of a table whose columns are as wide as they must be; those in `right` are aligned right."""
    titles, rows = _plain(titles, rows)
    widths = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = []
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            room = " " * (width - cell_len(cell))
            cells.append(room + cell if index in right else cell + room)
        yield "  ".join(cells).rstrip()


def moment(at: datetime | None) -> str:
    """Write a moment in UTC to the millisecond."""
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"
