"""The tax table as a merchant edits it: a CSV file, read as a whole or refused as a whole.

The columns are those of the shipped table, with the days between which a row holds. `valid_from` is the first day of
a rate and `valid_to` the first day on which it no longer holds. Of several rows that hold on a day, the one that
started last wins, so a new rate can be added ahead of its day without touching the old row.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple, get_args

import msgspec

from nicobar.core.counted import counted
from nicobar.core.money.money import decimal_text
from nicobar.core.problems import Problem
from nicobar.core.tax.tax import MILLION, Taxability, TaxIdEffect, TaxRow, TaxTable
from nicobar.core.typed_text import unusable

COLUMNS: Final = (
    "country",
    "region",
    "region_names",
    "name",
    "standard_percent",
    "e_book_percent",
    "saas_taxable",
    "digital_taxable",
    "effect",
    "valid_from",
    "valid_to",
    "source",
)
"""The columns in the order of an export. An import may leave out all but the three required ones."""

REQUIRED: Final = ("country", "name", "standard_percent")

LARGEST_ROWS: Final = 10_000
LARGEST_CELL: Final = 500
_LISTED: Final = 20
"""How many wrong lines a refusal names."""

_PPM_PER_PERCENT: Final = MILLION // 100
_PERCENT_DECIMALS: Final = 4
"""One percent is 10 000 parts per million."""

_REGION: Final = re.compile(r"[A-Z0-9]{1,3}")
_PERCENT: Final = re.compile(r"\d{1,3}(?:\.\d{1,4})?", re.ASCII)
_BETWEEN_NAMES: Final = "; "


class TaxSheet(msgspec.Struct, frozen=True):
    """A whole tax table with the names under which buyers write a region."""

    rows: tuple[TaxRow, ...]
    region_names: Mapping[str, Mapping[str, str]] = {}
    """Country -> name of a region -> its code."""

    def table(self) -> TaxTable:
        """Return the table for look-ups."""
        return TaxTable(self.rows, self.region_names)


class _Line(NamedTuple):
    """A row that was read, with its place in the file."""

    number: int
    row: TaxRow
    region_names: tuple[str, ...]


def read_sheet(text: str, countries: frozenset[str]) -> TaxSheet:
    """Read a CSV file; `countries` are the codes that a row may name.

    Raises Problem INVALID_REQUEST_PARAMETERS, whose message lists the wrong lines by number, the first being line 1.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    errors: list[str] = []
    lines: list[_Line] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _read_line(reader.line_num, header, cells, countries, lines, errors)
            if len(lines) > LARGEST_ROWS:
                raise _refused([f"The file has more than {LARGEST_ROWS} rows."])
    except csv.Error as error:
        errors.append(f"line {reader.line_num}: it is not CSV: {error}.")
    errors += _duplicates(lines)
    if not lines and not errors:
        errors.append("The file has no rows. To charge no tax at all, switch the setting tax off.")
    if errors:
        raise _refused(errors)
    names: dict[str, dict[str, str]] = {}
    for line in lines:
        if line.row.region is not None:
            names.setdefault(line.row.country, {}).update(dict.fromkeys(line.region_names, line.row.region))
    return TaxSheet(tuple(line.row for line in lines), names)


