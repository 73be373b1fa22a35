"""`nicobar settings`, `tax` and `rates`, as a person uses them: alone, alongside a server, on their own database."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.program import Serving, eventually, new_folder, postmaster, run
from nicobar.cli import app

COMMANDS = [
    "settings",
    "settings list",
    "settings get",
    "settings set",
    "settings history",
    "tax",
    "tax show",
    "tax export",
    "tax import",
    "tax reset",
    "rates",
    "rates show",
    "rates import",
    "rates refresh",
]


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A server on an installation of this file's own."""
    folder = new_folder()
    server = Serving("--data", folder / "data")
    try:
        yield server.ready()
        assert server.stop() == 0
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def beside(serving: Serving) -> Path:
    """The data folder of that installation."""
    return Path(re.search(r"^  Data +(\S+)$", serving.banner, re.MULTILINE)[1])  # type: ignore[index]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_can_be_parsed(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: nicobar {command} ")
    examples = result.stdout.partition("\nExamples:\n")[2].strip().splitlines()
    assert len(examples) >= 2
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        assert words[0] == "nicobar"
        app.parse_args(words[1:], exit_on_error=False, print_error=False)


def test_settings_without_a_server(empty_folder: Path) -> None:
    data = empty_folder / "data"
    for looking in (["list"], ["get", "tax"], ["history"]):
        refused = run("settings", *looking, "--data", data)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == f"nicobar: There is no database in {data}, so there are no settings. Check --data.\n"
    assert not data.exists()

    made = run("settings", "set", "tax", "Table", "--data", data)
    assert (made.returncode, made.stdout) == (0, "tax: off -> table (test mode)\n")
    assert f"There was no database in {data}, so a new one was made." in made.stderr
    assert postmaster(data) is None
    assert run("settings", "get", "tax", "--data", data).stdout == "table\n"
    assert run("settings", "get", "tax", "--mode", "live", "--data", data).stdout == "off\n"
    assert run("settings", "get", "seller_country", NICOBAR_DATA=str(data)).stdout == "\n"

    held = run("settings", "list", "--data", data)
    assert held.stderr == "These are the settings of test mode.\n"
    live = run("settings", "list", "--mode", "live", "--data", data)
    assert live.stderr == "These are the settings of live mode.\n"
    listed = held.stdout.splitlines()
    assert listed[0].split() == ["NAME", "VALUE", "DEFAULT", "MEANING"]
    assert [line.split()[0] for line in listed[1:]] == [
        "business_name",
        "tax",
        "seller_country",
        "default_tax_inclusive",
        "tax_id_check",
        "adaptive_pricing",
        "adaptive_fees",
        "fees_inclusive",
        "currencies",
        "default_currency",
        "blocked_countries",
        "purchasing_power",
        "purchasing_power_table",
        "charm_pricing",
        "link_ttl_minutes",
        "refund_window_days",
        "idempotency_days",
        "disabled_payment_methods",
        "webhook_log_days",
        "allowed_origins",
        "multiple_subscriptions",
        "grace_period_days",
        "grace_period_end",
        "renewal_retry_days",
        "plan_change_failure",
        "portal_cancellation",
        "portal_pause",
        "portal_payment_method",
        "portal_card_removal",
        "portal_details",
        "portal_return_url",
    ]
    assert listed[2].split(maxsplit=3) == ["tax", "table", "off", "off, or table: charge tax by the tax table."]
    assert listed[3].split(maxsplit=3)[:3] == ["seller_country", "-", "-"]

    never = run("settings", "history", "--mode", "live", "--data", data)
    assert (never.returncode, never.stdout, never.stderr) == (0, "", "No setting was ever changed.\n")
    history = run("settings", "history", "--data", data).stdout.splitlines()
    assert len(history) == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  tax   off  table", history[1])


