"""`nicobar run`: a server, a forwarder, perhaps webhooks and a browser, and between them the command."""

import asyncio
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

from nicobar.program.banner import say
from nicobar.program.configuration import Configuration
from nicobar.run.browser import browsing, find_browser
from nicobar.run.certificate import make_certificate
from nicobar.run.command import run_to_its_end
from nicobar.run.environment import command_environment
from nicobar.run.forwarder import Forwarder, forwarding
from nicobar.run.target import RunTarget, opened_target
from nicobar.run.webhook_forwarding import webhooks_forwarded


class RunOptions(NamedTuple):
    """What a run is asked for."""

    command: Sequence[str]
    forward_to: str | None
    """Where webhooks go, as a whole address."""
    browser: bool


def run_command(configuration: Configuration, options: RunOptions) -> int:
    """Run a command against a server in test mode, and return its exit status.

    Raises ConfigurationError and CommandError, before the command was started.
    """
    browser = find_browser() if options.browser else None
    with opened_target(configuration) as target, webhooks_forwarded(target, options.forward_to) as webhook_key:
        _tell(f"{'started a demo server' if target.started else 'server'}: {target.base_url}")
        if options.forward_to is not None:
            _tell(f"webhooks go to {options.forward_to}")
        return asyncio.run(_run(target, webhook_key, options, browser))


async def _run(target: RunTarget, webhook_key: str, options: RunOptions, browser: str | None) -> int:
    forwarder = Forwarder(target, _tell, own_links=browser is None)
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="nicobar-run-"))
        certificate = await asyncio.to_thread(make_certificate, Path(folder))
        ports = await opened.enter_async_context(forwarding(forwarder, certificate))
        _tell("the vendor's API and checkout hosts lead there, from Node, Python and their children")
        if browser is not None:
            page = None if options.forward_to is None else urljoin(options.forward_to, "/")
            await opened.enter_async_context(browsing(browser, ports, certificate, page, _tell))
            _tell(f"and in the browser that opens {page or 'an empty page'}")
        _tell(f"starting: {shlex.join(options.command)}")
        environment = command_environment(os.environ, target, webhook_key, ports, certificate)
        try:
            return await run_to_its_end(options.command, environment)
        finally:
            counted = ", ".join(f"{host} {count}" for host, count in sorted(forwarder.counts.items()))
            _tell(f"requests that were redirected here: {counted or 'none'}")


def _tell(text: str) -> None:
    """Print a line of our own among those of the command, whose output stays its own."""
    say(f"nicobar run: {text}", sys.stderr)
