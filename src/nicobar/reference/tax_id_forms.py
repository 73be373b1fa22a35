"""How the tax ids of countries look: an example of each, and the form where no check digit is known.

The examples are made up to pass their check; whoever may hold such a number by chance has nothing to do with it. The
forms are those that the notes of `countries.csv` tell, with the same doubts.
"""

import re
from typing import Final, NamedTuple


class TaxIdForm(NamedTuple):
    """The form of a number that python-stdnum does not check, or not in the shape that businesses use."""

    pattern: re.Pattern[str]
    """For the whole number, in capitals and without blanks, dots, slashes and hyphens."""
    example: str
    modules: tuple[str, ...] = ()
    """Modules of python-stdnum for another number that the same buyers may give."""


FORMS: Final = {
    "AE": TaxIdForm(re.compile(r"\d{15}"), "100123456700003"),
    "BH": TaxIdForm(re.compile(r"\d{15}"), "200001234500002"),
    "GE": TaxIdForm(re.compile(r"\d{9}|\d{11}"), "201234567"),
    "HK": TaxIdForm(re.compile(r"\d{8}"), "12345678"),
    "KZ": TaxIdForm(re.compile(r"\d{12}"), "010140001234"),
    "MU": TaxIdForm(re.compile(r"[23]\d{7}"), "20123456"),
    "NG": TaxIdForm(re.compile(r"\d{10,14}"), "01234567-0001"),
    "OM": TaxIdForm(re.compile(r"OM\d{10}"), "OM1100001234"),
    "PH": TaxIdForm(re.compile(r"\d{9,14}"), "123-456-789-00000"),
    "PK": TaxIdForm(re.compile(r"\d{7,8}"), "1234567-8", ("stdnum.pk.cnic",)),
    "PR": TaxIdForm(re.compile(r"\d{9}|\d{11}"), "1234567-0012"),
    "SA": TaxIdForm(re.compile(r"3\d{13}3"), "301234567800003"),
    "TZ": TaxIdForm(re.compile(r"\d{9}"), "123-456-789"),
    "UA": TaxIdForm(re.compile(r"\d{12}"), "123456726543", ("stdnum.ua.edrpou", "stdnum.ua.rntrc")),
    "UZ": TaxIdForm(re.compile(r"\d{9}"), "201234567"),
    "ZA": TaxIdForm(re.compile(r"4\d{9}"), "4123456789"),
}
"""By country. Cuba, Malaysia and Mauritius have modules for numbers of persons only, which are not used; South Africa
has one for its income tax, which is another number than that of the VAT."""

EXAMPLES: Final = {
    "AD": "U-123456-X",
    "AL": "J12345678A",
    "AR": "20-12345678-6",
    "AT": "ATU12345675",
    "AU": "12 345 678 012",
    "AZ": "1234567801",
    "BE": "BE0123456749",
    "BG": "BG123456786",
    "BR": "12.345.678/0001-95",
    "BY": "191234563",
    "CA": "123456782RT0001",
    "CH": "CHE-123.456.788 MWST",
    "CL": "76.123.456-0",
    "CN": "91110000123456789Q",
    "CO": "900.123.456-8",
    "CR": "3-101-234567",
    "CY": "CY10123458I",
    "CZ": "CZ12345679",
    "DE": "DE123456788",
    "DK": "DK12345674",
    "DO": "1-23-45678-6",
    "DZ": "123456789012345",
    "EC": "1791234561001",
    "EE": "EE101234568",
    "EG": "123-456-789",
    "ES": "ESB12345674",
    "FI": "FI12345671",
    "FO": "123456",
    "FR": "FR11123456782",
    "GB": "GB123456782",
    "GH": "C0001234560",
    "GN": "123456782",
    "GR": "EL091234566",
    "GT": "123451-K",
    "HR": "HR12345678903",
    "HU": "HU12345676",
    "ID": "01.234.567.4-091.000",
    "IE": "IE1234567FA",
    "IL": "512345679",
    "IM": "GB123456782",
    "IN": "27AAPFU1234F1Z5",
    "IS": "IS12345",
    "IT": "IT12345678887",
    "JP": "7123456789012",
    "KE": "P123456789M",
    "KR": "116-82-12340",
    "LI": "CHE-123.456.788",
    "LT": "LT123456715",
    "LU": "LU12345613",
    "LV": "LV40003123453",
    "MA": "001234567000062",
    "MC": "FR90000012345",
    "MD": "1003600001232",
    "ME": "12345679",
    "MK": "4030123456786",
    "MT": "MT12345634",
    "MX": "ABC120101AB1",
    "MZ": "123456785",
    "NL": "NL123456789B13",
    "NO": "912345602MVA",
    "NZ": "12-345-674",
    "PE": "20123456786",
    "PL": "PL1234567802",
    "PT": "PT501234560",
    "PY": "80012345-0",
    "RO": "RO12345674",
    "RS": "101234569",
    "RU": "7712345671",
    "SE": "SE556123450001",
    "SG": "201234567R",
    "SI": "SI12345679",
    "SK": "SK2021234567",
    "SM": "12345",
    "SN": "1234567",
    "SV": "0614-010190-101-5",
    "TH": "0-1055-12345-67-1",
    "TN": "1234567/M/A/E/001",
    "TR": "1234567890",
    "TW": "12345675",
    "US": "12-3456789",
    "UY": "21-123456-001-9",
    "VE": "J-12345678-4",
    "VN": "0100123453",
}
"""By country, for those whose numbers python-stdnum checks."""
