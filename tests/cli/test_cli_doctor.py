"""`nicobar doctor`: says what is in order and what is not, and changes nothing."""

import platform
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from cli.program import Serving, postmaster, run
from harness import START
from nicobar.program import doctor
from nicobar.program.books_audit import PARTS
from nicobar.program.configuration import Configuration
from nicobar.program.doctor import Examined
from nicobar.program.finding import Finding
from nicobar.storage.database import Database, Read
from nicobar.storage.inspection import DatabaseFacts
from nicobar.vault import Keys, Vault

FACTS = DatabaseFacts(
    version="18.1",
    version_number=180001,
    fsync="on",
    synchronous_commit="on",
    full_page_writes="on",
    has_schema=False,
    now=START,
)


def examined(difference: timedelta = timedelta(0), **facts: Any) -> Examined:
    """Return an examined database of which only the facts are known."""
    return Examined(Configuration(), "a place", cast(Read, None), msgspec.structs.replace(FACTS, **facts), difference)


def test_an_installation_in_order(own_data: Path) -> None:
    result = run("doctor", "--data", own_data, NICOBAR_PORT="1")
    lines = result.stdout.splitlines()
    assert [line for line in lines if line[0] not in "✓·"] == []
    assert (result.returncode, result.stderr) == (0, "")
    assert lines[0] == f"✓ Nicobar 0.1.0 on Python {platform.python_version()}, {platform.system()}."
    assert f"✓ The data folder is {own_data}, and only its owner may write to it." in lines
    assert "· No server answers at http://127.0.0.1:1, and none uses this database." in lines
    assert "✓ The keys of 0 accounts at payment processors can be decrypted." in lines
    assert "· There is no live API key, so no real money is taken." in lines
    assert "✓ Payments survive a power cut: fsync, full_page_writes and synchronous_commit are on." in lines
    assert "✓ The clocks of this computer and the database agree." in lines
    assert "✓ PostgreSQL has statistics of every table that is not small." in lines
    assert any(line.startswith("✓ PostgreSQL 18.") for line in lines)
    assert any(line.endswith("valid.") and line.startswith("✓ ") for line in lines)
    assert "✓ Succeeded payments (0): each is in the books." in lines
    assert [line for line in lines if "(0): " in line] == lines[-len(PARTS) :]
    assert postmaster(own_data) is None


def test_a_server_that_runs_is_noted(served: Serving, data: Path) -> None:
    result = run("doctor", "--data", data, NICOBAR_PORT="1")  # it is found on whatever port it listens
    assert result.returncode == 0
    assert f"· A server answers at {served.base_url} and is ready." in result.stdout.splitlines()


def test_nothing_there_yet(empty_folder: Path) -> None:
    result = run("doctor", "--data", empty_folder / "data")
    assert result.returncode == 1
    assert f"✗ There is no database in {empty_folder / 'data'} yet.\n  Make it with: " in result.stdout


def test_a_database_that_does_not_answer() -> None:
    result = run("doctor", NICOBAR_DATABASE_URL="postgresql://me:hidden@127.0.0.1:1/x")
    assert result.returncode == 1
    assert "✗ The database postgresql://me:***@127.0.0.1:1/x cannot be used: nothing listens there." in result.stdout
    assert "hidden" not in result.stdout + result.stderr


def test_an_empty_database_stays_empty(external_database: str) -> None:
    result = run("doctor", "--database-url", external_database)
    assert result.returncode == 1
    assert "✗ The schema has version 0, and this program needs" in result.stdout
    again = run("doctor", "--database-url", external_database)
    assert "✗ The schema has version 0, and this program needs" in again.stdout


async def test_durability_that_was_switched_off_and_no_key(external_database: str) -> None:
    assert run("keys", "list", "--database-url", external_database).returncode == 0
    database = Database(external_database, size=1)
    async with database.read() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    await database.close()
    result = run("doctor", "--database-url", external_database)
    assert result.returncode == 1
    assert "✗ A power cut can lose payments, because synchronous_commit is off.\n" in result.stdout
    assert "  Set to on in postgresql.conf: synchronous_commit.\n" in result.stdout
    assert "✗ There is no valid API key.\n  Make one with: " in result.stdout


async def test_books_that_are_wrong(external_database: str) -> None:
    assert run("keys", "create", "--database-url", external_database).returncode == 0
    assert run("doctor", "--database-url", external_database).returncode == 0
    database = Database(external_database, size=1)
    async with database.read() as connection:
        await connection.execute(
            "INSERT INTO notices (business_id, mode, processor, notice_id, subject, reference, received_at, due_at,"
            " tries) VALUES ('bus_x', 'test', 'stripe', 'evt_x', 'dispute', 'du_x', '2026-03-14 15:09:26Z', now(), 10)"
        )
    await database.close()
    result = run("doctor", "--database-url", external_database)
    assert (result.returncode, result.stderr) == (1, "")
    assert [line for line in result.stdout.splitlines() if line[0] not in "✓·"] == [
        "! The audit log has entries without a seal (1): nobody could prove a change.",
        "  Give a key in NICOBAR_AUDIT_KEY, for example from: openssl rand -base64 32",
        "✗ Notices of processors (1): some wait for too long:",
        "    evt_x: from stripe about the dispute du_x, came 2026-03-14 15:09:26 UTC, tried 10 times",
        "  Start 'nicobar serve' or 'nicobar worker': it asks the processors. Their answers are in its log.",
    ]


