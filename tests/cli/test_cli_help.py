"""Every command explains itself, with examples that are commands."""

import io
import re
import shlex

import pytest
from rich.console import Console

from cli.program import run
from nicobar.cli import app

COMMANDS = ["", "serve", "keys", "keys create", "keys list", "keys revoke", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_can_be_parsed(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: {' '.join(['nicobar', *command.split()])}")
    examples = result.stdout.partition("\nExamples:\n")[2].strip().split("\n\n")[0].splitlines()
    assert examples
    for example in examples:
        words = shlex.split(
            re.sub(r"^.*?\b(?=nicobar (serve|keys|doctor))", "", example.partition("   ")[0]).rstrip(")")
        )
        assert words[0] == "nicobar"
        app.parse_args(words[1:], exit_on_error=False, print_error=False)


SCREEN = 80
"""Columns of the narrowest terminal that counts."""


def everything() -> list[str]:
    """Return all commands, each group before its own."""
    found = [""]
    for name in (each for each in app if not each.startswith("-")):
        found.append(name)
        found += [f"{name} {own}" for own in app[name] if not own.startswith("-")]
    return found


@pytest.mark.parametrize("command", everything())
def test_help_is_not_broken_where_a_line_of_the_source_ends(command: str) -> None:
    shown = io.StringIO()
    app.help_print(command.split(), console=Console(file=shown, width=1000))
    paragraphs = shown.getvalue().split("\n\n")
    assert len(paragraphs) > 2
    for paragraph in paragraphs:
        lines = paragraph.strip("\n").splitlines()
        # One line is wrapped by the terminal; of several, none may need that.
        assert len(lines) < 2 or lines[0][0] == "╭" or max(map(len, lines)) <= SCREEN


def test_a_group_says_more_than_its_line_in_the_list() -> None:
    assert "Tax is charged at all only while the setting 'tax' is 'table'.\n" in run("tax", "--help").stdout
    assert "Without --mode live, those of\ntest mode are meant.\n" in run("settings", "--help").stdout
    assert "in test and in live mode alike.\n" in run("rates", "--help").stdout


def test_no_command_and_keys_alone_print_help() -> None:
    for command in ([], ["keys"]):
        result = run(*command)
        assert result.returncode == 0
        assert "Usage: nicobar" in result.stdout


def test_the_environment_is_documented() -> None:
    text = run("serve", "--help").stdout
    for name in ("HOST", "PORT", "DATA", "DATABASE_URL", "PUBLIC_URL", "LOG"):
        assert f"NICOBAR_{name}" in text


def test_version() -> None:
    assert run("--version").stdout == "0.1.0\n"
