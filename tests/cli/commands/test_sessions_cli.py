"""`nicobar sessions`: the list, one session, a wrong id."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.program import Serving, run
from nicobar.cli import app


@pytest.fixture(scope="module")
def made(served: Serving, data: Path) -> dict[str, Any]:
    """A session on the server that runs alongside the tests, with its payment."""
    key = run("keys", "create", "--data", data).stdout.strip()
    with httpx.Client(base_url=served.base_url, headers={"authorization": f"Bearer {key}"}) as client:
        price = {"type": "one_time_price", "currency": "USD", "price": 1500}
        body = {"name": "Field Guide", "tax_category": "e_book", "price": price}
        product_id = client.post("/products", json=body).json()["product_id"]
        session = {
            "product_cart": [{"product_id": product_id, "quantity": 2}],
            "customer": {"email": "ana@example.com", "name": "Ana"},
            "billing_address": {"country": "AE"},
            "minimal_address": True,
            "confirm": True,
            "metadata": {"order": "17"},
        }
        answer: dict[str, Any] = client.post("/checkouts", json=session).json()
    return answer


@pytest.mark.parametrize("command", ["sessions", "sessions list", "sessions show"])
def test_help_has_examples_that_can_be_parsed(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    examples = result.stdout.partition("\nExamples:\n")[2].strip().splitlines()
    assert len(examples) >= 2
    for example in examples:
        app.parse_args(example.split()[1:], exit_on_error=False, print_error=False)


def test_the_list_and_one_session(made: dict[str, Any], data: Path) -> None:
    listed = json.loads(run("sessions", "list", "--json", "--data", data).stdout)
    (first,) = [session for session in listed if session["session_id"] == made["session_id"]]
    assert (first["state"], first["payment_id"]) == ("in_payment", made["payment_id"])
    assert (first["payment_status"], first["customer_email"]) == ("requires_payment_method", "ana@example.com")
    payment = json.loads(run("payments", "show", made["payment_id"], "--json", "--data", data).stdout)["payment"]
    assert first["customer_id"] == payment["customer"]["customer_id"]
    table = run("sessions", "list", "--data", data, "--count", "1").stdout
    assert made["session_id"] in table and made["payment_id"] in table
    assert table.split()[-2:] == [first["customer_id"], "ana@example.com"]
    shown = json.loads(run("sessions", "show", made["session_id"], "--json", "--data", data).stdout)
    assert shown["request"]["metadata"] == {"order": "17"}
    assert {name: shown[name] for name in first} == first
    text = run("sessions", "show", made["session_id"], "--data", data).stdout
    assert "state           in_payment\n" in text and '"order": "17"' in text


def test_what_is_not_there(made: dict[str, Any], data: Path) -> None:
    result = run("sessions", "show", "cks_no", "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("nicobar: There is no session with the id 'cks_no'. The newest are listed by")
    live = run("sessions", "show", made["session_id"], "--mode", "live", "--data", data)
    assert (live.returncode, live.stdout) == (2, "")
    assert live.stderr.startswith(f"nicobar: {made['session_id']} is a test session. It is shown by: ")
    none = run("sessions", "list", "--mode", "live", "--data", data)
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "There are no live sessions yet.\n")
