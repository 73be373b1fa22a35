"""The line of each request: who asked, with which key, and never the whole id of a payment link."""

import httpx
import pytest
import structlog
from starlette.types import ASGIApp

from harness import PUBLIC_URL, Merchant, client_for
from nicobar.app import create_app
from nicobar.core.proxies import parse_proxies
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import list_keys
from nicobar.storage.database import Database


async def test_it_has_the_address_of_the_client_and_the_id_of_the_key(runtime: Runtime, merchant: Merchant) -> None:
    async with runtime.database.read() as read:
        ids = {stored.key.hint: stored.key.key_id for stored in await list_keys(read, merchant.business_id)}
    with structlog.testing.capture_logs() as lines:
        await merchant.client.get("/products", headers={"x-forwarded-for": "6.6.6.6, 198.51.100.7"})
        await merchant.client.post("/products", json={})
    told = [(line["client"], line["key"], line["status"]) for line in lines if line["event"] == "request"]
    key_id = ids[merchant.key[-4:]]
    assert told == [("198.51.100.7", key_id, 200), ("127.0.0.1", key_id, 422)]
    assert merchant.key not in str(lines)


async def test_without_a_key_there_is_no_id(app: ASGIApp) -> None:
    with structlog.testing.capture_logs() as lines:
        async with client_for(app, "nicobar_test_unknown") as client:
            assert (await client.get("/products")).status_code == 401
    (line,) = [line for line in lines if line["event"] == "request"]
    assert "key" not in line and "nicobar_test_unknown" not in str(lines)


async def test_the_setting_says_who_is_believed(runtime: Runtime) -> None:
    app = create_app(runtime, trusted=parse_proxies("10.0.0.0/8"))
    with structlog.testing.capture_logs() as lines:
        for peer in ("127.0.0.1", "10.0.0.1"):
            transport = httpx.ASGITransport(app, client=(peer, 5000))
            async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
                await client.get("/health", headers={"forwarded": "for=198.51.100.7"})
    assert [line["client"] for line in lines if line["event"] == "request"] == ["127.0.0.1", "198.51.100.7"]


@pytest.mark.parametrize(
    ("path", "posted"),
    [("/AbCdEf12", 503), ("/AbCdEf12/qr.svg", 405), ("/overlay/AbCdEf12", 503), ("/AbCdEf12/stripe", 503)],
)
async def test_a_link_is_masked_when_the_database_is_away(runtime: Runtime, path: str, posted: int) -> None:
    gone = runtime._replace(database=Database("postgresql://nobody@127.0.0.1:1/nothing"))
    with structlog.testing.capture_logs() as lines:
        for headers in ({"accept": "text/html"}, {"accept": "application/json"}):
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(create_app(gone), raise_app_exceptions=False), base_url=PUBLIC_URL
            ) as client:
                assert (await client.get(path, headers=headers)).status_code == 503
                assert (await client.post(path, headers=headers)).status_code == posted
    assert len([line for line in lines if line["event"] == "request"]) == 4
    assert "AbCdEf12" not in str(lines)


@pytest.mark.parametrize("clinging", ["", ".", "...", "./", "/", ",", ")."])
@pytest.mark.parametrize("link_id", ["abcdefgh", "AbCdEf12", "a-b_c-d_"])
async def test_a_link_is_masked_with_what_clings_to_it(app: ASGIApp, link_id: str, clinging: str) -> None:
    with structlog.testing.capture_logs() as lines:
        async with client_for(app, "") as client:
            await client.get(f"/{link_id}{clinging}", headers={"accept": "text/html"})
    (path,) = [line["path"] for line in lines if line["event"] == "request"]
    assert path.startswith(f"/{link_id[:2]}...") and link_id not in str(lines)


async def test_full_stops_do_not_make_a_secret_a_word(app: ASGIApp) -> None:
    secret = "nicobar_test_AbCdEf12AbCdEf12"
    with structlog.testing.capture_logs() as lines:
        async with client_for(app, "") as client:
            for path in (f"/portal/cps_1/open/{secret}", f"/session/cks_{secret}", f"/buy/{secret}", f"/{secret}"):
                for clinging in ("", ".", "..."):
                    await client.get(path + clinging, headers={"accept": "text/html"})
    told = [line["path"] for line in lines if line["event"] == "request"]
    assert told[:2] == ["/portal/cps_1/open/ni..."] * 2
    assert told[2] == "/portal/cps_1/open/ni..." and set(told[6:9]) == {"/buy/ni..."} and set(told[9:]) == {"/ni..."}
    assert told[3] == "/session/cks_ni..." and set(told[4:6]) == {"/session/cks_ni....", "/session/cks_ni......"}
    assert "AbCdEf12" not in str(lines)
