"""`nicobar clock` while a server runs: two processes, one time."""

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from api.subscriptions.subscribing import PRICE
from cli.program import Serving, new_folder, run


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder whose test mode these tests may move."""
    folder = new_folder()
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def serving(folder: Path) -> Iterator[Serving]:
    serving = Serving("--data", folder, NICOBAR_ALLOW_PRIVATE_WEBHOOKS="1").ready()
    yield serving
    serving.close()


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[str]]]:
    """A receiver of webhooks on this computer: its address, and the types of the events that it has got."""
    types: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            types.append(json.loads(body)["type"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", types
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", ["clock", "clock show", "clock advance", "clock set", "clock reset"])
def test_help_has_examples(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"nicobar {command}" in result.stdout and "Examples:" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("advance", "month"), "The clock cannot be moved by 'month'. A duration is a whole number with a unit: 45s, "),
        (("advance", "-5d"), "The clock cannot be moved by '-5d'. The clock only moves forward: give a duration "),
        (("advance", "0h"), "The clock cannot be moved by '0h'. The clock only moves forward: give a duration "),
        (("set", "-5d"), "'-5d' is no time. It is a day or a moment: 2027-01-31 or "),
        (("set", "tomorrow"), "'tomorrow' is no time."),
        (("set", "2020-01-01"), "The clock only moves forward"),
        (("reset",), "give --yes"),
    ],
)
def test_what_cannot_be_is_refused(serving: Serving, folder: Path, arguments: tuple[str, ...], words: str) -> None:
    result = run("clock", *arguments, "--data", folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr
    assert json.loads(run("clock", "show", "--json", "--data", folder).stdout)["ahead_seconds"] == 0


def test_a_server_goes_by_the_time_that_a_command_has_set(
    serving: Serving, folder: Path, receiver: tuple[str, list[str]]
) -> None:
    address, types = receiver
    key, live = (run("keys", "create", "--mode", mode, "--data", folder).stdout.strip() for mode in ("test", "live"))
    customer = {"email": "ana@example.com", "name": "Ana"}
    with httpx.Client(base_url=serving.base_url, headers={"authorization": f"Bearer {key}"}) as client:
        price = PRICE | {"trial_period_days": 7, "trial_payment_method_optional": True}
        product = client.post("/products", json={"name": "Club", "tax_category": "saas", "price": price}).json()
        body = {"billing": {"country": "US"}, "customer": customer, "product_id": product["product_id"], "quantity": 1}
        assert client.post("/webhooks", json={"url": address}).status_code == 200
        made = client.post("/subscriptions", json=body).json()
        moved = run("clock", "advance", "30d", "--data", folder)
        assert moved.returncode == 0, moved.stderr
        assert "subscription.on_hold" in moved.stdout and made["subscription_id"] in moved.stdout
        assert "webhook.failed" not in moved.stdout  # a command sends where the server may, into its own network, too
        assert types[-1] == "subscription.on_hold"
        found = json.loads(run("clock", "show", "--json", "--data", folder).stdout)
        assert found["moving_to"] is None
        assert ("subscription.on_hold", made["subscription_id"]) in [
            (one["type"], one["object_id"]) for one in found["happened"]
        ]
        later = client.post("/customers", json={"email": "bo@example.com", "name": "Bo"}).json()["created_at"]
        real = httpx.post(
            f"{serving.base_url}/customers", json=customer, headers={"authorization": f"Bearer {live}"}
        ).json()["created_at"]
        ahead = datetime.fromisoformat(later) - datetime.fromisoformat(real)
        assert timedelta(days=30) - timedelta(seconds=5) < ahead < timedelta(days=30, minutes=2)
        assert run("trigger", "payment.succeeded", "--data", folder).returncode == 0
        triggered = client.get("/payments").json()["items"][0]["created_at"]
        assert datetime.fromisoformat(later) < datetime.fromisoformat(triggered)
        assert "✓ Test mode is 30 days ahead." in run("doctor", "--data", folder).stdout
        emptied = run("clock", "reset", "--yes", "--data", folder)
        assert emptied.returncode == 0 and emptied.stdout.startswith("Test mode is empty")
        assert client.get("/customers").json()["items"] == []
        again = client.post("/customers", json=customer).json()["created_at"]
        assert datetime.fromisoformat(again) - datetime.fromisoformat(real) < timedelta(minutes=2)
