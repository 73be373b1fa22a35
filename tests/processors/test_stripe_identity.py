"""Which account a secret key belongs to, as Stripe tells it."""

from typing import Any

import pytest

from processors.test_stripe_answers import processor

NOT_ALLOWED = (
    "The provided key 'rk_test_******abcd' does not have the required permissions for this endpoint on account "
    "'acct_1PJBLEBBLEfV'. Having the 'rak_accounts_kyc_basic_read' permission would allow this request to continue."
)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"id": "acct_1PJBLEBBLEfV", "object": "account"}, "acct_1PJBLEBBLEfV"),
        (403, {"error": {"type": "invalid_request_error", "message": NOT_ALLOWED}}, "acct_1PJBLEBBLEfV"),
        (403, {"error": {"type": "invalid_request_error", "message": "This key may not do that."}}, None),
        (403, {"error": {"type": "invalid_request_error"}}, None),
    ],
)
async def test_a_key_says_whose_it_is_also_when_it_may_not_read_the_account(
    status: int, body: dict[str, Any], expected: str | None
) -> None:
    asked, http = processor((200, {"object": "list", "data": [], "has_more": False}), (status, body))
    assert await asked.check_keys() == expected
    assert [(method, path.partition("?")[0]) for method, path, _, _ in http.sent] == [
        ("get", "/v1/payment_intents"),
        ("get", "/v1/account"),
    ]


async def test_a_key_that_may_not_charge_is_not_taken_whosever_it_is() -> None:
    asked, http = processor((403, {"error": {"type": "invalid_request_error", "message": NOT_ALLOWED}}))
    with pytest.raises(ValueError, match="Stripe does not take the secret key"):
        await asked.check_keys()
    assert len(http.sent) == 1
