"""Regions that are taxed otherwise than their country, and the lists of states."""

import re

import pytest

from nicobar.core.tax.tax_place import plain
from nicobar.reference import countries, states, tax_rates
from nicobar.reference.tax_regions import all_regions, tax_regions

TOKEN = re.compile(r"=?[A-Z0-9]+|(\d+)-(\d+)")


def test_every_region_belongs_to_a_country_and_to_rows_of_the_tax_table() -> None:
    keys = {f"{rate.country}-{rate.region}" if rate.region else rate.country for rate in tax_rates.rates()}
    for region in all_regions():
        countries.get(region.country)
        assert region.own_country in (None, "IC", "EA", "XI") or countries.get(region.own_country)
        assert region.tax_row is None or region.tax_row in keys, region.place
        assert region.tax_row is not None or region.tax in ("none", "own_tax"), region.place
    assert len(all_regions()) == 157


def test_no_two_regions_claim_the_same_code_or_name() -> None:
    prefixes: dict[tuple[str, str], str] = {}
    names: dict[tuple[str, str], str] = {}
    for region in all_regions():
        for token in region.postal_prefixes:
            assert prefixes.setdefault((region.country, token), region.place) == region.place, token
            match = TOKEN.fullmatch(token)
            assert match is not None and (match[1] is None or len(match[1]) == len(match[2])), token
        for name in region.names:
            assert names.setdefault((region.country, plain(name)), region.place) == region.place, name


def test_the_states_that_have_a_rate_have_their_codes_and_names() -> None:
    regions = {(region.country, region.region): region for region in all_regions()}
    for rate in tax_rates.rates():
        if rate.region is not None:
            region = regions[rate.country, rate.region]
            assert region.tax_row == f"{rate.country}-{rate.region}"
            assert {plain(name) for name in rate.region_names} <= {plain(name) for name in region.names}


def test_a_code_is_asked_for_where_it_can_decide() -> None:
    asking = {country.alpha2 for country in countries.ALL if tax_regions().asks_for_code(country.alpha2)}
    assert " ".join(sorted(asking)) == "AT AU CA CH CN CY DE DK ES FI FR GB GR IN IT NO PT TR US"


def test_the_lists_have_what_the_post_delivers_to() -> None:
    listed = states.states()
    assert {country: len(of_it) for country, of_it in listed.items()} == {"CA": 13, "ES": 52, "US": 62, "PT": 20}
    american = {state.code for state in listed["US"]}
    assert {"AA", "AE", "AP", "AS", "DC", "FM", "GU", "MH", "MP", "PR", "PW", "VI"} <= american
    values = [(state.country, state.value) for state in states.all_states()]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("country", "text", "value"),
    [
        ("US", "alabama", "AL"),
        ("US", "US-AE", "AE"),
        ("US", "Armed Forces Europe", "AE"),
        ("US", "puerto rico", "PR"),
        ("CA", "Terre-Neuve", "NL"),
        ("CA", "québec", "QC"),
        ("ES", "MALAGA", "Málaga"),
        ("ES", "Islas Canarias", None),
        ("ES", "Araba", "Álava"),
        ("PT", "Madeira", "Madeira"),
        ("PT", "11", "Lisboa"),
        ("US", "Atlantis", None),
        ("DE", "Bayern", None),
        ("US", " ", None),
    ],
)
def test_states_are_found_as_people_write_them(country: str, text: str, value: str | None) -> None:
    found = states.find_state(country, text)
    assert (None if found is None else found.value) == value
