"""No command that lists or shows tells a secret or a card number, in any form; nor does the log of the server."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.program import Serving, new_folder, run
from orders import token_in

CARD = "4000000320000021"

COMMANDS = (
    ("keys", "list"),
    ("payments", "list"),
    ("payments", "show", "{payment}"),
    ("customers", "list"),
    ("customers", "show", "{customer}"),
    ("audit", "list"),
    ("webhooks", "list"),
    ("webhooks", "show", "{endpoint}"),
    ("events", "list"),
    ("events", "show", "{event}"),
    ("sessions", "list"),
    ("subscriptions", "list"),
    ("settings", "list"),
    ("settings", "history"),
    ("processors", "list"),
    ("rates", "show"),
    ("tax", "show", "DE"),
    ("doctor",),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = new_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def sell(serving: Serving, headers: dict[str, str]) -> dict[str, str]:
    """Sell once over HTTP; return the payment's id and every secret that came up."""

    def post(path: str, body: object) -> dict[str, Any]:
        answer = httpx.post(f"{serving.base_url}{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    price = {"type": "one_time_price", "currency": "USD", "price": 1999}
    product = post("/products", {"name": "Field Guide", "tax_category": "e_book", "price": price})
    hook = post(
        "/webhooks", {"url": "https://shop.example/hook", "headers": {"authorization": "Bearer OfTheReceiver99"}}
    )
    secret = httpx.get(f"{serving.base_url}/webhooks/{hook['id']}/secret", headers=headers).json()["secret"]
    cart = [{"product_id": product["product_id"], "quantity": 1}]
    order = {"billing": {"country": "US"}, "customer": {"email": "ana@example.com"}, "product_cart": cart}
    made = post("/payments", order | {"payment_link": True})
    page = httpx.get(made["payment_link"], headers={"accept": "text/html"}).text
    token = token_in(page)
    form = {"number": CARD, "expiry": "06 / 32", "cvc": "739", "name": "Ana Lima", "token": token}
    assert httpx.post(made["payment_link"], data=form).status_code == 303
    events = httpx.get(f"{serving.base_url}/events", headers=headers).json()["data"]
    return {
        "payment": made["payment_id"],
        "customer": made["customer"]["customer_id"],
        "endpoint": hook["id"],
        "event": events[0]["event_id"],
        "client secret": made["client_secret"],
        "link": made["payment_link"].rpartition("/")[2],
        "token": token,
        "webhook secret": secret,
        "header": "OfTheReceiver99",
        "card": CARD,
    }


def test_no_command_tells_a_secret(folder: Path) -> None:
    data = folder / "data"
    found = re.search(r"nicobar_test_\w+", run("keys", "create", "--data", data).stdout)
    assert found is not None
    with_key = {"authorization": f"Bearer {found[0]}"}
    serving = Serving("--data", data).ready()
    try:
        told = sell(serving, with_key)
        ids = {name: told.pop(name) for name in ("payment", "customer", "endpoint", "event")}
        secrets = told | {"key": found[0]}
        for words in COMMANDS:
            filled = [word.format(**ids) for word in words]
            for form in ([], ["--json"]):
                result = run(*filled, *form, "--data", data)
                assert result.returncode in (0, 1) and result.stdout + result.stderr, (words, result.stderr)
                said = {name for name, secret in secrets.items() if secret in result.stdout + result.stderr}
                body = {"link"} if words[:2] == ("events", "show") else set()  # it is what every receiver is sent
                assert said == body, (words, form)
        assert serving.stop() == 0
        assert {name for name, secret in secrets.items() if secret in serving.log + serving.banner} == set()
        assert ids["payment"] in serving.log
    finally:
        serving.close()