def test_a_folder_and_a_demo_file_that_are_open_to_others(empty_folder: Path) -> None:
    configuration = Configuration(data=empty_folder)
    (empty_folder / "postgres").mkdir()
    assert doctor.check_data_folder(configuration).good is True
    empty_folder.chmod(0o733)
    assert doctor.check_data_folder(configuration) == Finding(
        False, f"Others may write to the data folder {empty_folder}.", f"Close it with: chmod go-w {empty_folder}"
    )
    assert doctor.check_demo_file(configuration).sentence == "No API key is kept in clear."
    file = empty_folder / "demo.json"
    file.touch(0o600)
    assert doctor.check_demo_file(configuration).good is True
    file.chmod(0o640)
    found = doctor.check_demo_file(configuration)
    assert (found.good, found.advice) == (False, f"Close it with: chmod 600 {file}")


def test_the_encryption_key(empty_folder: Path) -> None:
    beside = empty_folder.with_name(f"{empty_folder.name}.key")
    configuration = Configuration(data=empty_folder)
    found = doctor.check_key_file(configuration)
    assert (found.good, found.sentence) == (None, f"There is no encryption key yet; {beside} will hold it.")
    Vault(None, beside).ensure_key()
    assert doctor.check_key_file(configuration).good is True
    beside.chmod(0o640)
    found = doctor.check_key_file(configuration)
    assert (found.good, found.advice) == (False, f"Close it with: chmod 600 {beside}")
    beside.unlink()
    within = empty_folder / "encryption.key"
    Vault(None, within).ensure_key()
    found = doctor.check_key_file(configuration)
    assert (found.good, found.advice) == (False, f"Stop the server and move it with: mv {within} {beside}")
    keys = Keys((bytes(32),))
    assert doctor.check_key_file(Configuration(data=empty_folder, encryption_keys=keys)).good is True


def test_an_encryption_key_of_somebody_else(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = empty_folder / "k"
    Vault(None, file).ensure_key()
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    found = doctor.check_key_file(Configuration(data=empty_folder, key_file=file))
    assert (found.good, found.advice) == (False, f"Make it yours with: chown 4711 {file}")


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, empty_folder: Path) -> None:
    configuration = Configuration(data=empty_folder / "not" / "there")
    usage = type("Usage", (), {"free": doctor.LEAST_FREE_BYTES})
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: usage)
    assert doctor.check_disk(configuration) == Finding(
        True, f"1000 MB are free on the disk of {empty_folder}.", "Make room: 1000 MB should be free."
    )
    usage.free -= 1  # type: ignore[attr-defined]
    assert doctor.check_disk(configuration).good is False


@pytest.mark.parametrize(
    ("check", "found", "good"),
    [
        (doctor.check_version, examined(version_number=150000), True),
        (doctor.check_version, examined(version_number=140019), False),
        (doctor.check_durability, examined(), True),
        (doctor.check_durability, examined(fsync="off"), False),
        (doctor.check_durability, examined(full_page_writes="off"), False),
        (doctor.check_durability, examined(synchronous_commit="local"), True),
        (doctor.check_clock, examined(timedelta(seconds=2)), True),
        (doctor.check_clock, examined(timedelta(seconds=2, microseconds=1)), False),
        (doctor.check_keys, examined(), None),
    ],
)
async def test_where_the_limits_are(check: Callable[[Examined], Any], found: Examined, good: bool | None) -> None:
    finding = await check(found)
    assert finding.good is good
    assert finding.text().startswith({True: "✓ ", False: "✗ ", None: "· "}[good])
    assert ("\n  " in finding.text()) == (good is False)


async def test_tax_without_what_decides_it(external_database: str) -> None:
    """Tax is on, and nobody knows where the seller is; then a table whose only row has ended."""
    there = ("--database-url", external_database)
    assert run("keys", "create", *there).returncode == 0
    assert "✓ No tax is charged.\n" in run("doctor", *there).stdout
    switched = run("settings", "set", "tax", "table", "--mode", "live", *there)
    assert (switched.returncode, switched.stdout) == (0, "tax: off -> table (live mode)\n")
    assert switched.stderr.endswith("  nicobar settings set seller_country DE --mode live\n")
    result = run("doctor", *there)
    assert result.returncode == 1
    assert "✗ Tax is on in live mode, and seller_country is empty: tax ids lower no tax.\n" in result.stdout
    named = run("settings", "set", "seller_country", "FR", "--mode", "live", *there)
    assert (named.returncode, named.stdout, named.stderr) == (0, "seller_country: - -> FR (live mode)\n", "")
    assert "✓ Tax is charged in live mode.\n" in run("doctor", *there).stdout


def test_a_table_whose_rates_have_ended(external_database: str, tmp_path: Path) -> None:
    there = ("--database-url", external_database)
    assert run("keys", "create", *there).returncode == 0
    assert run("settings", "set", "seller_country", "FR", *there).stderr == ""
    assert run("settings", "set", "tax", "table", *there).stderr == ""
    rates = tmp_path / "rates.csv"
    rows = ["DE,,VAT,19,", "BG,,VAT,9,2025-01-01", "CA,QC,QST,14,2025-01-01", "CA,,GST,5,"]
    rates.write_text("\n".join(["country,region,name,standard_percent,valid_to", *rows]))
    assert run("tax", "import", rates, *there).returncode == 0
    result = run("doctor", *there)
    assert result.returncode == 1
    wanted = "✗ No rate of these places holds any more in the tax table of test mode: BG, CA-QC.\n"
    assert wanted in result.stdout
