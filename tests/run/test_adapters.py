"""The adapters from npm, as their pages tell a shop to use them: they take no address, and need none here.

The customer portal, which this server does not serve yet, is tried as soon as it is served.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cli.program import PATIENCE, PROGRAM, eventually
from nicobar.app import OPERATIONS
from run.conftest import CLIENTS, NODE_MODULES, WITNESS, DemoShop, free_payment, listens, needs_node, sightings

pytestmark = needs_node

SERVED: Final = {f"{operation.method} {operation.path}" for operation in OPERATIONS}
PORTAL: Final = "POST /customers/{customer_id}/customer-portal/session" in SERVED
ADAPTERS: Final = ("core", "express", "nextjs", "hono")
CHECKOUT: Final = {"test_mode": "test.checkout.dodopayments.com", "live_mode": "checkout.dodopayments.com"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A shop's folder, in which its packages are installed."""
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    for file in ("adapters.mjs", "webhooks.mjs"):
        (tmp_path / file).write_bytes((CLIENTS / file).read_bytes())
    return tmp_path


def asked(shop: DemoShop, folder: Path, environment: str) -> dict[str, dict[str, Any]]:
    """Return what the adapters have handed out to a shop that is written for an environment of the hosted service."""
    with shop.client as client:
        customer = client.post("/customers", json={"email": "cleo@example.com", "name": "Cleo"}).json()
    served = ["portal"] * PORTAL
    done = shop.run(
        *("--", "node", folder / "adapters.mjs", shop.product_id, customer["customer_id"], *served),
        SHOPS_ENVIRONMENT=environment,
        NODE_OPTIONS=f"--require {WITNESS / 'witness.cjs'}",
        WITNESS=str(folder / "witness"),
    )
    assert done.returncode == 0, done.stderr
    assert "refused" not in done.stderr
    (seen,) = sightings(folder / "witness")
    assert (seen["looked_up"], set(seen["connected"])) == (0, {"127.0.0.1"})
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def payment_of(shop: DemoShop, link: str) -> tuple[int, str, str]:
    """Return what the payment behind a link costs, in which currency, and whose it is."""
    with shop.client as client:
        items = client.get("/payments?page_size=100").json()["items"]
        payments = [client.get(f"/payments/{item['payment_id']}").json() for item in items]
    (payment,) = [payment for payment in payments if payment["payment_link"] == link]
    return payment["total_amount"], payment["currency"], payment["customer"]["email"]


def session_of(shop: DemoShop, link: str) -> dict[str, Any]:
    """Return what the API tells of the session behind a link, apart from its id and its time."""
    with shop.client as client:
        found: dict[str, Any] = client.get(f"/checkouts/{link.rpartition('/')[2]}").raise_for_status().json()
    assert found.pop("id") == link.rpartition("/")[2]
    assert found.pop("created_at")
    return found


def order_shown(shop: DemoShop, link: str) -> set[str]:
    """Return the amounts that the page of a session shows."""
    page = httpx.get(link, headers={"accept": "text/html"}, timeout=PATIENCE)
    assert page.status_code == 200, (link, page.text)
    return set(re.findall(r"\$\d+\.\d\d", page.text))


@pytest.mark.parametrize("environment", ["test_mode", "live_mode"])
def test_every_adapter_makes_checkouts_here(shop: DemoShop, folder: Path, environment: str) -> None:
    found = asked(shop, folder, environment)
    assert found["better-auth"]["customers of sign-ups"] == [[["bea@example.com", "Bea"]], [["cy@example.com", ""]]]
    for adapter in ADAPTERS:
        static = urlsplit(found[adapter]["static"])
        assert (static.scheme, static.netloc) == ("https", CHECKOUT[environment])
        assert static.path == f"/buy/{shop.product_id}"
        assert parse_qs(static.query) == {"quantity": ["2"], "redirect_url": ["https://shop.example/thanks"]}
    # Two guides for 19.00 USD, and 7 % of German tax.
    quantities = dict.fromkeys(ADAPTERS, 2) | {"better-auth": 1}  # its cart is one of what a slug stands for
    for adapter, quantity in quantities.items():
        link = found[adapter]["dynamic"]
        assert link.startswith(f"{shop.base_url}/"), (adapter, link)
        assert payment_of(shop, link) == ({1: 2033, 2: 4066}[quantity], "USD", "ana@example.com")
    unpaid = {"customer_email": "ana@example.com", "customer_name": "Ana", "payment_id": None, "payment_status": None}
    for adapter, quantity in (quantities | {"convex": 2}).items():
        link = found[adapter]["session"]
        assert link.startswith(f"{shop.base_url}/session/cks_"), (adapter, link)
        assert session_of(shop, link) == unpaid
        assert f"${19 * quantity}.00" in order_shown(shop, link)
    for adapter in ADAPTERS:
        status, session = found[adapter]["opened static"]
        assert (status, session[:13]) == (303, "/session/cks_")
        assert "$38.00" in order_shown(shop, f"{shop.base_url}{session}")
    for adapter in (*ADAPTERS[1:], "convex") if PORTAL else ():
        assert found[adapter]["portal"].startswith(f"{shop.base_url}/"), adapter


def test_every_adapter_takes_a_forwarded_webhook(shop: DemoShop, folder: Path, port: int) -> None:
    command = ["node", str(folder / "webhooks.mjs"), str(port)]
    running = subprocess.Popen(
        [*PROGRAM, "run", "--forward-to", f"http://127.0.0.1:{port}/hook", "--", *command],
        env=shop.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: listens(port) or running.poll() is not None)
    free_payment(shop)
    out, told = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0, told
    assert json.loads(out) == {
        "answers": dict.fromkeys(("express", "hono", "nextjs", "convex", "better-auth"), 200),
        "heard": [["payment.succeeded", 0, "USD"]] * 5,
    }
