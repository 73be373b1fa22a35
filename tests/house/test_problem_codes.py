"""Every problem code is raised by the program and met by a test."""

import ast
from pathlib import Path

from nicobar.core.problems import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]


NOT_RAISING = {
    *("problems.py", "subscription_problems.py", "error_catalogue.py"),
    *("test_problem_codes.py", "test_error_docs.py"),
}
"""Files that list codes and raise none."""


def _codes(folder: str) -> set[str]:
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        if path.name in NOT_RAISING:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in CATALOGUE:
                found.add(node.value)
    return found


def test_every_code_is_raised() -> None:
    assert sorted(set(CATALOGUE) - _codes("src")) == [], "nothing raises these: take them out of the catalogue"


def test_every_code_is_met() -> None:
    assert sorted(set(CATALOGUE) - _codes("tests")) == [], "no test meets these"
