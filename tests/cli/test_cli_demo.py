"""`nicobar serve --demo`: everything that it prints works as it is printed, and stays the same."""

import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from cli.program import PATIENCE, Serving, environment, new_folder
from harness import Merchant
from nicobar.flows.runtime import Runtime
from nicobar.program.demo import DEMO_FILE, prepare_demo
from nicobar.program.installation import InstallationError
from nicobar.storage.database import Database, Read
from nicobar.storage.embedded.embedded import open_embedded

NODE_MODULES = Path(__file__).parents[2] / "build" / "node" / "node_modules"

TITLES = {
    "exports": "For a second terminal: curl, the SDKs and nicobar itself",
    "curl": "The same payment with curl",
    "python": "The same in Python: pip install dodopayments",
    "javascript": "The same in JavaScript, as pay.mjs: npm install dodopayments",
}


@pytest.fixture(scope="module")
def demo_data() -> Iterator[Path]:
    folder = new_folder()
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def demo(demo_data: Path) -> Iterator[Serving]:
    serving = Serving("--data", demo_data, "--demo")
    try:
        yield serving.ready()
    finally:
        serving.close()


def value(banner: str, name: str) -> str:
    found = re.search(rf"^  {name} +(\S+)", banner, re.MULTILINE)
    assert found, banner
    return found[1]


def block(banner: str, what: str) -> str:
    """Return what is between a title and the next one, as somebody would copy it."""
    after = banner.partition(f"\n--- {TITLES[what]} ")[2]
    return after.partition("\n")[2].partition("\n--- ")[0].strip()


def get(serving: Serving, path: str) -> httpx.Response:
    key = value(serving.banner, "Test API key")
    return httpx.get(f"{serving.base_url}{path}", headers={"authorization": f"Bearer {key}"}, timeout=30)


def output_of(*command: str, cwd: Path | None = None) -> str:
    """Return what a command prints, run as a newcomer would run it."""
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=cwd, env=environment(), timeout=PATIENCE
    ).stdout


def test_the_key_opens_a_shop_with_three_products_and_a_customer(demo: Serving) -> None:
    assert value(demo.banner, "Test API key").startswith("nicobar_test_")
    products = get(demo, "/products").json()["items"]
    assert sorted(product["price"] for product in products) == [100, 1900, 2400]
    assert all(product["product_id"] in demo.banner for product in products)
    pictures = [httpx.get(product["image"], timeout=30) for product in products]
    assert len({picture.content for picture in pictures}) == 3
    assert all(picture.headers["content-type"] == "image/webp" for picture in pictures)
    assert [customer["email"] for customer in get(demo, "/customers").json()["items"]] == ["ada@example.com"]
    (brand,) = get(demo, "/brands").json()["items"]
    assert brand["name"] == "Demo shop"


def test_the_payment_waits_at_its_link(demo: Serving) -> None:
    link = value(demo.banner, "Payment link")
    assert re.fullmatch(re.escape(demo.base_url) + "/[0-9A-Za-z]{8}", link)
    page = httpx.get(link, timeout=30)
    assert page.status_code == 200
    assert "Field guide to flightless birds" in page.text
    assert "20.33" in page.text
    assert 'autocomplete="cc-number"' in page.text  # nothing is asked for before the card
    assert "20.33 USD, waiting to be paid" in demo.banner


def test_the_lines_for_a_second_terminal(demo: Serving, demo_data: Path) -> None:
    key, product = value(demo.banner, "Test API key"), value(demo.banner, "Products")
    lines = block(demo.banner, "exports").splitlines()
    assert lines[:4] == [
        f"export DODO_PAYMENTS_BASE_URL={demo.base_url}",
        f"export DODO_PAYMENTS_API_KEY={key}",
        f"export PRODUCT={product}",
        f"export NICOBAR_DATA={demo_data}",
    ]
    typed = [*lines, "nicobar settings get seller_country", 'echo "$PRODUCT at $DODO_PAYMENTS_BASE_URL"']
    assert output_of("bash", "-c", "\n".join(typed)) == f"US\n{product} at {demo.base_url}\n"


def test_the_curl_line(demo: Serving) -> None:
    made = json.loads(output_of("bash", "-c", block(demo.banner, "curl")))
    assert made["total_amount"] == 2033
    assert made["payment_link"].startswith(f"{demo.base_url}/")
    found = get(demo, f"/payments/{made['payment_id']}").json()
    assert (found["status"], found["customer"]["email"]) == ("requires_payment_method", "ada@example.com")


