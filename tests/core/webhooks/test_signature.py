"""Signatures: the vector of the contract, the SDK's own check, and two secrets side by side."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from dodopayments import DodoPayments
from standardwebhooks import Webhook, WebhookVerificationError

from nicobar.core.webhooks.signature import OVERLAP, make_secret, sign

SECRET = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
BODY = (
    '{"business_id":"bus_1","type":"payment.succeeded","timestamp":"2026-10-01T10:00:00.000000Z",'
    '"data":{"payload_type":"Payment","payment_id":"pay_1","note":"é"}}'
).encode()
AT = datetime.fromtimestamp(1790848800, UTC)


def test_the_vector_of_the_contract() -> None:
    assert len(BODY) == 159
    assert sign([SECRET], "msg_test1", AT, BODY) == {
        "webhook-id": "msg_test1",
        "webhook-timestamp": "1790848800",
        "webhook-signature": "v1,S7aOeSKv2vUik6iIFf4EAMuxzvbNIOsT1iOj0ze4kJU=",
    }


def test_a_fraction_of_a_second_is_cut_off() -> None:
    assert sign([SECRET], "msg_test1", AT + timedelta(microseconds=999_999), BODY) == sign(
        [SECRET], "msg_test1", AT, BODY
    )


def test_two_secrets_sign_side_by_side_and_each_verifies() -> None:
    new = make_secret(bytes(range(100, 132)))
    now = datetime.now(UTC)
    headers = sign([new, SECRET], "msg_1", now, BODY)
    first, second = headers["webhook-signature"].split(" ")
    assert [first] == sign([new], "msg_1", now, BODY)["webhook-signature"].split(" ")
    assert [second] == sign([SECRET], "msg_1", now, BODY)["webhook-signature"].split(" ")
    for secret in (new, SECRET):
        event = DodoPayments(bearer_token="x", webhook_key=secret).webhooks.unwrap(BODY.decode(), headers=headers)
        assert event.type == "payment.succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(make_secret(bytes(32))).verify(BODY, headers)


@pytest.mark.parametrize(
    "wrong", [BODY + b" ", BODY.replace(b"pay_1", b"pay_2")], ids=["one blank more", "another payment"]
)
def test_what_was_changed_does_not_verify(wrong: bytes) -> None:
    headers = sign([SECRET], "msg_1", datetime.now(UTC), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(wrong, headers)


def test_a_secret_is_its_prefix_and_base64() -> None:
    secret = make_secret(bytes(range(1, 33)))
    assert secret == SECRET
    assert base64.b64decode(secret.removeprefix("whsec_")) == bytes(range(1, 33))
    with pytest.raises(ValueError, match="32 random bytes, got 31"):
        make_secret(bytes(31))


def test_the_old_secret_signs_for_a_day() -> None:
    assert timedelta(hours=24) == OVERLAP
