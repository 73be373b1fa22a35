"""`nicobar audit`: who changed keys, settings, processors, taxes, rates, the catalogue and codes, and who refunded."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    Json,
    print_json,
    print_table,
    refuse_without_database,
    with_runtime,
)
from nicobar.program.banner import say
from nicobar.program.configuration import ConfigurationError, read_configuration

if TYPE_CHECKING:
    from nicobar.core.audit.entry import AuditEntry
    from nicobar.flows.runtime import Runtime

LONGEST_LIST: Final = 10_000

app = App(
    name="audit",
    help_epilogue="""Examples:
  nicobar audit list
  nicobar audit list --action refund --json""",
)


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar audit list
  nicobar audit list --action key.
  nicobar audit list --about key_0ABCdefGHIjklMNOpqrST --days 7
  nicobar audit list --limit 10000 --json""",
)
def list_(
    *,
    action: Annotated[str | None, Parameter(help="Only actions that begin so, such as refund or key.create.")] = None,
    about: Annotated[str | None, Parameter(help="Only what this object, key or user has to do with.")] = None,
    days: Annotated[int | None, Parameter(help="Only the last so many days.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, the newest.")] = 100,
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """List who changed what, the newest first, in test and live mode.

    The log has ids and names of fields, and none of their values.

    Nothing is ever taken out of it; 'nicobar doctor' finds an entry that
    was changed, deleted or put in by somebody else.
    """
    if not 1 <= limit <= LONGEST_LIST:
        raise ConfigurationError(f"--limit takes 1 to {LONGEST_LIST}, not {limit}.")
    if days is not None and not 1 <= days <= LONGEST_LIST:
        raise ConfigurationError(f"--days takes 1 to {LONGEST_LIST}, not {days}.")
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "entries")

    async def work(runtime: "Runtime") -> "list[AuditEntry]":
        from nicobar.storage.audit.audit_log import list_audit_entries

        since = None if days is None else runtime.real_now() - timedelta(days=days)
        async with runtime.database.read() as read:
            return await list_audit_entries(read, action=action, about=about, since=since, limit=limit)

    found = with_runtime(configuration, work)
    if json:
        print_json(found)
    elif found:
        print_table(
            ["TIME (UTC)", "MODE", "WHO", "FROM", "ACTION", "FIELDS", "OBJECTS"], [_row(entry) for entry in found]
        )
    else:
        say("There are no such entries.", sys.stderr)
    return 0


def _row(entry: "AuditEntry") -> list[str]:
    who = entry.actor if entry.actor_name is None else f"{entry.actor} {entry.actor_name}"
    fields, objects = ", ".join(entry.fields) or "-", " ".join(entry.object_ids) or "-"
    at = f"{entry.at:%Y-%m-%d %H:%M:%S}"
    return [at, entry.mode or "-", who, entry.address or "-", entry.action, fields, objects]