def test_refused_settings_change_nothing(beside: Path) -> None:
    before = run("settings", "history", "--data", beside)
    refused = run("settings", "set", "tax", "yes", "--data", beside)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "nicobar: tax takes off or table. It was given 'yes'.\n"
    unknown = run("settings", "set", "taxes", "table", "--data", beside)
    assert (unknown.returncode, unknown.stderr) == (2, "nicobar: There is no setting 'taxes'. Did you mean tax?\n")
    assert run("settings", "get", "taxes", "--data", beside).returncode == 2
    after = run("settings", "history", "--data", beside)
    assert (after.returncode, after.stdout, after.stderr) == (0, before.stdout, before.stderr)


def test_values_with_a_hyphen_and_empty_ones_arrive(beside: Path) -> None:
    refused = run("settings", "set", "refund_window_days", "-1", "--data", beside)
    assert refused.stderr == (
        "nicobar: refund_window_days takes a whole number of days from 0 to 3650. It was given '-1'.\n"
    )
    to = run("settings", "set", "blocked_countries", "kp, ir", "--data", beside)
    assert to.stdout == "blocked_countries: - -> IR,KP (test mode)\n"
    back = run("settings", "set", "blocked_countries", "", "--data", beside)
    assert back.stdout == "blocked_countries: IR,KP -> - (test mode)\n"


def test_a_database_of_ones_own(external_database: str) -> None:
    changed = run("settings", "set", "seller_country", "de", NICOBAR_DATABASE_URL=external_database)
    assert (changed.returncode, changed.stdout, changed.stderr) == (0, "seller_country: - -> DE (test mode)\n", "")
    got = run("settings", "get", "seller_country", "--database-url", external_database)
    assert (got.returncode, got.stdout) == (0, "DE\n")


def test_the_tax_table_is_exported_edited_imported_and_reset(beside: Path, empty_folder: Path) -> None:
    file = empty_folder / "rates.csv"
    exported = run("tax", "export", file, "--data", beside)
    assert (exported.returncode, exported.stdout) == (0, "")
    assert exported.stderr == f"{file} has 243 rows. This is the shipped table.\n"
    text = file.read_text(encoding="utf-8")
    assert run("tax", "export", "--data", beside).stdout == text
    again = run("tax", "export", file, "--data", beside)
    assert (again.returncode, again.stderr) == (
        2,
        f"nicobar: The table cannot be written to a new file {file}: File exists.\n",
    )

    shown = run("tax", "show", "de", "--data", beside)
    assert shown.stdout.splitlines()[1].split()[:9] == ["-", "VAT", "19", "%", "7", "%", "yes", "yes", "zero"]
    assert shown.stderr == "This is the shipped table.\n"

    file.write_text(text.replace("DE,,,VAT,19,7,", "DE,,,VAT,20.5,7,"), encoding="utf-8")
    tried = run("tax", "import", file, "--dry-run", "--data", beside)
    assert (tried.returncode, tried.stdout) == (
        0,
        "DE: standard 19 % -> 20.5 %\n"
        "The tax table of test mode would have 243 rows for 173 countries. Nothing was changed.\n",
    )
    assert run("tax", "show", "DE", "--data", beside).stdout == shown.stdout
    imported = run("tax", "import", file, "--data", beside)
    assert (imported.returncode, imported.stdout) == (
        0,
        "DE: standard 19 % -> 20.5 %\nThe tax table of test mode has 243 rows for 173 countries now.\n",
    )
    mine = run("tax", "show", "DE", "--data", beside)
    assert mine.stdout.splitlines()[1].split()[2] == "20.5"
    assert mine.stderr.startswith("This is your own table, imported from rates.csv at ")
    assert run("tax", "show", "DE", "--mode", "live", "--data", beside).stderr == "This is the shipped table.\n"

    file.write_text(text.replace("DE,,,VAT,19,7,", "DE,,,VAT,nineteen,7,"), encoding="utf-8")
    refused = run("tax", "import", file, "--data", beside)
    assert (refused.returncode, refused.stdout) == (2, "")
    line = next(number for number, row in enumerate(text.splitlines(), 1) if row.startswith("DE,,"))
    assert f"\nline {line}: standard_percent is a percentage" in refused.stderr
    assert run("tax", "show", "DE", "--data", beside).stdout == mine.stdout

    assert run("tax", "reset", "--data", beside).stdout == "The shipped tax table holds in test mode now.\n"
    assert run("tax", "show", "DE", "--data", beside).stdout == shown.stdout
    assert run("tax", "reset", "--data", beside).stdout == "The shipped tax table holds in test mode already.\n"


