"""The simulator's notices on their way: what one looks like, and the signature by which it is believed.

The scheme is that of Standard Webhooks (standardwebhooks.com): an HMAC with SHA-256 over id, time and body.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple

import msgspec

from nicobar.core.simulator.bank_charge import SimulatedNotice
from nicobar.processors.base import Notice, NoticeRefused

OLDEST_SECONDS: Final = 300
"""How far the time of a notice may be from now, in either direction."""


class SignedNotice(NamedTuple):
    """A notice as it is sent."""

    notice_id: str
    business_id: str
    """Whom it is sent to."""
    headers: Mapping[str, str]
    body: bytes
    copies: int


class _Body(msgspec.Struct, frozen=True):
    subject: Literal["attempt", "refund", "dispute"]
    reference: str


def sign_notice(notice: SimulatedNotice, secret: bytes, now: datetime) -> SignedNotice:
    """Return a notice with its headers, signed at this moment."""
    body = msgspec.json.encode(_Body(notice.subject, notice.reference))
    sent = str(int(now.timestamp()))
    headers = {
        "webhook-id": notice.notice_id,
        "webhook-timestamp": sent,
        "webhook-signature": f"v1,{_signature(secret, notice.notice_id, sent, body)}",
    }
    return SignedNotice(notice.notice_id, notice.business_id, headers, body, notice.copies)


def read_signed_notice(headers: Mapping[str, str], body: bytes, secret: bytes, now: datetime) -> Notice:
    """Return what a notice says. Raises NoticeRefused for one that the holder of the secret did not sign just now."""
    notice_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (notice_id and sent and given):
        raise NoticeRefused("it is not signed")
    expected = f"v1,{_signature(secret, notice_id, sent, body)}"
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given.split(" ")):
        raise NoticeRefused("its signature does not fit")
    if abs(int(now.timestamp()) - int(sent)) > OLDEST_SECONDS:
        raise NoticeRefused("it was signed too long ago")
    read = msgspec.json.decode(body, type=_Body)
    return Notice(notice_id, read.subject, read.reference)


def _signature(secret: bytes, notice_id: str, sent: str, body: bytes) -> str:
    signed = f"{notice_id}.{sent}.".encode() + body
    return base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
