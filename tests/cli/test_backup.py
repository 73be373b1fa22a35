"""`nicobar backup` and `nicobar restore`: all or nothing, and never over something that is there."""

from pathlib import Path

from cli.program import Serving, run


def test_a_backup_beside_a_server_comes_back_whole(served: Serving, data: Path, empty_folder: Path) -> None:
    assert served.process.poll() is None
    made = run("keys", "create", "--name", "Kept", "--data", data)
    assert made.returncode == 0
    file, back = empty_folder / "one.backup", empty_folder / "back"
    backed = run("backup", file, "--data", data)
    assert (backed.returncode, backed.stdout) == (0, f"The backup is in {file}, {file.stat().st_size:,} bytes.\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(empty_folder.iterdir()) == [file]
    restored = run("restore", file, "--data", back)
    assert (restored.returncode, restored.stdout) == (0, f"The backup {file} is restored.\n")
    counts = "SELECT (SELECT count(*) FROM api_keys), (SELECT count(*) FROM payments), (SELECT count(*) FROM products)"
    assert run("sql", "--csv", counts, "--data", back).stdout == run("sql", "--csv", counts, "--data", data).stdout
    assert "Kept" in run("keys", "list", "--data", back).stdout

    again = run("backup", file, "--data", data)
    assert (again.returncode, again.stdout) == (2, "")
    assert f"{file} exists already." in again.stderr
    over = run("restore", file, "--data", back)
    assert (over.returncode, over.stdout) == (2, "")
    assert "tables already. A backup is loaded into an empty one" in over.stderr


def test_half_a_backup_restores_nothing(data_alone: Path, empty_folder: Path) -> None:
    file, back = empty_folder / "one.backup", empty_folder / "back"
    assert run("backup", file, "--data", data_alone).returncode == 0
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 4])
    refused = run("restore", file, "--data", back)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Nothing was restored. PostgreSQL says: " in refused.stderr
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert run("sql", "--csv", tables, "--data", back).stdout == "count\n0\n"


def test_sql_changes_nothing_unless_told(data_alone: Path) -> None:
    before = run("sql", "--csv", "SELECT count(*) FROM businesses", "--data", data_alone)
    assert (before.returncode, before.stdout) == (0, "count\n1\n")
    refused = run("sql", "UPDATE businesses SET name = 'x'", "--data", data_alone)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "cannot execute UPDATE in a read-only transaction" in refused.stderr
    assert (
        run("sql", "--csv", "SELECT count(*) FROM businesses WHERE name = 'x'", "--data", data_alone).stdout
        == "count\n0\n"
    )
    written = run("sql", "--write", "UPDATE businesses SET name = name", "--data", data_alone)
    assert (written.returncode, written.stdout) == (0, "UPDATE 1\n")
