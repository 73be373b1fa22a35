"""How the source is laid out: small folders that do not lean on each other in circles."""

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "nicobar"

MOST_MODULES = 20
"""Python modules in one folder, besides its `__init__.py`."""


def folders() -> list[Path]:
    return sorted({path.parent for base in (SOURCE, ROOT / "tests") for path in base.rglob("*.py")})


def test_folders_are_small() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): len([*path.glob("*.py")]) for path in folders()}
    for name in sizes:
        sizes[name] -= (ROOT / name / "__init__.py").exists()
    assert {name: size for name, size in sizes.items() if size > MOST_MODULES} == {}


def imported_modules(path: Path) -> set[str]:
    """Return the modules of the program that a file imports, those for types alone included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("nicobar"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("nicobar.")}
    return found


def folder_of(module: str) -> str | None:
    """Return the folder that holds a module; a module at the root, which only opens a door, stands for itself."""
    path = SOURCE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    if not path.exists():
        return None
    return module if path.parent == SOURCE else path.parent.relative_to(SOURCE).as_posix()


def test_no_circle_between_folders() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        own = folder_of(".".join(("nicobar", *path.relative_to(SOURCE).with_suffix("").parts)))
        assert own is not None
        graph[own] |= {other for module in imported_modules(path) if (other := folder_of(module)) not in (None, own)}
    assert len(graph) > 60
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from error
