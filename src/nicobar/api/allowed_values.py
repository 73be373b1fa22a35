"""Which values a place in a request takes, for the message that refuses another one."""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import inspect

from nicobar.wire.patterns import EXPECTED

_SAID: Final = {f"Expected `str` matching regex {pattern!r}": words for pattern, words in EXPECTED.items()}
"""Ours for msgspec's words."""

_STEP: Final = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")


def allowed_values(shape: Any, path: str) -> list[str]:
    """Return the values of the enumeration at a path such as `.product_cart[0].kind`; none where there is no such list.

    `shape` is the type of the whole body or query. The path is as msgspec writes it, without its `$`.
    """
    nodes: list[inspect.Type] = list(_branches(inspect.type_info(shape)))
    for step in _STEP.finditer(path):
        nodes = [below for node in nodes for child in _children(node, step[1]) for below in _branches(child)]
    found = [value for node in nodes if isinstance(node, inspect.LiteralType) for value in node.values]
    return [str(value) for value in dict.fromkeys(found)]


def explained(words: str, shape: Any, path: str) -> str:
    """Return msgspec's words about a wrong value, with those that are allowed added to them, and no pattern."""
    if not words.startswith(("Invalid enum value", "Invalid value")):
        return _SAID.get(words, words)
    allowed = allowed_values(shape, path)
    return f"{words}; it is one of: {', '.join(allowed)}" if allowed else words


def _branches(node: inspect.Type) -> Iterator[inspect.Type]:
    """Return the alternatives of a type."""
    if isinstance(node, inspect.UnionType):
        for branch in node.types:
            yield from _branches(branch)
    elif isinstance(node, inspect.Metadata):
        yield from _branches(node.type)
    else:
        yield node


def _children(node: inspect.Type, field: str | None) -> list[inspect.Type]:
    """Return what a field, or an element, of a type can be."""
    if field is not None:
        if not isinstance(node, inspect.StructType):
            return []
        if field == node.tag_field:
            return [inspect.LiteralType(values=(node.tag,))]
        return [each.type for each in node.fields if each.encode_name == field]
    if isinstance(node, inspect.ListType | inspect.VarTupleType):
        return [node.item_type]
    return [node.value_type] if isinstance(node, inspect.DictType) else []