def test_regions_are_found_by_code_and_by_name(beside: Path) -> None:
    by_name = run("tax", "show", "US", "Texas", "--data", beside)
    assert by_name.stdout.splitlines()[1].split()[:6] == ["TX", "Sales", "tax", "6.25", "%", "6.25"]
    assert run("tax", "show", "us", "tx", "--data", beside).stdout == by_name.stdout
    nowhere = run("tax", "show", "US", "Atlantis", "--data", beside)
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    assert nowhere.stderr == (
        "nicobar: The tax table has no row for Atlantis in US, so nothing of its own is charged there.\n"
    )
    free = run("tax", "show", "aq", "--data", beside)
    assert (free.returncode, free.stderr) == (
        2,
        "nicobar: The tax table has no row for AQ, so no tax is charged there.\n",
    )
    mistyped = run("tax", "show", "germany", "--data", beside)
    assert (mistyped.returncode, mistyped.stderr) == (
        2,
        "nicobar: There is no country with the code 'GERMANY'. It has two letters, such as DE.\n",
    )


@pytest.mark.parametrize(("what", "argument"), [("tax", "rates.csv"), ("rates", "rates.csv")])
def test_files_that_cannot_be_read(beside: Path, empty_folder: Path, what: str, argument: str) -> None:
    file = empty_folder / argument
    missing = run(what, "import", file, "--data", beside)
    assert (missing.returncode, missing.stderr) == (2, f"nicobar: {file} cannot be read: No such file or directory.\n")
    file.write_bytes(b"country,\xff\n")
    assert "is not text in UTF-8" in run(what, "import", file, "--data", beside).stderr
    with file.open("wb") as out:
        out.truncate(5_000_001)
    assert f"{file} is larger than 5000000 bytes" in run(what, "import", file, "--data", beside).stderr
    endless = run(what, "import", "/dev/zero", "--data", beside)
    assert "/dev/zero is larger than 5000000 bytes" in endless.stderr, "it says of itself that it is empty"


