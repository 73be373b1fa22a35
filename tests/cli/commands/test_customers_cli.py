"""`nicobar customers`: the list, one customer, several of one address, and erasing one of them."""

import json
import re
from pathlib import Path

import httpx
import pytest

from cli.program import Serving, run
from nicobar.cli import app

EMAIL = "kim@example.com"
ADDRESS = {"country": "DE", "state": "BE", "street": "Torstr. 1", "zipcode": "10119", "city": "Berlin"}


class Bought:
    """What the customers of one address have bought on a server."""

    def __init__(self, customer_ids: list[str], payment_ids: list[str], live_id: str) -> None:
        self.customer_ids = customer_ids
        """The first one first."""
        self.payment_ids = payment_ids
        """Of those behind the first one."""
        self.live_id = live_id


@pytest.fixture
def bought(served: Serving, data: Path) -> Bought:
    """Three new customers of one address in test mode, and one in live mode."""
    test, live = (run("keys", "create", "--mode", mode, "--data", data).stdout.strip() for mode in ("test", "live"))
    with httpx.Client(base_url=served.base_url, headers={"authorization": f"Bearer {test}"}) as client:
        price = {"type": "one_time_price", "currency": "USD", "price": 0, "pay_what_you_want": True}
        body = {"name": "Field Guide", "tax_category": "e_book", "price": price}
        product_id = client.post("/products", json=body).json()["product_id"]
        first = client.post("/customers", json={"email": EMAIL, "name": "Kim", "metadata": {"shelf": "\x1b[2J"}}).json()
        session = {
            "product_cart": [{"product_id": product_id, "quantity": 1, "amount": 0}],
            "customer": {"email": EMAIL.upper(), "name": "Kim Park"},
            "billing_address": ADDRESS,
            "confirm": True,
            "feature_flags": {"always_create_new_customer": True},
        }
        orders = [client.post("/checkouts", json=session | {"metadata": {"order": order}}) for order in ("1", "2")]
        assert [order.status_code for order in orders] == [200, 200], orders[0].text
        payment_ids = [order.json()["payment_id"] for order in orders]
        payments = [client.get(f"/payments/{payment_id}").json() for payment_id in payment_ids]
    other = httpx.post(
        f"{served.base_url}/customers",
        json={"email": EMAIL, "name": "Kim"},
        headers={"authorization": f"Bearer {live}"},
    )
    ids = [first["customer_id"], *(payment["customer"]["customer_id"] for payment in payments)]
    return Bought(ids, payment_ids, other.json()["customer_id"])


@pytest.fixture(autouse=True)
def nobody_stays(data: Path) -> None:
    """Let each test begin without customers of the address."""
    for each in json.loads(run("customers", "list", "--email", EMAIL, "--json", "--data", data).stdout):
        assert run("customers", "erase", each["customer_id"], "--yes", "--data", data).returncode == 0


@pytest.mark.parametrize("command", ["customers", "customers list", "customers show", "customers erase"])
def test_help_has_examples_that_can_be_parsed(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    examples = result.stdout.partition("\nExamples:\n")[2].strip().splitlines()
    assert len(examples) >= 2
    for example in examples:
        app.parse_args(example.split()[1:], exit_on_error=False, print_error=False)


def test_the_list_finds_by_address_and_name(bought: Bought, data: Path) -> None:
    first, second, third = bought.customer_ids
    listed = run("customers", "list", "--email", "KIM@example.com", "--data", data).stdout.splitlines()
    assert re.split("  +", listed[0]) == ["ID", "CREATED (UTC)", "NAME", "EMAIL", "PHONE"]
    rows = [re.split("  +", line) for line in listed[1:]]
    assert [[row[0], *row[2:]] for row in rows] == [
        [third, "Kim Park", "KIM@EXAMPLE.COM", "-"],
        [second, "Kim Park", "KIM@EXAMPLE.COM", "-"],
        [first, "Kim", EMAIL, "-"],
    ]
    one = json.loads(run("customers", "list", "--name", "im pA", "--count", "1", "--json", "--data", data).stdout)
    assert [each["customer_id"] for each in one] == [third]
    assert (one[0]["email"], one[0]["name"], one[0]["metadata"]) == ("KIM@EXAMPLE.COM", "Kim Park", {})
    live = json.loads(run("customers", "list", "--mode", "live", "--json", "--data", data).stdout)
    assert bought.live_id in [each["customer_id"] for each in live]
    assert {each["customer_id"] for each in live}.isdisjoint(bought.customer_ids)
    none = run("customers", "list", "--email", "nobody@example.com", "--data", data)
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "There are no test customers that fit.\n")
    wrong = run("customers", "list", "--count", "0", "--data", data)
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 1)


