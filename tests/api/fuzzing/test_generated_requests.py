"""Requests that Schemathesis draws from our own OpenAPI document, right and wrong ones.

Whatever comes: no error of the server, no status that the document does not name for the operation, no answer that is
not as the document says. What answers make is named in later requests, so that they are about something.
"""

import re
from collections import Counter, deque
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests import Request
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp

from api.access.one_of_everything import own_ids
from api.retries.test_idempotency_keys import Stand, stand
from harness import PUBLIC_URL, FakeClock
from nicobar.api.documentation.openapi import build_document
from nicobar.app import OPERATIONS
from nicobar.flows.runtime import Runtime
from proof import PROVING, length

__all__ = ["stand"]

REQUESTS = length(20_000) if PROVING else 400

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

KINDS = {
    "payment_id": "payments",
    "product_id": "products",
    "item_id": "products",
    "customer_id": "customers",
    "customer_ids": "customers",
    "payment_method_id": "payment-methods",
    "brand_id": "brands",
    "restricted_to": "products",
    "discount_code": "code",
    "discount_codes": "code",
    "endpoint_id": "webhooks",
    "addon_id": "addons",
    "object_id": "payments",
    "reference_object_id": "payments",
}
"""What a field of a body or a query names, by the word before such an id in a path."""

MADE_BY = {"/payments": "payment_id", "/products": "product_id", "/customers": "customer_id", "/brands": "brand_id"} | {
    "/discounts": "discount_id",
    "/refunds": "refund_id",
    "/webhooks": "id",
    "/addons": "id",
    "/checkouts": "session_id",
    "/subscriptions": "subscription_id",
    "/products/{product_id}/localized-prices": "id",
}
"""The field of an answer to POST that has the id of what was made."""

OF_ITS_KIND = {
    "/payments/{payment_id}/retry": {"payments": "failed"},
    "/subscriptions/{subscription_id}/charge": {"subscriptions": "demand"},
    "/subscriptions/{subscription_id}/update-payment-method": {"subscriptions": "demand"},
}
"""What an operation is about, where only some of such objects will do."""

SELDOM = {
    "DELETE /subscriptions/{subscription_id}/change-plan/scheduled",
    "PATCH /products/{product_id}/localized-prices/{id}",
    "POST /refunds/preview",
    "POST /test/clock",
}
"""What may be refused to the end: other requests may have ended what it needs, and a clock takes only few texts."""


class Named:
    """Ids that are there, by the word before them in a path: one from the beginning, and the newest that were made.

    What is drawn are numbers of one range, whatever is there: Hypothesis wants to know what it draws.
    """

    def __init__(self, ids: dict[str, str]) -> None:
        self._first = ids
        self._newest = {kind: deque[str](maxlen=3) for kind in ids}

    def _one(self, kind: str, data: st.DataObject) -> str:
        found = [self._first[kind], *self._newest[kind]]
        return found[data.draw(st.integers(0, 11)) % len(found)]

    def learn(self, path: str, answer: httpx.Response) -> None:
        """Remember what a POST has made."""
        if path in MADE_BY and answer.status_code == 200:
            self._newest[path.rpartition("/")[2]].append(answer.json()[MADE_BY[path]])

    def in_path(self, path: str, data: st.DataObject) -> dict[str, str]:
        """Return ids that are there for the parameters of a path."""
        found = re.findall(r"([\w-]+)/\{(\w+)\}", path)
        words = {"products": "markets"} if path.endswith(("localized-prices", "localized-prices/{id}")) else {}
        words |= OF_ITS_KIND.get(path, {})
        return {name: self._one(words.get(word, word), data) for word, name in found}

    def put_in(self, value: Any, path: str, data: st.DataObject) -> Any:
        """Return a body with ids that are there, in place of drawn ones, and an address that may get events."""
        if isinstance(value, list):
            return [self.put_in(item, path, data) for item in value]
        if not isinstance(value, dict):
            return value
        return {name: self._field(name, held, path, data) for name, held in value.items()}

    def _field(self, name: str, held: Any, path: str, data: st.DataObject) -> Any:
        if name in KINDS and isinstance(held, str | list):
            kind = "clubs" if name == "product_id" and path.startswith("/subscriptions") else KINDS[name]
            one = self._one(kind, data)
            return [one] if isinstance(held, list) else one
        if name == "url":
            return "https://shop.example/hook"
        return self.put_in(held, path, data)


def operations() -> list[APIOperation[Any, Any, Any, Any]]:
    schema = from_dict(build_document(OPERATIONS, PUBLIC_URL))
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


async def send(client: httpx.AsyncClient, case: Case[Any], key: str | None) -> httpx.Response:
    """Send a case as the library would, through a client that calls the application in this process."""
    arguments = case.as_transport_kwargs(base_url="http://nicobar.test")
    sent = Request(**arguments).prepare()
    headers = {name: value for name, value in sent.headers.items() if name.lower() not in ("connection", "host")}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    content = sent.body.encode() if isinstance(sent.body, str) else sent.body
    assert content is None or isinstance(content, bytes)
    raw = [(_bytes(name), _bytes(value)) for name, value in headers.items()]
    return await client.request(sent.method or "", sent.url or "", content=content, headers=raw)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


class Questioner:
    """Draws requests for one business, sends them and holds the answers against the document."""

    def __init__(self, client: httpx.AsyncClient, key: str, named: Named, clock: FakeClock) -> None:
        self._client = client
        self._clock = clock
        self._key = key
        self._named = named
        self._drawing = {
            (operation.label, mode): operation.as_strategy(generation_mode=mode)
            for operation in operations()
            for mode in GenerationMode
        }
        self.labels = sorted({label for label, _ in self._drawing})
        self.answered: Counter[tuple[str, int]] = Counter()

    async def ask(self, data: st.DataObject) -> None:
        """Send one request: two of three are right, most name what is there, and most have the key."""
        label = data.draw(st.sampled_from(self.labels))
        right = data.draw(st.integers(0, 2)) > 0
        case = data.draw(self._drawing[label, GenerationMode.POSITIVE if right else GenerationMode.NEGATIVE])
        if data.draw(st.integers(0, 9)):
            case.path_parameters = self._named.in_path(case.operation.path, data)
            if right:
                case.body = self._named.put_in(case.body, case.operation.path, data)
                case.query = self._named.put_in(case.query, case.operation.path, data)
        self._clock.advance(seconds=1)
        response = await send(self._client, case, self._key if data.draw(st.integers(0, 19)) else None)
        case.validate_response(response, checks=CHECKS)
        self.answered[label, response.status_code] += 1
        if case.method == "POST":
            self._named.learn(case.operation.path, response)


@pytest.fixture
async def questioner(
    runtime: Runtime, app: ASGIApp, app_client: httpx.AsyncClient, stand: Stand, clock: FakeClock
) -> AsyncIterator[Questioner]:
    """A questioner; at the end of a proof, nearly every operation has been carried out at least once."""
    names = stand.names
    ids = await own_ids(runtime, app, stand) | {"markets": names["market"], "code": "WINTER", "clubs": names["club"]}
    ids |= {"failed": names["failed"], "demand": names["demand"]}
    await stand.shop.percentage("WINTER", 500)  # nobody knows its id, so it stays
    asking = Questioner(app_client, stand.shop.merchant.key, Named(ids), clock)
    yield asking
    if PROVING:
        done = {label for label, status in asking.answered if status < 300}
        assert set(asking.labels) - done <= SELDOM


@settings(max_examples=REQUESTS, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_whatever_is_asked_is_answered_as_the_document_says(questioner: Questioner, data: st.DataObject) -> None:
    await questioner.ask(data)
