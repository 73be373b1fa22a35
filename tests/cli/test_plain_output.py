"""Text from outside never commands the terminal, whichever command shows it."""

import io

import pytest

from nicobar.commands.parts import table
from nicobar.program.banner import plain_lines, say

EVIL = "\x1b]0;title\x07 \x9b31m \u202egnp.exe \r gone \x7f"


def test_what_does_not_print_is_written_out() -> None:
    out = io.StringIO()
    say(f"Brand: {EVIL}\nnext line", out)
    assert out.getvalue() == ("Brand: \\x1b]0;title\\x07 \\x9b31m \\u202egnp.exe \\r gone \\x7f\nnext line\n")


def test_cells_are_as_wide_as_what_is_shown() -> None:
    rows = list(table(["NAME", "AGE"], [["a\nb\x1b[2J", "1"], ["c", "2"]]))
    assert rows == ["NAME         AGE", "a\\nb\\x1b[2J  1", "c            2"]


def test_our_own_colours_are_left() -> None:
    out = io.StringIO()
    say("\x1b[1mready\x1b[0m", out, coloured=True)
    assert out.getvalue() == "\x1b[1mready\x1b[0m\n"


@pytest.mark.parametrize("text", ["", "plain", "zwei\nZeilen\n", "日本 é"])
def test_harmless_text_stays(text: str) -> None:
    assert plain_lines(text) == text
