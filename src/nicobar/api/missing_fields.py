"""Which required fields a body lacks: the decoder names the first of them alone."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import inspect

NAMED: Final = 20
"""How many fields are named at most."""


def missing_fields(shape: Any, raw: bytes) -> list[str]:
    """Return the JSON paths of the required fields that are not there, the first `NAMED`.

    `shape` is the type of the whole body. Of a place where several kinds of object may be, those of the kind that the
    object says it is. None of a body that is no JSON, which the decoder, who stops at the first fault, may not see.
    """
    try:
        sent = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return []
    return list(islice(_missing(inspect.type_info(shape), sent, ""), NAMED))


def _missing(node: inspect.Type, sent: Any, path: str) -> Iterator[str]:
    if isinstance(node, inspect.Metadata):
        yield from _missing(node.type, sent, path)
    elif isinstance(node, inspect.UnionType):
        for branch in node.types:
            yield from _missing(branch, sent, path)
    elif isinstance(node, inspect.ListType) and isinstance(sent, list):
        for index, each in enumerate(sent):
            yield from _missing(node.item_type, each, f"{path}[{index}]")
    elif isinstance(node, inspect.StructType) and isinstance(sent, dict):
        if node.tag_field is not None and sent.get(node.tag_field) != node.tag:
            return
        for field in node.fields:
            where = f"{path}.{field.encode_name}".removeprefix(".")
            if field.encode_name in sent:
                yield from _missing(field.type, sent[field.encode_name], where)
            elif field.required:
                yield where
