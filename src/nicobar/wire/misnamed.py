"""Names that no field has, and without which more money would move than the caller means.

Requests ignore unknown fields: an application that sends more than an operation knows goes on working. But whoever
sends `amount` to POST /refunds means a part, and without `items` everything goes back. The type of a body lists such
names in `instead`, with what to send. They are compared by their letters and digits alone, in any case, so that
`items[]`, `refund amount` and `refundAmount` are none of them lost.
"""

from typing import Any

from nicobar.core.problems import Problem
from nicobar.wire.common import RequestBody


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def names(listed: str, use: str) -> dict[str, str]:
    """Return each of the names, which stand between spaces, with the sentence about what to send instead."""
    return dict.fromkeys(map(_plain, listed.split()), use)


def refuse_misnamed(sent: Any, body: Any, path: str = "") -> None:
    """Refuse names of a body's `instead`, in all objects of it; null and blank texts count as not sent.

    `sent` is the JSON, and `body` what it was decoded into. Raises Problem INVALID_REQUEST_BODY with the JSON path.
    """
    if isinstance(body, list):
        for index, (each, decoded) in enumerate(zip(sent, body, strict=True)):
            refuse_misnamed(each, decoded, f"{path}[{index}]")
    elif isinstance(body, RequestBody):
        for name, value in sent.items():
            where = f"{path}.{name}".removeprefix(".")
            if name in body.__struct_fields__:
                refuse_misnamed(value, getattr(body, name), where)
            elif value is not None and not (isinstance(value, str) and not value.strip()):
                _check(name, body, where)


def _check(name: str, body: RequestBody, where: str) -> None:
    use = body.instead.get(_plain(name))
    if use is not None:
        detail = f"There is no such field, and without it more money could move than you mean. {use}"
        raise Problem("INVALID_REQUEST_BODY", path=where, detail=detail)