def write_sheet(sheet: TaxSheet) -> str:
    """Write a table as CSV, as `read_sheet` reads it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in sheet.rows:
        codes = sheet.region_names.get(row.country, {})
        names = [name for name, code in codes.items() if code == row.region]
        writer.writerow(
            (
                row.country,
                row.region or "",
                _BETWEEN_NAMES.join(names),
                row.name,
                percent_text(row.standard_ppm),
                "" if row.e_book_ppm is None else percent_text(row.e_book_ppm),
                row.saas_taxable,
                row.digital_taxable,
                row.effect,
                row.valid_from or "",
                row.valid_to or "",
                row.source,
            )
        )
    return out.getvalue()


def percent_text(ppm: int) -> str:
    """Write parts per million as a percentage without its sign: `14.975`."""
    return decimal_text(ppm, _PPM_PER_PERCENT)


def _refused(errors: Sequence[str]) -> Problem:
    more = [f"... and {len(errors) - _LISTED} more."] if len(errors) > _LISTED else []
    detail = "\n".join(["The tax table was not taken:", *errors[:_LISTED], *more])
    return Problem("INVALID_REQUEST_PARAMETERS", detail=detail)


def _check_header(header: list[str]) -> None:
    missing = [column for column in REQUIRED if column not in header]
    unknown = [column for column in header if column not in COLUMNS]
    errors = []
    if missing:
        errors.append(f"line 1: these columns are missing: {', '.join(missing)}.")
    if unknown:
        errors.append(f"line 1: these columns are not known: {', '.join(unknown)}. Known: {', '.join(COLUMNS)}.")
    if len(set(header)) != len(header):
        errors.append("line 1: a column is there twice.")
    if errors:
        raise _refused(errors)


def _read_line(
    number: int,
    header: list[str],
    cells: list[str],
    countries: frozenset[str],
    lines: list[_Line],
    errors: list[str],
) -> None:
    """Read one line into `lines`, or add what is wrong with it to `errors`."""
    if len(cells) != len(header):
        errors.append(f"line {number}: it has {counted(len(cells), 'cell')}, and the first line has {len(header)}.")
        return
    row = {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
    wrong = [column for column, cell in row.items() if len(cell) > LARGEST_CELL]
    if wrong:
        errors.append(f"line {number}: {wrong[0]} is longer than {LARGEST_CELL} characters.")
        return
    if odd := next(((column, sign) for column, cell in row.items() if (sign := unusable(cell))), None):
        errors.append(f"line {number}: {odd[0]} holds {odd[1]}, which is no character of a text.")
        return
    try:
        names = tuple(filter(None, (name.strip() for name in row.get("region_names", "").split(";"))))
        lines.append(_Line(number, _row(row, countries), names))
    except ValueError as error:
        errors.append(f"line {number}: {error}.")


def _row(cells: Mapping[str, str], countries: frozenset[str]) -> TaxRow:
    """Read the cells of a line. Raises ValueError with the rule that is broken."""
    country = cells["country"].upper()
    region = cells.get("region", "").upper().removeprefix(f"{country}-")
    if country not in countries:
        raise ValueError(f"country is a code of two letters such as DE, not {cells['country']!r}")
    if region and not _REGION.fullmatch(region):
        raise ValueError(f"region is a code of up to three letters or digits such as CA, not {cells['region']!r}")
    if not region and cells.get("region_names"):
        raise ValueError("region_names belong to a row with a region")
    if not cells["name"]:
        raise ValueError("name is what the invoice calls the tax, such as VAT; it is empty")
    start, end = _day(cells, "valid_from"), _day(cells, "valid_to")
    if start is not None and end is not None and start >= end:
        raise ValueError("valid_to is the first day on which the rate no longer holds, so it comes after valid_from")
    e_book = cells.get("e_book_percent", "")
    return msgspec.convert(
        {
            "country": country,
            "region": region or None,
            "name": cells["name"],
            "standard_ppm": _ppm("standard_percent", cells["standard_percent"]),
            "e_book_ppm": _ppm("e_book_percent", e_book) if e_book else None,
            "saas_taxable": _one_of(cells, "saas_taxable", get_args(Taxability), "yes"),
            "digital_taxable": _one_of(cells, "digital_taxable", get_args(Taxability), "yes"),
            "effect": _one_of(cells, "effect", get_args(TaxIdEffect), ""),
            "valid_from": start,
            "valid_to": end,
            "source": cells.get("source", ""),
        },
        TaxRow,
    )


def _ppm(column: str, text: str) -> int:
    """Read a percentage into parts per million."""
    if _PERCENT.fullmatch(text):
        whole, _, fraction = text.partition(".")
        ppm = int(whole + fraction.ljust(_PERCENT_DECIMALS, "0"))
        if ppm <= MILLION:
            return ppm
    raise ValueError(f"{column} is a percentage from 0 to 100 with at most four decimals such as 8.875, not {text!r}")


def _one_of(cells: Mapping[str, str], column: str, allowed: tuple[str, ...], default: str) -> str:
    value = cells.get(column, "") or default
    if value not in allowed:
        raise ValueError(f"{column} is one of {', '.join(filter(None, allowed))}, not {value!r}")
    return value


def _day(cells: Mapping[str, str], column: str) -> date | None:
    text = cells.get(column, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ValueError(f"{column} is a day such as 2026-01-31, not {text!r}") from error


def _duplicates(lines: Sequence[_Line]) -> list[str]:
    """Return what is wrong with rows of one place that start on the same day: which of them holds would be open."""
    errors = []
    seen: dict[tuple[str, str | None, date | None], int] = {}
    for line in lines:
        row = line.row
        first = seen.setdefault((row.country, row.region, row.valid_from), line.number)
        if first != line.number:
            place = row.country if row.region is None else f"{row.country}-{row.region}"
            start = "no valid_from" if row.valid_from is None else f"valid_from {row.valid_from}"
            errors.append(f"line {line.number}: line {first} is a row of {place} with {start}, too.")
    return errors
