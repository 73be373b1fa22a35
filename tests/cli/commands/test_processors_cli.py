"""`nicobar processors`, typed as a person does."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from at_stripe import PUBLISHABLE_KEY, SECRET_KEY, SIGNING_SECRET, LocalStripe
from cli.program import Serving, run
from nicobar.commands.processors import _needed_for
from nicobar.core.accounts.account_uses import AccountUses

STRIPE = {
    "NICOBAR_STRIPE_SECRET_KEY": SECRET_KEY,
    "NICOBAR_STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
    "NICOBAR_STRIPE_SIGNING_SECRET": SIGNING_SECRET,
}


def test_an_account_from_the_first_key_to_the_last(own_data: Path, localstripe: LocalStripe) -> None:
    where = ("--data", own_data)
    beside = own_data.with_name("data.key")
    none = run("processors", "list", *where)
    assert (none.returncode, none.stdout) == (0, "")
    assert "Test payments are charged by the built-in simulator" in none.stderr

    stripe = STRIPE | {"NICOBAR_STRIPE_API_BASE": localstripe.base, "NICOBAR_PUBLIC_URL": "https://pay.example.com"}
    stripe["NICOBAR_KEY_FILE"] = ""  # the default
    made = run("processors", "set", "stripe", *where, **stripe)
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"https://pay\.example\.com/processors/stripe/notices/bus_[\w-]{21}/test\n", made.stdout)
    assert "from now on" not in made.stderr
    assert DECIDES not in made.stderr
    assert "No server uses this database now; the next one charges through it. Check with: " in made.stderr
    assert "payment_intent.succeeded, " in made.stderr and "charge.dispute.closed, " in made.stderr
    assert beside.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in own_data.iterdir() if "key" in file.name] == []

    listed = run("processors", "list", *where)
    own = f"acct_{localstripe.base.rpartition(':')[2]}"
    assert listed.stdout.splitlines()[1].split()[:4] == ["stripe", "test", own, "charges"]
    for text in (made.stdout, made.stderr, listed.stdout, listed.stderr):
        assert SECRET_KEY not in text and SIGNING_SECRET not in text

    anew = run("processors", "reencrypt", *where, NICOBAR_KEY_FILE=str(beside))
    assert (anew.returncode, anew.stderr.strip()) == (0, "The keys of 1 account are encrypted anew.")

    other = base64.b64encode(bytes(32)).decode()
    refused = run("processors", "reencrypt", *where, NICOBAR_ENCRYPTION_KEY=other)
    assert refused.returncode == 2
    assert "encrypted with another key than the one that is in use here (NICOBAR_ENCRYPTION_KEY)" in refused.stderr
    serving = run("serve", *where, "--port", "0", NICOBAR_ENCRYPTION_KEY=other)
    assert serving.returncode == 2
    assert "encrypted with another key" in serving.stderr

    kept = run("processors", "remove", "stripe", *where)
    assert (kept.returncode, kept.stdout) == (2, "")
    assert "This cannot be undone: give --yes" in kept.stderr
    assert run("processors", "list", *where).stdout == listed.stdout
    gone = run("processors", "remove", "stripe", "--yes", *where)
    assert (gone.returncode, gone.stderr.strip()) == (0, "The account at Stripe for test payments is forgotten.")
    twice = run("processors", "remove", "stripe", "--yes", *where)
    assert (twice.returncode, twice.stderr.strip()) == (2, "nicobar: There is no account at stripe for test payments.")


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ((), {"NICOBAR_STRIPE_SECRET_KEY": ""}, "Secret key (sk_... or rk_...) is missing"),
        (("--mode", "live"), {}, "The secret key is for test mode, and cannot be used for live payments."),
        ((), {"NICOBAR_STRIPE_SECRET_KEY": "rk_test_localstripetakesnone"}, "Stripe does not take the secret key"),
    ],
)
def test_keys_that_are_refused(
    arguments: tuple[str, ...], variables: dict[str, str], words: str, data_alone: Path, localstripe: LocalStripe
) -> None:
    stripe = STRIPE | {"NICOBAR_STRIPE_API_BASE": localstripe.base} | variables
    refused = run("processors", "set", "stripe", *arguments, "--data", data_alone, **stripe)
    assert refused.returncode == 2
    assert re.fullmatch(
        r"http://127\.0\.0\.1:8787/processors/stripe/notices/bus_[\w-]{21}/(test|live)\n", refused.stdout
    )
    assert DECIDES in refused.stderr
    assert words in refused.stderr
    for secret in (*variables.values(), SECRET_KEY, SIGNING_SECRET):
        assert not secret or secret not in refused.stderr + refused.stdout
    assert "stripe" not in run("processors", "list", "--data", data_alone).stdout


DECIDES = (
    "No server uses this database now. The next one has this address unless it gets another: from NICOBAR_PUBLIC_URL "
    "or, without it, from --host and --port (NICOBAR_HOST, NICOBAR_PORT).\n"
)


def test_the_address_is_that_of_the_server_that_runs(served: Serving, data: Path) -> None:
    path = r"/processors/stripe/notices/bus_[\w-]{21}/live\n"
    told = run("processors", "address", "stripe", "--mode", "live", "--data", data)
    assert (told.returncode, told.stderr) == (0, "")
    assert re.fullmatch(re.escape(served.base_url) + path, told.stdout)
    public = {"NICOBAR_PUBLIC_URL": "https://pay.example.com"}
    told = run("processors", "address", "stripe", "--mode", "live", "--data", data, **public)
    assert (told.returncode, told.stderr) == (0, "")
    assert re.fullmatch(r"https://pay\.example\.com" + path, told.stdout)


def test_without_a_server_it_is_said_what_decides_the_address(data_alone: Path) -> None:
    path = r"/processors/stripe/notices/bus_[\w-]{21}/test\n"
    told = run("processors", "address", "stripe", "--data", data_alone)
    assert (told.returncode, told.stderr) == (0, DECIDES)
    assert re.fullmatch(r"http://127\.0\.0\.1:8787" + path, told.stdout)
    told = run("processors", "address", "stripe", "--data", data_alone, NICOBAR_PORT="9000")
    assert (told.returncode, told.stderr) == (0, DECIDES)
    assert re.fullmatch(r"http://127\.0\.0\.1:9000" + path, told.stdout)
    told = run("processors", "address", "stripe", "--data", data_alone, NICOBAR_PUBLIC_URL="https://pay.example.com")
    assert (told.returncode, told.stderr) == (0, "")


def test_accounts_are_set_and_listed_with_the_address_of_the_server(
    own_data: Path, localstripe: LocalStripe, serve: Callable[..., Serving]
) -> None:
    server = serve("--data", own_data).ready()
    expected = re.escape(server.base_url) + r"/processors/stripe/notices/bus_[\w-]{21}/test"
    made = run("processors", "set", "stripe", "--data", own_data, **STRIPE, NICOBAR_STRIPE_API_BASE=localstripe.base)
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(expected + r"\n", made.stdout) and DECIDES not in made.stderr
    (listed,) = json.loads(run("processors", "list", "--json", "--data", own_data).stdout)
    assert listed["notices_go_to"] == made.stdout.strip()


def test_a_replaced_account_is_listed_with_why_it_is_kept_until_it_is_removed(
    own_data: Path, localstripe: LocalStripe, other_localstripe: LocalStripe
) -> None:
    where = ("--data", own_data)
    first, second = (f"acct_{each.base.rpartition(':')[2]}" for each in (localstripe, other_localstripe))
    for server in (localstripe, other_localstripe):
        made = run("processors", "set", "stripe", *where, **STRIPE, NICOBAR_STRIPE_API_BASE=server.base)
        assert made.returncode == 0, made.stderr
        assert (f"It is another one than {first}, which goes on for what it has charged" in made.stderr) == (
            server is other_localstripe
        )
    listed = json.loads(run("processors", "list", "--json", *where).stdout)
    assert [(each["account"], each["state"], each["retired_at"] is None) for each in listed] == [
        (second, "charges", True),
        (first, "retired", False),
    ]
    none = {"open_attempts": 0, "pending_refunds": 0, "returns": 0, "paid": 0, "saved_methods": 0}
    assert listed[1]["needed_for"] == none
    rows = run("processors", "list", *where).stdout.splitlines()
    assert "new payments" in rows[1] and "nothing" in rows[2]

    gone = run("processors", "remove", "stripe", "--account", first, "--yes", *where)
    assert (gone.returncode, gone.stderr.strip()) == (
        0,
        f"The account {first} at Stripe for test payments is forgotten.",
    )
    (left,) = json.loads(run("processors", "list", "--json", *where).stdout)
    assert left["account"] == second
    twice = run("processors", "remove", "stripe", "--account", first, "--yes", *where)
    assert twice.stderr.strip() == f"nicobar: There is no account {first} at stripe for test payments."


def test_keys_that_are_forgotten_are_not_said_to_go_on(
    own_data: Path, localstripe: LocalStripe, other_localstripe: LocalStripe
) -> None:
    where = ("--data", own_data)
    first = f"acct_{localstripe.base.rpartition(':')[2]}"
    for server, key in ((localstripe, bytes(32)), (other_localstripe, bytes(range(32)))):
        key_of = {"NICOBAR_ENCRYPTION_KEY": base64.b64encode(key).decode()}
        made = run("processors", "set", "stripe", *where, **STRIPE, NICOBAR_STRIPE_API_BASE=server.base, **key_of)
        assert made.returncode == 0, made.stderr
    assert f"It is another one than {first}, whose keys cannot be decrypted with the encryption key" in made.stderr
    assert "goes on for what it has charged" not in made.stderr
    assert first not in run("processors", "list", *where).stdout


def test_what_a_retired_account_is_needed_for_is_said_in_words() -> None:
    uses = AccountUses(open_attempts=1, pending_refunds=2, returns=0, paid=1200, saved_methods=1)
    assert _needed_for(uses) == "1 payment in doubt, 2 refunds under way, 1,200 charges, 1 saved card"


def test_only_known_processors(data_alone: Path) -> None:
    refused = run("processors", "set", "paypal", "--data", data_alone)
    assert refused.returncode == 2
    assert "paypal" in refused.stderr and "nicobar processors set --help" in refused.stderr
