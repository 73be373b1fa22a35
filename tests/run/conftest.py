"""A demo server for the tests of `nicobar run`, and running a command against it."""

import json
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from cli.program import PATIENCE, PROGRAM, Serving, environment, new_folder
from run.outside import Outside, outside

CLIENTS = Path(__file__).parent / "clients"
WITNESS = Path(__file__).parent / "witness"
NODE_MODULES = Path(__file__).resolve().parents[2] / "build" / "node" / "node_modules"

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE_MODULES / "undici").is_dir(),
    reason="needs Node.js and its packages: make setup",
)


class DemoShop(NamedTuple):
    """A server with a demo, and its test key."""

    base_url: str
    key: str
    product_id: str
    data: Path

    @property
    def client(self) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=PATIENCE)

    def variables(self, **extra: str) -> dict[str, str]:
        """Return the environment of a terminal into which the banner's lines were pasted."""
        return environment(DODO_PAYMENTS_BASE_URL=self.base_url, DODO_PAYMENTS_API_KEY=self.key, **extra)

    def run(self, *words: str | Path, **extra: str) -> "subprocess.CompletedProcess[str]":
        """Run `nicobar run` with these words to its end."""
        return subprocess.run(
            [*PROGRAM, "run", *map(str, words)],
            capture_output=True,
            text=True,
            env=self.variables(**extra),
            timeout=2 * PATIENCE,
            check=False,
        )


@contextmanager
def demo_shop() -> Iterator[DemoShop]:
    """Serve a demo while the block runs."""
    folder = new_folder()
    serving = Serving("--demo", "--data", folder / "data")
    try:
        banner = serving.ready().banner
        key, product_id = re.findall(r"nicobar_test_\w+", banner)[0], re.findall(r"pdt_[\w-]+", banner)[0]
        yield DemoShop(serving.base_url, key, product_id, folder / "data")
    finally:
        serving.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shop() -> Iterator[DemoShop]:
    with demo_shop() as found:
        yield found


@pytest.fixture
def beyond(tmp_path: Path) -> Iterator[Outside]:
    with outside(tmp_path) as found:
        yield found


def sightings(file: Path) -> list[dict[str, Any]]:
    """Return what the witness of each process has seen."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def free_port() -> int:
    """Return a port of this computer on which nothing listens.

    It is none of those that connections begin at: another test's would take it, or a look at it would find itself.
    """
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@pytest.fixture
def port() -> int:
    """A port for the command to listen on."""
    return free_port()


def free_payment(shop: DemoShop) -> str:
    """Make a payment of nothing, which succeeds at once; return its id."""
    with shop.client as client:
        price = {"type": "one_time_price", "currency": "USD", "price": 0}
        product = {"name": "Feather", "tax_category": "e_book", "price": price}
        product_id = client.post("/products", json=product).json()["product_id"]
        body = {"billing": {"country": "US"}, "customer": {"email": "ada@example.com", "name": "Ada"}}
        cart = {"product_cart": [{"product_id": product_id, "quantity": 1}]}
        made = client.post("/payments", json=body | cart)
        client.delete(f"/products/{product_id}")
    assert made.status_code == 200, made.text
    payment_id: str = made.json()["payment_id"]
    return payment_id


def listens(port: int) -> bool:
    """Return whether something listens on a port of this computer."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
