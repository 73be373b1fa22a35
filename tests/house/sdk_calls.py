"""Which calls of the official SDK work here: every method of the SDK is called, and its request looked up in our table.

PYTHONPATH=tests .venv/bin/python -m house.sdk_calls > docs/calls.md
"""

import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple

import httpx
from dodopayments import DodoPayments, __version__
from dodopayments._resource import SyncAPIResource

from nicobar.app import OPERATIONS

COMMAND: Final = "PYTHONPATH=tests .venv/bin/python -m house.sdk_calls > docs/calls.md"

LOCAL: Final = ("unwrap", "unsafe_unwrap")
"""Methods that read a webhook and send nothing."""

OTHERWISE: Final = {
    "GET /events": "not there: the address lists the events that webhooks tell of",
    "GET /events/{event_id}": "not there: the address shows an event that webhooks tell of",
}
"""Requests of the SDK that we answer, but mean otherwise."""

_INTRODUCTION: Final = """\
# Which of your calls work here

This page is generated from the table of operations and the official Python SDK `dodopayments` {version}, of which every
method was called; the SDKs of other languages have the same calls under names of theirs. **{working} of {count} work.**
A test compares the page with both.

A call that is not there is answered with status 404 or 405, and has changed nothing. The two that read a webhook ask no
server, and work. What answers contain is in the API's own documentation, at `/docs` of your server.

Lists count their pages from 0, as those of Dodo Payments do, and the SDKs count on from 1: iterating over a list leaves
out its second page. In Python ask for one page after the other until one is empty; in JavaScript and Go give
`page_number` 0, and iterating is right.

```python
page = 0
while payments := client.payments.list(page_number=page, page_size=100).items:
    for payment in payments:
        print(payment.payment_id, payment.status)
    page += 1
```
"""


class SdkCall(NamedTuple):
    """A method of the SDK and what it asks."""

    name: str
    method: str
    path: str
    """With `{name}` for what the caller puts in."""

    @property
    def request(self) -> str:
        """The method and the path, as the table of operations has them."""
        return f"{self.method} {self.path}"

    @property
    def is_served(self) -> bool:
        """Whether an operation of ours takes it as what it is."""
        return _shape(self.request) in _SERVED and self.request not in OTHERWISE


def sdk_calls() -> list[SdkCall]:
    """Return every method of the SDK that sends a request, by its name."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={})

    calls: list[SdkCall] = []
    transport = httpx.Client(transport=httpx.MockTransport(answer))
    with DodoPayments(bearer_token="x", base_url="http://pay.test", http_client=transport, max_retries=0) as client:
        for name, method in _methods(client):
            _call(method)
            request = sent.pop()
            calls.append(SdkCall(name, request.method, re.sub(r"arg-(\w+)", r"{\1}", request.url.path)))
    return calls


def render() -> str:
    """Return the page."""
    calls = sdk_calls()
    working = sum(call.is_served for call in calls)
    parts = [_INTRODUCTION.format(version=__version__, working=working, count=len(calls))]
    for resource, group in groupby(calls, key=lambda call: call.name.partition(".")[0]):
        # Nothing is set as code: a test takes that for names of our own.
        rows = [f"| {call.name.partition('.')[2]} | {call.request} | {_state(call)} |" for call in group]
        parts.append("\n".join([f"## {resource}", "| Call | Request | Here |", "| --- | --- | --- |", *rows, ""]))
    return "\n".join(parts)


def _state(call: SdkCall) -> str:
    return OTHERWISE.get(call.request, "works" if call.is_served else "not there")


def _shape(request: str) -> str:
    """Return a request without the names of what the caller puts in, which differ."""
    return re.sub(r"\{\w+\}", "{}", request)


_SERVED: Final = {_shape(f"{operation.method} {operation.path}") for operation in OPERATIONS}


def _methods(client: DodoPayments) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in sorted(dir(type(client))):
        resource = getattr(client, name) if not name.startswith("_") else None
        if isinstance(resource, SyncAPIResource):
            yield from _methods_of(resource, name)


def _methods_of(resource: SyncAPIResource, path: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in sorted(dir(type(resource))):
        if name.startswith(("_", "with_")):
            continue
        member = getattr(resource, name)
        if isinstance(member, SyncAPIResource):
            yield from _methods_of(member, f"{path}.{name}")
        elif inspect.ismethod(member) and name not in LOCAL:
            yield f"{path}.{name}", member


def _call(method: Callable[..., Any]) -> None:
    """Call a method with a text for every argument of its own."""
    names = [name for name in inspect.signature(method).parameters if not name.startswith("extra_")]
    arguments = {name: f"arg-{name}" for name in names if name not in ("timeout", "idempotency_key")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        method(**arguments)


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201
