"""Countries: acceptance, currencies, address rules and tax id checks."""

import re
from importlib import import_module

import pytest

from nicobar.reference import countries, currencies

REFUSED = "AF AQ BY CD CF CU HT IR KP LY MD ML MM PS RU SD SO SS SY UA VE YE ZW"
EU = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
NOT_EURO = {"CZ", "DK", "HU", "PL", "RO", "SE"}


def test_226_countries_are_accepted_and_23_refused() -> None:
    assert len(countries.ALL) == 249
    assert len(countries.accepted()) == 226
    assert sorted(country.alpha2 for country in countries.ALL if not country.accepted) == REFUSED.split()
    assert [country.alpha2 for country in countries.accepted()][:4] == ["AX", "AL", "DZ", "AS"]


def test_every_country_pays_in_a_chargeable_currency() -> None:
    for country in countries.ALL:
        assert currencies.get(country.charge_currency).chargeable, country.alpha2
        if country.own_currency is not None:
            assert currencies.get(country.own_currency).legal_tender, country.alpha2


def test_membership_of_the_european_union_and_its_areas() -> None:
    assert {country.alpha2 for country in countries.ALL if country.eu} == set(EU.split())
    assert {country.alpha2 for country in countries.ALL if country.eea} == {*EU.split(), "IS", "LI", "NO"}
    assert {country.alpha2 for country in countries.ALL if country.eurozone} == set(EU.split()) - NOT_EURO


def test_codes_are_unique_and_well_formed() -> None:
    for field, pattern in (("alpha2", "[A-Z]{2}"), ("alpha3", "[A-Z]{3}"), ("numeric", "[0-9]{3}")):
        values = [getattr(country, field) for country in countries.ALL]
        assert len(set(values)) == 249, field
        assert all(re.fullmatch(pattern, value) for value in values), field
    namibia = countries.get("NA")
    assert (namibia.alpha3, namibia.numeric, namibia.name) == ("NAM", "516", "Namibia")


@pytest.mark.parametrize(
    ("country", "good", "bad"),
    [
        ("US", "94107-1234", "9410"),
        ("GB", "SW1A 1AA", "SW1A 1AA 5"),
        ("GB", "GIR 0AA", "GIR 0AAX"),
        ("LI", "9490", "94901"),
        ("PE", "15001", "150012"),
        ("CR", "10101", "1010122"),
        ("BH", "1012", "2012"),
        ("AR", "C1425DKF", "C142"),
        ("IN", "560001", "56001"),
        ("NL", "1012 AB", "1012 SA"),
        ("JP", "100-0001", "100-001"),
        ("IE", "D02 AF30", "D02 AF3"),
    ],
)
def test_postal_code_pattern_covers_the_whole_code(country: str, good: str, bad: str) -> None:
    pattern = countries.get(country).postal_code_pattern
    assert pattern is not None
    assert re.fullmatch(pattern, good)
    assert not re.fullmatch(pattern, bad)


def test_postal_code_columns_agree_with_each_other() -> None:
    for country in countries.ALL:
        assert country.postal_code_used or not country.postal_code_required, country.alpha2
        if country.postal_code_pattern is not None:
            assert country.postal_code_used, country.alpha2
            assert not re.search(r"(?<!\\)[\^$]", country.postal_code_pattern.replace("[^", "")), country.alpha2
            re.compile(country.postal_code_pattern)
        if country.state_required:
            assert country.state_kind is not None, country.alpha2


def test_every_tax_id_module_exists_and_belongs_to_a_named_number() -> None:
    for country in countries.ALL:
        for name in country.tax_id_modules:
            assert callable(import_module(name).is_valid), name
            assert country.tax_id_name, country.alpha2
    assert all(countries.get(alpha2).tax_id_modules for alpha2 in EU.split())


@pytest.mark.parametrize(
    ("country", "number"), [("DE", "DE136695976"), ("BR", "16.727.230/0001-97"), ("CH", "CHE-100.155.212")]
)
def test_tax_id_modules_accept_a_valid_number(country: str, number: str) -> None:
    modules = [import_module(name) for name in countries.get(country).tax_id_modules]
    assert any(module.is_valid(number) for module in modules)


@pytest.mark.parametrize("code", ["UK", "us", "", "XX"])
def test_unknown_code_raises_key_error(code: str) -> None:
    with pytest.raises(KeyError):
        countries.get(code)
