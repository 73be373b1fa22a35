"""Currencies: decimals, minimums and default countries against the contract's page on money, tables 0 and 0.2."""

import pytest
from babel import Locale

from nicobar.reference import countries, currencies

ZERO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF"
THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

CHARGEABLE = """
    AED 200 AE
    ALL 5000 AL
    AMD 50000 AM
    ARS 100000 AR
    AUD 50 AU NR
    AWG 200 AW
    AZN 200 AZ
    BAM 200 BA
    BDT 10000 BD
    BMD 100 BM
    BND 100 BN
    BOB 500 BO
    BRL 50 BR
    BSD 100 BS
    BWP 1500 BW
    BZD 200 BZ
    CAD 50 CA
    CHF 50 CH LI
    CLP 1000 CL
    CNY 400 CN
    CRC 50000 CR
    CZK 1500 CZ
    DKK 250 DK GL
    DOP 10000 DO
    EGP 5000 EG
    ETB 10000 ET
    EUR 50 AT BE CY EE FI FR DE GR IE IT LV LT LU MT NL PT SK SI ES AD MC HR SM ME
    FJD 200 FJ
    GBP 30 GB
    GEL 300 GE
    GMD 10000 GM
    GTQ 1000 GT
    GYD 20000 GY
    HKD 400 HK
    HNL 2500 HN
    HUF 17500 HU
    IDR 850000 ID
    ILS 300 IL
    INR 500 IN
    JPY 50 JP
    KRW 50 KR
    KZT 50000 KZ
    LKR 30000 LK
    LRD 20000 LR
    LSL 2000 LS
    MAD 1000 MA
    MKD 5000 MK
    MOP 1000 MO
    MUR 5000 MU
    MVR 1500 MV
    MWK 200000 MW
    MXN 1000 MX
    MYR 400 MY
    NGN 200000 NG
    NOK 300 NO
    NPR 15000 NP
    NZD 100 NZ
    PEN 300 PE
    PGK 400 PG
    PHP 5000 PH
    PLN 200 PL
    PYG 4000 PY
    QAR 300 QA
    RON 200 RO
    RSD 6000 RS
    SAR 200 SA
    SBD 1000 SB
    SCR 1500 SC
    SEK 300 SE
    SGD 50 SG
    SZL 2000 SZ
    THB 2500 TH
    TOP 200 TO
    TRY 2000 TR
    TWD 2000 TW
    TZS 300000 TZ
    USD 50 US
    UYU 5000 UY
    VND 12000 VN
    WST 200 WS
    XAF 300 CM CF TD CG GQ GA
    XOF 300 BJ BF CI GW ML NE SN TG
    ZAR 2000 ZA
    ZMW 3000 ZM
"""
"""The contract's table: currency, smallest charge in minor units, billing countries that default to it."""

TABLE = [line.split() for line in CHARGEABLE.strip().splitlines()]


def test_exponents_are_the_contracts() -> None:
    expected = dict.fromkeys(ZERO_DECIMALS.split(), 0) | dict.fromkeys(THREE_DECIMALS.split(), 3)
    assert len(expected) == 23
    assert {currency.code: currency.exponent for currency in currencies.ALL} == {
        currency.code: expected.get(currency.code, 2) for currency in currencies.ALL
    }
    assert currencies.exponents() == {code: currencies.exponent(code) for code in currencies.exponents()}
    assert len(currencies.exponents()) == 145


def test_84_currencies_are_chargeable_with_the_contracts_minimums() -> None:
    assert len(TABLE) == 84
    assert {c.code: c.minimum_minor for c in currencies.ALL if c.chargeable} == {
        code: int(minimum) for code, minimum, *_ in TABLE
    }
    assert currencies.chargeable() == {code for code, *_ in TABLE}


def test_every_currency_has_a_positive_minimum_and_chargeable_ones_a_documented_one() -> None:
    for currency in currencies.ALL:
        assert currency.minimum_minor > 0, currency.code
        documented = (currency.minimum_source, currency.minimum_confidence) == ("dodo_2026", "high")
        assert documented == currency.chargeable, currency.code


def test_default_charge_currency_of_every_country_follows_the_table() -> None:
    table = {country: code for code, _, *places in TABLE for country in places}
    assert len(table) == 122
    assert {country.alpha2: country.charge_currency for country in countries.ALL} == {
        country.alpha2: table.get(country.alpha2, "USD") for country in countries.ALL
    }
    assert {c.alpha2 for c in countries.ALL if c.charge_currency_source == "fallback"} == {
        country.alpha2 for country in countries.ALL if country.alpha2 not in table
    }


def test_names_symbols_and_numbers() -> None:
    names = Locale("en").currencies
    for currency in currencies.ALL:
        assert currency.name == names[currency.code]
        assert currency.symbol
        assert len(currency.numeric) == 3
        assert currency.numeric.isdecimal()
    assert [currencies.get(code).symbol for code in ("USD", "EUR", "GBP", "INR", "JPY")] == ["$", "€", "£", "₹", "¥"]
    assert (currencies.get("DZD").numeric, currencies.get("KWD").exponent) == ("012", 3)


def test_withdrawn_currencies_are_marked_and_not_chargeable() -> None:
    withdrawn = [currency for currency in currencies.ALL if not currency.legal_tender]
    assert [currency.code for currency in withdrawn] == ["ANG", "BGN", "HRK", "SLL"]
    assert not any(currency.chargeable for currency in withdrawn)


@pytest.mark.parametrize("code", ["ISK", "usd", "", "XCG"])
def test_unknown_code_raises_key_error(code: str) -> None:
    with pytest.raises(KeyError):
        currencies.get(code)
    with pytest.raises(KeyError):
        currencies.exponent(code)
