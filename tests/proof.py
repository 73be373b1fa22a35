"""Tests that draw at random: in `make test` a tenth or less, by `make prove` in full, which writes docs/proof.md.

Such a test has the mark `proof` and records what it did, with its seed; the properties of Hypothesis are marked by
themselves.
"""

import ast
import os
import re
import subprocess
from collections.abc import Sequence, Set
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "proof.md"
PROVING = bool(os.environ.get("NICOBAR_PROVE"))

NOT_YET = "not yet in full"
"""What the page has of a test that has never run in full."""

ROW = re.compile(r"^\| `([^`]+)` \| `(test_\w+)` \| ([^|]*?) ?\| ([^|]*?) \| ([^|]*?) ?\|$", re.MULTILINE)


def length(full: int) -> int:
    """Return how often something is done in this run, of which `full` times are a proof."""
    return full if PROVING else -(-full // 10)


settings.register_profile("this run", max_examples=length(100), deadline=None)
settings.load_profile("this run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the properties of Hypothesis, and note how many examples each tries."""
    for item in items:
        test = getattr(item, "obj", None)
        if getattr(test, "is_hypothesis_test", False):
            item.add_marker("proof")
            examples = getattr(test, "_hypothesis_internal_use_settings", None) or settings.default
            assert examples is not None
            item.user_properties.append(("examples", examples.max_examples))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Bring the rows of the tests that were run in full up to date."""
    stats = terminalreporter.stats
    failed = [report for kind in ("failed", "error") for report in stats.get(kind, []) if hasattr(report, "nodeid")]
    if PROVING and (stats.get("passed") or failed):
        PAGE.write_text(page(stats.get("passed", []), {_named(report)[:2] for report in failed}), encoding="utf-8")
        terminalreporter.write_line(f"The result stands in {PAGE}.")


def drawing_tests() -> set[tuple[str, str]]:
    """Return file and name of every test that draws at random: a property, or one with the mark `proof`."""
    found = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        every = any(ast.unparse(node) == "pytestmark = pytest.mark.proof" for node in body)
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                marks = [ast.unparse(mark) for mark in node.decorator_list]
                if every or any(mark == "pytest.mark.proof" or mark.startswith("given(") for mark in marks):
                    found.add((path.relative_to(ROOT).as_posix(), node.name))
    return found


def page(passed: Sequence[pytest.TestReport], failed: Set[tuple[str, str]]) -> str:
    """Return the text of the page after a run in which these tests passed and those failed.

    Rows of tests that were not run stay as they are.
    """
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
    when = f"{datetime.now(UTC):%Y-%m-%d} at {commit.stdout.strip()}"
    if subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "src"], check=False).returncode:
        when += ", with changes in src"
    known, new = drawing_tests(), {_named(report): report for report in passed}
    run = {name[:2] for name in new} | failed
    rows = {key: rest for key, rest in _rows().items() if key[:2] in known - run}
    for name, report in new.items():
        rows[name] = (", ".join(f"{value} {what}" for what, value in report.user_properties), when)
    rows |= {(*pair, ""): ("failed", when) for pair in failed}
    rows |= {(*pair, ""): (NOT_YET, "") for pair in known - {key[:2] for key in rows}}
    return "\n".join(
        [
            "# The last proof",
            "",
            "Tests that draw at random run for a tenth of their length or less in `make test`, in full by",
            '`make prove`, which brings these rows up to date; `make prove ARGS="tests/core"` does so for a part.',
            "",
            "| File | Test | Of | Done | When |",
            "| --- | --- | --- | --- | --- |",
            *(
                f"| `{file}` | `{test}` | {of} | {done} | {date} |"
                for (file, test, of), (done, date) in sorted(rows.items())
            ),
            "",
        ]
    )


def _named(report: pytest.TestReport) -> tuple[str, str, str]:
    file, _, name = report.nodeid.partition("::")
    test, _, of = name.rpartition("::")[2].partition("[")
    return file, test, of.rstrip("]")


def _rows() -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return the rows of the page as it is."""
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {(file, test, of): (done, when) for file, test, of, done, when in found}
