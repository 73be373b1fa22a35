"""Every command explains itself, with examples that are commands."""

import re
import shlex

import pytest

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
