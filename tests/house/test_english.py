"""Docstrings and comments are written as a native engineer writes, and name modules that exist."""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "nicobar"
FILES = sorted(file for folder in ("src", "tests", "bench") for file in (ROOT / folder).rglob("*.py"))

BANNED = {
    r"\b(?:say|tell) whether\b": "return whether",
    r"\bbears? being run twice\b": "is idempotent",
    r"\bsees? to it that\b": "ensure",
    r"\bworks? off\b": "process",
    r"\b(?:shall|should) hear of\b|\bnothing was heard of\b": "be notified of; has been silent",
    r"(?:^|\. )ask about\b|\b(?:is|are|be) asked about\b": "query",
    r"\banew\b": "again, re-",
    r"\bstands? in (?:a|an|one|the order)\b": "is in",
    r"\b(?:attempt|link|time|month) is over\b": "has ended, has expired",
    r"(?:^|\. )lend an?\b": "yield",
    r"\bshall\b": "may, must",
    r"\bfor good\b": "permanently",
    r"\bin (?:its|the) one form\b": "in its canonical form",
    r"\bbeside\b": "besides, alongside, next to",
    r"\b(?:is|are) told (?:nobody|about|nothing)\b": "is notified of",
    r"(?:^|\. )(?:say that|hear that)\b": "show that, record that",
    r"\bhence\b": "therefore",
    r"(?:^|\. )(?:say|tell) (?:what|how|of|that|who)\b": "return, describe, compute",
    r"\bof theirs\b": "of their own",
    r"(?:^|\. )for (?:so|how) long\b|\bfor so long\b": "how long, that long",
    r"(?:^|\. )let nobody\b": "lock ... against",
    r"(?:^|\. )learn the end\b": "find out how ... ended",
    r"\btime is over\b|\btime of the \w+ is over\b": "has expired, has ended",
    r"\bas (?:it|they) stands?\b": "as it is, as of",
    r"\b(?:page|row|name|line|one|it|which|that) stands? (?:below|behind|before|under|right)\b": "is below, precedes",
    r"\bwhat stands\b(?! in the way)": "what is",
    r"\bgoes away\b(?! from)": "is lost",
    r"\b(?:allow|permit|enable)s? to\b": "allow somebody to, make it possible to",
    r"\binformations\b|\bthe both\b|\bdiscuss about\b": "information, both, discuss",
}
"""What recurred and is no idiomatic English, with what to write instead."""

LAYERS = "core|reference|wire|storage|processors|flows|api|pages|worker|program|commands"


@cache
def prose_in(path: Path) -> list[str]:
    return prose_of(path.read_text(encoding="utf-8"))


def prose_of(text: str) -> list[str]:
    """Return the docstrings and comments of a module, each on one line; comments that follow one another are one."""
    found = [
        node.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    row = -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            words = token.string.lstrip("# ")
            if token.start[0] == row + 1:
                found[-1] += " " + words
            else:
                found.append(words)
            row = token.start[0]
    return [" ".join(one.split()) for one in found]


ANY = re.compile("|".join(f"(?:{pattern})" for pattern in BANNED), re.IGNORECASE)


def banned_in(prose: str) -> list[str]:
    if not ANY.search(prose):
        return []
    return [pattern for pattern in BANNED if re.search(pattern, prose, re.IGNORECASE)]


def resolves(name: str) -> bool:
    """Return whether a dotted name is a module of the source, or something that one mentions."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        place = SOURCE.joinpath(*parts[:length])
        if place.with_suffix(".py").is_file():
            text = place.with_suffix(".py").read_text(encoding="utf-8")
            return all(re.search(rf"\b{re.escape(part)}\b", text) for part in parts[length:])
        if place.is_dir():
            return length == len(parts)
    return False


def test_no_turn_of_phrase_that_is_banned() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {pattern} ({BANNED[pattern]}) in: {prose[:80]}"
        for path in FILES
        for prose in prose_in(path)
        for pattern in banned_in(prose)
    ]
    assert found == []


def test_a_banned_turn_is_noticed_over_two_lines_and_in_comments() -> None:
    text = 'def f():\n    """Say\n    whether it is so."""\n    # Rows that stand in\n    # the order of the cart.\n'
    assert [banned_in(prose) for prose in prose_of(text)] == [
        [r"\b(?:say|tell) whether\b"],
        [r"\bstands? in (?:a|an|one|the order)\b"],
    ]
    assert banned_in("Nobody stands in the way; an understanding of a henceforth") == []


def test_modules_that_docstrings_name_exist() -> None:
    named = {
        f"{path.relative_to(SOURCE)}: {name}": name
        for path in sorted(SOURCE.rglob("*.py"))
        for prose in prose_in(path)
        for name in re.findall(rf"`((?:{LAYERS})(?:\.\w+)+)(?:\(\))?`", prose)
    }
    assert len(named) >= 10
    assert [place for place, name in named.items() if not resolves(name)] == []
    assert not resolves("core.product.check_price")
    assert not resolves("core.catalog.product.judge_price")
