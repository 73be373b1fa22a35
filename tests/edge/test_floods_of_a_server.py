"""The whole server, with its database, in each flood: its memory stays in bounds and a customer goes on paying.

How long the customer's requests took is a property of its report, and decides nothing. With NICOBAR_PROVE it floods
for longer.
"""

import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from cli.program import Serving, new_folder, run
from edge import test_floods
from edge.test_floods import FLOODS, MOST_MIB, flood, memory_mib
from nicobar.program.http_limits import allow_many_connections
from orders import token_in
from proof import PROVING

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell the memory of a process"
)

SECONDS, CONNECTIONS = (5.0, 1000) if PROVING else (0.5, 200)

CARD = {"number": "4242 4242 4242 4242", "expiry": "06 / 32", "cvc": "123", "name": "Ana Lima"}


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


class Customer(threading.Thread):
    """Orders and pays over and over, with a connection for each request, and notes how long each takes."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop
        self.seconds: list[float] = []
        self.statuses: set[int] = set()
        self.paid = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            self._pay()

    def _pay(self) -> None:
        shop = self._shop
        order = {"billing": {"country": "US"}, "customer": {"email": "ana@example.com"}, "payment_link": True}
        cart = [{"product_id": shop.product_id, "quantity": 1}]
        made = self._ask("POST", f"{shop.serving.base_url}/payments", json=order | {"product_cart": cart})
        link = made.json()["payment_link"]
        token = token_in(self._ask("GET", link).text)
        self.paid += self._ask("POST", link, data=CARD | {"token": token}).status_code == 303

    def _ask(self, method: str, url: str, **body: Any) -> httpx.Response:
        began = time.monotonic()
        headers = self._shop.headers if "json" in body else {"accept": "text/html"}
        answer = httpx.request(method, url, headers=headers, timeout=20, **body)
        self.seconds.append(time.monotonic() - began)
        self.statuses.add(answer.status_code)
        return answer


@pytest.mark.parametrize("name", FLOODS)
def test_a_customer_pays_meanwhile(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, record_property: Any, name: str
) -> None:
    monkeypatch.setattr(test_floods, "SECONDS", SECONDS)
    monkeypatch.setattr(test_floods, "CONNECTIONS", CONNECTIONS)
    customer = Customer(shop)
    most = 0

    def meanwhile() -> None:
        nonlocal most
        most = max(most, memory_mib(shop.serving.process.pid))

    customer.start()
    try:
        with suppress(BlockingIOError):
            flood(shop.serving.port, *FLOODS[name], meanwhile)
    finally:
        customer.ended.set()
        customer.join()
    assert customer.statuses == {200, 303}
    assert customer.paid > 0
    assert 0 < most < MOST_MIB
    slowest = sorted(customer.seconds)[int(len(customer.seconds) * 0.99)]
    record_property(f"payments, {most} MiB, p99 {slowest * 1000:.0f} ms", customer.paid)
