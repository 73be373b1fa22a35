"""`nicobar tax`: the tax table of a business."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Json,
    print_json,
    print_table,
    read_file,
    refuse_without_database,
    told_name,
    with_runtime,
)
from nicobar.core.counted import counted
from nicobar.program.banner import answer, say
from nicobar.program.configuration import ConfigurationError, read_configuration

if TYPE_CHECKING:
    from nicobar.core.business.tenant import Tenant
    from nicobar.core.tax.tax_sheet import TaxSheet
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.tax.tax_rates import StoredTaxTable

app = App(
    name="tax",
    help_epilogue="""Examples:
  nicobar tax show DE
  nicobar tax export rates.csv
  nicobar tax import rates.csv --dry-run
  nicobar tax import rates.csv
  nicobar settings set tax table""",
)

LISTED_CHANGES: Final = 50
"""How many changes an import lists; all of them are in the difference of the two exports."""

LARGEST_BYTES: Final = 5_000_000
"""The largest file that is read; the shipped table has a hundredth of it."""


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar tax show DE
  nicobar tax show DE --json
  nicobar tax show US California"""
)
def show(
    country: Annotated[str, Parameter(help="Country code of two letters.")],
    region: Annotated[str | None, Parameter(help="State, province or the like: its code or its name.")] = None,
    /,
    *,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Show the rates of a country, or of one of its regions, with the days between which they hold.

    TAX ID says what a buyer's valid tax id does to the rate.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "tax rates")
    stored = with_runtime(configuration, lambda runtime: _stored(runtime, mode))
    sheet = _sheet(stored)
    code = country.upper()
    wanted = None if region is None else sheet.table().region_code(code, region)
    rows = [row for row in sheet.rows if row.country == code and (region is None or row.region == wanted is not None)]
    if not rows:
        raise ConfigurationError(_nothing_for(code, region))
    from nicobar.core.tax.tax_sheet import percent_text

    if json:
        print_json(rows)
        return 0
    print_table(
        ["REGION", "NAME", "STANDARD", "E-BOOKS", "SAAS", "DIGITAL", "TAX ID", "FROM", "TO", "SOURCE"],
        [
            [
                row.region or "-",
                row.name,
                f"{percent_text(row.standard_ppm)} %",
                f"{percent_text(row.standard_ppm if row.e_book_ppm is None else row.e_book_ppm)} %",
                row.saas_taxable,
                row.digital_taxable,
                row.effect or "-",
                str(row.valid_from or "-"),
                str(row.valid_to or "-"),
                row.source or "-",
            ]
            for row in rows
        ],
    )
    say(_origin(stored), sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

The columns valid_from (the first day of a rate) and valid_to (the first day on
which it no longer holds) may be empty. Of several rows of one place that hold
on a day, the one that started last wins.

Examples:
  nicobar tax export rates.csv
  nicobar tax export --mode live > rates.csv"""
)
def export(
    file: Annotated[
        Path | None, Parameter(help="A new file; without it the table goes to the standard output.")
    ] = None,
    /,
    *,
    mode: InMode = "test",
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Write the tax table as CSV, to be edited and imported again."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "tax rates")
    stored = with_runtime(configuration, lambda runtime: _stored(runtime, mode))
    from nicobar.core.tax.tax_sheet import write_sheet

    text = write_sheet(_sheet(stored))
    if file is None:
        answer(text, end="")
        return 0
    try:
        with file.open("x", encoding="utf-8", newline="") as out:
            out.write(text)
    except OSError as error:
        raise ConfigurationError(f"The table cannot be written to a new file {file}: {error.strerror}.") from error
    say(f"{file} has {counted(len(_sheet(stored).rows), 'row')}. {_origin(stored)}", sys.stderr)
    return 0


@app.command(
    name="import",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar tax import rates.csv --dry-run
  nicobar tax import rates.csv --mode live""",
)
def import_(
    file: Annotated[Path, Parameter(help="A CSV file with the columns of 'nicobar tax export'.")],
    /,
    *,
    mode: InMode = "test",
    dry_run: Annotated[bool, Parameter(help="Say what would change, and change nothing.")] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Replace the tax table by a file, and say what changes. A file with any wrong line changes nothing.

    Running servers use the new table for new payments within 5 seconds; the old table is kept.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    text = _text(file)

    async def work(runtime: "Runtime") -> "tuple[TaxSheet, TaxSheet]":
        from nicobar.core.tax.tax_sheet import read_sheet
        from nicobar.flows.tax.import_tax_rates import import_tax_rates
        from nicobar.reference.codes import codes

        before = _sheet(await _stored(runtime, mode))
        if dry_run:
            return before, read_sheet(text, codes().countries)
        return before, await import_tax_rates(runtime, await _tenant(runtime, mode), text, told_name(file))

    before, sheet = with_runtime(configuration, work)
    _tell_changes(before, sheet)
    places = counted(len({row.country for row in sheet.rows}), "country", "countries")
    size = f"{counted(len(sheet.rows), 'row')} for {places}"
    if dry_run:
        answer(f"The tax table of {mode} mode would have {size}. Nothing was changed.")
    else:
        answer(f"The tax table of {mode} mode has {size} now.")
    return 0


def _tell_changes(before: "TaxSheet", after: "TaxSheet") -> None:
    from nicobar.core.tax.tax_changes import tax_changes

    changes = tax_changes(before, after)
    for change in changes[:LISTED_CHANGES]:
        answer(change)
    if len(changes) > LISTED_CHANGES:
        answer(f"... and {counted(len(changes) - LISTED_CHANGES, 'more change')}.")
    if not changes:
        answer("No rate changes.")


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar tax reset
  nicobar tax reset --mode live"""
)
def reset(*, mode: InMode = "test", data: Data = None, database_url: DatabaseUrl = None) -> int:
    """Return to the tax table that is shipped with the program. Your own table is kept, but no longer used."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "tax rates")

    async def work(runtime: "Runtime") -> bool:
        from nicobar.flows.tax.reset_tax_rates import reset_tax_rates

        return await reset_tax_rates(runtime, await _tenant(runtime, mode))

    changed = with_runtime(configuration, work)
    answer(f"The shipped tax table holds in {mode} mode {'now' if changed else 'already'}.")
    return 0


def _nothing_for(code: str, region: str | None) -> str:
    """Return why no row is shown."""
    from nicobar.reference import countries

    if code not in {country.alpha2 for country in countries.ALL}:
        return f"There is no country with the code {code!r}. It has two letters, such as DE."
    if region is None:
        return f"The tax table has no row for {code}, so no tax is charged there."
    return f"The tax table has no row for {region} in {code}, so nothing of its own is charged there."


async def _tenant(runtime: "Runtime", mode: InMode) -> "Tenant":
    from nicobar.core.business.tenant import Tenant
    from nicobar.program.installation import own_business

    return Tenant(await own_business(runtime), mode)


async def _stored(runtime: "Runtime", mode: InMode) -> "StoredTaxTable | None":
    from nicobar.core.business.tenant import Tenant
    from nicobar.storage.business.businesses import first_business
    from nicobar.storage.tax.tax_rates import newest_tax_table

    async with runtime.database.snapshot() as read:
        business_id = await first_business(read)
        return None if business_id is None else await newest_tax_table(read, Tenant(business_id, mode))


def _sheet(stored: "StoredTaxTable | None") -> "TaxSheet":
    from nicobar.reference.shipped_tax import shipped_sheet

    return shipped_sheet() if stored is None or stored.sheet is None else stored.sheet


def _origin(stored: "StoredTaxTable | None") -> str:
    if stored is None or stored.sheet is None:
        return "This is the shipped table."
    return f"This is your own table, imported from {stored.origin} at {stored.imported_at:%Y-%m-%d %H:%M} UTC."


def _text(file: Path) -> str:
    try:
        return read_file(file, LARGEST_BYTES, "no tax table").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not text in UTF-8. Save it as CSV in UTF-8.") from error
