"""The README is true: what it tells a newcomer to type is typed here, in its order, against a server of its own.

Blocks of `bash`, `console`, `python` and `javascript` are run; a `text` block says what the block before it prints.
`...` stands for anything. Only what the reader has to fill in is replaced: the port, the key, a product, a database. A
block that cannot be run says so, with the reason, in an HTML comment before it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio
from cyclopts import App

import orders
from cli.program import Serving, environment, eventually, new_folder
from nicobar.app import OPERATIONS
from nicobar.cli import app
from nicobar.program.configuration import DEFAULT_HOST, DEFAULT_PORT, local_url
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NODE_MODULES = ROOT / "build" / "node" / "node_modules"

USUAL_URL = local_url(DEFAULT_HOST, DEFAULT_PORT)
PAY = "test: pay the link of the banner"
SECONDS = 15.0
"""How long a printed text may take to become true: a changed setting is in force after five seconds."""

PROGRAMS = {"bash": "bash -euo pipefail", "python": "python", "javascript": "node"}
SUFFIXES = {"bash": ".sh", "python": ".py", "javascript": ".mjs"}


class Block(NamedTuple):
    """A fenced block, or a comment that asks for something."""

    line: int
    language: str
    text: str
    reason: str
    """Why it is not run; empty when it is."""


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page in order. A comment counts for the block that follows it directly."""
    found: list[Block] = []
    comment = re.compile(r"^<!-- (.*) -->\n", re.MULTILINE)
    for match in re.finditer(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Block(line, match[2], match[3], (match[1] or "").removeprefix("not run: ")))
    for match in comment.finditer(text):
        if match[1] == PAY:
            found.append(Block(text.count("\n", 0, match.start()) + 1, "pay", "", ""))
    return sorted(found)


def pattern(expected: str) -> re.Pattern[str]:
    """Return what a printed text has to match: `...` is the rest of a word or line, and alone on a line any lines."""
    lines = [r"(?:.*\n)*" if line == "..." else f"{re.escape(line)}\n" for line in expected.strip("\n").split("\n")]
    return re.compile("".join(lines).replace(r"\.\.\.", ".*"))


class Shell:
    """The reader's second terminal: variables that one block exports are there for the next."""

    def __init__(self, folder: Path, serving: Serving, database_url: str) -> None:
        self._folder = folder
        self._state = folder / ".exported"
        self._serving = serving
        banner = serving.banner
        self._given = {
            USUAL_URL: serving.base_url,
            "nicobar_test_...": re.findall(r"nicobar_test_\w+", banner)[0],
            "pdt_...": re.findall(r"pdt_[\w-]+", banner)[0],
            # A folder and an address exclude each other; the reader has set no folder.
            "export NICOBAR_DATABASE_URL=postgresql://nicobar:secret@db.example.com/nicobar": (
                f"unset NICOBAR_DATA\nexport NICOBAR_DATABASE_URL={shlex.quote(database_url)}"
            ),
        }

    def run(self, block: Block, text: str) -> str:
        """Run one program and return what it prints; fail when it fails."""
        for words, value in self._given.items():
            text = text.replace(words, value)
        file = self._folder / f"line{block.line}{SUFFIXES[block.language]}"
        ending = f"\nexport -p > {self._state}\n" if block.language == "bash" else ""
        file.write_text(text + ending)
        command = f"touch {self._state}; . {self._state}; {PROGRAMS[block.language]} {file.name}"
        done = subprocess.run(
            ["bash", "-c", command],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env=environment(NICOBAR_DATA=str(self._folder / "data")),
            timeout=60,
        )
        if done.returncode != 0:
            pytest.fail(f"README.md, line {block.line}: {done.stderr or done.stdout}")
        return done.stdout

    def expect(self, block: Block, text: str, printed: str) -> None:
        """Run a program until it prints what the README says, for a short while."""
        outputs: list[str] = []

        def same() -> bool:
            outputs.append(self.run(block, text))
            return pattern(printed).fullmatch(self.as_printed(outputs[-1])) is not None

        try:
            eventually(same, SECONDS)
        except AssertionError as error:
            raise AssertionError(f"README.md, line {block.line}, prints now:\n{outputs[-1]}") from error

    def as_printed(self, text: str) -> str:
        """Return an output as the README shows it: with the usual port, and whole lines."""
        return text.replace(self._serving.base_url, USUAL_URL).rstrip("\n") + "\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder in which the reader works: what `make setup` makes is in it."""
    folder = new_folder()
    (folder / ".venv").symlink_to(sys.prefix)
    if NODE_MODULES.is_dir():
        (folder / "node_modules").symlink_to(NODE_MODULES)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def serving(folder: Path) -> Iterator[Serving]:
    """What `make serve` starts, on a free port and a data folder of its own."""
    serving = Serving("--demo", "--data", folder / "data")
    try:
        yield serving.ready()
    finally:
        serving.close()


