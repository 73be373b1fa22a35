"""The catalogue of refusals: sentences that programs of others look for in an error's text."""

import pytest

from nicobar.core.problems import CATALOGUE, Problem


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        ("DISCOUNT_CODE_ALREADY_EXISTS", 422, "Discount Code already exists"),  # by it a migration tool skips a code
        ("CHECKOUT_SESSION_CONSUMED", 409, "Checkout session has already been consumed"),
        ("SLUG_ALREADY_TAKEN", 409, "Slug is already taken"),
        ("DISCOUNT_NOT_APPLICABLE_TO_NEW_PRODUCT", 422, "Discount not applicable to the new plan's product"),
        ("DISCOUNT_NOT_AVAILABLE_FOR_ON_DEMAND", 422, "Discount coupon not available for on demand subscriptions"),
    ],
)
def test_sentences_are_those_of_the_contract(code: str, status: int, sentence: str) -> None:
    assert (CATALOGUE[code].status, CATALOGUE[code].sentence) == (status, sentence)
    assert Problem(code).message == sentence
