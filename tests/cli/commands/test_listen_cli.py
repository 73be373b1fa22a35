"""`nicobar listen`, as a person uses it: the secret, the file of variables, one line for each event."""

import asyncio
import json
import re
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from cli.program import PATIENCE, PROGRAM, Serving, environment, heed_signals, run
from nicobar.core.events.event import Event
from nicobar.core.webhooks.delivery import Answer
from nicobar.flows.webhooks.forward_event import Forwarded
from nicobar.program.banner import plain
from nicobar.program.configuration import ConfigurationError
from nicobar.program.development.forwarding import forwarded_line, write_secret
from receiver import answer, receiving

SECRET = "whsec_" + "A" * 43 + "="
SAID = re.compile(r"^DODO_PAYMENTS_WEBHOOK_KEY=(whsec_\S{44})$")


@asynccontextmanager
async def listening(data: Path, *arguments: str) -> AsyncIterator["asyncio.Queue[str]"]:
    """Run the command and lend the lines that it prints; Ctrl-C ends it."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*PROGRAM, "listen", *arguments, "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(),
            preexec_fn=heed_signals,
        )
        assert process.stdout is not None
        out, loop = process.stdout, asyncio.get_running_loop()

        def read() -> None:
            for line in out:
                loop.call_soon_threadsafe(lines.put_nowait, line.rstrip("\n"))

        reading = asyncio.ensure_future(asyncio.to_thread(read))
        try:
            yield lines
        finally:
            process.send_signal(signal.SIGINT)
            status = await asyncio.to_thread(process.wait, PATIENCE)
            await reading
            out.close()
        assert status == 0
        assert lines.get_nowait() == "Stopped."


async def said(lines: "asyncio.Queue[str]") -> str:
    async with asyncio.timeout(PATIENCE):
        while (line := await lines.get()).endswith("..."):  # progress, which a slow computer sees
            pass
    return line


def buy_for_nothing(base_url: str, key: str) -> str:
    """Make a payment of nothing, which succeeds at once, and return its id."""
    with httpx.Client(base_url=base_url, headers={"authorization": f"Bearer {key}"}) as client:
        price = {"type": "one_time_price", "currency": "USD", "price": 0}
        body = {"name": "A feather", "tax_category": "e_book", "price": price}
        product_id = client.post("/products", json=body).json()["product_id"]
        asked = {
            "billing": {"country": "US"},
            "customer": {"email": "ana@example.com"},
            "product_cart": [{"product_id": product_id, "quantity": 1}],
        }
        payment_id: str = client.post("/payments", json=asked).json()["payment_id"]
    return payment_id


async def test_an_event_reaches_the_application_and_the_terminal(data: Path, served: Serving, tmp_path: Path) -> None:
    key, env = run("keys", "create", "--data", data).stdout.strip(), tmp_path / ".env"
    env.write_text("PORT=3000\n")
    async with receiving(answer(), answer(503)) as receiver:
        address = receiver.url.removeprefix("http://")
        async with listening(data, "--forward-to", address, "--env", str(env)) as lines:
            found = SAID.match(await said(lines))
            assert found
            place = await said(lines)
            assert place == f"Forwarding the test events of {data} to {receiver.url} until Ctrl-C."
            told = []
            for _ in range(2):
                payment_id = await asyncio.to_thread(buy_for_nothing, served.base_url, key)
                told.append((payment_id, await said(lines)))
        async with listening(data, "--forward-to", address) as lines:
            assert await said(lines) == f"DODO_PAYMENTS_WEBHOOK_KEY={found[1]}"
            await said(lines)
    assert env.read_text() == f"PORT=3000\nDODO_PAYMENTS_WEBHOOK_KEY={found[1]}\n"
    for (payment_id, line), got, ending in zip(
        told, receiver.got, ("200", "It answered 503 instead of 2xx."), strict=True
    ):
        Webhook(found[1]).verify(got.body, got.headers)
        assert json.loads(got.body)["data"]["payment_id"] == payment_id
        pattern = rf"\d\d:\d\d:\d\d  payment.succeeded   {payment_id}  evt_\S+  {re.escape(ending)} \(\d+ ms\)"
        assert re.fullmatch(pattern, line), line


def test_an_answer_from_outside_commands_no_terminal() -> None:
    event = Event("evt_1", "payment.failed", "pay_1", b"{}", datetime.now(UTC))
    told = Forwarded(event, Answer(None, "\x1b[2J", 3, "DNS: the host a\x1bb is not found."))
    line = forwarded_line(told, datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC))
    assert plain(line) == "15:09:26  payment.failed      pay_1  evt_1  DNS: the host a\\x1bb is not found. (3 ms)"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "{}\n"),
        ("", "{}\n"),
        ("A=1", "A=1\n{}\n"),
        ("A=1\nDODO_PAYMENTS_WEBHOOK_KEY=old\nB=2\n", "A=1\n{}\nB=2\n"),
        ("export DODO_PAYMENTS_WEBHOOK_KEY = 'old'", "export {}"),
        ("# DODO_PAYMENTS_WEBHOOK_KEY=x\nMY_DODO_PAYMENTS_WEBHOOK_KEY=y\n", None),
    ],
)
def test_the_secret_takes_the_place_of_the_old_one(tmp_path: Path, before: str | None, after: str | None) -> None:
    file = tmp_path / "variables"
    if before is not None:
        file.write_text(before)
        file.chmod(0o640)
    write_secret(file, SECRET)
    line = f"DODO_PAYMENTS_WEBHOOK_KEY={SECRET}"
    assert file.read_text() == (f"{before}{line}\n" if after is None else after.format(line))
    assert file.stat().st_mode & 0o777 == (0o600 if before is None else 0o640)
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_secret(tmp_path / "link", SECRET)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == f"DODO_PAYMENTS_WEBHOOK_KEY={SECRET}\n"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 1_000_001])
def test_what_is_no_file_of_variables_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "variables"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"nothing was changed|no file of variables"):
        write_secret(file, SECRET)
    assert file.read_bytes() == content


def test_what_is_wrong_is_said_in_a_sentence(data: Path, empty_folder: Path) -> None:
    result = run("listen", "--forward-to", "ftp://localhost/", "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "nicobar: --forward-to takes an address such as http://localhost:3000/api/webhook, not 'ftp://localhost/'.\n"
    )
    result = run("listen", "--forward-to", "localhost:1", "--env", empty_folder / "no" / ".env", "--data", data)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"nicobar: The secret cannot be written into {empty_folder / 'no' / '.env'}: No such file or directory.\n"
    )
    result = run("listen", "--forward-to", "localhost:1", "--data", empty_folder / "data")
    assert (result.returncode, result.stdout) == (2, "")
    assert "so there are no events. Check --data." in result.stderr
    assert list(empty_folder.iterdir()) == []
