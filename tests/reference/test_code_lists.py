"""The contract's closed lists: the same in the types, in the official library, and in the reference data."""

import re
from typing import get_args

import pytest
from dodopayments import types
from dodopayments.types import customer_retrieve_payment_methods_response as saved_methods
from dodopayments.types import products
from dodopayments.types.country_code import CountryCode
from dodopayments.types.currency import Currency
from dodopayments.types.intent_status import IntentStatus
from dodopayments.types.locale import Locale
from dodopayments.types.payment_method_types import PaymentMethodTypes
from dodopayments.types.products.pricing_mode import PricingMode
from dodopayments.types.tax_category import TaxCategory
from dodopayments.types.time_interval import TimeInterval

from nicobar.api.documentation.schemas import describe_types
from nicobar.reference import countries, currencies, locales, methods
from nicobar.wire import codes


@pytest.mark.parametrize(
    ("ours", "official", "count"),
    [
        (codes.CurrencyCode, Currency, 145),
        (codes.CountryCode, CountryCode, 249),
        (codes.PaymentMethodType, PaymentMethodTypes, 105),
        (codes.PaymentMethodFamily, saved_methods.Item.model_fields["payment_method"].annotation, 15),
        (codes.IntentStatus, IntentStatus, 11),
        (codes.LocaleCode, Locale, 22),
        (codes.TaxCategory, TaxCategory, 5),
        (codes.TimeInterval, TimeInterval, 4),
        (codes.PricingModeName, PricingMode, 2),
    ],
)
def test_types_equal_the_official_library(ours: object, official: object, count: int) -> None:
    assert get_args(ours) == get_args(official)
    assert len(set(get_args(ours))) == len(get_args(ours)) == count


def test_texts_name_types_that_the_library_has() -> None:
    _, lists = describe_types(
        [alias for name, alias in vars(codes).items() if re.fullmatch("[A-Z][a-z]+[A-Z]\\w+", name)]
    )
    told = [
        name for text in lists.values() for name in re.findall(r"`(\w+)` (?:enum|in the library)", text["description"])
    ]
    assert len(told) == 8
    assert [name for name in told if not hasattr(types, name) and not hasattr(products, name)] == []


def test_constants_carry_the_types_values() -> None:
    assert get_args(codes.CurrencyCode) == codes.CURRENCY_CODES
    assert get_args(codes.CountryCode) == codes.COUNTRY_CODES
    assert get_args(codes.PaymentMethodType) == codes.PAYMENT_METHOD_TYPES
    assert get_args(codes.PaymentMethodFamily) == codes.PAYMENT_METHOD_FAMILIES
    assert get_args(codes.IntentStatus) == codes.INTENT_STATUSES
    assert get_args(codes.LocaleCode) == codes.LOCALE_CODES
    assert get_args(codes.TaxCategory) == codes.TAX_CATEGORIES


def test_reference_tables_have_exactly_the_contracts_values_in_its_order() -> None:
    assert tuple(currency.code for currency in currencies.ALL) == codes.CURRENCY_CODES
    assert tuple(country.alpha2 for country in countries.ALL) == codes.COUNTRY_CODES
    assert tuple(method.type for method in methods.ALL) == codes.PAYMENT_METHOD_TYPES
    assert tuple(locale.code for locale in locales.ALL) == codes.LOCALE_CODES


def test_every_family_of_a_method_is_a_family_of_the_contract() -> None:
    assert {method.family for method in methods.ALL} == set(codes.PAYMENT_METHOD_FAMILIES)
