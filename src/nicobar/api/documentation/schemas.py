"""From wire types to the component schemas of the OpenAPI document.

msgspec writes the JSON Schema. What it does not know is added here: names that read well, moments in time, the long
closed lists as components of their own, and what the source says below a field.
"""

import ast
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from inspect import cleandoc, getsource
from itertools import pairwise
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import inspect as types

from nicobar.wire import codes

Schema = dict[str, Any]
"""One JSON Schema (2020-12), as plain dicts and lists."""

REFERENCE: Final = "#/components/schemas/"

_CODE_LISTS: Final[dict[frozenset[Any], str]] = {
    frozenset(get_args(alias)): name for name, alias in vars(codes).items() if get_origin(alias) is Literal
}
"""Values to name of each closed list of the contract."""

_PAGE_OF: Final = re.compile(r"(?:Items|CursorPage)_(\w+?)(?:Read|Details|ListItem|Item)?_")
_POINTER: Final = re.compile(r"\s*\(contract\b[^)]*\)")
_FOLDED: Final = re.compile(r"(?<!\n)\n(?!\n)")


def describe_types(wire_types: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """Return one schema a type, in order, and the components that they refer to, by name."""
    schemas, components = msgspec.json.schema_components(wire_types, ref_template=REFERENCE + "{name}")
    for struct in _structs(wire_types):
        _complete(struct, components)
    names = _readable(list(components))
    lists: dict[str, Schema] = {}
    finished = {
        names[name]: {**_rewritten(schema, names, lists), "title": names[name]} for name, schema in components.items()
    }
    return [_rewritten(schema, names, lists) for schema in schemas], finished | dict(sorted(lists.items()))


def component_name(reference: str) -> str:
    """Return the name that a `$ref` to a component ends with."""
    return reference.removeprefix(REFERENCE)


def resolve(schema: Schema, components: dict[str, Schema]) -> Schema:
    """Return the schema itself, or the component that it refers to."""
    return components[component_name(schema["$ref"])] if "$ref" in schema else schema


def plain_text(docstring: str) -> str:
    """Return a docstring as paragraphs without line breaks; pointers into the contract's pages are left out."""
    return _FOLDED.sub(" ", _POINTER.sub("", cleandoc(docstring))).strip()


def _structs(wire_types: Sequence[Any]) -> list[types.StructType]:
    """Return every struct in these types, each once."""
    found: dict[Any, types.StructType] = {}

    def walk(node: object) -> None:
        if isinstance(node, types.StructType):
            if node.cls in found:
                return
            found[node.cls] = node
        if isinstance(node, types.Type | types.Field):
            for name in node.__struct_fields__:
                walk(getattr(node, name))
        elif isinstance(node, list | tuple):
            for item in node:
                walk(item)

    walk(types.multi_type_info(wire_types))
    return list(found.values())


def _complete(struct: types.StructType, components: dict[str, Schema]) -> None:
    """Add to a struct's component what the source says of its fields, and the format of moments."""
    origin = get_origin(struct.cls) or struct.cls
    full_name = f"{origin.__module__}.{origin.__qualname__}"
    title = origin.__name__ + "".join(f"[{argument.__name__}]" for argument in get_args(struct.cls))
    name = full_name if full_name in components else re.sub(r"[^\w.-]", "_", title)
    component = components[name]
    if "description" in component:
        component["description"] = plain_text(component["description"])
    said = _field_texts(origin)
    for field in struct.fields:
        schema = component["properties"][field.encode_name]
        _mark_moments(field.type, schema)
        texts = [said.get(field.name, ""), schema.get("description", "")]
        if any(texts):
            schema["description"] = " ".join(text.rstrip(".") + "." for text in texts if text)


def _mark_moments(kind: types.Type, schema: Schema) -> None:
    """Set `format: date-time`, which msgspec leaves out where it also takes a moment without an offset."""
    while isinstance(kind, types.Metadata):
        kind = kind.type
    if isinstance(kind, types.DateTimeType):
        schema["format"] = "date-time"
    elif isinstance(kind, types.UnionType) and any(isinstance(member, types.DateTimeType) for member in kind.types):
        for branch in schema["anyOf"]:
            if branch.get("type") == "string":
                branch["format"] = "date-time"


def _readable(names: list[str]) -> dict[str, str]:
    """Return a readable name for each of msgspec's.

    `Items_PaymentListItem_` becomes `PaymentList`. Two types of one name are told apart by their modules:
    `nicobar.wire.catalog.brands.Image` becomes `BrandsImage`.
    """
    found: dict[str, str] = {}
    for name in names:
        readable = name
        if page := _PAGE_OF.fullmatch(name):
            readable = f"{page[1]}List"
        elif "." in name:
            module, plain = name.split(".")[-2:]
            readable = module.title().replace("_", "") + plain
        if readable != name and (readable in names or readable in found.values()):
            readable = re.sub(r"\W|_", "", name)
        found[name] = readable
    return found


def _rewritten(node: Any, names: dict[str, str], lists: dict[str, Schema]) -> Any:
    """Return a copy with readable names in its references; closed lists become references, collected in `lists`."""
    if isinstance(node, list):
        return [_rewritten(item, names, lists) for item in node]
    if isinstance(node, str) and node.startswith(REFERENCE):
        return REFERENCE + names[component_name(node)]
    if not isinstance(node, dict):
        return node
    if isinstance(values := node.get("enum"), list) and all(isinstance(value, str) for value in values):
        rest = {key: value for key, value in node.items() if key != "enum"}
        if name := _CODE_LISTS.get(frozenset(values)):
            lists[name] = _code_list(name)
            return {"$ref": REFERENCE + name, **rest}
        return {"type": "string", "enum": values, **rest}
    return {key: _rewritten(value, names, lists) for key, value in node.items()}


def _code_list(name: str) -> Schema:
    """Return the component of a closed list, its values in the contract's order."""
    schema: Schema = {"title": name, "description": _source_texts(codes.__name__).get("", {}).get(name, "")}
    return schema | {"type": "string", "enum": list(get_args(getattr(codes, name)))}


def _field_texts(struct: Any) -> dict[str, str]:
    """Return field name -> the text below the field, of a struct and of the structs that it extends."""
    found: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        found |= _source_texts(cls.__module__).get(cls.__name__, {})
    return found


@lru_cache(maxsize=256)
def _source_texts(module: str) -> dict[str, dict[str, str]]:
    """Return class name -> field name -> text, read from the source of a module; "" holds the module's own names.

    Python forgets a string below a field, so the source is asked. Without a source there are no texts.
    """
    try:
        tree = ast.parse(getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    classes = {node.name: _texts_below(node.body) for node in tree.body if isinstance(node, ast.ClassDef)}
    return {"": _texts_below(tree.body), **classes}


def _texts_below(body: list[ast.stmt]) -> dict[str, str]:
    """Return name -> the string right below its assignment."""
    found: dict[str, str] = {}
    for statement, below in pairwise(body):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = plain_text(text)
    return found
