"""A browser for which the vendor's checkout is this server: Chromium with a profile, rules and trust of its own."""

import asyncio
import shutil
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
async def browsing(path: str, ports: Ports, certificate: Certificate, page: str | None) -> AsyncIterator[None]:
    """Keep a browser open while the block runs, on a page as soon as something answers at its address."""
    opening = asyncio.create_task(_browse(path, ports, certificate, page))
    try:
        yield
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)


async def _browse(path: str, ports: Ports, certificate: Certificate, page: str | None) -> None:
    if page is not None:
        await _wait_for(page)
    with tempfile.TemporaryDirectory(prefix="nicobar-run-browser-", ignore_cleanup_errors=True) as profile:
        arguments = [*browser_arguments(ports, certificate, profile), page or "about:blank"]
        process = await asyncio.create_subprocess_exec(
            path, *arguments, stdin=DEVNULL, stdout=DEVNULL, start_new_session=True
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
                async with asyncio.timeout(_STOP_SECONDS):
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
