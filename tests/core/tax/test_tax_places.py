"""Where an address is taxed: 124 awkward addresses with the place and the rate that belong to them."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nicobar.core.customers.buyer import Address
from nicobar.core.tax.tax import TaxRow, TaxTable
from nicobar.core.tax.tax_place import TaxPlace, bare_code, plain
from nicobar.core.tax.tax_sheet import percent_text
from nicobar.reference.shipped_tax import shipped_sheet
from nicobar.reference.tax_regions import tax_regions

DAY = date(2026, 11, 23)
SHIPPED = shipped_sheet().table()
FILE = Path(__file__).parent / "tax_region_examples.csv"
EXAMPLES = list(csv.DictReader(FILE.read_text(encoding="utf-8").splitlines()))


def address(country: str, zipcode: str = "", state: str = "", city: str = "") -> Address:
    return Address(country, city=city or None, state=state or None, zipcode=zipcode or None)


def find(country: str, zipcode: str = "", state: str = "", city: str = "") -> TaxPlace:
    return tax_regions().find(address(country, zipcode, state, city))


def place_of(*where: str) -> str:
    region = find(*where).region
    return "" if region is None else region.place


def rate(*where: str, table: TaxTable = SHIPPED, **buyer: Any) -> str:
    return percent_text(table.decide(find(*where), "saas", DAY, **buyer).rate_ppm)


def test_there_are_124_examples() -> None:
    assert len(EXAMPLES) == 124


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: f"{row['country']} {row['zipcode']} {row['state']}")
def test_awkward_addresses(row: dict[str, str]) -> None:
    where = row["country"], row["zipcode"], row["state"], row["city"]
    region = find(*where).region
    assert (rate(*where), "" if region is None else region.place) == (row["percent"], row["place"])
    assert (row["country"] if region is None else region.tax_row or "none") == row["tax_row"]


@pytest.mark.parametrize(
    ("where", "place"),
    [
        (("ES", "28001", "Canarias"), ""),  # a good code that says otherwise beats the state
        (("ES", "3500", "Canarias"), ""),
        (("ES", "x", "ISLAS  CANARIAS"), "es-canarias"),  # and a bad one does not
        (("ES", "٣٥٠٠١"), "es-canarias-gc"),
        (("PT", "", "São João da Madeira"), ""),
        (("IT", "23030", "SO", "Trepalle di Livigno"), "it-livigno"),
        (("IT", "23030", "", "Livignola"), ""),
        (("CA", "K1A 0B1", "CA-QC"), "ca-qc"),
        (("CA", "K1A 0B1"), "ca-on"),
        (("CA", "R8A 1A1", "Saskatchewan"), "ca-sk"),
        (("US", "95014"), "us-ca"),
        (("US", "95014", "TX"), "us-ca"),
        (("US", "00000", "TX"), "us-tx"),  # no code of the United States
        (("US", "20588"), "us-md"),
        (("US", "20598"), "us-va"),
        (("US", "06390"), "us-ny"),
        (("US", "73301-0001"), "us-tx"),
        (("US", "96799"), "us-as"),
        (("US", "", "US-VI"), "us-vi"),
        (("NL", "1011 AB", "Bonaire"), ""),
        (("NZ", "6011", "Niue"), ""),
        (("FR", "97133"), "fr-saint-barthelemy"),
        (("FR", "97733 CEDEX"), "fr-reunion"),
        (("DK", "FO 970"), "dk-faroe"),
        (("JP", "150-0001", "Tokyo"), ""),
    ],
)
def test_codes_towns_and_states(where: tuple[str, ...], place: str) -> None:
    assert place_of(*where) == place


def test_a_bare_code_is_capitals_and_digits() -> None:
    assert bare_code("FR", "mc-98 000 cedex 9") == "98000"
    assert bare_code("GB", "im1 1aa") == "IM11AA"
    assert bare_code("ES", "GX11 1AA") == "GX111AA"
    assert bare_code("CA", "k1a-0b1") == "K1A0B1"
    assert bare_code("IN", "११०००१") == "110001"
    assert plain(" Campione d’ITALIA ") == plain("campione d'italia") == "campione d italia"


def test_who_chose_the_place_as_a_country_is_taxed_like_who_wrote_it_as_an_address() -> None:
    pairs = [("GP", "FR", "97110"), ("RE", "FR", "97400"), ("MC", "FR", "98000"), ("AX", "FI", "22100")]
    pairs += [("PR", "US", "00901"), ("IM", "GB", "IM1 1AA"), ("JE", "GB", "JE2 3AB"), ("LI", "CH", "9490")]
    for own, country, zipcode in pairs:
        assert rate(own) == rate(country, zipcode), own


def test_a_merchants_own_row_for_a_region_comes_first() -> None:
    """Heligoland and Livigno have no row in the shipped table; IGIC is charged by those who are registered for it."""
    table = TaxTable(
        [
            TaxRow("IT", None, "IVA", 220_000),
            TaxRow("IT", "CAM", "ILCCI", 81_000),
            TaxRow("ES", None, "IVA", 210_000),
            TaxRow("ES", "GC", "IGIC", 70_000),
        ]
    )
    assert rate("IT", "22061", table=table) == "8.1"
    assert rate("IT", "23041", table=table) == "0"
    assert rate("ES", "35001", table=table) == rate("ES", "", "Canarias", table=table) == "7"
    assert rate("ES", "38001", table=table) == "0"
    assert rate("ES", "28001", "GC", table=table) == "21"


def test_without_the_row_of_the_same_tax_that_of_the_country_stands_in() -> None:
    table = TaxTable([TaxRow("FR", None, "TVA", 200_000), TaxRow("DE", None, "USt", 190_000)])
    assert rate("FR", "97400", table=table) == "20"
    assert rate("DE", "78266", table=table) == "19"
    assert rate("FR", "97300", table=table) == "0"
    assert rate("DE", "27498", table=table) == "0"


def test_the_explanation_names_the_place() -> None:
    livigno = SHIPPED.decide(find("IT", "23041"), "saas", DAY)
    assert livigno.rule == "no tax is collected in Livigno"
    assert livigno.place == "Livigno (IT) by postal code, outside the EU VAT area"
    assert SHIPPED.decide(find("US", "", "TX"), "saas", DAY).place == ""
    assert SHIPPED.decide(find("US", "75001"), "saas", DAY).place == "Texas (US) by postal code"


def test_a_place_without_tax_is_no_reverse_charge() -> None:
    decision = SHIPPED.decide(find("ES", "51001"), "saas", DAY, tax_id_given=True, seller_country="DE")
    assert (decision.rate_ppm, decision.reverse_charge) == (0, False)


@pytest.mark.parametrize(
    ("where", "seller", "percent"),
    [
        (("FR", "98000"), "FR", "20"),  # Monaco is France
        (("MC",), "FR", "20"),
        (("FR", "98000"), "DE", "0"),
        (("AX",), "FI", "25.5"),
        (("DE", "87491"), "DE", "20"),  # a German number proves nothing about Austrian tax
        (("US", "00901"), "DE", "11.5"),  # nor an American one about Puerto Rico's
        (("PR",), "DE", "4"),
    ],
)
def test_a_tax_id_counts_for_the_country_whose_tax_it_is(where: tuple[str, ...], seller: str, percent: str) -> None:
    assert rate(*where, tax_id_given=True, seller_country=seller) == percent
