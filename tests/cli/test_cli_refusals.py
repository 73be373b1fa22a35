"""What a command says when it cannot run: one sentence with advice, status 2, no traceback, no password."""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from cli.program import Serving, run
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import EmbeddedPostgres


def refusal(*arguments: str | Path, **extra: str) -> str:
    """Run a command that must be refused, and return what it says."""
    result = run(*arguments, **extra)
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("nicobar: ")
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_that_is_taken(taken: int, empty_folder: Path) -> None:
    said = refusal("serve", "--port", str(taken), "--data", empty_folder / "data")
    assert f"Port {taken} on 127.0.0.1 is taken by " in said
    assert f"--port {taken + 1}" in said
    if Path("/proc/net/tcp").exists():
        assert f"(process {os.getpid()})" in said
    assert not (empty_folder / "data").exists()  # refused before anything was made


def test_a_port_that_another_nicobar_has(served: Serving, empty_folder: Path) -> None:
    said = refusal("serve", "--data", empty_folder / "data", NICOBAR_PORT=str(served.port))
    assert f"Port {served.port} on 127.0.0.1 is taken by " in said


def test_a_host_that_is_not_ours(empty_folder: Path) -> None:
    said = refusal("serve", "--host", "192.0.2.1", "--port", "0", "--data", empty_folder / "data")
    assert said.startswith("nicobar: 192.0.2.1 is not an address of this computer. Use --host 127.0.0.1 ")


def test_a_data_folder_that_cannot_be_written(empty_folder: Path) -> None:
    (empty_folder / "file").write_text("mine")
    for data in (empty_folder / "file", Path("/proc/nicobar")):
        for command in (["serve", "--port", "0"], ["keys", "create"]):
            assert str(data) in refusal(*command, "--data", data)
    assert (empty_folder / "file").read_text() == "mine"


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["keys", "create"]])
def test_a_database_that_does_not_answer(command: list[str], taken: int) -> None:
    url = f"postgresql://me:top-secret@127.0.0.1:{taken + 1 if taken < 65535 else 1}/shop"
    said = refusal(*command, NICOBAR_DATABASE_URL=url)
    assert f"The database {url.replace('top-secret', '***')} cannot be used: nothing listens there." in said
    assert "Check that PostgreSQL runs" in said
    assert "top-secret" not in said


def test_a_database_that_does_not_exist(external_database: str) -> None:
    said = refusal("serve", "--port", "0", "--database-url", external_database.replace("nicobar_cli_", "no_such_"))
    assert "does not exist. Create the database first" in said


@pytest_asyncio.fixture
async def role_with_password(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of a database for a role that has to give a password, with a wrong one in it."""
    rules = Path(os.path.realpath(postgres.data / "postgres")) / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all careful scram-sha-256\n{before}")
    maintenance = Database(postgres.dsn, size=1)
    async with maintenance.read() as connection:
        await connection.execute("CREATE ROLE careful LOGIN PASSWORD 'right'")
        await connection.execute("SELECT pg_reload_conf()")
        yield postgres.dsn.replace("//postgres@", "//careful:wrong-secret@")
        await connection.execute("DROP ROLE careful")
        rules.write_text(before)
        await connection.execute("SELECT pg_reload_conf()")
    await maintenance.close()


def test_a_wrong_password(role_with_password: str) -> None:
    said = refusal("keys", "create", NICOBAR_DATABASE_URL=role_with_password)
    assert 'password authentication failed for user "careful". Check the user name and the password.' in said
    assert "wrong-secret" not in said


async def test_a_schema_that_is_newer_than_the_program(external_database: str) -> None:
    assert run("keys", "create", "--database-url", external_database).returncode == 0
    database = Database(external_database, size=1)
    async with database.read() as connection:
        await connection.execute("INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, 'later', '')")
    await database.close()
    for command in (["serve", "--port", "0"], ["keys", "create"]):
        said = refusal(*command, "--database-url", external_database)
        assert "The database has schema version 9999, but this Nicobar knows only up to" in said


async def test_a_user_who_may_not_create_tables(external_database: str, postgres: EmbeddedPostgres) -> None:
    database = Database(external_database, size=1)
    async with database.read() as connection:
        await connection.execute("CREATE ROLE powerless LOGIN")
        said = refusal("keys", "create", "--database-url", external_database.replace("//postgres@", "//powerless@"))
        await connection.execute("DROP ROLE powerless")
    await database.close()
    assert "permission denied" in said
    assert "Give this user the right to create tables there" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve", "--data", "x", "--database-url", "postgresql:///x"], "--data (embedded PostgreSQL) and "),
        (["serve", "--database-url", "localhost:5432/x"], "--database-url is not the address of a PostgreSQL "),
        (["serve", "--port", "70000"], "--port takes a number from 0 to 65535 (0 chooses a free port), not 70000."),
        (["serve", "--port", "http"], 'unable to convert "http" into int. See: nicobar serve --help'),
        (["serve", "--host", "no such host"], "--host takes an address or a name such as 127.0.0.1"),
        (["serve", "--host", "host.invalid"], "The host 'host.invalid' cannot be found"),
        (["serve", "--fast"], "Unknown option: --fast."),
        (["serve", "now"], "'now' is more than this command takes. See: nicobar serve --help"),
        (["keys", "create", "--mode", "real"], 'Choose from: "test", "live". See: nicobar keys create --help'),
        (["keys", "revoke"], "KEY_ID requires an argument. See: nicobar keys revoke --help"),
        (["sreve"], 'Did you mean "serve"?'),
    ],
)
def test_a_command_line_that_makes_no_sense(arguments: list[str], sentence: str) -> None:
    assert sentence in refusal(*arguments)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"NICOBAR_PORT": "eighty"}, "NICOBAR_PORT takes a number from 0 to 65535, not 'eighty'."),
        ({"NICOBAR_LOG": "loud"}, "NICOBAR_LOG takes debug, info or warning, not 'loud'."),
        ({"NICOBAR_PUBLIC_URL": "pay.example.com"}, "NICOBAR_PUBLIC_URL is where customers reach this server"),
        ({"NICOBAR_DATABASE_URL": "mysql://me:hidden@db/x"}, "NICOBAR_DATABASE_URL is not the address of a PostgreSQL"),
    ],
)
def test_an_environment_that_makes_no_sense(variables: dict[str, str], sentence: str) -> None:
    said = refusal("serve", **variables)
    assert sentence in said
    assert "hidden" not in said


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what explains itself becomes a sentence; anything else keeps its traceback."""
    from nicobar import cli

    def broken(**_options: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(cli, "read_configuration", broken)
    with pytest.raises(ZeroDivisionError):
        cli.run(["doctor"])
