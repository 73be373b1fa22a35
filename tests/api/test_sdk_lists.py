"""Iterating over lists with the official SDKs, and the loops that `docs/calls.md` advises."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from dodopayments import DodoPayments

from harness import Server

# The SDK marks POST /payments as legacy; it is the endpoint that this server is about.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = ROOT / "build" / "node" / "node_modules"

ITERATE = """
import DodoPayments from 'dodopayments';

const client = new DodoPayments();
const names = [];
for await (const customer of client.customers.list({ page_number: 0, page_size: 2 })) names.push(customer.name);
console.log(names.join());
"""


def test_python_leaves_out_the_second_page_and_the_loop_does_not(server: Server, client: DodoPayments) -> None:
    """When the first half fails, the SDK counts from zero at last, and the advice can go."""
    for name in "abcde":
        product = client.products.create(
            name=name, tax_category="saas", price={"type": "one_time_price", "currency": "USD", "price": 500}
        )
        customer = client.customers.create(email=f"{name}@example.com", name=name)
        client.payments.create(
            billing={"country": "US"},
            customer={"customer_id": customer.customer_id},
            product_cart=[{"product_id": product.product_id, "quantity": 1}],
        )
    assert [each.customer.name for each in client.payments.list(page_size=2)] == ["e", "d", "a"]
    assert [each.name for each in client.products.list(page_size=2)] == ["e", "d", "a"]
    assert [each.name for each in client.customers.list(page_number=0, page_size=2)] == ["e", "d", "a"]

    names, page = [], 0
    while payments := client.payments.list(page_number=page, page_size=2).items:
        names += [each.customer.name for each in payments]
        page += 1
    assert names == ["e", "d", "c", "b", "a"]

    names, page = [], 0
    while products := client.products.list(page_number=page, page_size=2).items:
        names += [str(each.name) for each in products]
        page += 1
    assert names == ["e", "d", "c", "b", "a"]


def test_javascript_leaves_nothing_out_when_it_begins_with_page_0(
    server: Server, client: DodoPayments, tmp_path: Path
) -> None:
    node = shutil.which("node")
    assert node is not None, "Node.js 20 or newer is needed: see CONTRIBUTING.md"
    for name in "abcde":
        client.customers.create(email=f"{name}@example.com", name=name)
    program = tmp_path / "iterate.mjs"
    program.write_text(ITERATE)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    environment = os.environ | {"DODO_PAYMENTS_API_KEY": server.key, "DODO_PAYMENTS_BASE_URL": server.base_url}
    result = subprocess.run(
        [node, str(program)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.stdout, result.stderr) == ("e,d,c,b,a\n", "")
