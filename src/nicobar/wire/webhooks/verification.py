"""Check a webhook as its receiver does, and name what is wrong with it: for people whose receiver refuses them."""

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from nicobar.core.webhooks.signature import PREFIX, signature
from nicobar.wire.events.canonical_json import canonical_json

TOLERANCE_SECONDS: Final = 300
"""How far the clocks of sender and receiver may be apart; libraries refuse more, in both directions."""

HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")

_VERSIONED: Final = re.compile(r"v\d+\w*,[A-Za-z0-9+/]+=*")
_DIGEST: Final = re.compile(r"[A-Za-z0-9+/]{43}=|\b[0-9a-fA-F]{64}\b")
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")


class Verification(NamedTuple):
    """What came of a check."""

    good: bool
    """Whether a receiver accepts the webhook with the secret that it has."""
    remarks: list[str]
    """What fits, if something does, and then all that is wrong, in sentences. None quotes a secret."""


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Mapping[str, str], others: Mapping[str, str], now: datetime
) -> Verification:
    """Check a webhook with the secrets that a receiver has, by what they are called.

    `others` are secrets that the receiver does not have: one that fits says which would have been the right one. The
    names of `headers` are in small letters.
    """
    missing = [f"The header {name} is missing." for name in HEADERS if not headers.get(name, "").strip()]
    if missing:
        return Verification(False, missing)
    message_id, timestamp, given = (headers[name].strip() for name in HEADERS)
    wrong = [*_wrong_secrets(secrets), *_wrong_signature(given), *_wrong_clock(timestamp, now)]
    digests = [_plain_digest(found) for found in _DIGEST.findall(given)]
    for change, sent in _spellings(body):
        for name, secret in {**secrets, **others}.items():
            made = _digest(secret, message_id, timestamp, sent)
            if made in digests:
                fits = f"The signature was made with {name}{_place(digests.index(made), len(digests))}."
                if name in others and secrets:
                    wrong.append("That is not the secret that was given: give your receiver this one.")
                return Verification(not wrong and change is None, [fits, *([change] if change else []), *wrong])
    wrong.append(
        "The signature fits none of the secrets. Either it was made with the secret of another endpoint, mode or "
        "installation, or the body is not what was sent: a receiver has to check the raw bytes, before it parses them."
    )
    return Verification(False, wrong)


def _spellings(body: bytes) -> Iterator[tuple[str | None, bytes]]:
    """Return what may have been sent when this was pasted, each with what has happened to it; None for no harm."""
    yield None, body
    if body.rstrip(b"\r\n") != body:
        yield None, body.rstrip(b"\r\n")  # which pasting leaves
    try:
        written = canonical_json(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError):
        return
    yield (
        "But it fits only after the body was brought back into the form in which it was sent: it has been parsed and "
        "written anew on its way, with other blanks or escapes. Check the raw bytes of the request.",
        written,
    )


def _place(index: int, count: int) -> str:
    if count < 2:
        return ""
    if index == 0:
        return f", the first of {count} signatures: the secret is the newest"
    return f", number {index + 1} of {count} signatures: the secret was rotated, and this one ends within a day"


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> str | None:
    """Return what a secret makes of a webhook, in base64; None for a secret that is none."""
    try:
        return signature(secret, message_id, timestamp, body).removeprefix("v1,")
    except ValueError:
        return None


def _plain_digest(found: str) -> str:
    return base64.b64encode(bytes.fromhex(found)).decode() if _HEX.fullmatch(found) else found


def _wrong_secrets(secrets: Mapping[str, str]) -> Iterator[str]:
    for name, secret in secrets.items():
        text = secret.removeprefix(PREFIX)
        if secret != secret.strip() or secret[:1] in "\"'":
            yield f"{_begun(name)} begins or ends with a blank or a quotation mark, which is no part of it."
        elif text.startswith(("whsec", "sk_", "nicobar_")):
            yield f"{_begun(name)} is no secret of a webhook: one begins with {PREFIX} and goes on in base64."
        elif _digest(secret, "", "", b"") is None:
            yield f"{_begun(name)} is not valid base64 behind {PREFIX}: a character was lost or added."


def _begun(name: str) -> str:
    return name[:1].upper() + name[1:]


def _wrong_signature(given: str) -> Iterator[str]:
    if _HEX.search(given):
        yield "The signature is hexadecimal; it has to be base64."
    elif not _VERSIONED.search(given):
        yield "The signature has no version: it has to look like v1,BASE64."
    elif len(_VERSIONED.findall(given)) > 1 and re.search(r"=,\s*v\d", given):
        yield "The signatures are separated by commas; it has to be a blank."


def _wrong_clock(timestamp: str, now: datetime) -> Iterator[str]:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        yield "The header webhook-timestamp is no number of seconds since 1970."
        return
    seconds = int(timestamp)
    if len(timestamp) >= 13:
        yield "The header webhook-timestamp is in milliseconds; it has to be in seconds."
        return
    late = int(now.timestamp()) - seconds
    if abs(late) > TOLERANCE_SECONDS:
        which = f"{late} seconds old" if late > 0 else f"{-late} seconds ahead of this computer's clock"
        at = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
        yield (
            f"It is {which} ({at}); receivers refuse more than {TOLERANCE_SECONDS}. Of one that was kept for a while "
            "that is no fault. Otherwise set the clock."
        )
