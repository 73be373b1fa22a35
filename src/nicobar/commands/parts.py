"""What the commands share: the options that say which installation is meant, opening it, and printing a table."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar

from cyclopts import Parameter

from nicobar.program.banner import plain, say, step
from nicobar.program.settings import Settings, SettingsError

if TYPE_CHECKING:
    from nicobar.flows.runtime import Runtime

ResultT = TypeVar("ResultT")

_DATA: Final = "Folder of the embedded database [env: NICOBAR_DATA]."
_URL: Final = (
    "An external PostgreSQL instead of the embedded one [env: NICOBAR_DATABASE_URL, which keeps the password out of "
    "the list of processes]."
)

Data = Annotated[Path | None, Parameter(help=_DATA)]
DatabaseUrl = Annotated[str | None, Parameter(help=_URL)]
InMode = Annotated[Literal["test", "live"], Parameter(help="Test money or real money [default: test].")]

WHERE: Final = """\
Without --data and --database-url the data is in the default folder:
~/.local/share/nicobar, or /var/lib/nicobar for root."""


def read_file(file: Path, maximum: int, otherwise: str) -> bytes:
    """Return what is in a file, of which no more than `maximum` bytes are ever read, whatever it says of its size.

    `otherwise` says what a larger one is, as "no tax table". Raises SettingsError.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(maximum + 1)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > maximum:
        raise SettingsError(f"{file} is larger than {maximum} bytes, which is {otherwise}.")
    return content


def with_runtime(settings: Settings, work: "Callable[[Runtime], Awaitable[ResultT]]") -> ResultT:
    """Open the installation, do the work, and release everything again.

    Raises SettingsError with the words of a refusal.
    """
    import asyncio

    from nicobar.core.problems import Problem
    from nicobar.program.installation import open_runtime
    from nicobar.program.postgres import Postgres

    async def opened() -> ResultT:
        async with open_runtime(postgres, settings, settings.port) as runtime:
            return await work(runtime)

    with step("Opening the database", sys.stderr):
        postgres = Postgres(settings)
        try:
            result = asyncio.run(opened())
        except Problem as problem:
            raise SettingsError(problem.message) from problem
        finally:
            postgres.release()
    for notice in postgres.notices:
        say(notice, sys.stderr)
    if postgres.made_now:
        say(f"There was no database in {postgres.place}, so a new one was made.", sys.stderr)
    return result


def refuse_without_database(settings: Settings, what: str) -> None:
    """Refuse to look for `what` (in the plural) in a database that is not there, instead of making it.

    Raises SettingsError.
    """
    from nicobar.program.postgres import data_folder, has_database

    if not has_database(settings):
        raise SettingsError(f"There is no database in {data_folder(settings)}, so there are no {what}. Check --data.")


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns that are as wide as they must be."""
    for line in table(titles, rows):
        say(line)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Return the lines of a table whose columns are as wide as they must be; those in `right` stand to the right."""
    titles, rows = [plain(title) for title in titles], [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