def test_the_lines_of_python(demo: Serving) -> None:
    printed = output_of(sys.executable, "-c", block(demo.banner, "python"))
    assert re.fullmatch(re.escape(demo.base_url) + "/[0-9A-Za-z]{8}\n", printed)


@pytest.mark.skipif(not NODE_MODULES.is_dir(), reason="the JavaScript SDK is not installed: make setup")
def test_the_lines_of_javascript(demo: Serving, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "pay.mjs").write_text(block(demo.banner, "javascript"))
    printed = output_of("node", "pay.mjs", cwd=tmp_path)
    assert re.fullmatch(re.escape(demo.base_url) + "/[0-9A-Za-z]{8}\n", printed)


def test_the_key_is_readable_by_its_owner_alone(demo: Serving, demo_data: Path) -> None:
    file = demo_data / "demo.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["api_key"] == value(demo.banner, "Test API key")


def test_a_restart_prints_the_same_lines(demo: Serving, demo_data: Path, serve: Callable[..., Serving]) -> None:
    again = serve("--data", demo_data, "--demo").ready()
    lines = [serving.banner.partition("Nicobar 0.1.0 is ready.")[2] for serving in (demo, again)]
    assert lines[1].replace(again.base_url, demo.base_url) == lines[0]
    assert again.stop() == 0
    assert len(get(demo, "/products").json()["items"]) == 3


def test_links_lead_to_the_public_address(demo: Serving, demo_data: Path, serve: Callable[..., Serving]) -> None:
    public = serve("--data", demo_data, "--demo", NICOBAR_PUBLIC_URL="https://pay.example.com/shop/").ready()
    link = value(public.banner, "Payment link")
    assert link == value(demo.banner, "Payment link").replace(demo.base_url, "https://pay.example.com/shop")


@asynccontextmanager
async def connection_to(data: Path) -> AsyncIterator[Read]:
    with open_embedded(data) as postgres:
        database = Database(postgres.dsn, size=1)
        async with database.read() as connection:
            yield connection
        await database.close()


async def test_what_is_used_up_is_made_anew(demo_data: Path, demo: Serving, serve: Callable[..., Serving]) -> None:
    """A payment that can no longer be paid, a product that was archived, a key that was revoked."""
    banners = [demo.banner.replace(demo.base_url, "")]
    for used_up in (
        "UPDATE payments SET expires_on = now() - interval '1 second'",
        "UPDATE products SET archived_at = now(); UPDATE payments SET expires_on = now() - interval '1 second'",
        "UPDATE api_keys SET revoked_at = now()",
    ):
        async with connection_to(demo_data) as connection:
            await connection.execute(used_up)
        again = serve("--data", demo_data, "--demo").ready()
        assert httpx.get(value(again.banner, "Payment link"), timeout=30).status_code == 200
        assert get(again, "/products").status_code == 200
        banners.append(again.banner.replace(again.base_url, ""))
        assert again.stop() == 0
    keys = [value(banner, "Test API key") for banner in banners]
    links = [value(banner, "Payment link") for banner in banners]
    products = [value(banner, "Products") for banner in banners]
    assert len(set(links)) == 4
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert products[0] == products[1] != products[2] != products[3]


@pytest.mark.parametrize("before", [None, "{", '{"api_key": 1}', '{"api_key": "x", "product_ids": []}'])
async def test_a_file_that_is_of_no_use_is_replaced(
    runtime: Runtime, merchant: Merchant, tmp_path: Path, before: str | None
) -> None:
    """It says nothing, or belongs to another database. The business that exists is used as it is."""
    file = tmp_path / DEMO_FILE
    if before is not None:
        file.write_text(before)
        file.chmod(0o644)
    goods = await prepare_demo(runtime, merchant.business_id, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["api_key"] == goods.api_key
    assert await prepare_demo(runtime, merchant.business_id, tmp_path) == goods
    (brand,) = (await merchant.client.get("/brands")).json()["items"]
    assert brand["name"] == "Dodo Records"


async def test_a_file_that_cannot_be_written(runtime: Runtime, merchant: Merchant, tmp_path: Path) -> None:
    (tmp_path / DEMO_FILE).mkdir()
    with pytest.raises(InstallationError, match=r"The demo cannot keep its values in .*demo\.json: "):
        await prepare_demo(runtime, merchant.business_id, tmp_path)
