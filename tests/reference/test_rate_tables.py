"""Exchange rates, tax rates and languages."""

import re
from datetime import date

import pytest
from babel import Locale

from nicobar.reference import countries, currencies, locales, rates, tax_rates

POSITIVE_DECIMAL = re.compile(r"(?:0\.0*[1-9]\d*|[1-9]\d*(?:\.\d+)?)")


def test_every_currency_has_one_rate_as_positive_decimal_text() -> None:
    snapshot = rates.snapshot()
    assert [rate.code for rate in snapshot] == [currency.code for currency in currencies.ALL]
    for rate in snapshot:
        assert isinstance(rate.units_per_usd, str)
        assert POSITIVE_DECIMAL.fullmatch(rate.units_per_usd), rate.code
        assert date(2026, 9, 29) <= rate.as_of <= date(2026, 10, 30), rate.code


def test_samples_of_the_snapshot() -> None:
    found = {rate.code: rate for rate in rates.snapshot()}
    assert (found["USD"].units_per_usd, found["USD"].quality) == ("1", "exact")
    assert (found["EUR"].units_per_usd, found["EUR"].source) == ("0.8950948801", "ecb")
    assert (found["AED"].units_per_usd, found["AED"].refresh) == ("3.6725", "never")
    assert (found["VND"].units_per_usd, found["VND"].quality) == ("25947.76805", "approximate")


def test_only_fixed_rates_are_never_refreshed() -> None:
    for rate in rates.snapshot():
        assert (rate.refresh == "never") == (rate.method in ("base", "peg_usd")), rate.code
        assert (rate.quality == "approximate") == (rate.source == "currency_api"), rate.code


def test_tax_rows_are_unique_and_belong_to_countries() -> None:
    keys = [(rate.country, rate.region) for rate in tax_rates.rates()]
    assert len(set(keys)) == len(keys) == 243
    for country, region in keys:
        countries.get(country)
        assert region is None or (country, None) in keys
    assert sum(country == "US" for country, _ in keys) == 52
    assert sum(country == "CA" for country, _ in keys) == 14


def test_rates_are_between_zero_and_thirty_percent() -> None:
    for rate in tax_rates.rates():
        assert 0 <= rate.e_book_ppm <= rate.standard_ppm <= 300_000, (rate.country, rate.region)


@pytest.mark.parametrize(
    ("country", "region", "standard", "e_book"),
    [
        ("DE", None, 190_000, 70_000),
        ("FI", None, 255_000, 135_000),
        ("GB", None, 200_000, 0),
        ("CH", None, 81_000, 26_000),
        ("CM", None, 192_500, 192_500),
        ("CA", "QC", 149_750, 149_750),
        ("US", "MN", 68_750, 68_750),
        ("US", "NY", 40_000, 0),
        ("HK", None, 0, 0),
    ],
)
def test_sample_rates(country: str, region: str | None, standard: int, e_book: int) -> None:
    found = [rate for rate in tax_rates.rates() if (rate.country, rate.region) == (country, region)]
    assert [(rate.standard_ppm, rate.e_book_ppm) for rate in found] == [(standard, e_book)]


def test_member_states_reverse_the_charge_and_states_never_do() -> None:
    for rate in tax_rates.rates():
        if rate.region is None and countries.get(rate.country).eu:
            assert (rate.effect, rate.effect_source) == ("zero", "eu_directive"), rate.country
        if rate.country == "US":
            assert rate.effect == "charged", rate.region
        if rate.country in ("GB", "IM"):
            assert rate.effect == "zero_if_seller_not_uk_established", rate.country
        if rate.effect == "no_tax":
            assert rate.standard_ppm == 0, rate.country


def test_taxability_of_states() -> None:
    states = [rate for rate in tax_rates.rates() if rate.country == "US"]
    by_region = {rate.region: (rate.saas_taxable, rate.digital_taxable) for rate in states}
    assert by_region[None] == ("by_state", "by_state")
    assert by_region["TX"] == ("80_percent", "yes")
    assert by_region["CA"] == ("no", "no")
    assert by_region["OH"] == ("business_use_only", "yes")


def test_every_region_has_a_name_of_its_own() -> None:
    names = tax_rates.region_names()
    counts = {country: len(set(codes.values())) for country, codes in names.items()}
    assert counts == {"US": 51, "CA": 13, "ES": 4, "PT": 2}
    assert names["US"]["California"] == "CA"
    assert names["US"]["District of Columbia"] == "DC"
    assert names["CA"]["Québec"] == names["CA"]["Quebec"] == "QC"
    assert sum(len(rate.region_names) for rate in tax_rates.rates()) == sum(len(codes) for codes in names.values())


def test_a_rate_finer_than_one_part_per_million_is_refused() -> None:
    assert tax_rates._ppm("14.975") == 149_750
    assert tax_rates._ppm("7") == 70_000
    with pytest.raises(ValueError, match="finer"):
        tax_rates._ppm("1.00005")


def test_languages_are_known_to_babel() -> None:
    for locale in locales.ALL:
        language = Locale.parse(locale.babel)
        assert language.get_display_name("en") == locale.name, locale.code
        assert language.get_display_name() == locale.native_name, locale.code
        assert language.text_direction == locale.direction, locale.code
        assert Locale.parse(locale.babel_territory).language == language.language, locale.code
    assert [locale.code for locale in locales.ALL if locale.direction == "rtl"] == ["ar", "he"]
    assert locales.get("zh").babel == "zh_Hans"
    with pytest.raises(KeyError):
        locales.get("zh-CN")
