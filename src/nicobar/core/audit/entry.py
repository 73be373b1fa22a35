"""One entry of the audit log: who did what to which objects, and from where. It has names of fields and no values."""

from datetime import datetime
from typing import Final, Literal, NamedTuple

import msgspec

from nicobar.core.business.tenant import Mode

ActorKind = Literal["key", "command", "page", "program"]
"""An API key, somebody at the command line, somebody at a public page, or the program by itself."""


class Actor(NamedTuple):
    """Who does something."""

    kind: ActorKind
    name: str | None
    """The id of an API key, or the name of the system's user at the command line."""
    address: str | None
    """The client's address; for IPv6 its network."""


PROGRAM: Final = Actor("program", None, None)
"""What the program does by itself."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one change."""

    entry_id: str
    business_id: str | None
    """None for what belongs to the whole installation, such as exchange rates."""
    mode: Mode | None
    at: datetime
    actor: ActorKind
    actor_name: str | None
    address: str | None
    action: str
    """The object and the verb, such as `product.update`."""
    object_ids: list[str]
    fields: list[str]
    """The names of what was changed."""


class Link(msgspec.Struct, frozen=True):
    """The place of an entry in the chain, in which each link vouches for all before it."""

    number: int
    entry_id: str
    tag: bytes
    """The seal of `link_message`."""


def entry_message(entry: AuditEntry) -> bytes:
    """Return the bytes of an entry that its seal is made of: every field, in the order of the struct."""
    return b"entry" + msgspec.json.encode(msgspec.structs.astuple(entry))


def link_message(before: bytes, number: int, entry: AuditEntry) -> bytes:
    """Return the bytes that a link's tag is made of; `before` is the tag of the link before it, empty for the first."""
    return b"link" + msgspec.json.encode((before, number)) + entry_message(entry)


def changed_fields(before: msgspec.Struct, after: msgspec.Struct) -> list[str]:
    """Return the names of the fields that differ, without that of the moment of the change."""
    names = (name for name in before.__struct_fields__ if name != "updated_at")
    return [name for name in names if getattr(before, name) != getattr(after, name)]
