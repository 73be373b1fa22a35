"""Tax ids: every country that python-stdnum knows, one form for each number, and what a refusal says."""

import importlib
import pkgutil

import pytest
import stdnum
from hypothesis import given, settings
from hypothesis import strategies as st

from nicobar.core.problems import Problem
from nicobar.reference import countries
from nicobar.reference.tax_id_forms import EXAMPLES, FORMS
from nicobar.reference.tax_ids import LONGEST, checked_tax_id, vies_number
from proof import length

CHECKED = sorted([*EXAMPLES, *FORMS])
MEMBERS = [country.alpha2 for country in countries.ALL if country.eu]
NUMBERS_OF_PERSONS_ONLY = {"CU", "MY"}


def example(country: str) -> str:
    return FORMS[country].example if country in FORMS else EXAMPLES[country]


def refusal(country: str, tax_id: str) -> str:
    with pytest.raises(Problem) as refused:
        checked_tax_id(country, tax_id)
    assert (refused.value.code, refused.value.status, refused.value.path) == ("INVALID_TAX_ID", 422, "tax_id")
    return refused.value.message


def test_every_country_that_python_stdnum_knows_is_checked() -> None:
    packages = {name.strip("_").upper() for _, name, is_package in pkgutil.iter_modules(stdnum.__path__) if is_package}
    known = {name for name in packages if len(name) == 2} - {"EU"}
    assert known - set(CHECKED) == NUMBERS_OF_PERSONS_ONLY
    assert {country.alpha2 for country in countries.ALL if country.tax_id_modules} == set(EXAMPLES)
    assert not set(EXAMPLES) & set(FORMS)
    for form in FORMS.values():
        for module in form.modules:
            importlib.import_module(module)


@pytest.mark.parametrize("country", CHECKED)
def test_the_example_passes_and_its_one_form_stays(country: str) -> None:
    number = checked_tax_id(country, example(country))
    assert number.isalnum()
    assert checked_tax_id(country, number) == number
    assert checked_tax_id(country, f"  {number.lower()}\n") == number


@pytest.mark.parametrize("country", sorted(EXAMPLES))
def test_a_wrong_number_is_refused_with_name_and_example(country: str) -> None:
    known = countries.get(country)
    assert refusal(country, "?") == (
        f"Tax Id is invalid. For {known.name} give the {known.tax_id_name}, such as {example(country)}."
    )


WITHOUT_CHECK_DIGIT = {"AD", "AL", "CR", "DZ", "EG", "FO", "IS", "KE", "KR", "MX", "SM", "TN", "US"}
"""Countries of whose numbers python-stdnum knows no check digit that covers them all, but the form."""


@pytest.mark.parametrize("country", sorted(set(EXAMPLES) - WITHOUT_CHECK_DIGIT))
def test_most_single_mistakes_are_noticed(country: str) -> None:
    number = checked_tax_id(country, example(country))
    refused = tried = 0
    for place, right in enumerate(number):
        for wrong in "0123456789".replace(right, "") if right.isdigit() else "":
            tried += 1
            try:
                checked_tax_id(country, number[:place] + wrong + number[place + 1 :])
            except Problem:
                refused += 1
    assert refused * 10 > tried * 5  # numbers of branches, which several countries append, are not covered


@pytest.mark.parametrize("country", MEMBERS)
def test_members_numbers_have_their_prefix_with_and_without_which_they_are_taken(country: str) -> None:
    prefix = "EL" if country == "GR" else country
    number = checked_tax_id(country, example(country))
    assert number.startswith(prefix)
    assert checked_tax_id(country, number[2:]) == number
    assert checked_tax_id(country, f"{prefix} {number[2:]}") == number
    assert vies_number(country, number) == (prefix, number[2:])


@pytest.mark.parametrize(
    ("country", "given", "number", "register"),
    [
        ("GR", "GR 091234566", "EL091234566", ("EL", "091234566")),
        ("MC", "90 0000 12345", "FR90000012345", ("FR", "90000012345")),
        ("GB", "123 4567 82", "GB123456782", None),
        ("IM", "GB123456782", "GB123456782", None),
        ("GB", "xi 123 4567 82", "XI123456782", ("XI", "123456782")),
        ("CH", "CHE-123.456.788", "CHE123456788", None),
        ("JP", "T7123456789012", "7123456789012", None),
        ("BR", "390.533.447-05", "39053344705", None),
        ("UA", "12345678", "12345678", None),
        ("SA", "3012 3456 7800 003", "301234567800003", None),
        ("ZW", "10 02/34-5.6 a", "10 02/34-5.6 a", None),
    ],
)
def test_special_cases(country: str, given: str, number: str, register: tuple[str, str] | None) -> None:
    assert checked_tax_id(country, given) == number
    assert vies_number(country, number) == register


@pytest.mark.parametrize(
    ("country", "given", "end"),
    [
        ("DE", "FR11123456782", " This is a number of France, and the billing country is another."),
        ("DE", "EL091234566", " This is a number of Greece, and the billing country is another."),
        ("US", "DE123456788", " This is a number of Germany, and the billing country is another."),
        ("MC", "FR11123456782", " This is a number of France, and the billing country is another."),
        ("DE", "FR11123456783", ", such as DE123456788."),
        ("DE", "XI123456782", ", such as DE123456788."),
        ("DE", "DE12345678\u0668", ", such as DE123456788."),
        ("AE", "10012345670000\u0663", ", such as 100123456700003."),
        ("SA", "101234567800003", ", such as 301234567800003."),
        ("ZW", "x", "For Zimbabwe give 2 to 30 letters, digits, blanks, dots, slashes or hyphens."),
        ("ZW", "", "For Zimbabwe give 2 to 30 letters, digits, blanks, dots, slashes or hyphens."),
        ("DE", "1" * (LONGEST + 1), ", such as DE123456788."),
    ],
)
def test_refusals_help(country: str, given: str, end: str) -> None:
    assert refusal(country, given).endswith(end)


@settings(max_examples=length(500), deadline=None)
@given(
    st.sampled_from([country.alpha2 for country in countries.ALL]),
    st.one_of(st.text(max_size=45), st.text("0123456789ABEGXZ -./", max_size=20)),
    st.booleans(),
)
def test_any_text_passes_or_is_refused_and_nothing_else(country: str, text: str, prefixed: bool) -> None:
    try:
        number = checked_tax_id(country, country + text if prefixed else text)
    except Problem as problem:
        assert problem.code == "INVALID_TAX_ID"
        return
    assert checked_tax_id(country, number) == number
    assert not any(character.isdigit() and not character.isascii() for character in number)
