"""What a new tax table changes in the one that holds, for the person who imports it."""

from collections.abc import Iterator, Sequence
from typing import Final

from nicobar.core.tax.tax import TaxRow
from nicobar.core.tax.tax_sheet import TaxSheet, percent_text

_UNNAMED: Final = ("country", "region", "valid_from", "source")
"""Fields that are the row's place, or are no part of what is charged."""


def tax_changes(old: TaxSheet, new: TaxSheet) -> list[str]:
    """Return one sentence for each row that comes, goes or charges something else; none for equal tables.

    A row is known by its country, its region and the first day on which it holds.
    """
    before, after = _by_place(old), _by_place(new)
    changes = []
    for place in sorted({**before, **after}):
        pairs = _pairs(before.get(place, []), after.get(place, []))
        changes += [
            f"{' '.join(filter(None, place))}: {words}" for was, becomes in pairs for words in _words(was, becomes)
        ]
    for country, names in _region_names(old, new):
        changes.append(f"{country}: other names of its regions: {names}")
    return changes


def _by_place(sheet: TaxSheet) -> dict[tuple[str, str, str], list[TaxRow]]:
    found: dict[tuple[str, str, str], list[TaxRow]] = {}
    for row in sheet.rows:
        since = f"from {row.valid_from}" if row.valid_from else ""
        found.setdefault((row.country, row.region or "", since), []).append(row)
    return found


def _pairs(before: Sequence[TaxRow], after: Sequence[TaxRow]) -> Iterator[tuple[TaxRow | None, TaxRow | None]]:
    """Return the rows of one place side by side; a table may have several there."""
    for index in range(max(len(before), len(after))):
        yield before[index] if index < len(before) else None, after[index] if index < len(after) else None


def _words(before: TaxRow | None, after: TaxRow | None) -> Iterator[str]:
    if before is None:
        assert after is not None  # noqa: S101 - a place has a row in one of the tables
        yield f"new, {after.name} {percent_text(after.standard_ppm)} %"
    elif after is None:
        yield f"gone, was {before.name} {percent_text(before.standard_ppm)} %"
    else:
        for field in TaxRow.__struct_fields__:
            was, becomes = getattr(before, field), getattr(after, field)
            if field not in _UNNAMED and was != becomes:
                yield f"{field.removesuffix('_ppm')} {_shown(field, was)} -> {_shown(field, becomes)}"


def _shown(field: str, value: object) -> str:
    if isinstance(value, int):
        return f"{percent_text(value)} %" if field.endswith("_ppm") else str(value)
    return str(value or "-")


def _region_names(old: TaxSheet, new: TaxSheet) -> Iterator[tuple[str, str]]:
    for country in sorted({**old.region_names, **new.region_names}):
        was, becomes = old.region_names.get(country, {}), new.region_names.get(country, {})
        differ = sorted(name for name in {**was, **becomes} if was.get(name) != becomes.get(name))
        if differ:
            yield country, ", ".join(differ)
