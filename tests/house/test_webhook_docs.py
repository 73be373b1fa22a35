"""The receivers of docs/webhooks.md do what the page says: they verify, know what they have had, and answer at once."""

import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from cli.program import environment, eventually, new_folder
from house.test_readme import NODE_MODULES, blocks
from nicobar.cli import app
from nicobar.core.webhooks.signature import sign

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET = "whsec_" + "A" * 43 + "="
PROGRAMS = {"python": (sys.executable, "receiver.py"), "javascript": ("node", "receiver.mjs")}


def program(language: str) -> str:
    (found,) = (block.text for block in blocks(PAGE) if block.language == language)
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = new_folder()
    if NODE_MODULES.is_dir():
        (folder / "node_modules").symlink_to(NODE_MODULES)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Running:
    """A receiver in a process of its own."""

    def __init__(self, folder: Path, language: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command, name = PROGRAMS[language]
        (folder / name).write_text(program(language))
        self._out = folder / "out"
        with self._out.open("ab") as out:
            self.process = subprocess.Popen(
                [command, name],
                cwd=folder,
                stdout=out,
                stderr=out,
                env=environment(PORT=str(self.port), DODO_PAYMENTS_WEBHOOK_KEY=SECRET),
            )
        eventually(self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None, self._out.read_text()
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def printed(self) -> list[str]:
        return self._out.read_text().splitlines()

    def post(self, message_id: str, body: bytes, secret: str = SECRET) -> int:
        headers = sign([secret], message_id, datetime.now(UTC), body)
        return httpx.post(
            f"http://127.0.0.1:{self.port}/webhook", content=body, headers=headers, timeout=15
        ).status_code

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def body(payment_id: str, type: str = "payment.succeeded") -> bytes:
    data = f'{{"payload_type":"Payment","payment_id":"{payment_id}","status":"{type.partition(".")[2]}"}}'
    return f'{{"business_id":"b","type":"{type}","timestamp":"2026-10-01T10:00:00Z","data":{data}}}'.encode()


@pytest.mark.parametrize("language", list(PROGRAMS))
def test_a_receiver_verifies_deduplicates_and_answers(folder: Path, language: str) -> None:
    if language == "javascript" and not NODE_MODULES.is_dir():
        pytest.skip("the JavaScript SDK is not installed: make setup")
    receiver = Running(folder, language)
    try:
        assert receiver.post("msg_1", body("pay_1")) == 204
        assert receiver.post("msg_1", body("pay_1")) == 204
        assert receiver.post("msg_2", body("pay_2"), "whsec_" + "B" * 43 + "=") == 401
        assert receiver.post("msg_3", body("pay_3", "payment.failed")) == 204
        eventually(lambda: len(receiver.printed) >= 3)
        time.sleep(0.3)  # what is printed is noted as done
    finally:
        receiver.stop()
    receiver = Running(folder, language)  # what it has had, it knows after a restart, too
    try:
        assert receiver.post("msg_1", body("pay_1")) == 204
        assert receiver.post("msg_4", body("pay_4")) == 204
        eventually(lambda: len(receiver.printed) >= 4)
        time.sleep(0.2)
    finally:
        receiver.stop()
    refused = "refused: No matching signature found"  # it is printed by another thread than the rest
    assert receiver.printed.count(refused) == 1
    assert [line for line in receiver.printed if line != refused] == [
        "pay_1 succeeded",
        "pay_3 failed",
        "pay_4 succeeded",
    ]


def test_the_page_names_what_a_reader_needs() -> None:
    assert [block.language for block in blocks(PAGE)] == ["bash", "bash", "bash", "python", "javascript"]
    commands = re.findall(r"^nicobar .*$", PAGE, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)
