"""The whole server, with its database, in each flood: its memory stays in bounds and a customer goes on paying.

How long the customer's requests took is a property of its report, and decides nothing. With NICOBAR_PROVE it floods
for longer.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import Any, NamedTuple

import httpx
import pytest

from cli.program import Serving, new_folder, run
from edge import test_floods
from edge.test_floods import FLOODS, MOST_MIB, flood, memory_mib
from nicobar.program.http.http_limits import allow_many_connections
from proof import PROVING

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell the memory of a process"
)

SECONDS, CONNECTIONS = (5.0, 1000) if PROVING else (0.5, 200)


class Shop(NamedTuple):
    """A server that runs, and a product of a shop in it."""

    serving: Serving
    headers: dict[str, str]
    product_id: str


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    allow_many_connections()
    folder = new_folder()
    made = run("keys", "create", "--data", folder / "data")
    found = re.search(r"nicobar_test_\w+", made.stdout)
    assert found is not None, made.stderr
    serving = Serving("--data", folder / "data").ready()
    headers = {"authorization": f"Bearer {found[0]}"}
    price = {"type": "one_time_price", "currency": "USD", "price": 1999}
    product = {"name": "Field Guide", "tax_category": "e_book", "price": price}
    answer = httpx.post(f"{serving.base_url}/products", json=product, headers=headers)
    yield Shop(serving, headers, answer.json()["product_id"])
    serving.close()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def paying(shop: Shop) -> Iterator[Callable[[], dict[str, Any]]]:
    """Let a customer pay over and over, and yield what ends that and returns what the customer met."""
    key = shop.headers["authorization"].removeprefix("Bearer ")
    command = [sys.executable, str(Path(__file__).with_name("paying_customer.py")), shop.serving.base_url]
    with subprocess.Popen([*command, shop.product_id], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as customer:
        assert customer.stdin is not None and customer.stdout is not None
        customer.stdin.write(f"{key}\n")
        customer.stdin.flush()
        customer.stdout.readline()

        def end() -> dict[str, Any]:
            told, wrong = customer.communicate(timeout=120)
            assert customer.returncode == 0, wrong
            met: dict[str, Any] = json.loads(told)
            return met

        try:
            yield end
        finally:
            customer.kill()


@pytest.mark.parametrize("name", FLOODS)
def test_a_customer_pays_meanwhile(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, record_property: Any, name: str
) -> None:
    monkeypatch.setattr(test_floods, "SECONDS", SECONDS)
    monkeypatch.setattr(test_floods, "CONNECTIONS", CONNECTIONS)
    most = 0

    def meanwhile() -> None:
        nonlocal most
        most = max(most, memory_mib(shop.serving.process.pid))

    with paying(shop) as end:
        with suppress(BlockingIOError):
            flood(shop.serving.port, *FLOODS[name], meanwhile)
        met = end()
    assert met["statuses"] == [200, 303]
    assert met["paid"] > 0
    assert 0 < most < MOST_MIB
    slowest = sorted(met["seconds"])[int(len(met["seconds"]) * 0.99)]
    record_property(f"payments, {most} MiB, p99 {slowest * 1000:.0f} ms", met["paid"])
