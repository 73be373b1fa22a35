"""`nicobar payments`, as a person uses it: on a terminal, into a pipe, with a wrong id."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from cli.program import PROGRAM, Serving, environment, run
from nicobar.cli import app


@pytest.fixture(scope="module")
def made(served: Serving, data: Path) -> str:
    """The id of a test payment on the server that runs alongside the tests."""
    key = run("keys", "create", "--data", data).stdout.strip()
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=served.base_url, headers=headers) as client:
        price = {"type": "one_time_price", "currency": "JPY", "price": 1500}
        body = {"name": "Field Guide", "tax_category": "e_book", "price": price}
        product_id = client.post("/products", json=body).json()["product_id"]
        answer = client.post(
            "/payments",
            json={
                "billing": {"country": "JP"},
                "customer": {"email": "ana@example.com"},
                "product_cart": [{"product_id": product_id, "quantity": 2}],
            },
        )
    payment_id: str = answer.json()["payment_id"]
    return payment_id


@pytest.mark.parametrize("command", ["payments", "payments list", "payments show"])
def test_help_has_examples_that_can_be_parsed(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: nicobar {command}")
    examples = result.stdout.partition("\nExamples:\n")[2].strip().splitlines()
    assert len(examples) >= 2
    for example in examples:
        words = example.split()
        assert words[0] == "nicobar"
        app.parse_args(words[1:], exit_on_error=False, print_error=False)


def test_a_payment_in_a_pipe(made: str, data: Path) -> None:
    result = run("payments", "show", made, "--data", data)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"{made}  requires_payment_method  3,000 JPY  test mode"
    titles = [line for line in lines[1:] if line and not line.startswith(" ")]
    expected = "Request Pricing Attempts Transitions Refunds Disputes Ledger Events Deliveries"
    assert titles == expected.split()
    assert "  Computed again from what was stored: the same amounts." in lines


def test_a_payment_on_a_terminal(made: str, data: Path) -> None:
    ours, theirs = pty.openpty()
    arguments = [*PROGRAM, "payments", "show", made, "--data", str(data)]
    process = subprocess.Popen(arguments, stdout=theirs, stderr=subprocess.DEVNULL, env=environment())
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:  # how a closed terminal ends on Linux
        pass
    os.close(ours)
    assert process.wait() == 0
    assert text.decode().replace("\r\n", "\n") == run("payments", "show", made, "--data", data).stdout


def test_the_list(made: str, data: Path) -> None:
    result = run("payments", "list", "--data", data, "--count", "1")
    assert (result.returncode, result.stderr) == (0, "")
    titles, row = result.stdout.splitlines()
    expected = "ID,CREATED (UTC),STATUS,AMOUNT,REFUNDED,METHOD OR ERROR,CUSTOMER,EMAIL"
    assert re.split("  +", titles) == expected.split(",")
    columns = re.split("  +", row)
    (listed,) = json.loads(run("payments", "list", "--data", data, "--count", "1", "--json").stdout)
    customer = [listed["customer"]["customer_id"], "ana@example.com"]
    assert (columns[0], columns[2:]) == (made, ["requires_payment_method", "3,000 JPY", "-", "-", *customer])
    assert f"<ana@example.com>, {customer[0]}\n" in run("payments", "show", made, "--data", data).stdout
    result = run("payments", "list", "--data", data, "--status", "failed")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "There are no test payments in the status failed.\n"
    result = run("payments", "list", "--data", data, "--mode", "live")
    assert (result.stdout, result.stderr) == ("", "There are no live payments.\n")
    of = run("payments", "list", "--data", data, "--customer", customer[0], "--json").stdout
    found = json.loads(of)
    assert made in [each["payment_id"] for each in found]  # other commands share the server and the customer
    assert {each["customer"]["customer_id"] for each in found} == {customer[0]}
    result = run("payments", "list", "--data", data, "--customer", "cus_nobody", "--status", "failed")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "There are no test payments in the status failed of cus_nobody.\n"


def test_wrong_ids_and_modes_are_explained(made: str, data: Path) -> None:
    result = run("payments", "show", "pay_nothing", "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(
        "nicobar: There is no payment with the id 'pay_nothing'. The newest are listed by: "
    )
    assert f"payments list --mode test --data {data}" in result.stderr
    result = run("payments", "show", made, "--mode", "live", "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"nicobar: {made} is a test payment. It is shown by: ")
    assert f"payments show {made} --mode test --data {data}" in result.stderr
    for wrong in (["show"], ["list", "--count", "0"], ["list", "--count", "10001"], ["list", "--status", "paid"]):
        result = run("payments", *wrong, "--data", data)
        assert (result.returncode, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1


def test_nothing_is_made_by_looking(empty_folder: Path) -> None:
    for words in (["list"], ["show", "pay_x"]):
        result = run("payments", *words, "--data", empty_folder / "data")
        assert (result.returncode, result.stdout) == (2, "")
        assert "so there are no payments. Check --data." in result.stderr
    assert list(empty_folder.iterdir()) == []
