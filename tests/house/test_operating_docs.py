"""Whoever follows docs/operating.md and docs/stripe.md goes live: their commands are typed here, in their order.

Replaced is only what the reader's machine and account have of their own: the folder, the port, and Stripe's keys.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from at_stripe import SIGNING_SECRET, LocalStripe
from cli.program import Serving, environment, new_folder
from house.test_readme import Block, blocks, pattern
from nicobar.program.configuration import Configuration
from nicobar.program.postgres import key_file

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OPERATING = (DOCS / "operating.md").read_text(encoding="utf-8")
START, STRIPE = "<!-- test: start the server -->\n", "<!-- test: docs/stripe.md -->\n"
LIVE_KEYS = {
    "NICOBAR_STRIPE_SECRET_KEY": "sk_live_nicobarlocalstripe0001",
    "NICOBAR_STRIPE_PUBLISHABLE_KEY": "pk_live_nicobarlocalstripe0001",
    "NICOBAR_STRIPE_SIGNING_SECRET": SIGNING_SECRET,
}


class Operator:
    """Types the blocks of pages into one shell, in a folder of its own."""

    def __init__(self, folder: Path, stripe: LocalStripe) -> None:
        self.folder = folder
        self.server: Serving | None = None
        self.address = "http://127.0.0.1:8787"
        self.printed: list[str] = []
        self._variables = environment(
            **LIVE_KEYS,
            NICOBAR_STRIPE_API_BASE=stripe.base,
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        )
        del self._variables["NICOBAR_KEY_FILE"]  # the pages lead to where it is without it

    def start(self) -> None:
        """Start the server, as systemd does."""
        self.server = Serving(
            NICOBAR_DATA=str(self.folder / "data"),
            NICOBAR_KEY_FILE=str(self.folder / "data.key"),
            NICOBAR_PUBLIC_URL="https://pay.example.com",
        )
        self.server.ready()
        # The server took a free port, which its address for customers does not tell; `doctor` finds it nevertheless.
        told = self._run("nicobar doctor --json || true")
        (self.address,) = re.findall(r"A server answers at (http://127\.0\.0\.1:\d+) and is ready\.", told)

    def type(self, page: str) -> None:
        """Run the blocks of a page that are to be run, and compare what they print with the text after them."""
        found = [block for block in blocks(page) if not block.reason]
        for block, after in zip(found, [*found[1:], Block(0, "", "", "")], strict=True):
            if block.language == "bash":
                said = self._run(block.text)
                if after.language == "text":
                    assert pattern(after.text).fullmatch(said.rstrip("\n") + "\n"), said

    def _run(self, text: str) -> str:
        text = text.replace("NICOBAR_DATA=/var/lib/nicobar/data", f"NICOBAR_DATA={self.folder / 'data'}")
        text = text.replace("http://127.0.0.1:8787", self.address)
        state = self.folder / ".exported"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"touch {state}; . {state}\n{text}\nexport -p > {state}"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        self.printed.append(done.stdout)
        return done.stdout


@pytest.fixture
def operator(localstripe: LocalStripe) -> Iterator[Operator]:
    operator = Operator(new_folder(), localstripe)
    yield operator
    if operator.server is not None:
        operator.server.close()
    shutil.rmtree(operator.folder, ignore_errors=True)


def test_from_an_empty_machine_to_live_payments_and_back_from_a_backup(operator: Operator) -> None:
    before, _, rest = OPERATING.partition(START)
    setting_up, _, live = rest.partition(STRIPE)
    operator.type(before)
    operator.start()
    operator.type(setting_up)
    operator.type((DOCS / "stripe.md").read_text(encoding="utf-8"))
    operator.type(live)
    everything = "".join(operator.printed)
    assert len(re.findall(r"^nicobar_live_[0-9A-Za-z]{32}$", everything, re.MULTILINE)) == 1
    doctors = [text for text in operator.printed if "✓ Live payments have a key, an account and a name." in text]
    assert len(doctors) == 2  # the installation, and the one that was restored from the backup
    assert all("✓ The keys of 1 account at payment processors can be decrypted." in text for text in doctors)
    assert "Songs of island birds" in operator.printed[-1]


def test_the_unit_is_complete() -> None:
    (text,) = re.findall(r"```ini\n(.*?)```", OPERATING, re.DOTALL)
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(text)
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert unit["Service"]["ExecStart"] == "/opt/nicobar/.venv/bin/nicobar serve"
    assert unit["Service"]["KillMode"] == "mixed"


def test_the_container_can_write_its_encryption_key_next_to_its_data() -> None:
    """The key is kept next to the data folder (`program/postgres.py:key_file`), where the image's user may write."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")
    volume = re.search(r"^VOLUME (\S+)$", text, re.MULTILINE)
    data = re.search(r"\bNICOBAR_DATA=(\S+)", text)
    owned = re.search(r"install --directory --owner (\w+) --mode 0700 (\S+)", text)
    user = re.search(r"^USER (\w+)$", text, re.MULTILINE)
    assert volume and data and owned and user
    assert owned.groups() == (user[1], volume[1])
    key = key_file(Configuration(data=Path(data[1])))
    assert (str(key), key.parent) == ("/var/lib/nicobar/data.key", Path(volume[1]))
