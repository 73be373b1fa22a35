"""The merchant's tax table: read as a whole or not at all, replaced at once, and what was there before is kept."""

from datetime import date

import pytest

from harness import START, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.tax.tax import TaxRow, TaxTable
from nicobar.core.tax.tax_place import TaxPlace
from nicobar.core.tax.tax_sheet import COLUMNS, TaxSheet, read_sheet, write_sheet
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.import_tax_rates import import_tax_rates
from nicobar.flows.tax.reset_tax_rates import reset_tax_rates
from nicobar.reference.codes import codes
from nicobar.reference.shipped_tax import shipped_sheet
from nicobar.storage.tax.tax_rates import StoredTaxTable, newest_tax_table

COUNTRIES = codes().countries

MINE = """country,region,region_names,name,standard_percent,e_book_percent,effect,valid_from,valid_to,source
DE,,,VAT,19,7,zero,,,law
DE,,,VAT,19.5,,zero,2027-01-01,,law
us,US-CA,California; Golden State,Sales tax,7.25,,,,,
SK,,,VAT,20,,,,2025-01-01,
"""


async def stored(runtime: Runtime, tenant: Tenant) -> StoredTaxTable | None:
    async with runtime.database.read() as read:
        return await newest_tax_table(read, tenant)


async def kept(runtime: Runtime, tenant: Tenant) -> int:
    async with runtime.database.read() as read:
        found: int = await read.fetchval(
            "SELECT count(*) FROM tax_tables WHERE business_id = $1 AND mode = $2", tenant.business_id, tenant.mode
        )
    return found


def rate(table: TaxTable, country: str, region: str | None = None, on: date = date(2026, 3, 14)) -> int:
    return table.decide(TaxPlace(country, region), "saas", on).rate_ppm


def test_a_file_is_read_to_the_last_cell() -> None:
    sheet = read_sheet(MINE, COUNTRIES)
    assert sheet == TaxSheet(
        (
            TaxRow("DE", None, "VAT", 190_000, 70_000, effect="zero", source="law"),
            TaxRow("DE", None, "VAT", 195_000, None, effect="zero", valid_from=date(2027, 1, 1), source="law"),
            TaxRow("US", "CA", "Sales tax", 72_500),
            TaxRow("SK", None, "VAT", 200_000, valid_to=date(2025, 1, 1)),
        ),
        {"US": {"California": "CA", "Golden State": "CA"}},
    )
    table = sheet.table()
    assert rate(table, "DE") == 190_000
    assert rate(table, "DE", on=date(2026, 12, 31)) == 190_000
    assert rate(table, "DE", on=date(2027, 1, 1)) == 195_000
    assert rate(table, "US", "golden  state") == 72_500
    assert (rate(table, "SK", on=date(2024, 12, 31)), rate(table, "SK", on=date(2025, 1, 1))) == (200_000, 0)
    assert rate(table, "FR") == 0


@pytest.mark.parametrize("sheet", [shipped_sheet(), read_sheet(MINE, COUNTRIES)], ids=["shipped", "mine"])
def test_an_export_is_read_back_unchanged(sheet: TaxSheet) -> None:
    text = write_sheet(sheet)
    assert text.splitlines()[0] == ",".join(COLUMNS)
    again = read_sheet(text, COUNTRIES)
    assert again == sheet
    assert write_sheet(again) == text
    assert read_sheet("\ufeff" + text.replace("\n", "\r\n"), COUNTRIES) == sheet


def test_samples_of_the_shipped_table() -> None:
    assert len(shipped_sheet().rows) == 243
    table = shipped_sheet().table()
    assert rate(table, "DE") == 190_000
    assert rate(table, "CA", "Québec") == 149_750
    assert rate(table, "US", "texas") == 50_000
    line = next(line for line in write_sheet(shipped_sheet()).splitlines() if line.startswith("CA,QC"))
    assert line.startswith("CA,QC,Quebec; Québec,") or line.startswith("CA,QC,Québec; Quebec,")
    assert ",14.975," in line


