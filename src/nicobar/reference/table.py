"""Reading the CSV files of this package into frozen structs."""

import csv
from collections.abc import Collection, Iterator
from importlib.resources import files
from typing import Literal, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)

Confidence = Literal["high", "medium", "low"]
"""How sure a fact is: `high` seen in the named source, `medium` read or derived from it, `low` to be checked."""


def rows(name: str) -> Iterator[dict[str, str]]:
    """Yield each line of a CSV file of this package as a dict of its cells.

    Blank cells are left out, so that the struct's default applies. Raises FileNotFoundError for an unknown file and
    ValueError for a line with too many or too few cells.
    """
    text = files("nicobar.reference").joinpath(name).read_text(encoding="utf-8")
    lines = csv.reader(text.splitlines())
    header = next(lines)
    for cells in lines:
        yield {column: cell for column, cell in zip(header, cells, strict=True) if cell}


def load(name: str, row_type: type[Row], *, lists: Collection[str] = ()) -> tuple[Row, ...]:
    """Read a CSV file into structs, in the order of the file.

    `lists` names the columns whose cells are lists separated by spaces. Numbers and booleans (`true`, `false`) are
    read from their text. Raises msgspec.ValidationError for a cell that does not fit its field.
    """
    found: list[dict[str, object]] = []
    for cells in rows(name):
        row: dict[str, object] = {**cells}
        for column in lists:
            if column in cells:
                row[column] = cells[column].split()
        found.append(row)
    return msgspec.convert(found, tuple[row_type, ...], strict=False)  # type: ignore[valid-type]
