"""Rules that hold for every file and loader of the reference data."""

import ast
import csv
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from nicobar.reference import cards, countries, currencies, failures, locales, methods, rates, table, tax_rates

PACKAGE = Path(str(files("nicobar.reference")))

KEYS = {
    "card_networks.csv": ("name",),
    "countries.csv": ("alpha2",),
    "currencies.csv": ("code",),
    "decline_map.csv": ("stripe_decline_code",),
    "failure_codes.csv": ("code",),
    "fx_usd.csv": ("code",),
    "locales.csv": ("code",),
    "payment_methods.csv": ("type",),
    "states.csv": ("country", "code"),
    "stripe_currencies.csv": ("code",),
    "stripe_methods.csv": ("type",),
    "tax_rates.csv": ("country", "region"),
    "tax_regions.csv": ("place", "country"),
    "test_cards.csv": ("number",),
    "test_non_card.csv": ("type", "value"),
}
"""The columns that identify a row."""


def test_no_other_data_file_lies_in_the_package() -> None:
    assert sorted(path.name for path in PACKAGE.glob("*.csv")) == sorted(KEYS)


@pytest.mark.parametrize("name", sorted(KEYS))
def test_rows_have_unique_keys_a_source_and_a_mark_of_quality(name: str) -> None:
    with (PACKAGE / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [tuple(row[column] for column in KEYS[name]) for row in rows]
    assert len(set(keys)) == len(keys) > 0
    for row in rows:
        assert row["source"], keys
        assert any(row[column] for column in row if column.endswith("confidence") or column == "quality")
        assert all(cell == cell.strip() for cell in row.values()), row


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_source_is_explained(name: str) -> None:
    explained = (PACKAGE / "SOURCES.md").read_text(encoding="utf-8")
    for row in table.rows(name):
        for column in ("source", "minimum_source", "charge_currency_source", "effect_source"):
            for source in row.get(column, "").split():
                assert f"`{source}`" in explained, (name, source)


def test_loaders_use_neither_floats_nor_division() -> None:
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path.name
            assert not (isinstance(node, ast.Name) and node.id == "float"), path.name
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), path.name


def test_reference_imports_nothing_above_core() -> None:
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module]
            for name in names:
                if name.startswith("nicobar."):
                    assert name.split(".")[1] in ("core", "reference"), (path.name, name)


def test_rows_are_immutable() -> None:
    for row in (
        cards.ALL[0],
        cards.networks()[0],
        countries.ALL[0],
        currencies.ALL[0],
        failures.ALL[0],
        failures.decline_mappings()[0],
        locales.ALL[0],
        methods.ALL[0],
        methods.published_inputs()[0],
        rates.snapshot()[0],
        tax_rates.rates()[0],
    ):
        with pytest.raises(AttributeError):
            row.source = "changed"  # type: ignore[misc]
    with pytest.raises(TypeError):
        currencies.exponents()["USD"] = 3  # type: ignore[index]
    with pytest.raises(TypeError):
        tax_rates.region_names()["US"] = {}  # type: ignore[index]


def test_side_tables_are_read_once() -> None:
    assert rates.snapshot() is rates.snapshot()
    assert tax_rates.rates() is tax_rates.rates()
    assert cards.networks() is cards.networks()
    assert methods.published_inputs() is methods.published_inputs()
    assert failures.decline_mappings() is failures.decline_mappings()
    assert countries.accepted() is countries.accepted()


def test_a_cell_that_does_not_fit_is_refused() -> None:
    class Wrong(msgspec.Struct, frozen=True):
        code: int

    with pytest.raises(msgspec.ValidationError, match=r"Expected `int`, got `str` - at `\$\[0\]\.code`"):
        table.load("currencies.csv", Wrong)


def test_an_unknown_file_is_refused() -> None:
    with pytest.raises(FileNotFoundError):
        list(table.rows("nowhere.csv"))


@pytest.mark.parametrize(
    ("name", "count"),
    [("currencies", 145), ("countries", 249), ("methods", 105), ("cards", 127), ("failures", 44), ("locales", 22)],
)
def test_main_tables_are_complete(name: str, count: int) -> None:
    found = import_module(f"nicobar.reference.{name}").ALL
    assert isinstance(found, tuple)
    assert len(found) == count
