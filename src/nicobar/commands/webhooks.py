"""`nicobar webhooks`: look at endpoints, and find out why a receiver refuses what it is sent."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Json,
    look_up,
    look_up_one,
    print_json,
    print_table,
    read_file,
    with_runtime,
)
from nicobar.program.banner import answer, plain, say
from nicobar.program.configuration import WEBHOOK_KEY, ConfigurationError, read_configuration, read_secret

if TYPE_CHECKING:
    from nicobar.core.business.tenant import Tenant
    from nicobar.core.webhooks.endpoint import Endpoint
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.database import Read

app = App(
    name="webhooks",
    help_epilogue="""Endpoints are made and changed by the API: /webhooks.

Examples:
  nicobar webhooks list
  nicobar webhooks show ep_0ABCdefGHI
  nicobar webhooks verify request.txt""",
)


_LARGEST: Final = 2_000_000
"""Bytes of a request that are read to be checked."""


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar webhooks list
  nicobar webhooks list --mode live
  nicobar webhooks list --json""",
)
def list_(*, mode: InMode = "test", json: Json = False, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """List webhook endpoints, the newest first, and whether something arrives there."""
    configuration = read_configuration(data=data, database_url=database_url)

    async def query(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "list[Endpoint]":
        from nicobar.core.webhooks.endpoint import MAXIMUM_ENDPOINTS
        from nicobar.storage.webhooks.endpoints import list_endpoints

        return await list_endpoints(read, tenant, MAXIMUM_ENDPOINTS)

    found = look_up(configuration, "webhook endpoints", mode, query)
    if json:
        print_json([_as_json(endpoint) for endpoint in found])
    elif found:
        rows = [[one.endpoint_id, state(one), _types(one), one.url] for one in found]
        print_table(["ID", "STATE", "TYPES", "ADDRESS"], rows)
    else:
        say(f"There are no webhook endpoints in {mode} mode.", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar webhooks show ep_0ABCdefGHI
  nicobar webhooks show ep_0ABCdefGHI --json"""
)
def show(
    endpoint_id: Annotated[str, Parameter(help="The id of the endpoint, as 'nicobar webhooks list' shows it.")],
    /,
    *,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Show a webhook endpoint, without its secrets, and how many deliveries are in which state."""
    configuration = read_configuration(data=data, database_url=database_url)

    async def find(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "tuple[Endpoint, dict[str, int]] | None":
        from nicobar.storage.webhooks.delivery_log import count_deliveries
        from nicobar.storage.webhooks.endpoints import get_endpoint

        endpoint = await get_endpoint(read, tenant, endpoint_id)
        return None if endpoint is None else (endpoint, await count_deliveries(read, tenant, endpoint_id))

    endpoint, counts = look_up_one(configuration, "webhook endpoint", endpoint_id, mode, find, "webhooks")
    if json:
        print_json(_as_json(endpoint) | {"deliveries": counts})
        return 0
    deliveries = ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none yet"
    facts = {
        "Address": endpoint.url,
        "State": state(endpoint),
        "Description": endpoint.description or "-",
        "Types": _types(endpoint),
        "Rate limit": f"{endpoint.rate_limit} a second" if endpoint.rate_limit else "none",
        "Metadata": ", ".join(f"{name} = {value}" for name, value in endpoint.metadata.items()) or "-",
        "Created": f"{endpoint.created_at:%Y-%m-%d %H:%M:%S} UTC",
        "Deliveries": deliveries,
    }
    answer("\n".join([endpoint.endpoint_id, *(f"  {name:<13}{plain(value)}" for name, value in facts.items())]))
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Paste or give in a file what your receiver was sent, headers and then body:
  webhook-id: msg_...
  webhook-timestamp: 1790848800
  webhook-signature: v1,...
  (an empty line)
  {{"business_id": ...}}

The secret is that of --secret-file or of {WEBHOOK_KEY}. Without
either, and to find out whose the signature is, the secrets of this
installation are tried. None of them is printed.

Exit status: 0 when a receiver accepts it, 1 when not.

Examples:
  nicobar webhooks verify
  nicobar webhooks verify request.txt
  nicobar webhooks verify request.txt --secret-file secret.txt"""
)
def verify(
    file: Annotated[Path | None, Parameter(help="The request; without it, it is pasted, up to Ctrl-D.")] = None,
    /,
    *,
    secret_file: Annotated[
        Path | None, Parameter(help="A file with the secret that the receiver has, or with several, one a line.")
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Say why a receiver refuses a webhook: secret, clock, or a body that was changed on its way."""
    configuration = read_configuration(data=data, database_url=database_url)
    given = _given_secrets(secret_file)
    headers, body = _request(_pasted() if file is None else read_file(file, _LARGEST, "no webhook"))
    from datetime import UTC, datetime

    from nicobar.program.postgres import has_database
    from nicobar.wire.webhooks.verification import verify as check

    own = with_runtime(configuration, _own_secrets) if has_database(configuration) else {}
    if not given and not own:
        raise ConfigurationError(f"There is no secret to check with. Give --secret-file, or set {WEBHOOK_KEY}.")
    verdict = check(headers, body, given, own, datetime.now(UTC))
    answer("\n".join([f"A receiver {'accepts' if verdict.good else 'refuses'} it.", *verdict.remarks]))
    return 0 if verdict.good else 1


def _given_secrets(file: Path | None) -> dict[str, str]:
    """Return the secrets that the receiver has, by what they are called."""
    if file is None:
        secret = read_secret(WEBHOOK_KEY)
        return {f"the secret in {WEBHOOK_KEY}": secret} if secret else {}
    try:
        lines = read_file(file, 10_000, "no secret").decode().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} holds no text, so no secret.") from error
    found = [line for line in lines if line.strip()]
    return {f"the secret in line {number} of {file}": line for number, line in enumerate(found, 1)}


def _pasted() -> bytes:
    if sys.stdin.isatty():
        say("Paste the headers, an empty line and the body. Then press Enter and Ctrl-D.", sys.stderr)
    pasted = sys.stdin.buffer.read(_LARGEST + 1)
    if len(pasted) > _LARGEST:
        raise ConfigurationError(f"That is more than {_LARGEST} bytes, which is no webhook.")
    return pasted


def _request(pasted: bytes) -> tuple[dict[str, str], bytes]:
    """Take headers and body apart. A request line and what precedes the colon of `> name: value` is left out."""
    pasted = pasted.lstrip(b"\r\n")
    head, blank, body = pasted.replace(b"\r\n\r\n", b"\n\n", 1).partition(b"\n\n")
    if not blank:
        raise ConfigurationError("An empty line has to stand between the headers and the body.")
    headers = {}
    for line in head.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip(" \t\"'<>*-").lower()] = value.strip(" \t\"',")
    return headers, body


async def _own_secrets(runtime: "Runtime") -> Mapping[str, str]:
    """Return the secrets of all endpoints and of `nicobar listen`, by what they are called; not those that are sealed
    with another key."""
    from contextlib import suppress

    from nicobar.core.webhooks.endpoint import listener_place
    from nicobar.storage.webhooks.endpoints import all_endpoints
    from nicobar.storage.webhooks.listeners import all_listen_secrets
    from nicobar.vault import VaultError

    webhooks = runtime.webhooks
    assert webhooks is not None  # noqa: S101 - an installation has them
    async with runtime.database.snapshot() as read:
        endpoints, listeners = await all_endpoints(read), await all_listen_secrets(read)
    sealed = [("the secret of nicobar listen", listener_place(owner), secret) for owner, secret in listeners.items()]
    for one in endpoints:
        sealed.append((f"the secret of {one.endpoint_id} ({one.mode} mode)", one.place, one.secret))
        if one.previous_secret is not None:
            name = f"the secret that {one.endpoint_id} ({one.mode} mode) had before its rotation"
            sealed.append((name, one.place, one.previous_secret))
    found: dict[str, str] = {}
    for name, place, secret in sealed:
        with suppress(VaultError):
            found[name] = webhooks.open(place, secret)
    return found


def state(endpoint: "Endpoint") -> str:
    """Return whether something is sent there, in words."""
    if endpoint.given_up_at is not None:
        return f"given up on {endpoint.given_up_at:%Y-%m-%d}"
    if endpoint.disabled:
        return "disabled"
    return "enabled" if endpoint.failing_since is None else f"failing since {endpoint.failing_since:%Y-%m-%d %H:%M}"


def _types(endpoint: "Endpoint") -> str:
    return "all" if endpoint.filter_types is None else ", ".join(endpoint.filter_types) or "none"


def _as_json(endpoint: "Endpoint") -> dict[str, object]:
    import msgspec

    from nicobar.wire.webhooks.endpoints import render_endpoint

    details: dict[str, object] = msgspec.to_builtins(render_endpoint(endpoint))
    return details | {"given_up_at": endpoint.given_up_at, "failing_since": endpoint.failing_since}
