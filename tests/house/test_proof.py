"""docs/proof.md tells of every test that draws at random."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _page() -> str:
    return (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")


def _draws_at_random(node: ast.stmt) -> bool:
    marks = [ast.unparse(mark) for mark in getattr(node, "decorator_list", [])]
    return any(mark == "pytest.mark.proof" or mark.startswith("given(") for mark in marks)


def test_the_last_proof_was_of_every_test_that_draws_at_random() -> None:
    drawing = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        every = any(ast.unparse(node) == "pytestmark = pytest.mark.proof" for node in body)
        tests = [node for node in body if getattr(node, "name", "").startswith("test_")]
        drawing |= {getattr(test, "name", "") for test in tests if every or _draws_at_random(test)}
    assert len(drawing) >= 10
    assert set(re.findall(r"^\| `[^`]+` \| `(test_\w+)` \|", _page(), re.MULTILINE)) == drawing, "run make prove"


def test_the_last_proof_says_when_and_of_what() -> None:
    page = _page()
    assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", page, re.MULTILINE)
    assert re.search(r"^- Commit: [0-9a-f]{12}$", page, re.MULTILINE), "commit first, then run make prove"
