"""`nicobar subscriptions`, as a person uses it."""

import json
import re
from pathlib import Path

import httpx
import pytest

from api.subscriptions.subscribing import PRICE
from cli.program import Serving, run


@pytest.fixture(scope="module")
def made(served: Serving, data: Path) -> str:
    """The id of an active test subscription on the server that runs alongside the tests."""
    key = run("keys", "create", "--data", data).stdout.strip()
    price = PRICE | {"trial_period_days": 7, "trial_payment_method_optional": True}
    with httpx.Client(base_url=served.base_url, headers={"authorization": f"Bearer {key}"}) as client:
        body = {"name": "Club", "tax_category": "saas", "price": price}
        product_id = client.post("/products", json=body).json()["product_id"]
        answer = client.post(
            "/subscriptions",
            json={
                "billing": {"country": "US"},
                "customer": {"email": "ana@example.com"},
                "product_id": product_id,
                "quantity": 2,
            },
        )
    subscription_id: str = answer.json()["subscription_id"]
    return subscription_id


@pytest.mark.parametrize("command", ["subscriptions", "subscriptions list", "subscriptions show"])
def test_help_has_examples(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"nicobar {command}" in result.stdout and "Examples:" in result.stdout


def test_the_list_names_status_price_and_next_date(made: str, data: Path) -> None:
    listed = run("subscriptions", "list", "--data", data).stdout
    row = next(line for line in listed.splitlines() if made in line)
    found = json.loads(run("subscriptions", "list", "--json", "--status", "active", "--data", data).stdout)
    (own,) = [each for each in found if each["subscription_id"] == made]
    assert "active" in row and "60.00 USD" in row
    assert row.split()[-2:] == [own["customer"]["customer_id"], "ana@example.com"]
    assert re.split("  +", listed.splitlines()[0])[-2:] == ["CUSTOMER", "EMAIL"]
    of = run("subscriptions", "list", "--customer", own["customer"]["customer_id"], "--json", "--data", data)
    of_customer = json.loads(of.stdout)
    assert made in [each["subscription_id"] for each in of_customer]  # other commands share the server
    assert {each["customer"]["customer_id"] for each in of_customer} == {own["customer"]["customer_id"]}
    none = run("subscriptions", "list", "--customer", "cus_nobody", "--data", data)
    assert (none.stdout, none.stderr) == ("", "There are no test subscriptions of cus_nobody.\n")
    none = run("subscriptions", "list", "--mode", "live", "--data", data)
    assert (none.stdout, none.stderr) == ("", "There are no live subscriptions.\n")


def test_one_screen_says_what_happens_next_and_what_was_charged(made: str, data: Path) -> None:
    shown = run("subscriptions", "show", made, "--data", data).stdout
    assert "It renews at " in shown and "2 x Club" in shown
    assert "  60.00 USD every month, for 20 years\n" in shown
    assert "new" in shown and "subscription.active" in shown
    history = json.loads(run("subscriptions", "show", made, "--json", "--data", data).stdout)
    assert history["subscription"]["subscription_id"] == made
    assert [charge["state"] for charge in history["charges"]] == ["paid"]
    assert shown.startswith(f"{made}  active  test mode\n")
    customer = history["subscription"]["customer"]
    name = customer["name"] or "no name"  # other commands share the server
    assert f"\n  Customer: {name} <ana@example.com>, {customer['customer_id']}\n" in shown


def test_an_unknown_id_is_refused_with_advice(made: str, data: Path) -> None:
    result = run("subscriptions", "show", "sub_no", "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(
        "nicobar: There is no subscription with the id 'sub_no'. The newest are listed by: "
    )
    assert "nicobar subscriptions list --mode test" in result.stderr
    assert made not in result.stderr


def test_one_of_the_other_mode_is_named(made: str, data: Path) -> None:
    result = run("subscriptions", "show", made, "--mode", "live", "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"nicobar: {made} is a test subscription. It is shown by: ")
    assert f"nicobar subscriptions show {made} --mode test" in result.stderr
