"""3-D Secure: what became of asking the card's bank whether it is really the cardholder who pays."""

from typing import Final, Literal

import msgspec

Flow = Literal["challenge", "frictionless"]
"""How the bank made sure: it asked the cardholder, or it was content with what it knows."""

ThreeDsStatus = Literal[
    "authenticated", "attempt_acknowledged", "exempted", "failed", "not_supported", "processing_error"
]
"""How it ended (contract, "GET /payments/{payment_id}", `three_ds_status`)."""

VERSION: Final = "2.2.0"
"""The protocol version that the simulated banks speak."""


class ThreeDs(msgspec.Struct, frozen=True, omit_defaults=True):
    """One authentication of a cardholder, as a processor reported it."""

    flow: Flow | None = None
    """None when the bank was not asked."""
    status: ThreeDsStatus | None = None
    """None while a challenge waits for the cardholder."""
    version: str | None = None
    """Of the protocol, for example `2.2.0`; None when it was not spoken."""


def authenticated(flow: Flow) -> ThreeDs:
    """Return the authentication of a cardholder whom the bank recognised."""
    return ThreeDs(flow, "authenticated", VERSION)


def failed(begun: ThreeDs | None) -> ThreeDs | None:
    """Return what an authentication becomes that the cardholder did not pass, or did not finish; None for none."""
    return None if begun is None else msgspec.structs.replace(begun, status="failed")
