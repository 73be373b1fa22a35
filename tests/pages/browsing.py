"""Chromium and servers for it, for tests that look at the pages as a customer's browser does."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.async_api import Browser, Page, async_playwright
from starlette.types import ASGIApp

from nicobar.app import create_app
from nicobar.flows.runtime import Runtime
from orders import with_processors

NODE_MODULES = Path(__file__).resolve().parents[2] / "build" / "node" / "node_modules"
"""Where `make setup` puts the JavaScript packages that only tests use."""

WAIT = 15_000
"""Milliseconds that a browser may take over one step before the test fails."""


def package_file(name: str) -> str:
    """Return the text of a file of a JavaScript package."""
    path = NODE_MODULES / name
    if not path.is_file():
        pytest.fail(f"{name} is missing. Run 'make setup', which installs it where there is Node.js with npm.")
    return path.read_text(encoding="utf-8")


@asynccontextmanager
async def launched(*arguments: str) -> AsyncIterator[Browser]:
    """Yield a Chromium: the one that CHROMIUM names, or the system's."""
    names = ("chromium-headless-shell", "chromium", "google-chrome")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.fail(f"No Chromium found. Install it (Debian: apt-get install {names[0]}) or name it in CHROMIUM.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", *arguments])
        yield browser
        await browser.close()


async def unfold_order(page: Page) -> None:
    """Open the order, which is one bar on a narrow page; a wide one shows it open."""
    fold = page.locator(".order-fold > summary")
    if await fold.is_visible():
        await fold.click()


@asynccontextmanager
async def visiting(
    chromium: Browser, refused: int = 0, *, tolerated: Sequence[str] = (), **options: Any
) -> AsyncIterator[Page]:
    """A page in a fresh phone-sized window; what the browser complains about fails the test, unless it is tolerated.

    So do the `refused` forms, each of which the browser counts as a failure to load.
    """
    context = await chromium.new_context(**{"viewport": {"width": 360, "height": 740}, "locale": "en-US"} | options)
    context.set_default_timeout(WAIT)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    intolerable = [text for text in complaints if not any(words in text for words in tolerated)]
    assert [text for text in intolerable if "422" not in text] == [], intolerable
    assert len(intolerable) == refused, intolerable


def free_socket() -> socket.socket:
    """Return a socket that listens on 127.0.0.1, on a port that the system chose."""
    return socket.create_server(("127.0.0.1", 0))


def port_of(listening: socket.socket) -> int:
    port: int = listening.getsockname()[1]
    return port


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket, certificate: Sequence[str] = ()) -> AsyncIterator[None]:
    """Serve while the block runs, over TLS with a certificate. The socket stays open for whoever serves on it next."""
    options: dict[str, Any] = {}
    if certificate:
        options = {
            "ssl_certfile": certificate[0],
            "ssl_keyfile": certificate[1],
            "ssl_version": ssl.PROTOCOL_TLS_SERVER,
        }
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", **options)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening.dup()]))
    try:
        yield
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


@asynccontextmanager
async def online(runtime: Runtime) -> AsyncIterator[Runtime]:
    """Serve the whole application to browsers, with the simulator; lend the runtime that it works with."""
    with free_socket() as listening:
        runtime = with_processors(runtime._replace(public_url=f"http://127.0.0.1:{port_of(listening)}"))
        async with serving(create_app(runtime), listening):
            yield runtime


def make_certificate(folder: Path, name: str) -> tuple[str, str]:
    """Make a certificate that nobody vouches for, and its key; return the paths of both."""
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    if shutil.which("openssl") is None:
        pytest.fail("No openssl found, which makes the certificate of this test. Install it (Debian: openssl).")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
