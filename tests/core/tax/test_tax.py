"""Rates by country, region, category and day, and what a valid tax id changes."""

from datetime import date

import pytest

from nicobar.core.tax.tax import Category, TaxDecision, TaxRow, TaxTable
from nicobar.core.tax.tax_place import TaxPlace

DAY = date(2026, 11, 23)
TABLE = TaxTable(
    [
        TaxRow("DE", None, "VAT", 190_000, 70_000, effect="zero", source="official list"),
        TaxRow("GB", None, "VAT", 200_000, 0, effect="zero_if_seller_not_uk_established"),
        TaxRow("CH", None, "VAT", 81_000, 26_000, effect="charged"),
        TaxRow("AD", None, "IGI", 45_000, effect="unknown"),
        TaxRow("GP", None, "TVA", 85_000, effect=""),
        TaxRow("QA", None, "VAT", 0, 0, "no", "no", "no_tax"),
        TaxRow("PR", None, "SUT", 115_000, effect="reduced_4"),
        TaxRow("CA", None, "GST", 50_000, effect="zero"),
        TaxRow("CA", "BC", "GST+PST", 120_000, effect="zero_gst_only"),
        TaxRow("CA", "QC", "GST+QST", 149_750, effect="zero"),
        TaxRow("PT", None, "VAT", 230_000, effect="zero"),
        TaxRow("PT", "20", "IVA Azores", 160_000, effect=""),
        TaxRow("US", None, "Sales tax", 0, None, "by_state", "by_state", "charged"),
        TaxRow("US", "CA", "Sales tax", 72_500, 0, "no", "no", "charged"),
        TaxRow("US", "TX", "Sales tax", 62_500, 62_500, "80_percent", "yes", "charged"),
        TaxRow("US", "OH", "Sales tax", 57_500, 57_500, "business_use_only", "yes", "charged"),
        TaxRow("US", "AK", "Sales tax", 10_000, 0, "local_only", "local_only", "charged"),
        TaxRow("US", "MD", "Sales tax", 60_000, 60_000, "partial", "yes", "charged"),
        TaxRow("EE", None, "VAT", 220_000, effect="zero", valid_to=date(2025, 7, 1)),
        TaxRow("EE", None, "VAT", 240_000, effect="zero", valid_from=date(2025, 7, 1)),
    ],
    {"US": {"Texas": "TX", "California": "CA"}, "CA": {"British Columbia": "BC", "Québec": "QC"}},
)


NEWER_AND_EXPIRED = TaxTable(
    [
        TaxRow("SK", None, "VAT", 200_000),
        TaxRow("SK", None, "VAT", 230_000, valid_from=date(2025, 1, 1)),
        TaxRow("BG", None, "VAT", 90_000, valid_to=date(2025, 1, 1)),
    ]
)


def decide(
    country: str,
    region: str | None = None,
    category: Category = "digital_products",
    *,
    tax_id: bool = False,
    seller: str | None = None,
    on: date = DAY,
) -> TaxDecision:
    return TABLE.decide(TaxPlace(country, region), category, on, tax_id_given=tax_id, seller_country=seller)


def test_decision_names_rate_rule_and_source() -> None:
    assert decide("DE") == TaxDecision(190_000, "VAT", False, "VAT 19 % of DE", "official list")
    assert decide("ZZ") == TaxDecision(0, "", False, "no tax row for ZZ", "")


@pytest.mark.parametrize(
    ("country", "region", "category", "expected"),
    [
        ("DE", None, "saas", 190_000),
        ("DE", None, "e_book", 70_000),
        ("DE", None, "edtech", 190_000),
        ("DE", None, "live_tutoring", 190_000),
        ("GB", None, "e_book", 0),
        ("AD", None, "e_book", 45_000),
        ("QA", None, "digital_products", 0),
        ("US", None, "digital_products", 0),
        ("US", "TX", "digital_products", 62_500),
        ("US", "TX", "saas", 50_000),
        ("US", "OH", "saas", 0),
        ("US", "CA", "saas", 0),
        ("US", "CA", "e_book", 0),
        ("US", "AK", "saas", 0),
        ("US", "MD", "saas", 60_000),
        ("CA", "QC", "saas", 149_750),
    ],
)
def test_rate_by_place_and_category(country: str, region: str | None, category: Category, expected: int) -> None:
    decision = decide(country, region, category)
    assert (decision.rate_ppm, decision.reverse_charge) == (expected, False)


@pytest.mark.parametrize("region", ["TX", "tx", " Texas ", "TEXAS", "US-TX", "us-tx"])
def test_regions_match_by_code_and_name(region: str) -> None:
    assert decide("US", region).rate_ppm == 62_500
    assert TABLE.region_code("US", region) == "TX"


