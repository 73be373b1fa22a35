"""What is wrong with a webhook is named. Each case is one that the libraries refuse, too."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from nicobar.core.webhooks.signature import sign
from nicobar.wire.webhooks.verification import verify

SECRET, OLD, STRANGE = ("whsec_" + base64.b64encode(bytes([byte]) * 32).decode() for byte in (1, 2, 3))
BODY = '{"business_id":"bus_1","type":"payment.succeeded","data":{"7":1,"name":"Ünïte / <b>","list":[1,2]}}'.encode()
NOW = datetime(2026, 3, 14, 15, tzinfo=UTC)
FITS = "The signature was made with the secret."
CHANGED = (
    "But it fits only after the body was brought back into the form in which it was sent: it has been parsed and "
    "written anew on its way, with other blanks or escapes. Check the raw bytes of the request."
)
NONE_FITS = (
    "The signature fits none of the secrets. Either it was made with the secret of another endpoint, mode or "
    "installation, or the body is not what was sent: a receiver has to check the raw bytes, before it parses them."
)


class _Then(datetime):
    """It is always NOW."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "_Then":
        return cls.fromtimestamp(NOW.timestamp(), tz)


@pytest.fixture(autouse=True)
def _then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library of receivers live at the moment of these tests, however long they take."""
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", _Then)


def check(
    headers: Mapping[str, str], body: bytes = BODY, secret: str = SECRET, others: Mapping[str, str] | None = None
) -> tuple[bool, list[str]]:
    good, remarks = verify(headers, body, {"the secret": secret}, others or {}, NOW)
    assert SECRET.removeprefix("whsec_") not in " ".join(remarks)
    return good, remarks


def refused(headers: Mapping[str, str], body: bytes = BODY, secret: str = SECRET) -> bool:
    """Return whether the library of receivers refuses it, whatever it raises."""
    try:
        Webhook(secret).verify(body, dict(headers))
    except Exception:  # noqa: BLE001 - it raises many things for a secret that is none
        return True
    return False


def test_what_is_right_is_accepted() -> None:
    headers = sign([SECRET], "msg_1", NOW, BODY)
    assert not refused(headers)
    assert check(headers) == (True, [FITS])
    assert check(headers, secret=SECRET.removeprefix("whsec_")) == (True, [FITS])
    assert check(headers, BODY + b"\n") == (True, [FITS])


@pytest.mark.parametrize(
    "changed",
    [
        json.dumps(json.loads(BODY)).encode(),
        json.dumps(json.loads(BODY), indent=2).encode(),
        json.dumps(json.loads(BODY), separators=(",", ":")).encode(),
        BODY.replace(b"/", b"\\/"),
    ],
)
def test_a_body_that_was_written_anew_is_recognised(changed: bytes) -> None:
    headers = sign([SECRET], "msg_1", NOW, BODY)
    assert refused(headers, changed)
    assert check(headers, changed) == (False, [FITS, CHANGED])


@pytest.mark.parametrize("body", [BODY.replace(b"bus_1", b"bus_2"), b"", b"not JSON", b"[" * 100_000])
def test_another_body_fits_no_secret(body: bytes) -> None:
    headers = sign([SECRET], "msg_1", NOW, BODY)
    assert refused(headers, body)
    assert check(headers, body) == (False, [NONE_FITS])


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing_is_named(header: str) -> None:
    headers = sign([SECRET], "msg_1", NOW, BODY)
    assert check(headers | {header: " "}) == (False, [f"The header {header} is missing."])
    del headers[header]
    assert check(headers) == (False, [f"The header {header} is missing."])


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (-301, "It is 301 seconds old ("),
        (900, "It is 900 seconds ahead of this computer's clock ("),
        (-86400, "It is 86400 seconds old ("),
    ],
)
def test_a_clock_that_is_wrong_is_named(difference: int, words: str) -> None:
    headers = sign([SECRET], "msg_1", NOW + timedelta(seconds=difference), BODY)
    assert refused(headers)
    good, (fits, remark) = check(headers)
    assert (good, fits) == (False, FITS)
    assert remark.startswith(words)


def test_five_minutes_are_tolerated() -> None:
    for difference in (-300, 300):
        assert check(sign([SECRET], "msg_1", NOW + timedelta(seconds=difference), BODY)) == (True, [FITS])


def test_a_timestamp_that_is_none() -> None:
    headers = sign([SECRET], "msg_1", NOW, BODY)
    for wrong in ("yesterday", "-1", "1" * 16, "1.5", "٣"):
        assert check(headers | {"webhook-timestamp": wrong})[1][0] == (
            "The header webhook-timestamp is no number of seconds since 1970."
        )
    in_milliseconds = headers | {"webhook-timestamp": headers["webhook-timestamp"] + "000"}
    assert check(in_milliseconds)[1][0].endswith("is in milliseconds; it has to be in seconds.")


def test_forms_of_signatures_that_libraries_refuse() -> None:
    headers = sign([SECRET], "msg_1", NOW, BODY)
    made = headers["webhook-signature"].removeprefix("v1,")
    for written, remark in (
        (base64.b64decode(made).hex(), "The signature is hexadecimal; it has to be base64."),
        (made, "The signature has no version: it has to look like v1,BASE64."),
        (f"v1,{'A' * 43}=,v1,{made}", "The signatures are separated by commas; it has to be a blank."),
    ):
        wrong = headers | {"webhook-signature": written}
        assert refused(wrong)
        good, remarks = check(wrong)
        assert (good, remarks[-1]) == (False, remark)
        assert remarks[0].startswith("The signature was made with the secret")


@pytest.mark.parametrize(
    ("secret", "remark"),
    [
        (SECRET[:-5], "The secret is not valid base64 behind whsec_: a character was lost or added."),
        ("whsec_" + SECRET, "The secret is no secret of a webhook: one begins with whsec_ and goes on in base64."),
        ("nicobar_test_abc", "The secret is no secret of a webhook: one begins with whsec_ and goes on in base64."),
        (f'"{SECRET}"', "The secret begins or ends with a blank or a quotation mark, which is no part of it."),
        (f"{SECRET} ", "The secret begins or ends with a blank or a quotation mark, which is no part of it."),
    ],
)
def test_a_secret_that_is_none_is_named(secret: str, remark: str) -> None:
    headers = sign([SECRET], "msg_1", NOW, BODY)
    assert check(headers, secret=secret) == (False, [remark, NONE_FITS])


def test_which_of_two_secrets_it_is() -> None:
    headers = sign([SECRET, OLD], "msg_1", NOW, BODY)
    assert check(headers) == (
        True,
        ["The signature was made with the secret, the first of 2 signatures: the secret is the newest."],
    )
    assert check(headers, secret=OLD) == (
        True,
        [
            "The signature was made with the secret, number 2 of 2 signatures: the secret was rotated, and this one "
            "ends within a day."
        ],
    )
    assert check(sign([STRANGE], "msg_1", NOW, BODY), others={"the secret of ep_1": OLD, "that of ep_2": STRANGE}) == (
        False,
        [
            "The signature was made with that of ep_2.",
            "That is not the secret that was given: give your receiver this one.",
        ],
    )
    assert verify(sign([OLD], "msg_1", NOW, BODY), BODY, {}, {"the secret of ep_1": OLD}, NOW) == (
        True,
        ["The signature was made with the secret of ep_1."],
    )


def test_the_library_refuses_a_strange_secret() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(STRANGE).verify(BODY, sign([SECRET], "msg_1", NOW, BODY))