@pytest_asyncio.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """An empty database of one's own."""
    maintenance = Database(postgres.dsn, size=1)
    async with maintenance.read() as connection:
        await connection.execute("CREATE DATABASE nicobar_readme TEMPLATE template0")
        yield postgres.dsn.replace("/nicobar?", "/nicobar_readme?")
        await connection.execute("DROP DATABASE nicobar_readme WITH (FORCE)")
    await maintenance.close()


async def pay(serving: Serving) -> None:
    """Pay the link of the banner, as the reader does in the browser."""
    link = re.findall(r"^  Payment link +(\S+)$", serving.banner, re.MULTILINE)[0]
    headers = {"accept": "text/html", "origin": serving.base_url}
    async with httpx.AsyncClient(headers=headers, timeout=30) as browser:
        assert 'autocomplete="cc-number"' in (await browser.get(link)).text  # a card and a name are all it asks for
        answer = await orders.pay(browser, link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/" + link.rpartition("/")[2])


async def test_what_the_readme_says_happens(folder: Path, serving: Serving, database_url: str) -> None:
    shell = Shell(folder, serving, database_url)
    skipped = []
    page = [block for block in blocks(README) if not block.reason]
    for block, following in zip(page, [*page[1:], None], strict=True):
        printed = following.text if following is not None and following.language == "text" else None
        match block.language:
            case "pay":
                await pay(serving)
            case "text" if block.text.startswith("Nicobar "):
                banner = serving.banner[serving.banner.index("Nicobar ") :]
                assert pattern(block.text).fullmatch(shell.as_printed(banner)), banner
            case "text":
                pass  # compared with the block before it
            case "console":
                for command, output in re.findall(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
                    shell.expect(block._replace(language="bash"), command, output)
            case "javascript" if not NODE_MODULES.is_dir():
                skipped.append(block.line)
            case _ if printed is not None and not printed.startswith("Nicobar "):
                shell.expect(block, block.text, printed)
            case _:
                shell.run(block, block.text)
    if skipped:
        pytest.skip("the JavaScript SDK is not installed: make setup")


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    unrun = [block for block in blocks(README) if block.reason or block.language not in (*PROGRAMS, "console", "pay")]
    assert [block.language for block in unrun if not block.reason] == ["text"] * 10
    assert [block.language for block in unrun if block.reason] == ["bash", "bash"]


def test_make_serve_starts_the_server_that_is_tested_here() -> None:
    # The tests may be a child of another make, whose flags and ARGS would be inherited and change what is printed.
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))}
    command = ["make", "--no-print-directory", "-n", "serve"]
    planned = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True).stdout
    assert planned.splitlines()[-1].rstrip() == "exec .venv/bin/nicobar serve --demo"


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE))
    assert named == {"serve", "setup", "test"}
    assert named <= targets


def commands(group: App, path: str = "nicobar") -> Iterator[str]:
    """Return every command of the program, written out."""
    names = [name for name in group if not name.startswith("-")]
    if not names:
        yield path
    for name in names:
        yield from commands(group[name], f"{path} {name}")


def test_the_table_has_every_command_and_no_other() -> None:
    assert sorted(re.findall(r"^\| `(nicobar [^`]+)` \|", README, re.MULTILINE)) == sorted(commands(app))


def test_what_is_said_to_be_missing_is_missing() -> None:
    missing = README.partition("\n## What is not there yet\n")[2].partition("\n## ")[0]
    languages = list((ROOT / "src" / "nicobar" / "pages" / "locales").glob("*.toml"))
    assert ("other than English" in missing) == (len(languages) == 1)
    named = re.findall(r"`((?:POST )?/\w+)`", missing)
    assert len(named) >= 4
    served = {word for operation in OPERATIONS for word in (operation.path, f"{operation.method} {operation.path}")}
    for name in named:
        assert name not in served, f"{name} is there now"
        assert " " in name or not [path for path in served if path.startswith(f"{name}/")], f"{name} is there now"


def test_a_wrong_readme_would_be_noticed() -> None:
    assert pattern("a...c\n...\nz\n").fullmatch("abc\n1\n2\nz\n")
    assert pattern("...\nz\n").fullmatch("z\n")
    assert not pattern("abc\n").fullmatch("abc\nd\n")
    assert not pattern("a...c\n").fullmatch("ab\nc\n")
    made = blocks("x\n<!-- not run: because -->\n```bash\nls\n```\n```text\ny\n```\n")
    assert made == [Block(3, "bash", "ls\n", "because"), Block(6, "text", "y\n", "")]
