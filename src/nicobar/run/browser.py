"""A browser for which the vendor's checkout is this server: Chromium with a profile, rules and trust of its own."""

import asyncio
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from nicobar.program.configuration import ConfigurationError, read_secret
from nicobar.run.certificate import Certificate
from nicobar.run.forwarder import Ports
from nicobar.run.vendor_hosts import DOMAINS, REDIRECTED

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chromium-headless-shell")

_STOP_SECONDS: Final = 10
_LOOK_SECONDS: Final = 0.2


def find_browser() -> str:
    """Return the path of the Chromium that CHROMIUM names, or that is installed. Raises ConfigurationError."""
    named = read_secret("CHROMIUM")
    for name in (named,) if named else _NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    raise ConfigurationError(
        "--browser needs Chromium or Chrome. "
        + (f"CHROMIUM names {named}, which is no program." if named else "Install it, or name one with CHROMIUM.")
    )


def browser_arguments(ports: Ports, certificate: Certificate, profile: str) -> list[str]:
    """Return what makes the vendor's hosts ours in a browser that is started with a profile of its own.

    Hosts that have no place here do not exist for it.
    """
    rules = [f"MAP {host}:443 127.0.0.1:{ports.tls}" for host in REDIRECTED]
    rules += [f"MAP {host}:80 127.0.0.1:{ports.plain}" for host in REDIRECTED]
    rules += [f"MAP {name} ~NOTFOUND" for domain in DOMAINS for name in (domain, f"*.{domain}")]
    return [
        f"--user-data-dir={profile}",
        f"--host-resolver-rules={', '.join(rules)}",
        f"--ignore-certificate-errors-spki-list={certificate.spki}",
        "--no-proxy-server",  # one would look the vendor's names up by itself
        "--no-first-run",
        "--no-default-browser-check",
    ]


@asynccontextmanager
async def browsing(
    path: str, ports: Ports, certificate: Certificate, page: str | None, tell: Callable[[str], object]
) -> AsyncIterator[None]:
    """Keep a browser open while the block runs, on a page as soon as something answers at its address.

    `tell` hears why it ended, should it not have been closed by somebody.
    """
    opening = asyncio.create_task(_browse(path, ports, certificate, page, tell))
    try:
        yield
    finally:
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening


async def _browse(
    path: str, ports: Ports, certificate: Certificate, page: str | None, tell: Callable[[str], object]
) -> None:
    if page is not None:
        await _wait_for(page)
    with tempfile.TemporaryDirectory(prefix="nicobar-run-browser-", ignore_cleanup_errors=True) as profile:
        arguments = [*browser_arguments(ports, certificate, profile), page or "about:blank"]
        process = await asyncio.create_subprocess_exec(
            path, *arguments, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, start_new_session=True
        )
        assert process.stderr is not None  # noqa: S101 - it was asked for
        last = b""
        try:
            async for line in process.stderr:  # of no interest, unless it is the last
                last = line
            if await process.wait() != 0:
                tell(f"the browser ended with status {process.returncode}: {last.decode(errors='replace').strip()}")
        finally:
            if process.returncode is None:
                await _close(process)


async def _close(process: asyncio.subprocess.Process) -> None:
    """End a browser with all that its start-up script has started."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _wait_for(page: str) -> None:
    parts = urlsplit(page)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    while True:
        try:
            _, writer = await asyncio.open_connection(parts.hostname, port)
        except OSError:
            await asyncio.sleep(_LOOK_SECONDS)
            continue
        writer.close()
        return
