"""`nicobar rates`: the exchange rates of an installation."""

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    Json,
    print_json,
    print_table,
    read_file,
    refuse_without_database,
    told_name,
    with_runtime,
)
from nicobar.core.counted import counted
from nicobar.program.banner import answer, say, step
from nicobar.program.configuration import ConfigurationError, read_configuration

if TYPE_CHECKING:
    from nicobar.core.money.fx import Rates
    from nicobar.core.money.rate_feed import Taken
    from nicobar.flows.runtime import Runtime

app = App(
    name="rates",
    help_epilogue="""Examples:
  nicobar rates show EUR
  nicobar rates refresh
  nicobar rates import rates.csv --dry-run""",
)

Force = Annotated[bool, Parameter(help="Take rates that moved by more than 20 % or are older, too.")]


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar rates show
  nicobar rates show EUR --json"""
)
def show(
    code: Annotated[str | None, Parameter(help="Currency code of three letters; without it, all of them.")] = None,
    /,
    *,
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Show exchange rates: units for one US dollar, their day, their source, their age."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "exchange rates")

    async def work(runtime: "Runtime") -> "tuple[Rates, date]":
        return await _in_force(runtime), runtime.real_now().date()

    rates, today = with_runtime(configuration, work)
    wanted = sorted(rates.by_currency) if code is None else [code.upper()]
    if code is not None and code.upper() not in rates.by_currency:
        known = "It is the currency that all rates count from." if code.upper() == "USD" else "It is not known."
        raise ConfigurationError(f"There is no rate of {code.upper()[:10]}. {known}")
    from nicobar.core.money.rate_feed import rate_text

    rows = []
    for currency in wanted:
        rate = rates.by_currency[currency]
        rows.append([currency, rate_text(rate), str(rate.as_of), _age((today - rate.as_of).days), rate.source])
    if json:
        names = ("currency", "units_per_usd", "as_of", "age", "source")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return 0
    print_table(["CODE", "FOR 1 USD", "AS OF", "AGE", "SOURCE"], rows)
    return 0


@app.command(
    name="import",
    help_epilogue=f"""{WHERE}

A CSV file has the columns code and units_per_usd, and may have as_of and
source. Also read are the JSON of Open Exchange Rates, exchangerate.host,
Frankfurter and currency-api, and the XML of the European Central Bank.

Exit status: 0 done, 1 some rates were refused, 2 nothing was taken.

Examples:
  nicobar rates import rates.csv --dry-run
  nicobar rates import latest.json --force""",
)
def import_(
    file: Annotated[Path, Parameter(help="A file in one of the forms below.")],
    /,
    *,
    force: Annotated[
        bool,
        Parameter(help="Take rates that moved by more than 20 %, that are older, or that are fixed by law, too."),
    ] = False,
    dry_run: Annotated[bool, Parameter(help="Say what would change, and change nothing.")] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Take exchange rates from a file, and say what changes. Running servers use them within 5 seconds."""
    configuration = read_configuration(data=data, database_url=database_url)
    content = _bytes(file)

    async def work(runtime: "Runtime") -> "tuple[Rates, Taken]":
        from nicobar.flows.rates.import_rates import import_rates

        before, name = await _in_force(runtime), told_name(file)
        return before, await import_rates(runtime, content, name, force=force, fixed_too=force, dry_run=dry_run)

    before, taken = with_runtime(configuration, work)
    _tell_changes(before, taken)
    return _report(taken, dry_run=dry_run)


@app.command(
    help_epilogue=f"""{WHERE}

The European Central Bank publishes about 30 currencies on working days.
Currencies that are fixed by law to the dollar stay as they are; those that are
fixed to another currency follow it.

Exit status: 0 done, 1 some rates were refused, 2 nothing was taken.

Examples:
  nicobar rates refresh
  nicobar rates refresh --from https://api.frankfurter.dev/v1/latest"""
)
def refresh(
    *,
    from_: Annotated[
        str,
        Parameter(name="--from", help="ecb, or the address of a feed in one of the forms of 'import' [default: ecb]."),
    ] = "ecb",
    force: Force = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Fetch exchange rates. Running servers use them for new payments within 5 seconds."""
    configuration = read_configuration(data=data, database_url=database_url)
    from nicobar.processors.rates.rate_feeds import FeedUnavailable

    async def work(runtime: "Runtime") -> "Taken":
        from nicobar.flows.rates.refresh_rates import refresh_rates

        try:
            return await refresh_rates(runtime, from_, force=force)
        except FeedUnavailable as error:
            raise ConfigurationError(str(error)) from error

    with step("Fetching exchange rates", sys.stderr):
        taken = with_runtime(configuration, work)
    return _report(taken)


async def _in_force(runtime: "Runtime") -> "Rates":
    from nicobar.core.money.rate_feed import rates_in_force
    from nicobar.reference.rate_seed import seed
    from nicobar.storage.rates.rates import newest_rates

    async with runtime.database.read() as read:
        stored = await newest_rates(read)
    return rates_in_force(seed(), {} if stored is None else stored.quotes)


def _tell_changes(before: "Rates", taken: "Taken") -> None:
    from nicobar.core.money.rate_feed import rate_changes, rates_in_force
    from nicobar.reference.rate_seed import seed

    for line in rate_changes(before, rates_in_force(seed(), taken.quotes)):
        answer(line)


def _report(taken: "Taken", *, dry_run: bool = False) -> int:
    """Report what became of a feed, and return the exit status."""
    verb = "would be" if dry_run else "is" if len(taken.changed) == 1 else "are"
    subject = f"The rate of {taken.changed[0]}" if len(taken.changed) == 1 else counted(len(taken.changed), "rate")
    answer(f"{subject} {verb} new.{' Nothing was changed.' if dry_run else ''}")
    if taken.older:
        say(f"Passed over, because the rate in force is of a later day: {', '.join(taken.older)}.", sys.stderr)
    if taken.fixed:
        say(f"Passed over, because they are fixed by law: {', '.join(taken.fixed)}.", sys.stderr)
    for move in taken.moved:
        say(f"Refused: {move.currency} moved by {move.percent} %, from {move.old} to {move.new}.", sys.stderr)
    if taken.moved:
        say("Look whether that is true; --force takes them.", sys.stderr)
    return 1 if taken.moved else 0


def _age(days: int) -> str:
    return counted(max(days, 0), "day")


def _bytes(file: Path) -> bytes:
    from nicobar.processors.rates.rate_files import LARGEST_BYTES

    return read_file(file, LARGEST_BYTES, "no list of rates")
