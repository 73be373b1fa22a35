"""`nicobar keys`, without a server: PostgreSQL is started around each command."""

import json
import os
import pwd
import re
import stat
from pathlib import Path

from cli.program import KEY_FILE, postmaster, run

KEY = re.compile(r"nicobar_(test|live)_[0-9A-Za-z]{32}\n")


def test_create_prints_the_key_and_only_the_key(empty_folder: Path) -> None:
    data = empty_folder / "data"
    first = run("keys", "create", "--data", data)
    assert first.returncode == 0
    assert KEY.fullmatch(first.stdout)
    assert f"There was no database in {data}, so a new one was made." in first.stderr
    assert postmaster(data) is None
    second = run("keys", "create", "--mode", "live", "--read-only", NICOBAR_DATA=str(data))
    assert (second.returncode, second.stderr) == (0, "")
    assert KEY.fullmatch(second.stdout)
    assert second.stdout.startswith("nicobar_live_")
    assert second.stdout != first.stdout


def test_list_and_revoke(empty_folder: Path) -> None:
    data = empty_folder / "data"
    keys = [
        run("keys", "create", "--data", data, *options).stdout.strip()
        for options in (["--name", "The shop"], ["--read-only"])
    ]
    listed = run("keys", "list", "--data", data)
    assert listed.returncode == 0
    titles, *rows = listed.stdout.splitlines()
    assert " ".join(titles.split()) == (
        "ID MODE ACCESS HINT NAME CREATED (UTC) LAST USED (UTC) EXPIRES (UTC) REVOKED (UTC)"
    )
    cells = [row.split() for row in rows]
    assert [row[1:4] for row in cells] == [
        ["test", "write", f"...{keys[0][-4:]}"],
        ["test", "read", f"...{keys[1][-4:]}"],
    ]
    assert [row[-1] for row in cells] == ["-", "-"]
    assert not any(key in listed.stdout for key in keys)

    key_id = cells[0][0]
    first, second = json.loads(run("keys", "list", "--json", "--data", data).stdout)
    assert (first["key_id"], first["mode"], first["read_only"], first["name"]) == (key_id, "test", False, "The shop")
    assert (second["read_only"], second["name"], second["last_used_at"], second["revoked_at"]) == (
        True,
        None,
        None,
        None,
    )
    unasked = run("keys", "revoke", key_id, "--data", data)
    assert (unasked.returncode, unasked.stdout) == (2, "")
    assert f"Make the test key 'The shop' that ends in {keys[0][-4:]} worthless? This cannot be undone: give --yes" in (
        unasked.stderr
    )
    assert run("keys", "list", "--data", data).stdout == listed.stdout
    revoked = run("keys", "revoke", key_id, "--yes", "--data", data)
    assert (revoked.returncode, revoked.stdout, revoked.stderr) == (0, "", f"The key {key_id} is revoked.\n")
    rows = run("keys", "list", "--data", data).stdout.splitlines()[1:]
    assert [re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d$", row) is not None for row in rows] == [True, False]

    again = run("keys", "revoke", key_id, "--yes", "--data", data)
    assert (again.returncode, again.stdout) == (2, "")
    assert f"There is no valid key with the id '{key_id}'" in again.stderr


def test_a_key_is_not_its_own_id(data: Path) -> None:
    key = run("keys", "create", "--data", data).stdout.strip()
    refused = run("keys", "revoke", key, "--data", data)
    assert refused.returncode == 2
    assert f"...{key[-4:]}" in run("keys", "list", "--data", data).stdout
    row = next(row for row in run("keys", "list", "--data", data).stdout.splitlines() if f"...{key[-4:]}" in row)
    assert row.endswith("-")


def test_commands_that_only_look_make_no_database(empty_folder: Path) -> None:
    for command in (["keys", "list"], ["keys", "revoke", "key_1"], ["doctor"]):
        assert run(*command, "--data", empty_folder / "data").returncode in (1, 2)
    assert list(empty_folder.iterdir()) == []


def test_a_database_without_keys_says_how_to_make_one(external_database: str) -> None:
    listed = run("keys", "list", "--database-url", external_database)
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "There are no API keys yet." in listed.stderr


def test_a_key_with_scopes_and_an_end_is_rotated(data: Path) -> None:
    made = run("keys", "create", "--scope", "refunds", "--scope", "payments", "--days", "30", "--data", data)
    assert (made.returncode, KEY.fullmatch(made.stdout) is not None) == (0, True)
    key_id = json.loads(run("keys", "list", "--json", "--data", data).stdout)[-1]["key_id"]
    rotated = run("keys", "rotate", key_id, "--overlap-hours", "0", "--data", data)
    assert (rotated.returncode, KEY.fullmatch(rotated.stdout) is not None) == (0, True)
    assert rotated.stderr == f"The key {key_id} ends in 0 hours.\n"
    old, new = json.loads(run("keys", "list", "--json", "--data", data).stdout)[-2:]
    assert (old["key_id"], old["scopes"], new["scopes"]) == (key_id, ["payments", "refunds"], ["payments", "refunds"])
    assert old["expires_at"] < new["expires_at"]
    again = run("keys", "rotate", key_id, "--data", data)
    assert (again.returncode, again.stdout) == (2, "")
    refused = run("keys", "create", "--days", "0", "--data", data)
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", "nicobar: --days takes 1 to 3650, not 0.\n")


def test_the_audit_log_tells_who_made_keys_and_doctor_proves_it(own_data: Path) -> None:
    before = run("audit", "list", "--json", "--data", own_data)
    known = len(json.loads(before.stdout)) if before.stdout else 0
    key = run("keys", "create", "--data", own_data).stdout.strip()
    key_id = next(
        found["key_id"]
        for found in json.loads(run("keys", "list", "--json", "--data", own_data).stdout)
        if found["hint"] == key[-4:]
    )
    assert run("keys", "revoke", key_id, "--yes", "--data", own_data).returncode == 0
    listed = json.loads(run("audit", "list", "--about", key_id, "--json", "--data", own_data).stdout)
    user = pwd.getpwuid(os.getuid()).pw_name
    assert [(one["action"], one["actor"], one["actor_name"], one["object_ids"]) for one in listed] == [
        ("key.revoke", "command", user, [key_id]),
        ("key.create", "command", user, [key_id]),
    ]
    assert len(json.loads(run("audit", "list", "--json", "--data", own_data).stdout)) == known + 2
    assert stat.S_IMODE(KEY_FILE.with_suffix(".audit.key").stat().st_mode) == 0o600
    assert "The audit log is whole: " in run("doctor", "--data", own_data).stdout
    forged = "UPDATE audit_log SET actor_name = 'nobody' WHERE action = 'key.revoke'"
    replica = "SET session_replication_role = replica"
    run("sql", "--write", f"{replica}; {forged}", "--data", own_data)
    told = run("doctor", "--data", own_data)
    assert told.returncode == 1
    assert "The audit log was changed. The entry " in told.stdout
