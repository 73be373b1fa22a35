"""Signatures of webhooks: the scheme `v1` of Standard Webhooks (contract, "Signature")."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

PREFIX: Final = "whsec_"
"""What every secret begins with, so that people and scanners recognise one."""

SECRET_BYTES: Final = 32
"""Random bytes of a secret."""

OVERLAP: Final = timedelta(hours=24)
"""How long the secret before a rotation signs alongside the new one."""


def make_secret(random: bytes) -> str:
    """Return a secret from `SECRET_BYTES` random bytes."""
    if len(random) != SECRET_BYTES:
        raise ValueError(f"a secret needs {SECRET_BYTES} random bytes, got {len(random)}")
    return PREFIX + base64.b64encode(random).decode()


def sign(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers that prove where a body comes from, signed with each secret, in their order.

    `at` is when the try is made: receivers refuse what is more than five minutes off their clock.
    """
    timestamp = str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signature(secret, message_id, timestamp, body) for secret in secrets),
    }


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Return what one secret makes of a request, with its version. Raises ValueError for a secret that is no base64."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
