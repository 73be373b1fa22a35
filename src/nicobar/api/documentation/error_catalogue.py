"""What the catalogue of refusals looks like to a reader: one example sentence a code, and the page `docs/errors.md`."""

import re
from http import HTTPStatus
from typing import Final

from nicobar.core.problems import CATALOGUE, CatalogueEntry

_SAMPLES: Final = {
    "customer_id": "cus_6hR1xPdVn3KqTz0wYbLfA",
    "ids": "adn_6hR1xPdVn3KqTz0wYbLfA",
    "allowed": "GET, POST",
    "amount": "50",
    "code": "SPRING24",
    "country": "AI",
    "days": "30",
    "id": "pdt_0CbKX2hT9vQ1mN4rZ7sLe",
    "method": "PUT",
    "object_id": "ref_0CbKX2hT9vQ1mN4rZ7sLe",
    "paid": "40",
    "product_id": "pdt_0CbKX2hT9vQ1mN4rZ7sLe",
    "request_id": "req_0CbKX2hT9vQ1mN4rZ7sLe",
    "after": "30 seconds",
    "source": "EUR",
    "step": "KWD 0.010",
    "target": "VES",
    "what": "Object",
}
"""What an example sentence has for its `{name}` places; a place without a sample stays as it is."""

_PLACE: Final = re.compile(r"\{(\w+)\}")

_INTRODUCTION: Final = """\
# Errors

This page is generated from the catalogue in `src/nicobar/core/problems.py`; a test compares the two.

Every error has the same body, two keys and no more:

```json
{"code": "UNSUPPORTED_CURRENCY", "message": "currency: Currency Not Supported: ..."}
```

- `code` is stable: programs decide by it. `PRODUCT_CART_EMTPY` is spelled the way clients know it.
- `message` is for people and may change. When one field is at fault, the message begins with its JSON path, such as
  `product_cart[0].quantity`.
- A refused request has changed nothing.
- A refusal would be the same next time, so it carries `x-should-retry: false`, which the official SDKs obey. Answers
  with status 429, 500 or 503 do not carry it: trying again may help, after a 429 when the seconds of its `retry-after`
  header are over. `IDEMPOTENT_REQUEST_RUNNING` carries `x-should-retry: true`, and in `retry-after-ms` when to ask.
- Every answer, good or bad, carries its own `request-id` header. The log of the server has it on every line. Only what
  is no valid HTTP/1.1 (400), or has a head that is too long (431), is refused before it gets one.
- A declined card is not an error: the payment gets `status: failed` with an `error_code` and an `error_message`.
"""


def example_message(code: str) -> str:
    """Return the sentence of a code as a client could see it. Raises KeyError for a code outside the catalogue."""
    entry = CATALOGUE[code]
    samples = {**_SAMPLES, "detail": entry.when}
    return _PLACE.sub(lambda place: samples.get(place[1], place[0]), entry.sentence)


def render_error_catalogue() -> str:
    """Return `docs/errors.md`: the introduction, then one table a status with its codes in alphabetical order."""
    by_status: dict[int, dict[str, CatalogueEntry]] = {}
    for code, entry in sorted(CATALOGUE.items()):
        by_status.setdefault(entry.status, {})[code] = entry
    parts = [_INTRODUCTION]
    for status, entries in sorted(by_status.items()):
        parts.append(f"\n## {status} {HTTPStatus(status).phrase}\n\n| Code | Message | When |\n| --- | --- | --- |\n")
        parts += [f"| `{code}` | {_cell(entry.sentence)} | {_cell(entry.when)} |\n" for code, entry in entries.items()]
    parts.append("\nA status in brackets replaces the one of the heading in that case.\n")
    return "".join(parts)


def _cell(text: str) -> str:
    """Keep a text inside its table cell, with its `{name}` places set as code."""
    return _PLACE.sub(r"`{\1}`", text.replace("|", r"\|").replace("\n", " "))
