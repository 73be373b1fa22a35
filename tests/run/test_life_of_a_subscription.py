"""The applications' way through a whole subscription: an app with the npm adapters under `nicobar run`, its customer
in a browser, and months that pass by the clock of test mode."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from dodopayments import DodoPayments

from cli.program import PATIENCE, PROGRAM, eventually, run
from orders import token_in
from pages.portal.portals import token_for
from pages.session.filling import fields_of
from run.conftest import CLIENTS, NODE_MODULES, DemoShop, demo_shop, listens, needs_node

pytestmark = needs_node

ADDRESS = {"country": "DE", "street": "Riverside 1", "city": "Berlin", "state": "Berlin", "zipcode": "10115"}
CARD = {"number": "4242 4242 4242 4242", "expiry": "06 / 32", "cvc": "123", "name": "Bea"}

BEGUN = ["payment.succeeded", "subscription.active", "subscription.renewed"]
UPGRADED = ["payment.succeeded", "subscription.plan_changed", "subscription.updated"]
FAILED = ["payment.failed", "subscription.on_hold"]
RECOVERED = [
    "payment.succeeded",
    "subscription.update_payment_method",
    "subscription.active",
    "subscription.renewed",
    "subscription.updated",
]
RENEWED = ["payment.succeeded", "subscription.renewed", "subscription.updated"]


@pytest.fixture
def own_shop() -> Iterator[DemoShop]:
    """A server of its own: months pass there."""
    with demo_shop() as found:
        yield found


@pytest.fixture
def app(own_shop: DemoShop, port: int, tmp_path: Path) -> Iterator[httpx.Client]:
    """The application, which was told nothing of this server, under the command; a client that asks it."""
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    shutil.copy(CLIENTS / "life.mjs", tmp_path)
    node = ["node", str(tmp_path / "life.mjs"), str(port)]
    running = subprocess.Popen(
        [*PROGRAM, "run", "--forward-to", f"http://127.0.0.1:{port}/hook", "--", *node],
        env=own_shop.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: listens(port) or running.poll() is not None)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            yield client
            client.post("/end")
        assert running.wait(PATIENCE) == 0
    finally:
        running.terminate()
        _, told = running.communicate(timeout=PATIENCE)
    assert "refused" not in told


class Watched:
    """What the app has heard so far, step by step."""

    def __init__(self, app: httpx.Client) -> None:
        self._app, self._seen = app, 0

    def all(self) -> dict[str, Any]:
        """Return every webhook with its headers, and what the adapter handled: the demo's own orders expire, too."""
        found: dict[str, Any] = self._app.get("/heard").json()
        return found

    def about_bea(self) -> list[dict[str, Any]]:
        """Return the webhooks about the customer."""
        return [each for each in self.all()["heard"] if _data(each)["customer"]["email"] == "bea@example.com"]

    def next(self, expected: list[str]) -> list[dict[str, Any]]:
        """Wait for exactly these types, in any order: they are sent side by side. Return them in this order."""
        count = self._seen + len(expected)
        eventually(lambda: len(self.about_bea()) >= count)
        found = self.about_bea()[self._seen :]
        self._seen = count
        assert sorted(each["types"][0] for each in found) == sorted(expected)
        return sorted(found, key=lambda each: expected.index(each["types"][0]))


def subscribed(customer: httpx.Client, checkout_url: str) -> None:
    """Fill the page of a session, and pay on the page that follows."""
    page = customer.get(checkout_url)
    told = customer.post(checkout_url, data=fields_of(page) | ADDRESS)
    assert told.status_code == 303, told.text
    paid(customer, told.headers["location"])


def paid(customer: httpx.Client, link: str, number: str = CARD["number"]) -> None:
    token = token_in(customer.get(link).text)
    answer = customer.post(link, data=CARD | {"number": number, "token": token})
    assert answer.status_code == 303, answer.text


def cancelled_in_the_portal(customer: httpx.Client, link: str, subscription_id: str) -> None:
    """Open the portal and cancel at the end of the period, with a reason."""
    home = customer.get(link).headers["location"]
    place = re.search(rf"{re.escape(home)}/([\w/-]*)/cancel", customer.get(home).text)
    assert place is not None
    path = f"{home}/{place[1]}/cancel"
    fields = {"token": token_for(customer.get(path).text, path), "when": "later", "reason": "too_expensive"}
    assert customer.post(path, data=fields).status_code == 303


