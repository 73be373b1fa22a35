"""`nicobar keys`: the API keys of applications."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
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
from nicobar.core.business.tenant import SCOPES, Scope
from nicobar.core.counted import counted
from nicobar.program.banner import answer, command, say
from nicobar.program.configuration import Configuration, ConfigurationError, read_configuration

if TYPE_CHECKING:
    from datetime import datetime

    from nicobar.core.business.tenant import ApiKey
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.business.keys import StoredKey

app = App(
    name="keys",
    help_epilogue="""Examples:
  nicobar keys create
  nicobar keys list
  nicobar keys rotate key_0ABCdefGHIjklMNOpqrST
  nicobar keys revoke key_0ABCdefGHIjklMNOpqrST""",
)

LONGEST_DAYS: Final = 3650
"""The longest life of a key that has an end."""

LONGEST_OVERLAP_HOURS: Final = 90 * 24

KeyId = Annotated[str, Parameter(help="The id of the key, as 'nicobar keys list' shows it.")]


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys create
  nicobar keys create --name "The shop's server"
  nicobar keys create --mode live --read-only
  nicobar keys create --scope payments --scope refunds --days 90
  export DODO_PAYMENTS_API_KEY=$(nicobar keys create)"""
)
def create(
    *,
    mode: InMode = "test",
    read_only: Annotated[bool, Parameter(help="The key can read, but not change anything.")] = False,
    name: Annotated[str, Parameter(help="What you call it, to tell it from others in the list.")] = "",
    scope: Annotated[
        list[Scope] | None,
        Parameter(help="What the key may write; give it several times for more. It reads everything.", negative=""),
    ] = None,
    days: Annotated[int | None, Parameter(help="The key works for so many days; without it for good.")] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Make an API key and print it, and nothing else, on the standard output.

    It is shown this once: only its hash is stored. It works at once, also on a server that runs already.
    """
    lifetime = None if days is None else _period(days, 1, LONGEST_DAYS, "--days", "days")
    configuration = read_configuration(data=data, database_url=database_url)

    async def work(runtime: "Runtime") -> str:
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.business.create_key import create_key
        from nicobar.program.installation import own_business

        tenant = Tenant(await own_business(runtime), mode)
        expires_at = None if lifetime is None else runtime.real_now() + lifetime
        scopes = frozenset(scope) if scope else None
        _, text = await create_key(runtime, tenant, read_only, name.strip(), scopes=scopes, expires_at=expires_at)
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
        titles = [
            "ID",
            "MODE",
            "ACCESS",
            "HINT",
            "NAME",
            "CREATED (UTC)",
            "LAST USED (UTC)",
            "EXPIRES (UTC)",
            "REVOKED (UTC)",
        ]
        print_table(titles, [_row(stored) for stored in found])
    else:
        say(f"There are no API keys yet. Make one with: {command(configuration, 'keys create')}", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys list
  nicobar keys rotate key_0ABCdefGHIjklMNOpqrST
  nicobar keys rotate key_0ABCdefGHIjklMNOpqrST --overlap-hours 0"""
)
def rotate(
    key_id: KeyId,
    /,
    *,
    overlap_hours: Annotated[int, Parameter(help="How long the old key goes on working beside the new one.")] = 24,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Make a new key that may do what an old one may, and print it, and nothing else, on the standard output.

    The old key ends after the overlap: give the new one to your applications
    in the meantime. A key that was made for a number of days hands them on,
    counted from now.
    """
    overlap = _period(overlap_hours, 0, LONGEST_OVERLAP_HOURS, "--overlap-hours", "hours")
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "keys")
    old = _valid_key(configuration, key_id)

    async def work(runtime: "Runtime") -> str:
        from nicobar.flows.business.rotate_key import rotate_key

        return (await rotate_key(runtime, old.key.tenant.business_id, key_id, overlap))[1]

    answer(with_runtime(configuration, work))
    say(f"The key {key_id} ends in {counted(overlap_hours, 'hour')}.", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys list
  nicobar keys revoke key_0ABCdefGHIjklMNOpqrST
  nicobar keys revoke key_0ABCdefGHIjklMNOpqrST --yes"""
)
def revoke(
    key_id: KeyId,
    /,
    *,
    yes: Yes = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Revoke an API key permanently. A running server may take it for a few seconds more."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "keys")
    found = _valid_key(configuration, key_id)
    named = f" {found.name!r}" if found.name else ""
    confirm(f"Make the {found.key.tenant.mode} key{named} that ends in {found.key.hint} worthless?", yes)

    async def work(runtime: "Runtime") -> None:
        from nicobar.flows.business.revoke_key import revoke_key

        await revoke_key(runtime, found.key.tenant.business_id, key_id)

    with_runtime(configuration, work)
    say(f"The key {key_id} is revoked.", sys.stderr)
    return 0


def _period(count: int, least: int, most: int, option: str, unit: str) -> timedelta:
    if not least <= count <= most:
        raise ConfigurationError(f"{option} takes {least} to {most}, not {count}.")
    return timedelta(**{unit: count})


def _valid_key(configuration: Configuration, key_id: str) -> "StoredKey":
    """Return a key that still opens something. Raises ConfigurationError."""

    async def valid(runtime: "Runtime") -> "list[StoredKey]":
        return [stored for stored in await _all_keys(runtime) if stored.is_valid(runtime.real_now())]

    found = next((stored for stored in with_runtime(configuration, valid) if stored.key.key_id == key_id), None)
    if found is None:
        raise ConfigurationError(
            f"There is no valid key with the id {key_id!r}. 'nicobar keys list' shows the ids; the key itself, "
            "nicobar_..., is not one."
        )
    return found


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
        "scopes": _scopes(stored.key),
        "hint": stored.key.hint,
        "name": stored.name or None,
        "created_at": stored.created_at,
        "last_used_at": stored.last_used_at,
        "expires_at": stored.key.expires_at,
        "revoked_at": stored.revoked_at,
    }


def _row(stored: "StoredKey") -> list[str]:
    key = stored.key
    access = "read" if key.read_only else "write" if key.scopes is None else ",".join(_scopes(key) or ())
    moments = (_minute(at) for at in (stored.created_at, stored.last_used_at, key.expires_at, stored.revoked_at))
    return [stored.key.key_id, stored.key.tenant.mode, access, f"...{stored.key.hint}", stored.name or "-", *moments]


def _scopes(key: "ApiKey") -> list[Scope] | None:
    return None if key.scopes is None else [scope for scope in SCOPES if scope in key.scopes]


def _minute(at: "datetime | None") -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}"
