"""Text from outside never commands the terminal, whichever command shows it."""

import io
import json
import sys

import pytest

from nicobar.commands.terminal.parts import fit, print_json, table
from nicobar.program.banner import answer, plain_lines, say

EVIL = "\x1b]0;title\x07 \x9b31m \u202egnp.exe \r gone \x7f"


def test_what_does_not_print_is_written_out() -> None:
    out = io.StringIO()
    say(f"Brand: {EVIL}\nnext line", out)
    assert out.getvalue() == ("Brand: \\x1b]0;title\\x07 \\x9b31m \\u202egnp.exe \\r gone \\x7f\nnext line\n")


def test_cells_are_as_wide_as_what_is_shown() -> None:
    rows = list(table(["NAME", "AGE"], [["a\nb\x1b[2J", "1"], ["c", "2"]]))
    assert rows == ["NAME         AGE", "a\\nb\\x1b[2J  1", "c            2"]


def test_a_narrow_terminal_is_commanded_as_little() -> None:
    assert fit(["NAME", "AGE"], [["a\nb\x1b[2J", "1"]], 10) == ["NAME  a\\nb\\x1b[2J", "AGE   1"]


@pytest.mark.parametrize("terminal", [True, False])
def test_an_answer_is_as_it_is_in_a_file_alone(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdout", out)
    answer("a\x1b[2J\r\nb")
    assert out.getvalue() == ("a\\x1b[2J\\r\nb\n" if terminal else "a\x1b[2J\r\nb\n")


def test_json_says_the_same_in_characters_that_print(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": f"{EVIL}\U000e0001 日本"}
    print_json(value)
    text = capsys.readouterr().out
    assert all(line.isprintable() for line in text.splitlines()) and "日本" in text
    assert json.loads(text) == value


def test_our_own_colours_are_left() -> None:
    out = io.StringIO()
    say("\x1b[1mready\x1b[0m", out, coloured=True)
    assert out.getvalue() == "\x1b[1mready\x1b[0m\n"


@pytest.mark.parametrize("text", ["", "plain", "zwei\nZeilen\n", "日本 é"])
def test_harmless_text_stays(text: str) -> None:
    assert plain_lines(text) == text