def test_a_subscription_from_the_sign_up_to_its_end(own_shop: DemoShop, app: httpx.Client) -> None:
    watched = Watched(app)
    with own_shop.client as api, httpx.Client(headers={"accept": "text/html"}, timeout=PATIENCE) as customer:
        customer.base_url = own_shop.base_url
        small, large = (_plan(api, price) for price in (3000, 9000))
        signed_up = app.post("/sign-up", json={"email": "bea@example.com", "password": "long enough", "name": "Bea"})
        assert signed_up.json()["status"] == 200
        (customer_id,) = signed_up.json()["customers"]

        cart = {"product_cart": [{"product_id": small, "quantity": 1}], "customer": {"customer_id": customer_id}}
        scenario = {"metadata": {"nicobar_scenario": "renewal_decline:1:LOST_CARD"}}
        subscribed(customer, app.post("/checkout", json=cart | scenario).json()["checkout_url"])
        watched.next(BEGUN)
        (own,) = api.get(f"/subscriptions?customer_id={customer_id}").json()["items"]
        subscription_id, path = own["subscription_id"], f"/subscriptions/{own['subscription_id']}"
        assert (own["status"], own["product_id"]) == ("active", small)

        mode = "difference_immediately"
        plan = {"product_id": large, "quantity": 1, "proration_billing_mode": mode}
        charged = app.post("/upgrade", json={"subscription_id": subscription_id, **plan}).json()["charged"]
        (payment, *_) = watched.next(UPGRADED)
        assert charged == _data(payment)["total_amount"] > 0
        assert api.get(path).json()["product_id"] == large

        advance = run("clock", "advance", "31d", NICOBAR_DATA=str(own_shop.data))
        assert advance.returncode == 0, advance.stderr
        (payment, held) = watched.next(FAILED)
        assert (_data(payment)["error_code"], _data(held)["status"]) == ("LOST_CARD", "on_hold")

        link = app.post("/new-card", json={"subscription_id": subscription_id}).json()["payment_link"]
        paid(customer, link, "5555 5555 5555 4444")
        recovered = watched.next(RECOVERED)
        assert _data(recovered[2])["status"] == "active"
        assert _data(recovered[3])["payment_id"] == _data(recovered[0])["payment_id"]

        api.post("/test/clock", json={"advance": "31d"}).raise_for_status()
        renewal, renewed, _ = watched.next(RENEWED)
        assert (_data(renewal)["card_last_four"], _data(renewal)["charge_type"]) == ("4444", "renewal")
        assert _data(renewed)["payment_id"] == _data(renewal)["payment_id"]

        portal = app.get("/portal", params={"customer_id": customer_id}).headers["location"]
        cancelled_in_the_portal(customer, portal, subscription_id)
        (scheduled,) = watched.next(["subscription.updated"])
        assert (_data(scheduled)["status"], _data(scheduled)["cancel_at_next_billing_date"]) == ("active", True)
        api.post("/test/clock", json={"advance": "31d"}).raise_for_status()
        (ended,) = watched.next(["subscription.cancelled"])
        assert _data(ended)["cancelled_by"]["actor_type"] == "customer"
        assert api.get(path).json()["cancellation_feedback"] == "too_expensive"
    expected = [*BEGUN, *UPGRADED, *FAILED, *RECOVERED, *RENEWED, "subscription.updated", "subscription.cancelled"]
    assert sorted(each["types"][0] for each in watched.about_bea()) == sorted(expected)
    _read_by_the_sdks(watched.all())


def _plan(api: httpx.Client, price: int) -> str:
    """Create a product with a price for each month; return its id."""
    recurring = {
        "type": "recurring_price",
        "currency": "USD",
        "price": price,
        "payment_frequency_count": 1,
        "payment_frequency_interval": "Month",
        "subscription_period_count": 20,
        "subscription_period_interval": "Year",
    }
    made = api.post("/products", json={"name": "Club", "tax_category": "saas", "price": recurring})
    return str(made.raise_for_status().json()["product_id"])


def _data(heard: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = httpx.Response(200, content=heard["body"]).json()["data"]
    return data


def _read_by_the_sdks(told: dict[str, Any]) -> None:
    """Ensure that every webhook was read alike by the npm packages and is by the Python SDK, and has the extra keys."""
    assert sorted(told["handled"]) == sorted(each["types"][0] for each in told["heard"])
    client = DodoPayments(bearer_token="x", webhook_key=told["webhookKey"], _strict_response_validation=True)
    for each in told["heard"]:
        event = client.webhooks.unwrap(each["body"], headers=each["headers"])
        assert each["types"] == [event.type, event.type]
        if event.type.startswith("subscription."):
            data = _data(each)
            assert (data["payment_id"] is not None) == (event.type == "subscription.renewed")
            assert data["past_due_ends_at"] is None
