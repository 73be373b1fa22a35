"""The house rules that a machine can hold: sizes, names, purity, where transactions open."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "nicobar").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LONGEST_FUNCTION = 70
LONGEST_FILE = 420
BANNED_NAMES = ("service", "utils", "util", "helpers", "helper", "manager", "misc", "common_utils", "base_utils")
ALLOWED_NAMES = {"src/nicobar/api/misc.py"}  # the contract's own name for the resource ("misc" in the SDKs)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=_name)
def test_files_are_short_and_named_by_what_they_say(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    if _name(path) not in ALLOWED_NAMES:
        assert not set(path.stem.split("_")) & set(BANNED_NAMES)


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_functions_fit_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", [p for p in SOURCES if "/core/" in _name(p)], ids=_name)
def test_no_float_in_the_core(path: Path) -> None:
    """Money is exact: the core has no float literal, no `float`, no `/`, and asks no clock."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), f"line {node.lineno}: a float literal"
        if isinstance(node, ast.Name):
            assert node.id not in ("float", "Decimal"), f"line {node.lineno}: {node.id}"
        if isinstance(node, ast.BinOp | ast.AugAssign):
            assert not isinstance(node.op, ast.Div), f"line {node.lineno}: true division"
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("now", "utcnow", "today"), f"line {node.lineno}: the clock is an argument"


CORE_MAY_IMPORT = {
    *(
        "base64",
        "collections",
        "csv",
        "datetime",
        "difflib",
        "hashlib",
        "hmac",
        "io",
        "ipaddress",
        "itertools",
        "math",
        "re",
    ),
    *("types", "typing", "unicodedata", "urllib.parse", "msgspec"),
}
"""What computes and does nothing else. `io` and `csv` take a text apart that is in memory already."""


def imported(tree: ast.AST) -> list[tuple[int, str]]:
    """Return the modules that a source imports, each with its line."""
    found = [
        (node.lineno, alias.name) for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    ]
    return found + [
        (node.lineno, "." * node.level + (node.module or ""))
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    ]


@pytest.mark.parametrize("path", [p for p in SOURCES if "/core/" in p.as_posix()], ids=_name)
def test_the_core_imports_what_is_on_its_list(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for line, module in imported(tree):
        if not module.startswith("nicobar.core."):
            assert {module, module.partition(".")[0]} & CORE_MAY_IMPORT, f"line {line}: {module}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            assert node.id not in ("open", "__import__", "input", "print"), f"line {node.lineno}: {node.id}"


OTHER_PARTIES = {"src/nicobar/storage/simulator/simulator.py"}
"""Books of somebody else in our database: the simulated bank writes single statements, never within a transaction of
ours, so that it can know of a charge that we do not (decision 0016)."""


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_transactions_open_only_in_flows(path: Path) -> None:
    if "/flows/" in _name(path) or path.name in ("migrate.py", "database.py"):
        return
    forbidden = {"transaction"} if _name(path) in OTHER_PARTIES else {"transaction", "statement"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in forbidden:
            raise AssertionError(f"line {node.lineno}: {node.attr}() outside flows/")


@pytest.mark.parametrize("path", [p for p in SOURCES if "/flows/" in _name(p)], ids=_name)
def test_a_flow_has_one_public_function_with_the_name_of_its_file(path: Path) -> None:
    if path.stem in ("__init__", "runtime"):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]
    assert public == [path.stem]


CORE_FUNCTIONS_IN_SQL = {"object_id", "email_key", "origins", "refund_origins", "dispute_origins", "earlier_stages"}
"""What storage takes of the core besides types and constants: keys and tables, of which a query is made."""


@pytest.mark.parametrize("path", [p for p in SOURCES if "/storage/" in p.as_posix()], ids=_name)
def test_storage_decides_nothing(path: Path) -> None:
    """Storage returns facts: it takes no function of the core that judges, and raises no Problem."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nicobar.core"):
            assert node.module != "nicobar.core.problems", f"line {node.lineno}: a Problem"
            functions = {alias.name for alias in node.names if alias.name.islower()}
            assert functions <= CORE_FUNCTIONS_IN_SQL, f"line {node.lineno}: {functions - CORE_FUNCTIONS_IN_SQL}"


SQL_OF_A_STATUS = re.compile(
    r"\b(?:UPDATE\s+(payments|refunds|disputes)\b(?:(?!\bWHERE\b|\bFROM\b).)*?[\s,]status\s*=(?!\s*ANY)"
    r"|INSERT\s+INTO\s+(payments|refunds|disputes)\b)",
    re.DOTALL,
)


def test_a_status_is_written_in_one_place_of_storage() -> None:
    """Who may call these is held by a contract (payments) or below (refunds, disputes)."""
    found = set()
    for path in SOURCES:
        for statement in SQL_OF_A_STATUS.finditer(path.read_text(encoding="utf-8")):
            found.add((path.relative_to(ROOT / "src" / "nicobar").as_posix(), statement[1] or statement[2]))
    assert found == {
        ("storage/payments/payments.py", "payments"),  # the row of a new payment
        ("storage/payments/payment_moves.py", "payments"),
        ("storage/refunds/refunds.py", "refunds"),
        ("storage/disputes/disputes.py", "disputes"),
    }
    payments = (ROOT / "src" / "nicobar" / "storage" / "payments" / "payments.py").read_text(encoding="utf-8")
    assert [found[0].split()[0] for found in SQL_OF_A_STATUS.finditer(payments)] == ["INSERT"]


@pytest.mark.parametrize(
    ("function", "door"), [("move_refund", "record_refund.py"), ("move_dispute", "record_dispute.py")]
)
def test_refunds_and_disputes_have_one_door(function: str, door: str) -> None:
    users = [
        path.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and function in [alias.name for alias in node.names]
    ]
    assert users == [door]


ASKS_OTHERS = ("flows", "pages", "api", "worker")


@pytest.mark.parametrize("path", [p for p in SOURCES if _name(p).split("/")[2] in ASKS_OTHERS], ids=_name)
def test_processors_are_asked_in_one_place(path: Path) -> None:
    """Whoever waits for a processor does so through `ask_processor`, which has the deadline and keeps its words."""
    if path.name in ("ask_processor.py", "worker.py"):  # the worker's deadline is for all of a row's handling
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) != "asyncio.timeout", f"line {node.lineno}: a deadline of its own"
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            asked = ast.unparse(node.value.func).rpartition(".")[0]
            assert asked.rpartition(".")[2] != "processor", f"line {node.lineno}: asked without ask_processor"


ASK_THE_CLOCK = ("src/nicobar/flows/runtime.py", "src/nicobar/program/doctor.py")
"""The runtime, whose `now` and `real_now` all others ask, and the doctor, who compares two clocks."""


def test_flows_and_edges_ask_the_runtime_for_the_time() -> None:
    """A tenant's business has a time of its own: whoever asks says which time is meant."""
    for path in SOURCES:
        if _name(path) in ASK_THE_CLOCK or "/processors/" in _name(path):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "now":
                assert not ast.unparse(node.value).endswith("clock"), f"{_name(path)}:{node.lineno}"


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_path_of_one_machine_and_no_registry_in_tracked_files() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "py" + "pi.org", "npm" + "js.org")
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".csv", ".png", ".svg") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not [word for word in forbidden if word in text], name
