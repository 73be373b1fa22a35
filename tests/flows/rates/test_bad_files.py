"""Files of rates and taxes with bad bytes in any place: a sentence says what is wrong, and nothing is stored."""

import os
from pathlib import Path

import pytest

from harness import Merchant
from nicobar.commands.terminal.parts import told_name
from nicobar.core.problems import Problem
from nicobar.flows.rates.import_rates import import_rates
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.import_tax_rates import import_tax_rates
from orders import dump

TAX = {
    "country": "DE",
    "region": "",
    "region_names": "",
    "name": "VAT",
    "standard_percent": "19",
    "e_book_percent": "7",
    "saas_taxable": "yes",
    "digital_taxable": "yes",
    "effect": "",
    "valid_from": "2026-01-01",
    "valid_to": "",
    "source": "the law",
}
RATE = {"code": "EUR", "units_per_usd": "0.93", "as_of": "2026-03-13", "source": "a bank"}

BAD = {
    "null": "\x00",
    "lone surrogate": "\ud800",
    "escape": "\x1b[2J",
    "end of line": "A\rB",
    "line separator": "A\u2028B",
    "direction": "\u202eA",
    "no character": "\uffff",
    "huge": "9" * 200_000,
    "long": "x" * 600,
    "byte order mark": "\ufeffA",
}
"""What no cell may hold, in any column."""


def written(row: dict[str, str]) -> str:
    return ",".join(row) + "\n" + ",".join(row.values()) + "\n"


async def refusal(runtime: Runtime, merchant: Merchant, text: str, data: bytes | None) -> str | None:
    """Import; return the sentence of the refusal, after which nothing is stored, or None for a success."""
    before = await dump(runtime)
    try:
        if data is None:
            await import_tax_rates(runtime, merchant.tenant, text, "rates.csv")
        else:
            await import_rates(runtime, data, "rates.csv")
    except Problem as problem:
        assert problem.code == "INVALID_REQUEST_PARAMETERS"
        assert await dump(runtime) == before
        return problem.message
    return None


@pytest.mark.parametrize("column", TAX)
async def test_a_bad_cell_of_a_tax_table_is_named(runtime: Runtime, merchant: Merchant, column: str) -> None:
    for bad in BAD.values():
        cell = f'"{TAX[column]}{bad}"'
        told = await refusal(runtime, merchant, written(TAX | {column: cell}), None)
        assert told is not None and told.startswith("The tax table was not taken:\nline "), (bad, told)
        assert len(told) < 2000


@pytest.mark.parametrize("column", RATE)
async def test_a_bad_cell_of_rates_is_named(runtime: Runtime, merchant: Merchant, column: str) -> None:
    for bad in BAD.values():
        data = written(RATE | {column: f'"{RATE[column]}{bad}"'}).encode("utf-8", "surrogatepass")
        told = await refusal(runtime, merchant, "", data)
        assert told is not None and told.startswith("The exchange rates were not taken. "), (bad, told)
        assert len(told) < 2000


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe" + "code,units_per_usd\nEUR,0.93\n".encode("utf-16-le"),
        b"code,units_per_usd\nEUR,0.93\xff\n",
        b"\xef\xbb\xbf\xef\xbb\xbfcode,units_per_usd\nEUR,0.93\n",
        b"\x00" * 1000,
        b"",
        b"\xef\xbb\xbf",
        b'{"rates": {"EUR": "0.93\xff"}}',
        b'{"rates": {"EUR": "\\u0000"}}',
        b'{"rates": {"EUR": [1]}}',
        b"{" * 100_000,
        b"<Cube currency='EUR' rate='0.93'/>\x00",
    ],
)
async def test_rates_that_are_no_text_are_refused(runtime: Runtime, merchant: Merchant, data: bytes) -> None:
    told = await refusal(runtime, merchant, "", data)
    assert told is not None and told.startswith("The exchange rates were not taken. ")


async def test_a_byte_order_mark_at_the_start_is_none_of_the_text(runtime: Runtime, merchant: Merchant) -> None:
    assert await refusal(runtime, merchant, "", b"\xef\xbb\xbf" + written(RATE).encode()) is None
    assert await refusal(runtime, merchant, "\ufeff" + written(TAX), None) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"rates.csv", "rates.csv"),
        (b"caf\xc3\xa9.csv", "caf\u00e9.csv"),
        (b"rates\xff.csv", "rates\\xff.csv"),
        (b"a\x1b[2J.csv", "a\\x1b[2J.csv"),
    ],
)
def test_the_name_of_a_file_becomes_text(name: bytes, told: str) -> None:
    assert told_name(Path(os.fsdecode(name))) == told
