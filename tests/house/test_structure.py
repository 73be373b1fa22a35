"""The house rules that a machine can hold: sizes, names, purity, where transactions open."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "nicobar").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LONGEST_FUNCTION = 60
LONGEST_FILE = 400
BANNED_NAMES = ("service", "utils", "util", "helpers", "helper", "manager", "misc", "common_utils", "base_utils")
ALLOWED_NAMES = {"src/nicobar/api/misc.py"}  # the contract's own name for the resource ("misc" in the SDKs)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def test_files_are_short() -> None:
    lengths = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES + TESTS}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_files_are_named_by_what_they_say() -> None:
    names = {_name(path): set(path.stem.split("_")) for path in SOURCES + TESTS}
    assert [name for name, words in names.items() if name not in ALLOWED_NAMES and words & set(BANNED_NAMES)] == []


def test_functions_fit_a_screen() -> None:
    long = {
        f"{_name(path)}:{node.name}": lines
        for path in SOURCES
        for node in _nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


def _impurities(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(value=float()):
            yield f"line {node.lineno}: a float literal"
        case ast.Name(id="float" | "Decimal"):
            yield f"line {node.lineno}: {node.id}"
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            yield f"line {node.lineno}: true division"
        case ast.Attribute(attr="now" | "utcnow" | "today"):
            yield f"line {node.lineno}: the clock is an argument"


def test_no_float_in_the_core() -> None:
    """Money is exact: the core has no float literal, no `float`, no `/`, and asks no clock."""
    core = [path for path in SOURCES if "/core/" in _name(path)]
    assert core
    found = [f"{_name(path)}, {words}" for path in core for node in _nodes(path) for words in _impurities(node)]
    assert found == []


CORE_MAY_IMPORT = {
    *(
        "base64",
        "calendar",
        "collections",
        "csv",
        "datetime",
        "difflib",
        "fractions",
        "functools",
        "hashlib",
        "hmac",
        "io",
        "ipaddress",
    ),
    *("itertools", "math", "re", "types", "typing", "unicodedata", "urllib.parse", "idna", "msgspec"),
}
"""What computes and does nothing else. `io` and `csv` take a text apart that is in memory already."""


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            return ["." * node.level + (node.module or "")]
        case _:
            return []


def test_the_core_imports_what_is_on_its_list() -> None:
    found = []
    for path in [path for path in SOURCES if "/core/" in _name(path)]:
        for node in _nodes(path):
            found += [
                f"{_name(path)}: {module}"
                for module in _imported(node)
                if not module.startswith("nicobar.core.") and not {module, module.partition(".")[0]} & CORE_MAY_IMPORT
            ]
            if isinstance(node, ast.Name) and node.id in ("open", "__import__", "input", "print"):
                found.append(f"{_name(path)}, line {node.lineno}: {node.id}")
    assert found == []


OTHER_PARTIES = {"src/nicobar/storage/simulator/simulator.py"}
"""Books of somebody else in our database: the simulated bank writes single statements, never within a transaction of
ours, so that it can know of a charge that we do not (decision 0016)."""


def test_transactions_open_only_in_flows() -> None:
    found = []
    for path in SOURCES:
        if "/flows/" in _name(path) or path.name in ("migrate.py", "database.py"):
            continue
        forbidden = {"transaction"} if _name(path) in OTHER_PARTIES else {"transaction", "statement"}
        found += [
            f"{_name(path)}, line {node.lineno}: {node.attr}() outside flows/"
            for node in _nodes(path)
            if isinstance(node, ast.Attribute) and node.attr in forbidden
        ]
    assert found == []


def test_a_flow_has_one_public_function_with_the_name_of_its_file() -> None:
    flows = [path for path in SOURCES if "/flows/" in _name(path) and path.stem not in ("__init__", "runtime")]
    assert flows
    public = {
        path.stem: [
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
        ]
        for path in flows
    }
    assert {stem: names for stem, names in public.items() if names != [stem]} == {}


CORE_FUNCTIONS_IN_SQL = {"lowest_id", "email_key", "origins", "refund_origins", "dispute_origins", "earlier_stages"}
"""What storage takes of the core besides types and constants: keys and tables, of which a query is made."""


def test_storage_decides_nothing() -> None:
    """Storage returns facts: it takes no function of the core that judges, and raises no Problem."""
    found = []
    for path in [path for path in SOURCES if "/storage/" in _name(path)]:
        for node in _nodes(path):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nicobar.core"):
                functions = {alias.name for alias in node.names if alias.name.islower()} - CORE_FUNCTIONS_IN_SQL
                if node.module == "nicobar.core.problems" or functions:
                    found.append(f"{_name(path)}, line {node.lineno}: {node.module} {sorted(functions)}")
    assert found == []


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
        ("storage/payments/payment_insertion.py", "payments"),
        ("storage/payments/payment_moves.py", "payments"),
        ("storage/payments/first_attempts.py", "payments"),
        ("storage/refunds/refunds.py", "refunds"),
        ("storage/disputes/disputes.py", "disputes"),
    }
    payments = (ROOT / "src" / "nicobar" / "storage" / "payments" / "payment_insertion.py").read_text(encoding="utf-8")
    assert [found[0].split()[0] for found in SQL_OF_A_STATUS.finditer(payments)] == ["INSERT"]


@pytest.mark.parametrize(
    ("function", "doors"),
    [("move_refund", ["record_refund_outcome.py", "reverse_refund.py"]), ("move_dispute", ["record_dispute.py"])],
)
def test_refunds_and_disputes_have_one_door(function: str, doors: list[str]) -> None:
    users = [
        path.name
        for path in SOURCES
        for node in _nodes(path)
        if isinstance(node, ast.ImportFrom) and function in [alias.name for alias in node.names]
    ]
    assert sorted(users) == doors


ASKS_OTHERS = ("flows", "pages", "api", "worker")


def _own_ways(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Attribute() if ast.unparse(node) == "asyncio.timeout":
            yield f"line {node.lineno}: a deadline of its own"
        case ast.Await(value=ast.Call(func=function)):
            if ast.unparse(function).rpartition(".")[0].rpartition(".")[2] == "processor":
                yield f"line {node.lineno}: asked without ask_processor"


def test_processors_are_asked_in_one_place() -> None:
    """Whoever waits for a processor does so through `ask_processor`, which has the deadline and keeps its words."""
    found = []
    for path in SOURCES:
        if _name(path).split("/")[2] not in ASKS_OTHERS or path.name == "ask_processor.py":
            continue
        # The worker's deadline is for all of a row's handling, that of retries for another request of the same client.
        if path.name not in ("worker.py", "retries.py"):
            found += [f"{_name(path)}, {words}" for node in _nodes(path) for words in _own_ways(node)]
    assert found == []


FOR_NEW_PAYMENTS = {
    "src/nicobar/flows/accounts/find_charging_processor.py",
    "src/nicobar/flows/payments/confirm_payment.py",
    "src/nicobar/flows/pricing/find_runnable_methods.py",
    "src/nicobar/pages/checkout/visit.py",
    "src/nicobar/pages/session/one_step.py",
}
"""Who looks for the processor that charges now. All others look for the one that something was done with."""


def test_what_was_done_is_asked_of_the_account_that_did_it() -> None:
    imported = "nicobar.flows.accounts.find_processors"
    found = {
        _name(path)
        for path in SOURCES
        for node in _nodes(path)
        if isinstance(node, ast.ImportFrom) and node.module == imported
    }
    assert found == FOR_NEW_PAYMENTS


ASK_THE_CLOCK = ("src/nicobar/flows/runtime.py", "src/nicobar/program/doctor.py")
"""The runtime, whose `now` and `real_now` all others ask, and the doctor, who compares two clocks."""


def test_flows_and_edges_ask_the_runtime_for_the_time() -> None:
    """A tenant's business has a time of its own: whoever asks says which time is meant."""
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in SOURCES
        if _name(path) not in ASK_THE_CLOCK and "/processors/" not in _name(path)
        for node in _nodes(path)
        if isinstance(node, ast.Attribute) and node.attr == "now" and ast.unparse(node.value).endswith("clock")
    ]
    assert found == []


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_path_of_one_machine_and_no_registry_in_tracked_files() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "py" + "pi.org", "npm" + "js.org")
    found = []
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".csv", ".png", ".svg") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {word}" for word in forbidden if word in text]
    assert found == []
