"""The endpoints of webhooks over HTTP, and with the official SDK."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from dodopayments import DodoPayments

from api.answers import answered
from harness import VAULT_KEYS, FakeClock, Merchant, Server, client_for
from nicobar.app import create_app
from nicobar.flows.runtime import Runtime
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.vault import Vault
from orders import dump

URL = "https://shop.example/hook"
BODY: dict[str, Any] = {"url": URL}


async def created(merchant: Merchant, **body: Any) -> dict[str, Any]:
    return answered(await merchant.client.post("/webhooks", json=BODY | body))


async def test_an_endpoint_is_created_with_defaults(merchant: Merchant) -> None:
    endpoint = await created(merchant)
    assert endpoint.pop("id").startswith("ep_")
    assert endpoint == {
        "url": URL,
        "description": "",
        "metadata": {},
        "created_at": "2026-03-14T15:09:26.535897Z",
        "updated_at": "2026-03-14T15:09:26.535897Z",
        "disabled": False,
        "filter_types": None,
        "rate_limit": None,
    }


async def test_every_field_is_kept_and_changed(merchant: Merchant, clock: FakeClock) -> None:
    given = {
        "description": "Orders",
        "disabled": True,
        "filter_types": ["payment.succeeded", "payout.success", "payment.succeeded"],
        "metadata": {"team": "a"},
        "rate_limit": 5,
    }
    endpoint = await created(merchant, **given)
    expected = given | {"filter_types": ["payment.succeeded", "payout.success"]}
    assert {name: endpoint[name] for name in given} == expected
    path = f"/webhooks/{endpoint['id']}"
    assert (await merchant.client.get(path)).json() == endpoint
    clock.advance(seconds=1)
    same = await merchant.client.patch(path, json=dict.fromkeys(["description", "disabled", "metadata", "url"]))
    assert same.json() == endpoint
    changed = await merchant.client.patch(
        path,
        json={
            "url": "https://shop.example/other",
            "description": "",
            "disabled": False,
            "filter_types": [],
            "metadata": {},
            "rate_limit": None,
        },
    )
    assert changed.json() == endpoint | {
        "url": "https://shop.example/other",
        "description": "",
        "disabled": False,
        "filter_types": [],
        "metadata": {},
        "rate_limit": None,
        "updated_at": "2026-03-14T15:09:27.535897Z",
    }
    cleared = await merchant.client.patch(path, json={"filter_types": None})
    assert cleared.json()["filter_types"] is None


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"url": ""}, "INVALID_REQUEST_BODY", "url"),
        ({"url": "ftp://x/"}, "INVALID_REQUEST_BODY", "url: "),
        ({"url": "https://u:p@shop.example/"}, "INVALID_REQUEST_PARAMETERS", "url: "),
        ({"url": "https://" + "a" * 2048}, "INVALID_REQUEST_BODY", "url: "),
        ({"filter_types": ["payment.paid"]}, "INVALID_REQUEST_BODY", "filter_types[0]: "),
        ({"headers": {"Host": "x"}}, "INVALID_REQUEST_PARAMETERS", "headers.Host: "),
        ({"headers": {"webhook-id": "x"}}, "INVALID_REQUEST_PARAMETERS", "headers.webhook-id: "),
        ({"rate_limit": -1}, "INVALID_REQUEST_BODY", "rate_limit: "),
        ({"rate_limit": 2**31}, "INVALID_REQUEST_BODY", "rate_limit: "),
        ({"metadata": {"a": 1}}, "INVALID_REQUEST_BODY", "metadata"),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, "MAXIMUM_KEYS_REACHED", "metadata: "),
    ],
)
async def test_what_is_refused_stores_nothing(
    runtime: Runtime, merchant: Merchant, body: dict[str, Any], code: str, message: str
) -> None:
    before = await dump(runtime)
    response = await merchant.client.post("/webhooks", json=BODY | body)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert response.json()["message"].startswith(message)
    assert await dump(runtime) == before


async def test_live_mode_takes_https_only(runtime: Runtime, merchant: Merchant) -> None:
    before = await dump(runtime)
    refused = await merchant.live_client.post("/webhooks", json={"url": "http://shop.example/"})
    assert refused.status_code == 422
    assert refused.json() == {
        "code": "INVALID_REQUEST_PARAMETERS",
        "message": "url: In live mode the address has to begin with https://.",
    }
    assert await dump(runtime) == before
    assert (await merchant.client.post("/webhooks", json={"url": "http://shop.example/"})).status_code == 200
    live = (await merchant.live_client.post("/webhooks", json=BODY)).json()
    refused = await merchant.live_client.patch(f"/webhooks/{live['id']}", json={"url": "http://shop.example/"})
    assert refused.status_code == 422


async def test_what_is_anothers_does_not_exist(runtime: Runtime, merchant: Merchant, other_merchant: Merchant) -> None:
    endpoint = await created(merchant, headers={"authorization": "Basic x"})
    before = await dump(runtime)
    path = f"/webhooks/{endpoint['id']}"
    for client in (other_merchant.client, merchant.live_client):
        for method, at, body in (
            ("GET", path, None),
            ("PATCH", path, {"disabled": True}),
            ("DELETE", path, None),
            ("GET", f"{path}/headers", None),
            ("PATCH", f"{path}/headers", {"headers": {"a": "b"}}),
            ("GET", f"{path}/secret", None),
            ("POST", f"{path}/secret/rotate", None),
            ("POST", "/events/replay", {"what": "all", "since": "2026-01-01T00:00:00Z", "endpoint_id": endpoint["id"]}),
        ):
            response = await client.request(method, at, json=body)
            assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND"), (method, at)
        assert (await client.get("/webhooks")).json()["data"] == []
    assert await dump(runtime) == before
    for method, at in (("POST", "/webhooks"), ("DELETE", path), ("POST", f"{path}/secret/rotate")):
        response = await merchant.read_only_client.request(method, at, json=BODY if at == "/webhooks" else None)
        assert response.status_code == 403
    assert await dump(runtime) == before


async def test_the_secret_is_the_same_until_it_is_rotated(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    endpoint = await created(merchant)
    path = f"/webhooks/{endpoint['id']}/secret"
    secret = (await merchant.client.get(path)).json()
    assert secret == (await merchant.client.get(path)).json()
    assert list(secret) == ["secret"]
    assert secret["secret"].startswith("whsec_")
    assert len(base64.b64decode(secret["secret"].removeprefix("whsec_"), validate=True)) == 32
    rotated = (await merchant.client.post(f"{path}/rotate")).json()
    assert rotated != secret
    assert (await merchant.client.get(path)).json() == rotated
    stored = await dump(runtime)
    for text in (secret["secret"], rotated["secret"]):
        assert text not in stored
        assert base64.b64decode(text.removeprefix("whsec_")).hex() not in stored


async def test_headers_are_merged_and_what_opens_something_is_not_shown(runtime: Runtime, merchant: Merchant) -> None:
    endpoint = await created(merchant, headers={"X-Shop": "7", "Authorization": "Basic c2VjcmV0"})
    path = f"/webhooks/{endpoint['id']}/headers"
    assert (await merchant.client.get(path)).json() == {"headers": {"x-shop": "7"}, "sensitive": ["authorization"]}
    assert "c2VjcmV0" not in await dump(runtime)
    response = await merchant.client.patch(path, json={"headers": {"x-shop": "8", "x-new": "n"}})
    assert (response.status_code, response.content) == (200, b"")
    response = await merchant.client.patch(path, json={"headers": {"authorization": ""}})
    assert (await merchant.client.get(path)).json() == {"headers": {"x-shop": "8", "x-new": "n"}, "sensitive": []}
    before = await dump(runtime)
    refused = await merchant.client.patch(path, json={"headers": {"x-fine": "1", "webhook-id": "x"}})
    assert refused.status_code == 422
    assert await dump(runtime) == before


async def test_an_idempotency_key_makes_one_endpoint_a_day(
    merchant: Merchant, other_merchant: Merchant, clock: FakeClock
) -> None:
    body = BODY | {"idempotency_key": "once"}
    answers = await asyncio.gather(*(merchant.client.post("/webhooks", json=body) for _ in range(6)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    first = answers[0].json()
    changed = await merchant.client.post("/webhooks", json=body | {"url": "https://elsewhere.example/"})
    assert changed.json() == first
    for client in (merchant.live_client, other_merchant.client):
        assert (await client.post("/webhooks", json=body)).json()["id"] != first["id"]
    clock.advance(hours=24)
    assert (await merchant.client.post("/webhooks", json=body)).json()["id"] != first["id"]


async def test_there_are_50_at_most(runtime: Runtime, merchant: Merchant) -> None:
    answers = await asyncio.gather(*(merchant.client.post("/webhooks", json=BODY) for _ in range(55)))
    assert sorted(answer.status_code for answer in answers) == [200] * 50 + [422] * 5
    refused = next(answer.json() for answer in answers if answer.status_code == 422)
    assert refused == {
        "code": "UNSUPPORTED_ACTION",
        "message": "There are 50 webhook endpoints already. Delete one first.",
    }
    gone = next(answer.json()["id"] for answer in answers if answer.status_code == 200)
    deleted = await merchant.client.delete(f"/webhooks/{gone}")
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert (await merchant.client.delete(f"/webhooks/{gone}")).status_code == 404
    assert (await merchant.client.post("/webhooks", json=BODY)).status_code == 200


async def test_the_list_goes_forth_and_back(merchant: Merchant, clock: FakeClock) -> None:
    ids = []
    for _ in range(5):
        ids.append((await created(merchant))["id"])
        clock.advance(seconds=1)
    ids.reverse()

    async def page(**query: Any) -> tuple[list[str], Any, Any, bool]:
        answer = (await merchant.client.get("/webhooks", params=query)).json()
        assert list(answer) == ["data", "iterator", "prev_iterator", "done"]
        found = [endpoint["id"] for endpoint in answer["data"]]
        return found, answer["iterator"], answer["prev_iterator"], answer["done"]

    assert await page() == (ids, None, None, True)
    assert await page(limit=2) == (ids[:2], ids[1], None, False)
    assert await page(limit=2, iterator=ids[1]) == (ids[2:4], ids[3], f"-{ids[2]}", False)
    assert await page(limit=2, iterator=ids[3]) == (ids[4:], None, f"-{ids[4]}", True)
    assert await page(limit=2, iterator=f"-{ids[4]}") == (ids[2:4], ids[3], f"-{ids[2]}", False)
    assert await page(limit=2, iterator=f"-{ids[2]}") == (ids[:2], ids[1], None, False)
    assert await page(limit=2, iterator="ep_0") == ([], None, None, True)
    for wrong in ({"limit": 0}, {"limit": 251}, {"iterator": "x" * 66}):
        answer = await merchant.client.get("/webhooks", params=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_QUERY_PARAMS")


async def test_without_a_key_to_encrypt_with_nothing_is_stored(
    runtime: Runtime, merchant: Merchant, app_without_vault: Callable[[], httpx.AsyncClient]
) -> None:
    before = await dump(runtime)
    async with app_without_vault() as client:
        response = await client.post("/webhooks", json=BODY, headers={"authorization": f"Bearer {merchant.key}"})
    assert (response.status_code, response.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert response.json()["message"].startswith("Webhooks need an encryption key: Secrets are encrypted before")
    assert await dump(runtime) == before


@pytest.fixture
def app_without_vault(runtime: Runtime, clock: FakeClock) -> Callable[[], httpx.AsyncClient]:
    poor = runtime._replace(webhooks=Webhooks(Vault(None, None), clock, allow_private=False))
    return lambda: client_for(create_app(poor))


async def test_private_addresses_are_refused_unless_the_operator_allows_them(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    careful = runtime._replace(webhooks=Webhooks(Vault(VAULT_KEYS, None), clock, allow_private=False))
    before = await dump(runtime)
    async with client_for(create_app(careful), merchant.key) as client:
        for host in ("127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0x7f.1"):
            response = await client.post("/webhooks", json={"url": f"https://{host}/"})
            assert response.json()["message"] == (
                "url: The address leads into a private network, which is not allowed."
            ), host
        assert await dump(runtime) == before
    assert (await merchant.client.post("/webhooks", json={"url": "http://127.0.0.1:3000/"})).status_code == 200


def test_the_sdk_does_all_of_it(server: Server) -> None:
    client = DodoPayments(bearer_token=server.key, base_url=server.base_url, _strict_response_validation=True)
    made = client.webhooks.create(url=URL, filter_types=["payment.succeeded"], headers={"x-shop": "7"})
    assert (made.url, made.filter_types, made.disabled) == (URL, ["payment.succeeded"], False)
    assert client.webhooks.retrieve(made.id) == made
    assert client.webhooks.update(made.id, description="New", filter_types=None).filter_types is None
    assert client.webhooks.headers.retrieve(made.id).headers == {"x-shop": "7"}
    client.webhooks.headers.update(made.id, headers={"x-other": "8"})
    assert client.webhooks.headers.retrieve(made.id).headers == {"x-shop": "7", "x-other": "8"}
    assert client.webhooks.retrieve_secret(made.id).secret.startswith("whsec_")
    others = [client.webhooks.create(url=URL).id for _ in range(4)]
    assert {endpoint.id for endpoint in client.webhooks.list(limit=2)} == {made.id, *others}
    client.webhooks.delete(made.id)
    assert {endpoint.id for endpoint in client.webhooks.list()} == set(others)
