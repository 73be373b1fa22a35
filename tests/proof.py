"""Tests that draw at random: a tenth of each runs in `make test`, and all by `make prove`, which writes docs/proof.md.

Such a test has the mark `proof` and records what it did, with its seed; the properties of Hypothesis are marked by
themselves.
"""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

PROVING = bool(os.environ.get("NICOBAR_PROVE"))
PAGE = Path(__file__).resolve().parents[1] / "docs" / "proof.md"


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
    """Write the page after a proof of which every test has passed."""
    passed = terminalreporter.stats.get("passed", [])
    if PROVING and passed and not {"failed", "error"} & set(terminalreporter.stats):
        PAGE.write_text(page(passed), encoding="utf-8")
        terminalreporter.write_line(f"The result stands in {PAGE}.")


def page(reports: list[pytest.TestReport]) -> str:
    """Return the text of the page about these tests."""
    git = ["git", "-C", str(PAGE.parent)]
    commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "../src"], check=False).returncode
    rows = []
    for report in sorted(reports, key=lambda report: report.nodeid):
        done = ", ".join(f"{value} {name}" for name, value in report.user_properties)
        file, _, name = report.nodeid.partition("::")
        function, _, parameters = name.rpartition("::")[2].partition("[")
        rows.append(f"| `{file}` | `{function}` | {parameters.rstrip(']')} | {done} |")
    return "\n".join(
        [
            "# The last proof",
            "",
            "Tests that draw at random run for a tenth of their length in `make test` and in full by `make prove`,",
            "which writes this page when all of them have passed.",
            "",
            f"- Date: {datetime.now(UTC):%Y-%m-%d}",
            f"- Commit: {commit.stdout.strip()}{', with changes in src' if changed else ''}",
            f"- Tests: {len(rows)}",
            "",
            "| File | Test | Of | Done |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )
