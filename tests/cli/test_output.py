"""How commands print: tables that fit, JSON, colours, odd locales, and outputs that cannot be written."""

import json
import subprocess
from pathlib import Path

import pytest

from cli.program import PROGRAM, environment, run
from nicobar.commands.terminal.parts import fit
from nicobar.program.banner import _Colours
from nicobar.program.configuration import ConfigurationError, colours_wanted, read_configuration
from nicobar.program.postgres_programs import for_libpq

TITLES = ("ID", "MODE", "MEANING")
ROWS = [["key_1", "test", "what it is for, in quite a few words"], ["key_2", "live", "日本語 の 名前 です よ"]]


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            60,
            [
                "ID     MODE  MEANING",
                "key_1  test  what it is for, in quite a few words",
                "key_2  live  日本語 の 名前 です よ",
            ],
        ),
        (
            34,
            [
                "ID     MODE  MEANING",
                "key_1  test  what it is for, in",
                "             quite a few words",
                "key_2  live  日本語 の 名前 です よ",
            ],
        ),
        (
            30,
            [
                "ID       key_1",
                "MODE     test",
                "MEANING  what it is for, in quite a few words",
                "",
                "ID       key_2",
                "MODE     live",
                "MEANING  日本語 の 名前 です よ",
            ],
        ),
    ],
)
def test_a_table_fits_the_terminal(columns: int, lines: list[str]) -> None:
    assert fit(TITLES, ROWS, columns) == lines


@pytest.mark.parametrize(
    "command",
    [
        ["keys", "list"],
        ["payments", "list"],
        ["sessions", "list"],
        ["subscriptions", "list"],
        ["events", "list"],
        ["webhooks", "list"],
        ["audit", "list"],
        ["processors", "list"],
        ["settings", "list"],
        ["settings", "history"],
        ["tax", "show", "DE"],
        ["rates", "show", "EUR"],
        ["doctor"],
    ],
)
def test_every_list_and_show_speaks_json(data_alone: Path, command: list[str]) -> None:
    result = run(*command, "--json", "--data", data_alone)
    assert result.returncode == 0, result.stderr
    assert isinstance(json.loads(result.stdout), list)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("command", [["keys", "list"], ["tax", "export"], ["--help"], ["completion", "bash"]])
def test_an_output_that_cannot_be_written_is_an_error(data_alone: Path, command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        where = {"NICOBAR_DATA": str(data_alone)}
        done = subprocess.run(
            [*PROGRAM, *command], stdout=full, stderr=subprocess.PIPE, text=True, env=environment(**where), check=False
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "nicobar: The output cannot be written: No space left on device."
    assert "Traceback" not in done.stderr


def test_a_locale_without_marks_is_no_traceback(data_alone: Path) -> None:
    result = run(
        "doctor", "--data", data_alone, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii"
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert {line[0] for line in result.stdout.splitlines()} == {"+", "-"}


def test_colours_are_left_out_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [colours_wanted(given) for given in ({}, {"NO_COLOR": "1"}, {"NO_COLOR": ""}, {"TERM": "dumb"})] == [
        True,
        False,
        True,
        False,
    ]

    class Terminal:
        def isatty(self) -> bool:
            return True

    for given, painted in (("", "\x1b[1mx\x1b[0m"), ("1", "x")):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", given)
        assert _Colours(Terminal())("x", "1") == painted  # type: ignore[arg-type]
    assert run("--no-color", "--version").stdout == run("--version", "--no-color").stdout == "0.1.0\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(shell: str) -> None:
    result = run("completion", shell)
    assert (result.returncode, result.stderr) == (0, "")
    assert all(word in result.stdout for word in ("doctor", "revoke", "--database-url"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NICOBAR_DATABSE_URL", "NICOBAR_DATABASE_URL"),
        ("NICOBAR_DATABASE_URI", "NICOBAR_DATABASE_URL"),
        ("NICOBAR_PUBLICURL", "NICOBAR_PUBLIC_URL"),
        ("NICOBAR_ENCRYPTION_KEYS", "NICOBAR_ENCRYPTION_KEY"),
    ],
)
def test_a_misspelt_variable_is_named(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"There is no variable {name}. Did you mean {meant}?"):
        read_configuration({name: "x"})


def test_variables_of_others_are_left_alone() -> None:
    theirs = {"NICOBAR_SERVICE_HOST": "10.0.0.1", "NICOBAR_PORT_8787_TCP": "tcp://10.0.0.1:8787", "OTHER": "x"}
    assert read_configuration(theirs) == read_configuration({})


@pytest.mark.parametrize(
    ("url", "place", "password"),
    [
        ("postgresql://me@db/x", "postgresql://me@db/x", None),
        ("postgresql://me:s%40cret@db:5433/x?sslmode=require", "postgresql://me@db:5433/x?sslmode=require", "s@cret"),
        ("postgresql://me@db/x?password=hidden&sslmode=require", "postgresql://me@db/x?sslmode=require", "hidden"),
        (
            "postgresql://postgres@/nicobar?host=/tmp/a%20b&port=5432",
            "postgresql://postgres@/nicobar?host=/tmp/a%20b&port=5432",
            None,
        ),
    ],
)
def test_no_password_reaches_the_list_of_processes(url: str, place: str, password: str | None) -> None:
    assert for_libpq(url) == (place, {} if password is None else {"PGPASSWORD": password})
