"""Headers that every answer has: of the API, the documentation, the pages, pictures, scripts and errors."""

import pytest
from starlette.types import ASGIApp

from harness import Merchant, client_for
from nicobar.app import create_app
from nicobar.flows.runtime import Runtime

PATHS = [
    ("GET", "/", 307),
    ("GET", "/products", 200),
    ("POST", "/products", 422),
    ("PUT", "/products", 405),
    ("OPTIONS", "/payments", 204),
    ("OPTIONS", "/licenses/activate", 404),
    ("GET", "/payments/pay_unknown", 404),
    ("GET", "/no/such/path", 404),
    ("GET", "/docs", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/health", 200),
    ("GET", "/Abcdefgh", 404),
    ("GET", "/Abcdefgh/qr.svg", 404),
    ("GET", "/images/img_unknown", 404),
    ("PUT", "/images/img_unknown", 403),
    ("POST", "/processors/stripe/notices/bus_unknown/live", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
async def test_every_answer_has_them(merchant: Merchant, method: str, path: str, status: int) -> None:
    response = await merchant.client.request(method, path, json={} if method == "POST" else None)
    assert response.status_code == status
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "content-security-policy" in response.headers
    assert "cache-control" in response.headers
    assert "strict-transport-security" not in response.headers  # the public URL of the tests is http
    assert not [name for name in response.headers if name.startswith("access-control-")]
    for name in ("x-content-type-options", "content-security-policy", "cache-control", "x-frame-options"):
        assert len(response.headers.get_list(name)) <= 1


async def test_answers_of_the_api_are_kept_nowhere_and_stand_in_no_frame(merchant: Merchant) -> None:
    for key in (merchant.key, "unknown"):
        response = await merchant.client.get("/customers", headers={"authorization": f"Bearer {key}"})
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert response.headers["x-frame-options"] == "DENY"


async def test_without_a_key_nothing_is_missing(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("nicobar.api.auth.KeyRing.authenticate", broken)
    async with client_for(app) as client:
        response = await client.get("/products")
    assert (response.status_code, response.headers["x-content-type-options"]) == (500, "nosniff")


async def test_https_is_demanded_where_the_public_url_is_https(runtime: Runtime) -> None:
    app = create_app(runtime._replace(public_url="https://pay.example.com"))
    async with client_for(app) as client:
        for path in ("/products", "/docs", "/Abcdefgh"):
            assert (await client.get(path)).headers["strict-transport-security"] == "max-age=31536000"