def test_rates_are_imported_and_shown(beside: Path, empty_folder: Path) -> None:
    before = run("rates", "show", "eur", "--data", beside).stdout.splitlines()
    assert before[0].split() == ["CODE", "FOR", "1", "USD", "AS", "OF", "AGE", "SOURCE"]
    assert before[1].split()[:3] == ["EUR", "0.89509488", "2026-10-30"]
    assert re.search(r"  \d+ days  ecb$", before[1])
    assert len(run("rates", "show", "--data", beside).stdout.splitlines()) == 145

    file = empty_folder / "mine.csv"
    file.write_text("code,units_per_usd,source\nEUR,0.9,my bank\nJPY,500,\nAED,3,\n")
    tried = run("rates", "import", file, "--dry-run", "--data", beside)
    assert run("rates", "show", "eur", "--data", beside).stdout.splitlines() == before, "nothing is changed"
    imported = run("rates", "import", file, "--data", beside)
    changes = imported.stdout.removesuffix("The rate of EUR is new.\n")
    assert (tried.returncode, tried.stdout, tried.stderr) == (
        1, f"{changes}The rate of EUR would be new. Nothing was changed.\n", imported.stderr,
    )  # fmt: skip
    assert "EUR: 0.89509488 -> 0.9 (+0.55 %)\n" in changes
    followers = ["BAM", "BGN", "CVE", "HRK", "KMF", "STN", "XAF", "XOF", "XPF"]
    assert [line[:3] for line in changes.splitlines()] == sorted(["EUR", *followers])
    assert imported.returncode == 1
    assert imported.stderr == (
        "Passed over, because they are fixed by law: AED.\n"
        "Refused: JPY moved by 218 %, from 157.250269 to 500.\n"
        "Look whether that is true; --force takes them.\n"
    )
    shown = run("rates", "show", "EUR", "--data", beside).stdout.splitlines()[1]
    assert re.fullmatch(r"EUR   0\.9        \d{4}-\d\d-\d\d  \d+ days?  my bank", shown)
    forced = run("rates", "import", file, "--force", "--data", beside)
    assert (forced.returncode, forced.stderr) == (0, "")
    assert forced.stdout == "AED: 3.6725 -> 3 (-18.31 %)\nJPY: 157.250269 -> 500 (+217.96 %)\n2 rates are new.\n"

    file.write_text("code,units_per_usd\nEUR,0.8\nXXX,1\n")
    refused = run("rates", "import", file, "--data", beside)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "line 3: code is a currency code of three letters such as EUR, not 'XXX'." in refused.stderr
    assert run("rates", "show", "EUR", "--data", beside).stdout.splitlines()[1] == shown
    base = run("rates", "show", "USD", "--data", beside)
    assert base.stderr == "nicobar: There is no rate of USD. It is the currency that all rates count from.\n"


def test_a_feed_that_cannot_be_had_is_a_sentence(beside: Path) -> None:
    insecure = run("rates", "refresh", "--from", "http://example.com/?key=SECRET", "--data", beside)
    assert (insecure.returncode, insecure.stdout) == (2, "")
    assert insecure.stderr == "nicobar: The address of a feed starts with https:// and names a host.\n"
    closed = run("rates", "refresh", "--from", "https://127.0.0.1:9/?key=SECRET", "--data", beside)
    assert (closed.returncode, closed.stderr) == (2, "nicobar: 127.0.0.1 cannot be reached: ConnectError.\n")


class Shop:
    """A product of a running server, and what it costs in Germany."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        price = {
            "type": "one_time_price",
            "currency": "USD",
            "price": 10_000,
            "discount": 0,
            "purchasing_power_parity": False,
        }
        product = {"name": "Field guide", "tax_category": "saas", "price": price}
        self._product_id = self._call("/products", product)["product_id"]

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def total(self) -> int:
        payment = self._call(
            "/payments",
            {
                "billing": {"country": "DE"},
                "customer": {"email": "ana.lima@example.com", "name": "Ana Lima"},
                "product_cart": [{"product_id": self._product_id, "quantity": 1}],
            },
        )
        total: int = payment["total_amount"]
        return total


def test_a_running_server_follows(serving: Serving, beside: Path, empty_folder: Path) -> None:
    headers = {"authorization": f"Bearer {run('keys', 'create', '--data', beside).stdout.strip()}"}
    with httpx.Client(base_url=serving.base_url, headers=headers) as client:
        shop = Shop(client)
        assert shop.total() == 10_000

        assert run("settings", "set", "tax", "table", "--data", beside).stdout == "tax: off -> table (test mode)\n"
        assert eventually(lambda: shop.total() == 11_900)

        file = empty_folder / "rates.csv"
        file.write_text("country,name,standard_percent\nDE,VAT,20.5\n")
        run("tax", "import", file, "--data", beside)
        assert eventually(lambda: shop.total() == 12_050)

        assert run("tax", "reset", "--data", beside).stdout == "The shipped tax table holds in test mode now.\n"
        assert run("settings", "set", "tax", "off", "--data", beside).stdout == "tax: table -> off (test mode)\n"
        assert eventually(lambda: shop.total() == 10_000)
