"""One meaning a word: public types have names of their own, the glossary is true, and old words stay away."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from pathlib import Path

import pytest

from house.test_docs import definitions

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "nicobar").rglob("*.py"))
ROW = re.compile(r"^\| ([^|`]+?) \| ([^|]+) \|$", re.MULTILINE)

BANNED = {
    "refunded_amount": "refund_reserved_amount",
    "refunded_tax": "refund_reserved_tax",
    "returned_amount": "refund_succeeded_amount",
    "return_charge": "refund_duplicate_charge",
    "hear_of_refund": "set_refund_outcome",
    "RefundWish": "RefundInstruction",
    "Rehearsal": "SimulatedCharge",
    "SimulatedOrder": "BankCharge",
    "Settings": "Configuration, or BusinessSettings",
    "read_settings": "read_configuration",
    "authorise": "authenticate",
    "read_answer": "read_response",
    r"_?settle": "resolve, end or decide: only settlement money is settled",
    r"forget_\w+": "purge_...",
}
"""Words that misled, as patterns of whole identifiers, and what is said instead."""


def types_of(tree: ast.Module) -> list[str]:
    """Return the public classes and type aliases that a module defines."""
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            names.append(node.targets[0].id)
    return [name for name in names if re.fullmatch(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*", name)]


def terms() -> dict[str, str]:
    """Return the terms of the glossary with their meanings."""
    rows = ROW.findall((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
    return {term: meaning for term, meaning in rows if term not in ("Term", "---")}


def test_no_public_type_has_the_name_of_another() -> None:
    places = defaultdict(list)
    for path in SOURCES:
        for name in types_of(ast.parse(path.read_text(encoding="utf-8"))):
            places[name].append(path.relative_to(ROOT).as_posix())
    assert len(places) > 400
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_each_term_has_one_line_and_every_name_in_it_exists() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert len(terms()) == len([row for row in ROW.findall(page) if row[0] not in ("Term", "---")]) >= 60
    known = set().union(*(definitions(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES))
    named = [name for meaning in terms().values() for name in re.findall(r"`([A-Z][\w.]+)`", meaning)]
    assert len(named) >= 40
    assert [name for name in named if name not in known] == []


def banned_in(text: str) -> list[str]:
    """Return the identifiers of a source file that are banned."""
    pattern = re.compile("|".join(BANNED))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.NAME and pattern.fullmatch(token.string)]


def test_words_that_misled_do_not_come_back() -> None:
    found = {path.relative_to(ROOT).as_posix(): banned_in(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("payment.refunded_amount", ["refunded_amount"]),
        ("async def settle(order): ...", ["settle"]),
        ("await forget_pictures()", ["forget_pictures"]),
        ("settlement = settled", []),
    ],
)
def test_a_banned_word_is_seen(line: str, words: list[str]) -> None:
    assert banned_in(line) == words
