"""Two hundred broken bodies of POST /payments: each is answered with a 4xx that names a path, and nothing is stored."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from harness import Merchant
from nicobar.flows.runtime import Runtime

SEED = 20261123

Path = list[str | int]


def _paths(value: Any, path: Path) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _paths(item, [*path, name])
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, [*path, index])


def _put(body: Any, path: Path, value: Any) -> Any:
    changed = copy.deepcopy(body)
    target = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed


def _nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


BAD_VALUES: list[Any] = [
    {"unexpected": 1},
    [[]],
    -1,
    10**40,
    1.5,
    "\x00",
    "x" * 3000,
    _nested(50),
    [{"a": _nested(30)}],
    "\ud800",
]

REQUIRED: list[Path] = [
    ["billing"],
    ["billing", "country"],
    ["customer"],
    ["product_cart"],
    ["product_cart", 0, "product_id"],
    ["product_cart", 0, "quantity"],
]

RAW: list[bytes] = [
    b"",
    b" ",
    b"{",
    b"}",
    b"nul",
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b"\xff\xfe{}",
    b"\x00",
    b'{"billing": \xc3\x28}',
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"{'billing': 1}",
    b"<xml/>",
    b'{"billing": NaN}',
    b"billing=DE",
]


def mutations(body: dict[str, Any]) -> list[bytes]:
    """Return 200 broken bodies, the same ones for the same seed."""
    found = list(RAW)
    for path in REQUIRED:
        found.append(json.dumps(_put(body, path, None)).encode())
        shorter = copy.deepcopy(body)
        target: Any = shorter
        for step in path[:-1]:
            target = target[step]
        del target[path[-1]]
        found.append(json.dumps(shorter).encode())
    whole = json.dumps(body, ensure_ascii=False).encode()
    found += [whole[:cut] for cut in range(2, len(whole), len(whole) // 20)]
    found.append(whole.replace(b"Ana", b"A\xe4a"))
    chooser = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    places = list(_paths(body, []))
    while len(found) < 200:
        path, value = chooser.choice(places), chooser.choice(BAD_VALUES)
        candidate = json.dumps(_put(body, path, value)).encode()
        if not _allowed(path, value) and candidate not in found:
            found.append(candidate)
    return found


def _allowed(path: Path, value: Any) -> bool:
    """The few replacements that the contract accepts."""
    if path[0] == "metadata":
        return (len(path) == 2 and value in (-1, 1.5)) or (len(path) == 1 and value == {"unexpected": 1})
    return False


async def test_two_hundred_broken_bodies(merchant: Merchant, runtime: Runtime) -> None:
    product = {
        "name": "Guide",
        "tax_category": "saas",
        "price": {"type": "one_time_price", "currency": "USD", "price": 900},
    }
    pdt = (await merchant.client.post("/products", json=product)).json()["product_id"]
    body = {
        "billing": {"country": "DE", "city": "Bremen", "state": "HB", "street": "Deich 1", "zipcode": "28195"},
        "customer": {"email": "ana@example.com", "name": "Ana", "phone_number": "+4942112345678"},
        "product_cart": [{"product_id": pdt, "quantity": 1, "amount": 5}, {"product_id": pdt, "quantity": 2}],
        "allowed_payment_method_types": ["credit", "debit"],
        "billing_currency": "USD",
        "tax_id": "DE136695976",
        "customer_business_name": "Dodo GmbH",
        "force_3ds": True,
        "metadata": {"order": "17"},
        "payment_link": True,
        "return_url": "https://example.com/thanks",
        "short_link": True,
    }
    broken = mutations(body)
    assert len(broken) == 200
    assert len(set(broken)) == 200
    headers = {"content-type": "application/json"}
    for raw in broken:
        response = await merchant.client.post("/payments", content=raw, headers=headers)
        assert 400 <= response.status_code < 500, (raw[:300], response.text)
        assert set(response.json()) == {"code", "message"}, raw[:300]
        assert response.json()["code"] in ("INVALID_REQUEST_BODY", "NOT_FOUND", "INVALID_TAX_ID"), raw[:300]
        path, _, sentence = response.json()["message"].partition(": ")
        assert path == "$" or path.split(".")[0].split("[")[0] in body, (raw[:300], response.text)
        assert sentence
        assert response.headers["x-should-retry"] == "false"
    async with runtime.database.read() as connection:
        for table in ("payments", "payment_lines", "customers"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert (await merchant.client.post("/payments", json=body)).status_code == 200


async def test_bodies_that_are_not_json_or_too_large(merchant: Merchant) -> None:
    form = await merchant.client.post("/payments", data={"billing": "DE"})
    assert (form.status_code, form.json()["code"]) == (415, "INVALID_REQUEST_BODY")
    assert "Content-Type: application/json" in form.json()["message"]
    large = await merchant.client.post("/payments", json={"billing": "x" * 262_144})
    assert (large.status_code, large.json()["code"]) == (413, "INVALID_REQUEST_BODY")
    charset = await merchant.client.post(
        "/payments", content=b"{}", headers={"content-type": "Application/JSON; charset=utf-8"}
    )
    assert charset.json()["message"].startswith("billing: ")


async def test_paths_and_methods_that_do_not_exist(merchant: Merchant) -> None:
    response = await merchant.client.get("/nowhere/at/all")
    assert (response.status_code, response.json()) == (
        404,
        {"code": "NOT_FOUND", "message": "GET /nowhere/at/all not found; /docs lists what there is"},
    )
    response = await merchant.client.put("/payments")
    assert (response.status_code, response.headers["allow"]) == (405, "POST, GET")
    assert response.json() == {
        "code": "METHOD_NOT_ALLOWED",
        "message": "PUT is not allowed here; try POST, GET",
    }
    response = await merchant.client.options("/payments")
    assert (response.status_code, response.headers["allow"], response.content) == (204, "POST, GET", b"")