HEADER = "country,region,region_names,name,standard_percent,e_book_percent,saas_taxable,effect,valid_from,valid_to\n"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("XX,,,VAT,19,,,,,", "country is a code of two letters such as DE, not 'XX'"),
        ("US,CALI,,Tax,5,,,,,", "region is a code of up to three letters or digits such as CA, not 'CALI'"),
        ("US,,California,Tax,5,,,,,", "region_names belong to a row with a region"),
        ("DE,,, ,19,,,,,", "name is what the invoice calls the tax, such as VAT; it is empty"),
        (
            "DE,,,VAT,19%,,,,,",
            "standard_percent is a percentage from 0 to 100 with at most four decimals such as 8.875, not '19%'",
        ),
        (
            'DE,,,VAT,"19,5",,,,,',
            "standard_percent is a percentage from 0 to 100 with at most four decimals such as 8.875, not '19,5'",
        ),
        (
            "DE,,,VAT,100.0001,,,,,",
            "standard_percent is a percentage from 0 to 100 with at most four decimals such as 8.875, not '100.0001'",
        ),
        (
            "DE,,,VAT,19,0.00001,,,,",
            "e_book_percent is a percentage from 0 to 100 with at most four decimals such as 8.875, not '0.00001'",
        ),
        (
            "DE,,,VAT,19,,perhaps,,,",
            "saas_taxable is one of yes, no, partial, local_only, by_state, business_use_only, 80_percent, "
            "not 'perhaps'",
        ),
        (
            "DE,,,VAT,19,,,free,,",
            "effect is one of zero, charged, zero_if_seller_not_uk_established, zero_gst_only, reduced_4, no_tax, "
            "unknown, not 'free'",
        ),
        ("DE,,,VAT,19,,,,1.1.2026,", "valid_from is a day such as 2026-01-31, not '1.1.2026'"),
        ("DE,,,VAT,19,,,,,2026-02-30", "valid_to is a day such as 2026-01-31, not '2026-02-30'"),
        (
            "DE,,,VAT,19,,,,2026-01-01,2026-01-01",
            "valid_to is the first day on which the rate no longer holds, so it comes after valid_from",
        ),
        ("DE,,,VAT,19,,,,", "it has 9 cells, and the first line has 10"),
        ("DE", "it has 1 cell, and the first line has 10"),
        (f"DE,,,{'V' * 501},19,,,,,", "name is longer than 500 characters"),
        ("FR,,,TVA,21,,,,,", "line 2 is a row of FR with no valid_from, too"),
        ('FR,,,"TVA,21,,,,,', "it is not CSV: unexpected end of data"),
    ],
)
async def test_one_wrong_line_refuses_the_whole_file(runtime: Runtime, tenant: Tenant, line: str, why: str) -> None:
    with pytest.raises(Problem) as refused:
        await import_tax_rates(runtime, tenant, f"{HEADER}FR,,,TVA,20,,,,,\n{line}\n", "rates.csv")
    assert refused.value.code == "INVALID_REQUEST_PARAMETERS"
    assert refused.value.message == f"The tax table was not taken:\nline 3: {why}."
    assert await stored(runtime, tenant) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: these columns are missing: country, name, standard_percent."),
        ("country,name\n", "line 1: these columns are missing: standard_percent."),
        (
            "country,name,standard_percent,valid_form\n",
            f"line 1: these columns are not known: valid_form. Known: {', '.join(COLUMNS)}.",
        ),
        ("country,name,standard_percent,name\n", "line 1: a column is there twice."),
        (
            "country,name,standard_percent\n\n",
            "The file has no rows. To charge no tax at all, switch the setting tax off.",
        ),
    ],
)
def test_a_file_without_its_frame_is_refused(text: str, why: str) -> None:
    with pytest.raises(Problem) as refused:
        read_sheet(text, COUNTRIES)
    assert refused.value.message == f"The tax table was not taken:\n{why}"


def test_every_wrong_line_is_named_up_to_a_bound() -> None:
    lines = ["country,name,standard_percent", "DE,VAT,19", "", "XX,VAT,19", "FR,VAT,-1", *["YY,VAT,1"] * 30]
    with pytest.raises(Problem) as refused:
        read_sheet("\n".join(lines), COUNTRIES)
    message = refused.value.message.splitlines()
    assert message[1].startswith("line 4: country")
    assert message[2].startswith("line 5: standard_percent")
    assert message[-2].startswith("line 23: ")
    assert message[-1] == "... and 12 more."
    with pytest.raises(Problem, match="more than 10000 rows"):
        read_sheet("country,name,standard_percent\n" + "DE,VAT,19\n" * 10_001, COUNTRIES)


async def test_an_import_replaces_the_table_and_the_old_ones_are_kept(
    runtime: Runtime, clock: FakeClock, tenant: Tenant
) -> None:
    await import_tax_rates(runtime, tenant, MINE, "mine.csv")
    assert await stored(runtime, tenant) == StoredTaxTable(read_sheet(MINE, COUNTRIES), "mine.csv", START)
    later = clock.advance(days=1)
    text = "country,name,standard_percent\nFR,TVA,20\n"
    await import_tax_rates(runtime, tenant, text, "france.csv")
    assert await stored(runtime, tenant) == StoredTaxTable(read_sheet(text, COUNTRIES), "france.csv", later)
    assert await kept(runtime, tenant) == 2
    assert await stored(runtime, Tenant(tenant.business_id, "live")) is None


async def test_reset_returns_to_the_shipped_table(runtime: Runtime, clock: FakeClock, tenant: Tenant) -> None:
    assert await reset_tax_rates(runtime, tenant) is False
    await import_tax_rates(runtime, tenant, MINE, "mine.csv")
    later = clock.advance(days=1)
    assert await reset_tax_rates(runtime, tenant) is True
    assert await stored(runtime, tenant) == StoredTaxTable(None, "shipped", later)
    assert await reset_tax_rates(runtime, tenant) is False
    assert await kept(runtime, tenant) == 2


async def test_the_policy_follows_import_and_reset(runtime: Runtime, clock: FakeClock, tenant: Tenant) -> None:
    shipped = (await load_policy(runtime, tenant)).tax_table
    assert (rate(shipped, "DE"), rate(shipped, "FR")) == (190_000, 200_000)
    await import_tax_rates(runtime, tenant, MINE, "mine.csv")
    clock.advance(seconds=4.999)
    mine = (await load_policy(runtime, tenant)).tax_table
    assert (rate(mine, "DE"), rate(mine, "FR")) == (190_000, 0)
    assert (await load_policy(runtime, Tenant(tenant.business_id, "live"))).tax_table is shipped
    await reset_tax_rates(runtime, tenant)
    clock.advance(seconds=4.999)
    assert (await load_policy(runtime, tenant)).tax_table is shipped


async def test_an_unknown_business_is_refused(runtime: Runtime) -> None:
    nobody = Tenant("bus_unknown", "test")
    with pytest.raises(Problem, match="Business not found"):
        await import_tax_rates(runtime, nobody, MINE, "mine.csv")
    with pytest.raises(Problem, match="Business not found"):
        await reset_tax_rates(runtime, nobody)
    assert await kept(runtime, nobody) == 0
