"""The documents name what exists: every path, function, table, setting, command and route in them is looked up.

In `docs/` and CONTRIBUTING.md, code in backticks counts as the name of something, unless it has blanks and begins
with none of the words below. `path:name` is a definition in that very file. A superseded decision names what was.
"""

import ast
import re
import tomllib
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

from cyclopts import App

from nicobar.app import OPERATIONS
from nicobar.cli import app
from nicobar.core.business.business_settings import SETTINGS
from nicobar.program.configuration import Configuration

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "nicobar"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
GENERATED = {"docs/errors.md"}
PAGES = [
    ROOT / "CONTRIBUTING.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.relative_to(ROOT).as_posix() not in GENERATED),
]
EVERY_PAGE = [ROOT / name for name in ("README.md", "CHANGELOG.md", "NOTICE")] + PAGES

PAGE_OF_PAPER = 60
"""Lines that fit on one page, at 120 characters each."""

COMMAND = (
    "python -c \"import sys; sys.path.insert(0, 'tests'); from house.test_docs import settings_page;"
    " print(settings_page(), end='')\" > docs/settings.md"
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def names_defined_in(file: Path) -> frozenset[str]:
    """Return the names that a source file defines; of one in SQL, its words."""
    text = file.read_text(encoding="utf-8")
    return frozenset(definitions(ast.parse(text)) if file.suffix == ".py" else re.findall(r"\w+", text))


def names_in(page: Path) -> list[str]:
    """Return what is in backticks on a page, outside of fenced blocks."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return sorted({" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose)})


def definitions(tree: ast.AST) -> set[str]:
    """Return the names that a module defines, those of class members with and without their class."""
    found: set[str] = set()
    for node in ast.walk(tree):
        members = list(ast.iter_child_nodes(node))
        for member in members:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names = [member.name]
            elif isinstance(member, ast.Assign):
                names = [target.id for target in member.targets if isinstance(target, ast.Name)]
            elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                names = [member.target.id]
            else:
                continue
            found.update(names)
            if isinstance(node, ast.ClassDef):
                found.update(f"{node.name}.{name}" for name in names)
    return found


def mentioned(node: ast.AST) -> list[str]:
    """Return the words that one node of the source uses: an argument, a literal, an attribute, an import."""
    match node:
        case ast.arg():
            return [node.arg]
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Attribute():
            return [node.attr]
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            return [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        case _:
            return []


@cache
def known_words() -> frozenset[str]:
    """Return every word that the project gives a meaning: definitions, arguments, literals, modules, SQL."""
    words: set[str] = set()
    for path in (*SOURCE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words |= definitions(tree) | {path.stem, path.parent.name}
        if path.is_relative_to(SOURCE):  # tests hold wrong words on purpose
            words.update(*map(mentioned, ast.walk(tree)))
    for path in SOURCE.rglob("*.sql"):
        words.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    for path in SOURCE.rglob("*.csv"):
        words.update(path.read_text(encoding="utf-8").partition("\n")[0].split(","))
    words.update(re.findall(r"[\w-]+", (ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    return frozenset(words)


def find_file(name: str) -> Path | None:
    """Return a file or folder that is named from the root or from the source."""
    for base in (ROOT, SOURCE):
        if (base / name).exists():
            return base / name
    return None


def command_exists(words: list[str]) -> bool:
    """Return whether a command line begins with a command of the program."""
    group: App = app
    for word in words:
        if word.startswith(("-", "[")) or not [name for name in group if not name.startswith("-")]:
            break
        if word not in list(group):
            return False
        group = group[word]
    return True


def route_exists(method: str, path: str) -> bool:
    """Return whether an operation has this method and path, or a path outside of the table stands in the source."""
    if any((operation.method, operation.path) == (method, path) for operation in OPERATIONS):
        return True
    return method == "GET" and path in known_words()


@cache
def exists(name: str) -> bool:
    """Return whether the thing that a document names is there; anything that is no name counts as there."""
    first, *rest = name.split()
    if first == "make":
        return bool(re.search(rf"^{re.escape(rest[0])}:", (ROOT / "Makefile").read_text(), re.MULTILINE))
    if first == "nicobar":
        return command_exists(rest)
    if first in ("GET", "POST", "PATCH", "DELETE"):
        return route_exists(first, rest[0])
    if rest:
        return True
    if defined := re.fullmatch(r"([\w./-]+\.(?:py|sql)):([\w.]+)", name):
        file = find_file(defined[1])
        return file is not None and defined[2] in names_defined_in(file)
    if re.fullmatch(r"[\w.-]+/|[\w.-]+(/[\w.-]+)+/?|[\w-]+\.(py|md|csv|sql|toml|txt)", name):
        return find_file(name) is not None
    if re.fullmatch(r"[A-Za-z_][\w.]*(\(\))?", name):
        return name.removesuffix("()") in known_words() or set(name.removesuffix("()").split(".")) <= known_words()
    return True


def is_superseded(page: Path) -> bool:
    """Return whether a decision names the one that holds instead of it, first thing after its title."""
    return bool(re.match(r"# .*\n\nSuperseded by \[\d{4}\]", page.read_text(encoding="utf-8")))


def test_everything_that_is_named_exists() -> None:
    current = [page for page in PAGES if not is_superseded(page)]
    missing = {_name(page): [name for name in names_in(page) if not exists(name)] for page in current}
    assert {page: names for page, names in missing.items() if names} == {}


def test_what_does_not_exist_is_noticed() -> None:
    real = ["flows/payments/create_payment.py:create_payment", "pages/checkout/checkout.py:CheckoutPage.pay", "core/"]
    real += ["make test", "Quote.total", "record_payment_outcome()", "payments_total"]
    real += ["GET /payments/{payment_id}", "nicobar keys create"]
    assert [name for name in real if not exists(name)] == []
    wrong = [
        "flows/payments/create_payment.py:confirm_payment",
        "core/prices.py",
        "make tests",
        "record_payment_outcomes",
        "Quote.feathers",
    ]
    wrong += ["GET /payment", "nicobar keys delete", "pages/checkout/checkout.py:CheckoutPage.create", "POST /health"]
    assert [name for name in wrong if exists(name)] == []


def link_leads_somewhere(page: Path, link: str) -> bool:
    """Return whether a link of a page leads to a heading, to a file, or to another website."""
    file, _, heading = link.partition("#")
    target = page.parent / file if file else page
    if link.startswith("https://") or not heading:
        return link.startswith("https://") or target.exists()
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE) if target.exists() else []
    return heading in [each.lower().replace(" ", "-") for each in headings]


def test_links_lead_to_files() -> None:
    links = [
        (page, link) for page in EVERY_PAGE for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert [f"{_name(page)}: {link}" for page, link in links if not link_leads_somewhere(page, link)] == []


def test_lines_fit_the_page() -> None:
    long = [
        f"{_name(page)}, line {number}"
        for page in EVERY_PAGE
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120 and not line.startswith("|")
    ]
    assert long == []


def test_a_decision_is_one_page_with_its_four_parts() -> None:
    texts = {_name(page): page.read_text(encoding="utf-8") for page in DECISIONS}
    assert [name for name, text in texts.items() if len(text.splitlines()) > PAGE_OF_PAPER] == []
    parts = {name: re.findall(r"^## (.*)$", text, re.MULTILINE) for name, text in texts.items()}
    assert parts == {name: ["Context", "Decision", "Consequences", "Alternatives"] for name in texts}


STANDING = re.compile(
    r"# \d{4} .*\n\n(?:Accepted on (\d{4}-\d\d-\d\d)\.\n\n"
    r"|Superseded by \[(\d{4})\]\(\2-[\w-]+\.md\) on (\d{4}-\d\d-\d\d), accepted on (\d{4}-\d\d-\d\d)\. )"
)
"""How a decision begins: its title, then whether it holds, since when, and which one holds instead of it."""


def test_every_decision_says_whether_it_holds_and_since_when() -> None:
    found = {_name(page): STANDING.match(page.read_text(encoding="utf-8")) for page in DECISIONS}
    assert [name for name, standing in found.items() if standing is None] == []
    for standing in found.values():
        assert standing is not None
        accepted, _, superseded, before = standing.groups()
        for day in filter(None, (accepted, superseded, before)):
            date.fromisoformat(day)
        assert superseded is None or before <= superseded


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for page in DECISIONS:
        assert page.read_text(encoding="utf-8").startswith(f"# {page.name[:4]} ")
    assert [page.name[:4] for page in DECISIONS if is_superseded(page)] == ["0012"]


def test_contributing_has_two_pages_and_each_rule_names_what_holds_it() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 2 * PAGE_OF_PAPER
    rules = re.findall(
        r"^- (.*?)(?=\n- |\n\n)", text.partition("\n## The rules\n")[2] + "\n\n", re.MULTILINE | re.DOTALL
    )
    assert len(rules) >= 10
    for rule in rules:
        holders = re.findall(r"\(([^()]*)\)\.?$", rule)
        assert holders, rule
        for holder in re.findall(r"`([^`]+)`", holders[0]):
            assert holder.startswith("test_") or holder in ("ruff", "mypy", "import-linter", "payments_total"), rule


def test_the_changelog_begins_with_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] in (f"Unreleased {project['version']}", project["version"])


def test_the_notice_has_every_credit_that_the_data_asks_for() -> None:
    sources = (SOURCE / "reference" / "SOURCES.md").read_text(encoding="utf-8")
    section = sources.partition("\n## Credits\n")[2].partition("\n## ")[0]
    credits = [" ".join(credit.split()) for credit in re.split(r"^- ", section, flags=re.MULTILINE) if credit.strip()]
    assert len(credits) >= 5
    notice = " ".join((ROOT / "NOTICE").read_text(encoding="utf-8").split())
    assert [credit for credit in credits if credit not in notice] == []


def settings_page() -> str:
    """Return the text of docs/settings.md."""
    tree = ast.parse((SOURCE / "program" / "configuration.py").read_text(encoding="utf-8"))
    (body,) = [
        node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == Configuration.__name__
    ]
    variables = []
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            names, _, meaning = " ".join(str(text.value.value).split()).partition(": ")
            spelled = ", ".join(f"`{name.strip('`')}`" for name in names.split(", "))
            variables.append(f"| {spelled} | {meaning.replace('None means', 'Without it:')} |")
    settings = [
        f"| `{setting.name}` | {f'`{setting.default}`' if setting.default else 'empty'} | {setting.meaning} |"
        for setting in SETTINGS.values()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "This page is generated; a test compares it with the program.",
            "",
            "## What a business decides",
            "",
            "One set for test mode and one for live mode. `nicobar settings set NAME VALUE` changes one and keeps the",
            "change with its time; running servers use it for new payments within five seconds.",
            "`nicobar settings list` shows what holds.",
            "",
            "| Name | Default | Meaning |",
            "| --- | --- | --- |",
            *settings,
            "",
            "## What an installation is told",
            "",
            "From the environment, or by an option of the command line, which wins.",
            "",
            "| Variable, option | Meaning |",
            "| --- | --- |",
            *variables,
            "",
        ]
    )


def test_the_settings_page_is_the_generated_text() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page(), f"write it anew: {COMMAND}"


def test_every_environment_variable_is_on_the_settings_page() -> None:
    read = set(
        re.findall(r"NICOBAR_[A-Z_]+\b", (SOURCE / "program" / "configuration.py").read_text(encoding="utf-8"))
    ) - {"NICOBAR_"}
    used = {name for name in read if not name.startswith("NICOBAR_STRIPE_")}  # one command's, and in its help
    assert len(used) >= 6
    assert set(re.findall(r"^\| `(NICOBAR_[A-Z_]+)`", settings_page(), re.MULTILINE)) == used
