"""Forwarding test events to a developer's receiver: alongside a server or alone, with one line for each event."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.webhooks.forwarding import forward_url
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.forward_event import Forwarded, forward_event
from nicobar.flows.webhooks.forward_events import forward_events
from nicobar.flows.webhooks.open_listener import Listener, open_listener
from nicobar.program.banner import say
from nicobar.program.configuration import WEBHOOK_KEY, Configuration, ConfigurationError
from nicobar.program.installation import beside_its_server, own_business, run_until_stopped
from nicobar.program.postgres import Postgres

_LINE: Final = re.compile(rf"^(export +)?{WEBHOOK_KEY} *=.*$", re.MULTILINE)

_LARGEST_FILE: Final = 1_000_000
"""Bytes beyond which a file is no file of variables."""


@asynccontextmanager
async def forwarding(runtime: Runtime, url: str) -> AsyncIterator[Listener]:
    """Forward every test event that is committed while the block runs, and print a line for each.

    Raises ConfigurationError for an address that nothing can be posted to, and when the server has no key to encrypt
    the secret with.
    """
    address = forward_address(url)
    try:
        listener = await open_listener(runtime, Tenant(await own_business(runtime), "test"), address)
    except Problem as problem:
        raise ConfigurationError(problem.message) from problem

    def tell(forwarded: Forwarded) -> None:
        say(forwarded_line(forwarded, datetime.now().astimezone()))

    task = asyncio.create_task(forward_events(runtime, listener, tell))
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def forward_address(text: str) -> str:
    """Return the whole address that `--forward-to` means. Raises ConfigurationError."""
    try:
        return forward_url(text)
    except Problem as problem:
        raise ConfigurationError(
            f"--forward-to takes an address such as http://localhost:3000/api/webhook, not {text[:80]!r}."
        ) from problem


def run_listener(configuration: Configuration, url: str, env: Path | None) -> None:
    """Forward test events until told to stop. Raises ConfigurationError, and what opening a database raises.

    The secret is printed first, and written into the file `env`.
    """

    @asynccontextmanager
    async def listening(opened: Runtime, postgres: Postgres) -> AsyncIterator[None]:
        runtime = await beside_its_server(opened, configuration)
        async with forwarding(runtime, url) as listener:
            if env is not None:
                write_secret(env, listener.secret)
            say(f"{WEBHOOK_KEY}={listener.secret}")
            say(f"Forwarding the test events of {postgres.place} to {listener.url} until Ctrl-C.")
            yield

    run_until_stopped(configuration, listening)


async def forward_once(runtime: Runtime, event_id: str, url: str) -> Forwarded:
    """Forward one test event that has happened. Raises Problem as `forward_event` does."""
    listener = await open_listener(runtime, Tenant(await own_business(runtime), "test"), url)
    return await forward_event(runtime, listener, event_id)


def forwarded_text(forwarded: Forwarded, url: str) -> str:
    """Return what a person is told who had one event forwarded."""
    answer = forwarded.answer
    told = f"It answered {answer.status}." if answer.failure is None else answer.failure
    return f"Sent to {url}. {told} ({answer.duration_ms} ms)"


def forwarded_line(forwarded: Forwarded, at: datetime) -> str:
    """Return what is printed of an event: when, what, about what, and what the receiver made of it."""
    event, answer = forwarded
    told = str(answer.status) if answer.failure is None else answer.failure
    return f"{at:%H:%M:%S}  {event.type:<18}  {event.object_id}  {event.event_id}  {told} ({answer.duration_ms} ms)"


def write_secret(file: Path, secret: str) -> None:
    """Write the secret into a file of variables, in the place of an older one or at its end; the rest stays.

    A new file can be read by its owner alone. Raises ConfigurationError.
    """
    line = f"{WEBHOOK_KEY}={secret}"
    try:
        file = file.resolve()
        old = _text(file) if file.exists() else ""
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        new, count = _LINE.subn(lambda found: f"{found[1] or ''}{line}", old)
        if not count:
            new = f"{old}{'' if old.endswith(chr(10)) or not old else chr(10)}{line}\n"
        draft = file.with_name(f".{file.name}.nicobar")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as out:
            out.write(new)
        draft.replace(file)
    except OSError as error:
        raise ConfigurationError(f"The secret cannot be written into {file}: {error.strerror}.") from error


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise ConfigurationError(f"{file} is larger than {_LARGEST_FILE} bytes, which is no file of variables.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not written in UTF-8, so nothing was changed in it.") from error
