"""The jobs: their names in the queue, and what each has to know. Both are stored, so they keep their meaning."""

from typing import Final

import msgspec

from nicobar.core.business.tenant import Mode

HANDLE_NOTICE: Final = "handle_notice"
"""Follow a notice of a processor up; its payload is a `NoticeJob`."""

RETURN_CHARGE: Final = "return_charge"
"""Give a surplus charge back; its payload is a `ReturnJob`."""


class NoticeJob(msgspec.Struct, frozen=True):
    """Which notice to handle."""

    business_id: str
    mode: Mode
    processor: str
    notice_id: str


class ReturnJob(msgspec.Struct, frozen=True):
    """Which attempt's charge to give back."""

    business_id: str
    mode: Mode
    attempt_id: str