def test_one_is_shown_with_the_others_of_the_address(bought: Bought, data: Path) -> None:
    first, second, third = bought.customer_ids
    result = run("customers", "show", second, "--data", data)
    assert (result.returncode, result.stderr) == (0, "")
    text = result.stdout
    assert text.startswith(f"{second}  test mode\n  Name      Kim Park\n  Email     KIM@EXAMPLE.COM\n  Phone     -\n")
    titles = [line for line in text.splitlines()[1:] if line and not line.startswith(" ")]
    assert titles == ["Other customers of this address", "Subscriptions", "Payments"]
    assert re.findall(r"^  (cus_\S+)", text, re.MULTILINE) == [third, first]
    assert f"  Whoever gives the address is matched with {first}.\n" in text
    assert "\nSubscriptions\n  None.\n" in text
    assert re.search(rf"^  {bought.payment_ids[0]}  .*  succeeded  0\.00 USD  ", text, re.MULTILINE)
    assert bought.payment_ids[1] not in text
    told = json.loads(run("customers", "show", second, "--json", "--data", data).stdout)
    assert told["customer"]["customer_id"] == second and told["first_of_address"] == first
    assert [each["customer_id"] for each in told["others_of_address"]] == [third, first]
    assert [each["payment_id"] for each in told["payments"]] == bought.payment_ids[:1]
    assert "link_id" not in told["payments"][0] and told["subscriptions"] == []
    assert '  Metadata  shelf = "\\u001b[2J"\n' in run("customers", "show", first, "--data", data).stdout


def test_wrong_ids_and_modes_are_explained(bought: Bought, data: Path) -> None:
    result = run("customers", "show", "cus_no", "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("nicobar: There is no customer with the id 'cus_no'. The newest are listed by: ")
    assert f"customers list --mode test --data {data}" in result.stderr
    result = run("customers", "show", bought.live_id, "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"nicobar: {bought.live_id} is a live customer. It is shown by: ")


def test_erasing_one_names_those_who_stay(bought: Bought, data: Path) -> None:
    first, second, third = bought.customer_ids
    asked = run("customers", "erase", first, "--data", data)
    assert (asked.returncode, asked.stdout) == (2, "") and "give --yes" in asked.stderr
    erased = run("customers", "erase", first, "--yes", "--data", data)
    assert (erased.returncode, erased.stdout) == (0, "")
    assert erased.stderr == (
        f"The data of {first} are erased, in 0 payments, too.\n"
        "Other customers have the same e-mail address, and stay as they are:\n"
        f"{second}\n{third}\n"
        "Erase each that is the same person, too.\n"
    )
    left = json.loads(run("customers", "list", "--email", EMAIL, "--json", "--data", data).stdout)
    assert [each["customer_id"] for each in left] == [third, second]
    told = json.loads(run("customers", "show", third, "--json", "--data", data).stdout)
    assert told["first_of_address"] == second
    assert run("customers", "erase", second, "--yes", "--data", data).returncode == 0
    last = run("customers", "erase", third, "--yes", "--data", data)
    assert (last.returncode, last.stderr) == (0, f"The data of {third} are erased, in 1 payment, too.\n")


def test_nothing_is_made_by_looking(empty_folder: Path) -> None:
    for words in (["list"], ["show", "cus_x"]):
        result = run("customers", *words, "--data", empty_folder / "data")
        assert (result.returncode, result.stdout) == (2, "")
        assert "so there are no customers. Check --data." in result.stderr
    assert list(empty_folder.iterdir()) == []
