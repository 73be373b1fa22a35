"""The official SDKs, unmodified, against a running server: every payments call, every key type-checked."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from dodopayments import DodoPayments, NotFoundError, PermissionDeniedError, UnprocessableEntityError
from dodopayments.types import Payment, PaymentCreateResponse, PaymentListResponse, PaymentRetrieveLineItemsResponse

from api.answers import has_every_key
from harness import Server

# The SDK marks POST /payments as legacy; it is the endpoint that this server is about.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).resolve().parents[3]
NODE_MODULES = ROOT / "build" / "node" / "node_modules"


def sell(client: DodoPayments) -> tuple[str, str]:
    product = client.products.create(
        name="Field Guide",
        tax_category="e_book",
        price={"type": "one_time_price", "currency": "USD", "price": 1999},
    )
    customer = client.customers.create(email="ana@example.com", name="Ana")
    return product.product_id, customer.customer_id


def test_every_payments_call(server: Server, client: DodoPayments) -> None:
    product_id, customer_id = sell(client)
    made = client.payments.create(
        billing={"country": "DE"},
        customer={"customer_id": customer_id},
        product_cart=[{"product_id": product_id, "quantity": 2}],
        metadata={"order": "17", "gift": True, "share": 0.5},
        payment_link=True,
    )
    assert (made.total_amount, made.customer.email) == (3998, "ana@example.com")
    assert made.metadata == {"order": "17", "gift": True, "share": 0.5}
    payment = client.payments.retrieve(made.payment_id)
    assert (payment.status, payment.total_amount, payment.payment_link) == (
        "requires_payment_method",
        3998,
        made.payment_link,
    )
    page = client.payments.list(
        customer_id=customer_id, page_number=0, page_size=100, created_at_gte=payment.created_at
    )
    assert [item.payment_id for item in page.items] == [made.payment_id]
    lines = client.payments.retrieve_line_items(made.payment_id)
    assert [(line.items_id, line.amount) for line in lines.items] == [(product_id, 3998)]
    state = client.payments.retrieve_retry_state(made.payment_id)
    assert (state.can_retry, state.reason) == (False, "UNSUPPORTED_ACTION")
    with pytest.raises(UnprocessableEntityError, match="Only failed renewals"):
        client.payments.retry(made.payment_id)


def test_every_nullable_key_is_present(server: Server, client: DodoPayments) -> None:
    product_id, customer_id = sell(client)
    headers = {"authorization": f"Bearer {server.key}"}
    body = {
        "billing": {"country": "DE"},
        "customer": {"customer_id": customer_id},
        "product_cart": [{"product_id": product_id, "quantity": 1}],
    }
    with httpx.Client(base_url=server.base_url, headers=headers) as raw:
        made = raw.post("/payments", json=body).json()
        has_every_key(made, PaymentCreateResponse)
        has_every_key(raw.get(f"/payments/{made['payment_id']}").json(), Payment)
        has_every_key(raw.get("/payments").json()["items"][0], PaymentListResponse)
        has_every_key(raw.get(f"/payments/{made['payment_id']}/line-items").json(), PaymentRetrieveLineItemsResponse)


def test_errors_reach_the_sdk_as_its_own_classes(server: Server, client: DodoPayments) -> None:
    product_id, customer_id = sell(client)
    with pytest.raises(NotFoundError) as missing:
        client.payments.retrieve("pay_unknown")
    assert missing.value.body == {"code": "NOT_FOUND", "message": "Payment not found"}
    with pytest.raises(UnprocessableEntityError) as refused:
        client.payments.create(billing={"country": "DE"}, customer={"customer_id": customer_id}, product_cart=[])
    assert refused.value.body == {"code": "PRODUCT_CART_EMTPY", "message": "product_cart is empty"}
    reader = client.with_options(bearer_token=server.read_only_key)
    with pytest.raises(PermissionDeniedError):
        reader.payments.create(
            billing={"country": "DE"},
            customer={"customer_id": customer_id},
            product_cart=[{"product_id": product_id, "quantity": 1}],
        )


def test_refusals_are_not_retried(server: Server) -> None:
    """With retries on, a decided refusal still costs one request: `x-should-retry: false` is obeyed."""
    requests: list[httpx.Request] = []
    transport = httpx.Client(event_hooks={"request": [requests.append]})
    with (
        DodoPayments(bearer_token=server.key, base_url=server.base_url, max_retries=2, http_client=transport) as client,
        pytest.raises(UnprocessableEntityError),
    ):
        client.payments.create(billing={"country": "DE"}, customer={"email": "a@b.org"}, product_cart=[])
    assert len(requests) == 1


# The reference page's example: only the ids are other ones.
SEED_EXAMPLE = """
import DodoPayments from 'dodopayments';

const client = new DodoPayments({
  bearerToken: process.env['DODO_PAYMENTS_API_KEY'], // This is the default and can be omitted
});

const payment = await client.payments.create({
  billing: { country: 'AF' },
  customer: { customer_id: 'customer_id' },
  product_cart: [{ product_id: 'product_id', quantity: 0 }],
});

console.log(payment.payment_id);
"""


def test_the_example_in_javascript(server: Server, client: DodoPayments, tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node is not None, "Node.js 20 or newer is needed: see CONTRIBUTING.md"
    assert NODE_MODULES.is_dir(), "run `make setup` once: it installs the JavaScript SDK"
    product_id, customer_id = sell(client)
    program = tmp_path / "example.mjs"
    program.write_text(
        SEED_EXAMPLE.replace("'customer_id'", f"'{customer_id}'").replace("'product_id'", f"'{product_id}'")
    )
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    environment = os.environ | {"DODO_PAYMENTS_API_KEY": server.key, "DODO_PAYMENTS_BASE_URL": server.base_url}
    result = subprocess.run(
        [node, str(program)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    payment = client.payments.retrieve(result.stdout.strip())
    assert (payment.total_amount, payment.billing.country, payment.customer.customer_id) == (0, "AF", customer_id)
    assert payment.product_cart is not None
    assert json.loads(payment.product_cart[0].to_json()) == {"product_id": product_id, "quantity": 0}
