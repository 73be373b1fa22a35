"""An answer that is put together from several queries shows one moment: it is read from one snapshot."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "src" / "nicobar").rglob("*.py"))}

Function = ast.AsyncFunctionDef

NO_SNAPSHOT = {
    "installation.py": "the second look waits for a lock, and has to see what others did meanwhile",
    "load_pricing_facts.py": "the hot path: usually one query, and a code is checked again under its lock",
}
"""Reads of several queries on purpose."""


def functions() -> Iterator[tuple[Path, Function]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield path, node


def awaits(body: list[ast.stmt], connection: str) -> list[str]:
    """Return what is called with a connection, once for each place; queries on the connection itself count, too."""
    found = []
    for node in [inner for statement in body for inner in ast.walk(statement)]:
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            parts = [node.value.func, *node.value.args]
            names = {inner.id for part in parts for inner in ast.walk(part) if isinstance(inner, ast.Name)}
            if connection in names:
                found.append(ast.unparse(node.value.func).rpartition(".")[2])
    return found


def with_several_queries() -> set[str]:
    """Return the functions that ask a connection which they are given more than once."""
    asked = {
        function.name: awaits(function.body, argument.arg)
        for _, function in functions()
        for argument in function.args.args
        if argument.annotation is not None and ast.unparse(argument.annotation) == "Read"
    }
    several: set[str] = set()
    while True:
        found = {name for name, calls in asked.items() if len(calls) > 1 or several.intersection(calls)}
        if found == several:
            return several
        several = found


def plain_reads() -> Iterator[tuple[str, int, list[str]]]:
    """Yield every block with a connection that is no snapshot: its file, its line, what it asks."""
    for path, function in functions():
        for node in ast.walk(function):
            if isinstance(node, ast.AsyncWith):
                for item in node.items:
                    if ast.unparse(item.context_expr).endswith("atabase.read()") and item.optional_vars is not None:
                        yield path.name, node.lineno, awaits(node.body, ast.unparse(item.optional_vars))


def test_several_queries_for_one_answer_share_a_snapshot() -> None:
    several = with_several_queries()
    assert {"get_refund", "render_event_now", "load_cart_facts"} & several == {"get_refund", "render_event_now"}
    assert "get_payment" not in several
    reads = list(plain_reads())
    assert len(reads) > 30
    found = {(name, line): calls for name, line, calls in reads if len(calls) > 1 or several.intersection(calls)}
    assert {name for name, _ in found} & set(NO_SNAPSHOT) == set(NO_SNAPSHOT)
    assert {place: calls for place, calls in found.items() if place[0] not in NO_SNAPSHOT} == {}
