"""`nicobar keys`: the API keys of applications."""

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from nicobar.commands.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Json,
    Yes,
    confirm,
    print_json,
    print_table,
    refuse_without_database,
    with_runtime,
)
from nicobar.program.banner import answer, command, say
from nicobar.program.configuration import ConfigurationError, read_configuration

if TYPE_CHECKING:
    from datetime import datetime

    from nicobar.flows.runtime import Runtime
    from nicobar.storage.business.keys import StoredKey

app = App(
    name="keys",
    help_epilogue="""Examples:
  nicobar keys create
  nicobar keys list
  nicobar keys revoke key_0ABCdefGHIjklMNOpqrST""",
)


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys create
  nicobar keys create --name "The shop's server"
  nicobar keys create --mode live --read-only
  export DODO_PAYMENTS_API_KEY=$(nicobar keys create)"""
)
def create(
    *,
    mode: InMode = "test",
    read_only: Annotated[bool, Parameter(help="The key can read, but not change anything.")] = False,
    name: Annotated[str, Parameter(help="What you call it, to tell it from others in the list.")] = "",
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Make an API key and print it, and nothing else, on the standard output.

    It is shown this once: only its hash is stored. It works at once, also on a server that runs already.
    """
    configuration = read_configuration(data=data, database_url=database_url)

    async def work(runtime: "Runtime") -> str:
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.business.create_key import create_key
        from nicobar.program.installation import own_business

        _, text = await create_key(runtime, Tenant(await own_business(runtime), mode), read_only, name.strip())
        return text

    answer(with_runtime(configuration, work))
    return 0


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys list
  nicobar keys list --json
  nicobar keys list --data ./data""",
)
def list_(*, json: Json = False, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """List the API keys, the revoked ones too. The keys themselves are not stored; the hint is how a key ends.

    When a key was last used is kept to the minute, and written a minute later.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "keys")
    found = with_runtime(configuration, _all_keys)
    if json:
        print_json([_as_json(stored) for stored in found])
    elif found:
        titles = ["ID", "MODE", "ACCESS", "HINT", "NAME", "CREATED (UTC)", "LAST USED (UTC)", "REVOKED (UTC)"]
        print_table(titles, [_row(stored) for stored in found])
    else:
        say(f"There are no API keys yet. Make one with: {command(configuration, 'keys create')}", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys list
  nicobar keys revoke key_0ABCdefGHIjklMNOpqrST
  nicobar keys revoke key_0ABCdefGHIjklMNOpqrST --yes"""
)
def revoke(
    key_id: Annotated[str, Parameter(help="The id of the key, as 'nicobar keys list' shows it.")],
    /,
    *,
    yes: Yes = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Make an API key worthless, for good. A running server may take it for a few seconds more."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "keys")
    valid = [stored for stored in with_runtime(configuration, _all_keys) if stored.revoked_at is None]
    found = next((stored for stored in valid if stored.key.key_id == key_id), None)
    if found is None:
        raise ConfigurationError(
            f"There is no valid key with the id {key_id!r}. 'nicobar keys list' shows the ids; the key itself, "
            "nicobar_..., is not one."
        )
    named = f" {found.name!r}" if found.name else ""
    confirm(f"Make the {found.key.tenant.mode} key{named} that ends in {found.key.hint} worthless?", yes)

    async def work(runtime: "Runtime") -> None:
        from nicobar.flows.business.revoke_key import revoke_key

        await revoke_key(runtime, found.key.tenant.business_id, key_id)

    with_runtime(configuration, work)
    say(f"The key {key_id} is revoked.", sys.stderr)
    return 0


async def _all_keys(runtime: "Runtime") -> "list[StoredKey]":
    from nicobar.storage.business.businesses import first_business
    from nicobar.storage.business.keys import list_keys

    async with runtime.database.snapshot() as read:
        business_id = await first_business(read)
        return [] if business_id is None else await list_keys(read, business_id)


def _as_json(stored: "StoredKey") -> dict[str, object]:
    return {
        "key_id": stored.key.key_id,
        "mode": stored.key.tenant.mode,
        "read_only": stored.key.read_only,
        "hint": stored.key.hint,
        "name": stored.name or None,
        "created_at": stored.created_at,
        "last_used_at": stored.last_used_at,
        "revoked_at": stored.revoked_at,
    }


def _row(stored: "StoredKey") -> list[str]:
    access = "read" if stored.key.read_only else "write"
    moments = (_minute(at) for at in (stored.created_at, stored.last_used_at, stored.revoked_at))
    return [stored.key.key_id, stored.key.tenant.mode, access, f"...{stored.key.hint}", stored.name or "-", *moments]


def _minute(at: "datetime | None") -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}"