@pytest.mark.parametrize("region", [None, "", "  ", "Atlantis", "TX-1"])
def test_an_unknown_region_falls_back_to_the_country(region: str | None) -> None:
    assert TABLE.region_code("CA", region) is None
    assert decide("CA", region).rate_ppm == 50_000


def test_region_names_fold_case_beyond_ascii() -> None:
    assert decide("CA", "QUÉBEC").rate_ppm == 149_750


@pytest.mark.parametrize(
    ("on", "expected"),
    [(date(2025, 6, 30), 220_000), (date(2025, 7, 1), 240_000), (date(2030, 1, 1), 240_000)],
)
def test_rows_hold_from_their_first_day_until_the_next_row(on: date, expected: int) -> None:
    assert decide("EE", on=on).rate_ppm == expected


def test_of_two_rows_that_hold_the_newer_one_counts() -> None:
    assert NEWER_AND_EXPIRED.decide(TaxPlace("SK"), "saas", date(2024, 12, 31)).rate_ppm == 200_000
    assert NEWER_AND_EXPIRED.decide(TaxPlace("SK"), "saas", date(2025, 1, 1)).rate_ppm == 230_000


def test_a_row_ends_on_its_last_day() -> None:
    assert NEWER_AND_EXPIRED.decide(TaxPlace("BG"), "saas", date(2024, 12, 31)).rate_ppm == 90_000
    assert NEWER_AND_EXPIRED.decide(TaxPlace("BG"), "saas", date(2025, 1, 1)).rule == "no tax row for BG"


@pytest.mark.parametrize(
    ("country", "region", "seller", "rate", "reverse"),
    [
        ("DE", None, "FR", 0, True),
        ("DE", None, None, 190_000, False),  # nobody knows whether the sale crosses a border
        ("GB", None, None, 200_000, False),
        ("PR", None, None, 115_000, False),
        ("CA", "BC", None, 120_000, False),
        ("DE", None, "DE", 190_000, False),  # domestic sale
        ("GB", None, "US", 0, True),
        ("GB", None, "IM", 200_000, False),
        ("GB", None, "GB", 200_000, False),
        ("CH", None, "DE", 81_000, False),
        ("AD", None, "DE", 45_000, False),  # unknown counts as charged
        ("GP", None, "DE", 85_000, False),  # and so does an empty effect
        ("QA", None, "DE", 0, False),
        ("PR", None, "DE", 40_000, False),
        ("CA", None, "DE", 0, True),
        ("CA", "BC", "DE", 70_000, False),  # GST 5 % goes, PST 7 % stays
        ("CA", "QC", "DE", 0, True),
        ("CA", "BC", "CA", 120_000, False),
        ("PT", "20", "DE", 0, True),  # the region's empty effect is the country's
        ("US", "TX", "DE", 62_500, False),
    ],
)
def test_valid_tax_id(country: str, region: str | None, seller: str | None, rate: int, reverse: bool) -> None:
    decision = decide(country, region, tax_id=True, seller=seller)
    assert (decision.rate_ppm, decision.reverse_charge) == (rate, reverse)
    assert decide(country, region, seller=seller).reverse_charge is False


def test_business_use_is_taxed_when_the_buyer_shows_a_tax_id() -> None:
    assert decide("US", "OH", "saas", tax_id=True).rate_ppm == 57_500


def test_a_doubtful_tax_id_changes_nothing_and_still_shows_a_business() -> None:
    place = TaxPlace("DE")
    decision = TABLE.decide(place, "saas", DAY, tax_id_given=True, tax_id_doubt="why", seller_country="FR")
    assert (decision.rate_ppm, decision.reverse_charge) == (190_000, False)
    assert decision.rule == "VAT 19 % of DE; the tax id changes nothing: why"
    ohio = TABLE.decide(TaxPlace("US", "OH"), "saas", DAY, tax_id_given=True, tax_id_doubt="why", seller_country="FR")
    assert ohio.rate_ppm == 57_500


def test_rules_say_why() -> None:
    assert decide("DE", tax_id=True).rule == (
        "VAT 19 % of DE; the tax id changes nothing: the setting seller_country is empty, so nobody knows whether the "
        "sale crosses a border"
    )
    assert decide("DE", tax_id=True, seller="FR").rule == "reverse charge for a valid tax id, instead of VAT 19 % of DE"
    assert decide("CA", "BC", tax_id=True, seller="FR").rule == (
        "7 % regional tax stays for a valid tax id, instead of GST+PST 12 % of CA-BC"
    )
    assert decide("US", "CA").rule == "US-CA does not tax digital_products"
    assert decide("US", "Atlantis").rule == "US taxes by state, and the address names none that is known"
    assert decide("PR", tax_id=True, seller="FR").rule == "4 % for a registered business, instead of SUT 11.5 % of PR"
