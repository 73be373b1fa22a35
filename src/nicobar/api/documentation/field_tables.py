"""The fields of a JSON Schema as the rows of a table: flat, with the path to each nested field in front of its name."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from markupsafe import Markup

from nicobar.api.documentation.schemas import Schema, component_name

_PLURALS: Final = {
    "boolean": "booleans",
    "date-time": "date-times",
    "integer": "integers",
    "number": "numbers",
    "object": "objects",
    "string": "strings",
}


class Field(NamedTuple):
    """One row."""

    parent: str
    """The path in front of the name, such as `product_cart[].`; empty at the top."""
    name: str
    required: bool
    kind: Markup
    """The type in words; a closed list is a link to its values."""
    notes: list[str]
    """Bounds, default and pattern, each a few words."""
    text: str


class Variant(NamedTuple):
    """A heading between rows: the fields below it belong to one of several shapes, told apart by a tag."""

    parent: str
    tag: str
    value: str


def fields_of(
    schema: Schema, components: dict[str, Schema], parent: str = "", above: tuple[str, ...] = ()
) -> Iterator[Field | Variant]:
    """Yield the fields of an object, of the items of a list or of the shapes of a union, each followed by its own.

    A type inside itself (`above` are the names of the types around) is not opened again.
    """
    if "$ref" in schema:
        name = component_name(schema["$ref"])
        if name not in above:
            yield from fields_of(components[name], components, parent, (*above, name))
    elif "discriminator" in schema:
        tag = schema["discriminator"]["propertyName"]
        for value, reference in schema["discriminator"]["mapping"].items():
            yield Variant(f"{parent}." if parent else "", tag, value)
            yield from fields_of({"$ref": reference}, components, parent, above)
    elif "anyOf" in schema:
        for branch in schema["anyOf"]:
            yield from fields_of(branch, components, parent, above)
    elif "items" in schema:
        yield from fields_of(schema["items"], components, f"{parent}[]", above)
    else:
        for name, field in schema.get("properties", {}).items():
            yield field_of(name, field, components, parent, required=name in schema.get("required", ()))
            yield from fields_of(field, components, f"{parent}.{name}" if parent else name, above)


def field_of(name: str, schema: Schema, components: dict[str, Schema], parent: str = "", *, required: bool) -> Field:
    """Return the row of one field or parameter."""
    branches = [branch for branch in schema.get("anyOf", ()) if branch.get("type") != "null"]
    texts = [part["description"] for part in (schema, *branches) if part.get("description")]
    notes = _notes(schema)
    if schema.get("default") is not None:
        notes.append(f"default `{_literal(schema['default'])}`")
    return Field(
        parent=f"{parent}." if parent else "",
        name=name,
        required=required,
        kind=kind_of(schema, components),
        notes=notes,
        text=" ".join(text.rstrip(".") + "." for text in texts),
    )


def kind_of(schema: Schema, components: dict[str, Schema], *, plural: bool = False) -> Markup:
    """Return the type in words, such as "list of strings or null"."""
    if "$ref" in schema:
        name = component_name(schema["$ref"])
        if "enum" in components[name]:
            return Markup('<a href="#{0}">{0}</a>').format(name)
        return kind_of(components[name], components, plural=plural)
    if "anyOf" in schema:
        kinds = dict.fromkeys(kind_of(branch, components, plural=plural) for branch in schema["anyOf"])
        return Markup(" or ").join(kinds)
    word = "date-time" if schema.get("format") == "date-time" else schema.get("type", "anything")
    if word == "array":
        items = kind_of(schema["items"], components, plural=True) if "items" in schema else Markup("anything")
        return Markup("{} of {}").format("lists" if plural else "list", items)
    return Markup("{}").format(_PLURALS.get(word, word) if plural else word)


def _notes(schema: Schema) -> list[str]:
    """Return what else a value must fulfil, in the order in which one would check it."""
    notes: list[str] = []
    if "enum" in schema:
        values = ", ".join(f"`{_literal(value)}`" for value in schema["enum"])
        notes.append(values if len(schema["enum"]) == 1 else f"one of {values}")
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if text := _bounds(schema.get(least), schema.get(most)):
            notes.append(text + unit)
    if "pattern" in schema:
        notes.append(f"pattern `{schema['pattern']}`")
    if "items" in schema:
        notes += [f"each {note}" for note in _notes(schema["items"])]
    for branch in schema.get("anyOf", ()):
        notes += [note for note in _notes(branch) if note not in notes]
    return notes


def _bounds(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"{least} to {most}"
    if most is not None:
        return f"up to {most}"
    return "" if least is None else f"at least {least}"


def _literal(value: Any) -> str:
    """Return a value as JSON shows it, without the quotes of a text."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
