"""The official SDKs, unmodified, behind a proxy that loses answers: one customer, one payment, one refund each.

`NICOBAR_LOST_ANSWERS=500` tries that often with each SDK, with and without an idempotency key.
"""

import asyncio
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from dodopayments import DodoPayments

from api.retries.losing_proxy import LOSSES, LosingProxy
from harness import Server
from orders import pay

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NODE_MODULES = Path(__file__).resolve().parents[3] / "build" / "node" / "node_modules"

TRIES = int(os.environ.get("NICOBAR_LOST_ANSWERS", "10"))

AT_ONCE = 20

PATIENCE = 5.0
"""Seconds that a client waits for an answer: more than the server ever needs, because a third loss is an error."""


class Try(NamedTuple):
    """What one try works with; `key` is the beginning of its idempotency keys, empty for none."""

    email: str
    product_id: str
    paid_id: str
    key: str


class Made(NamedTuple):
    """What one try was told."""

    customer_id: str
    payment_id: str
    refund_id: str


async def prepare(server: Server, *, keyed: bool) -> list[Try]:
    """Make a product and, for each try, a payment that is paid, past the proxy."""
    headers = {"authorization": f"Bearer {server.key}"}
    async with (
        httpx.AsyncClient(base_url=server.base_url, headers=headers) as client,
        httpx.AsyncClient(headers={"accept": "text/html"}) as browser,
    ):
        price = {"type": "one_time_price", "currency": "USD", "price": 1999}
        product = {"name": "Field Guide", "tax_category": "e_book", "price": price}
        product_id = (await client.post("/products", json=product)).json()["product_id"]
        tries = []
        for number in range(TRIES):
            order = {
                "billing": {"country": "DE"},
                "customer": {"email": f"paid{number}@example.com"},
                "product_cart": [{"product_id": product_id, "quantity": 1}],
                "payment_link": True,
            }
            paid = (await client.post("/payments", json=order)).json()
            await pay(browser, paid["payment_link"])
            key = f"order-{number}-" if keyed else ""
            tries.append(Try(f"buyer{number}@example.com", product_id, paid["payment_id"], key))
        return tries


def with_python(base_url: str, key: str, one: Try) -> Made:
    def extra(what: str) -> dict[str, str]:
        return {"Idempotency-Key": one.key + what} if one.key else {}

    with DodoPayments(bearer_token=key, base_url=base_url, timeout=PATIENCE) as client:
        customer = client.customers.create(email=one.email, name="Ana", extra_headers=extra("customer"))
        payment = client.payments.create(
            billing={"country": "DE"},
            customer={"customer_id": customer.customer_id},
            product_cart=[{"product_id": one.product_id, "quantity": 1}],
            payment_link=True,
            extra_headers=extra("payment"),
        )
        refund = client.refunds.create(payment_id=one.paid_id, extra_headers=extra("refund"))
    return Made(customer.customer_id, payment.payment_id, refund.refund_id)


PROGRAM = """
import DodoPayments from 'dodopayments';
import { readFileSync } from 'node:fs';

const { tries, timeout, atOnce } = JSON.parse(readFileSync(0, 'utf8'));
const client = new DodoPayments({ timeout });
const made = [];

async function one(index) {
  const { email, product_id, paid_id, key } = tries[index];
  const extra = (what) => (key ? { headers: { 'Idempotency-Key': key + what } } : {});
  const customer = await client.customers.create({ email, name: 'Ana' }, extra('customer'));
  const payment = await client.payments.create({
    billing: { country: 'DE' },
    customer: { customer_id: customer.customer_id },
    product_cart: [{ product_id, quantity: 1 }],
    payment_link: true,
  }, extra('payment'));
  const refund = await client.refunds.create({ payment_id: paid_id }, extra('refund'));
  made[index] = [customer.customer_id, payment.payment_id, refund.refund_id];
}

let next = 0;
await Promise.all(Array.from({ length: atOnce }, async () => {
  while (next < tries.length) await one(next++);
}));
console.log(JSON.stringify(made));
"""


def run_python(base_url: str, key: str, tries: list[Try], _folder: Path) -> list[Made]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda one: with_python(base_url, key, one), tries))


def run_node(base_url: str, key: str, tries: list[Try], folder: Path) -> list[Made]:
    node = shutil.which("node")
    assert node is not None, "Node.js 20 or newer is needed: see CONTRIBUTING.md"
    program = folder / "tries.mjs"
    program.write_text(PROGRAM)
    (folder / "node_modules").symlink_to(NODE_MODULES)
    given = {"tries": [one._asdict() for one in tries], "timeout": PATIENCE * 1000, "atOnce": AT_ONCE}
    environment = os.environ | {"DODO_PAYMENTS_API_KEY": key, "DODO_PAYMENTS_BASE_URL": base_url}
    result = subprocess.run(
        [node, str(program)],
        input=json.dumps(given),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120 + 4 * TRIES,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [Made(*told) for told in json.loads(result.stdout)]


async def items(client: httpx.AsyncClient, path: str, **query: str) -> list[dict[str, Any]]:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


@pytest.mark.parametrize("keyed", [False, True], ids=["without-a-key", "with-a-key"])
@pytest.mark.parametrize("run", [run_python, run_node], ids=["python", "npm"])
async def test_every_try_ends_with_one_of_each(
    server: Server, proxy: LosingProxy, tmp_path: Path, run: Any, keyed: bool
) -> None:
    tries = await prepare(server, keyed=keyed)
    base_url = f"http://127.0.0.1:{proxy.port}"
    made = await asyncio.to_thread(run, base_url, server.key, tries, tmp_path)
    assert set(proxy.lost) == set(LOSSES) and sum(proxy.lost.values()) >= 3 * TRIES
    assert proxy.answered["replayed"] > 0
    headers = {"authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(base_url=server.base_url, headers=headers) as client:
        for one, told in zip(tries, made, strict=True):
            customers = await items(client, "/customers", email=one.email)
            assert [customer["customer_id"] for customer in customers] == [told.customer_id]
            payments = await items(client, "/payments", customer_id=told.customer_id)
            assert [payment["payment_id"] for payment in payments] == [told.payment_id]
            paid = (await client.get(f"/payments/{one.paid_id}")).json()
            assert [refund["refund_id"] for refund in paid["refunds"]] == [told.refund_id]
            assert paid["refund_status"] == "full"
