"""`nicobar events`, `webhooks` and `trigger`, as a person uses them."""

import asyncio
import json
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from cli.program import PROGRAM, Serving, environment, eventually, run
from nicobar.cli import app
from nicobar.core.webhooks.signature import sign
from receiver import answer, receiving

COMMANDS = ["events", "events list", "events show", "events resend", "trigger", "listen"]
COMMANDS += ["webhooks", "webhooks list", "webhooks show", "webhooks verify"]
SECRET = "whsec_" + "A" * 43 + "="


@pytest.fixture(scope="module")
def key(data: Path) -> str:
    return run("keys", "create", "--data", data).stdout.strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_can_be_parsed(command: str) -> None:
    result = run(*command.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: nicobar {command}")
    examples = result.stdout.partition("\nExamples:\n")[2].strip().splitlines()
    assert len(examples) >= 2
    for example in examples:
        words = shlex.split(example)
        assert words[0] == "nicobar"
        app.parse_args(words[1:], exit_on_error=False, print_error=False)


def triggered(data: Path, *arguments: str) -> tuple[str, str]:
    """Trigger an event and return its id and that of its object."""
    result = run("trigger", *arguments, "--data", data)
    assert (result.returncode, result.stderr) == (0, "")
    event_id, type, object_id = result.stdout.split()
    assert type == arguments[0]
    return event_id, object_id


async def endpoint(served: Serving, key: str, **body: Any) -> str:
    async with httpx.AsyncClient(base_url=served.base_url, headers={"authorization": f"Bearer {key}"}) as client:
        made = await client.post("/webhooks", json=body)
        assert made.status_code == 200, made.text
        endpoint_id: str = made.json()["id"]
        return endpoint_id


async def delete(served: Serving, key: str, endpoint_id: str) -> None:
    async with httpx.AsyncClient(base_url=served.base_url, headers={"authorization": f"Bearer {key}"}) as client:
        assert (await client.delete(f"/webhooks/{endpoint_id}")).status_code == 200


def deliveries(data: Path, event_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("events", "show", event_id, "--json", "--data", data).stdout)[
        "deliveries"
    ]
    return found


async def test_an_event_from_its_trigger_to_its_log(serve: Any, data_alone: Path) -> None:
    """A server that allows receivers in the own network delivers what commands leave."""
    data = data_alone
    key = run("keys", "create", "--data", data).stdout.strip()
    served: Serving = await asyncio.to_thread(lambda: serve("--data", data, NICOBAR_ALLOW_PRIVATE_WEBHOOKS="1").ready())
    async with receiving(answer(500, b"\x1b[2Jno"), answer()) as receiver:
        endpoint_id = await endpoint(served, key, url=receiver.url, description="Shop \x1b[2J", rate_limit=7)
        event_id, payment_id = await asyncio.to_thread(triggered, data, "payment.failed")
        (failed,) = await asyncio.to_thread(
            eventually, lambda: [one for one in deliveries(data, event_id) if one["attempts"]]
        )
        assert (failed["state"], failed["endpoint_id"], failed["url"]) == ("waiting", endpoint_id, receiver.url)
        assert failed["attempts"][0]["reason"] == "It answered 500 instead of 2xx."
        await receiver.until(2)  # after five seconds
        (arrived,) = await asyncio.to_thread(
            eventually, lambda: [one for one in deliveries(data, event_id) if one["state"] == "delivered"]
        )
        again = await asyncio.to_thread(run, "events", "resend", event_id, "--endpoint", endpoint_id, "--data", data)
        assert (again.returncode, again.stdout) == (0, "")
        assert again.stderr == "It is sent again to 1 webhook endpoint.\n"
        await receiver.until(3)
        again = await asyncio.to_thread(
            run, "trigger", "payment.failed", "--payment", payment_id, "--json", "--data", data
        )
        assert json.loads(again.stdout) == {"event_id": event_id, "type": "payment.failed", "object_id": payment_id}
        assert again.stderr == "It is sent again to 1 webhook endpoint.\n"
        await receiver.until(4)
        await asyncio.to_thread(
            eventually, lambda: [one for one in deliveries(data, event_id) if len(one["attempts"]) == 4]
        )
    assert len({got.message_id for got in receiver.got}) == 1
    shown = await asyncio.to_thread(run, "events", "show", event_id, "--data", data)
    lines = shown.stdout.splitlines()
    assert re.fullmatch(rf"{event_id}  payment\.failed  {payment_id}  \S+ \S+ UTC", lines[0])
    assert lines[3] == f"  {endpoint_id}  delivered  {receiver.url}"
    assert [line.split()[0] for line in lines[4:9]] == ["TRY", "1", "2", "3", "4"]
    assert re.fullmatch(r"    1    \S+ \S+  500     \d+ ms +It answered 500 instead of 2xx\.", lines[5])
    assert lines[10] == "Body"
    assert json.loads("\n".join(lines[11:]))["data"]["payment_id"] == payment_id
    assert "\x1b" not in shown.stdout
    listed = await asyncio.to_thread(run, "events", "list", "--about", payment_id, "--data", data)
    titles, row = listed.stdout.splitlines()
    assert re.split("  +", titles) == ["ID", "CREATED (UTC)", "TYPE", "ABOUT", "DELIVERIES"]
    assert re.split("  +", row)[0::2] == [event_id, "payment.failed", "1 delivered"]
    table = await asyncio.to_thread(run, "webhooks", "list", "--data", data)
    assert table.stdout.splitlines()[1].split() == [endpoint_id, "enabled", "all", receiver.url]
    shown = await asyncio.to_thread(run, "webhooks", "show", endpoint_id, "--data", data)
    facts = dict(re.split(r" {2,}", line.strip(), maxsplit=1) for line in shown.stdout.splitlines()[1:])
    assert (facts["Address"], facts["Rate limit"], facts["Deliveries"]) == (receiver.url, "7 a second", "1 delivered")
    assert facts["Description"] == "Shop \\x1b[2J"
    told = json.loads((await asyncio.to_thread(run, "webhooks", "show", endpoint_id, "--json", "--data", data)).stdout)
    assert (told["id"], told["deliveries"], told["given_up_at"]) == (endpoint_id, {"delivered": 1}, None)
    other = await asyncio.to_thread(run, "webhooks", "show", endpoint_id, "--mode", "live", "--data", data)
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr.startswith(f"nicobar: {endpoint_id} is a test webhook endpoint. It is shown by: ")
    assert f"webhooks show {endpoint_id} --mode test" in other.stderr
    await delete(served, key, endpoint_id)
    gone = await asyncio.to_thread(run, "webhooks", "show", endpoint_id, "--data", data)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr.startswith(f"nicobar: There is no webhook endpoint with the id '{endpoint_id}'. The newest")
    assert arrived["message_id"] == failed["message_id"]


async def test_one_address_is_sent_an_event_without_any_endpoint(data: Path, tmp_path: Path) -> None:
    async with receiving(answer(), answer(410)) as receiver:
        address = receiver.url.removeprefix("http://")
        made = await asyncio.to_thread(run, "trigger", "refund.succeeded", "--forward-to", address, "--data", data)
        assert made.returncode == 0
        assert re.fullmatch(rf"Sent to {receiver.url}\. It answered 200\. \(\d+ ms\)\n", made.stderr)
        event_id, type, refund_id = made.stdout.split()
        again = await asyncio.to_thread(run, "events", "resend", event_id, "--forward-to", address, "--data", data)
        assert (again.returncode, again.stdout) == (1, "")
        assert re.fullmatch(rf"Sent to {receiver.url}\. It answered 410 instead of 2xx\. \(\d+ ms\)\n", again.stderr)
    first, second = receiver.got
    assert (type, json.loads(first.body)["data"]["refund_id"]) == ("refund.succeeded", refund_id)
    assert first.message_id == second.message_id
    request = tmp_path / "request"
    request.write_bytes(
        b"POST /hook HTTP/1.1\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in second.headers.items()).encode()
        + b"\r\n"
        + second.body
    )
    checked = await asyncio.to_thread(run, "webhooks", "verify", request, "--data", data)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == "A receiver accepts it.\nThe signature was made with the secret of nicobar listen.\n"
    wrong = await asyncio.to_thread(
        run, "webhooks", "verify", request, "--data", data, DODO_PAYMENTS_WEBHOOK_KEY=SECRET
    )
    assert wrong.returncode == 1
    assert wrong.stdout.splitlines() == [
        "A receiver refuses it.",
        "The signature was made with the secret of nicobar listen.",
        "That is not the secret that was given: give your receiver this one.",
    ]


def test_what_is_pasted_is_checked_without_a_database(empty_folder: Path, tmp_path: Path) -> None:
    body = b'{"type":"payment.succeeded"}'
    headers = sign([SECRET], "msg_1", datetime.now(UTC), body)
    Webhook(SECRET).verify(body, headers)
    pasted = "".join(f"> {name.title()}: {value}\n" for name, value in headers.items()).encode() + b"\n" + body + b"\n"
    secrets = tmp_path / "secrets"
    secrets.write_text(f"whsec_{'B' * 43}=\n\n{SECRET}\n")
    command = [*PROGRAM, "webhooks", "verify", "--secret-file", str(secrets), "--data", str(empty_folder / "data")]
    done = subprocess.run(command, input=pasted, capture_output=True, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == (
        f"A receiver accepts it.\nThe signature was made with the secret in line 2 of {secrets}.\n"
    )
    done = subprocess.run(
        command, input=pasted.replace(b"\n\n", b"\n"), capture_output=True, env=environment(), check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"nicobar: An empty line has to stand between the headers and the body.\n"
    request = tmp_path / "request"
    request.write_bytes(pasted.replace(b'":"', b'": "'))
    result = run("webhooks", "verify", request, "--secret-file", secrets, "--data", empty_folder / "data")
    assert result.returncode == 1
    assert result.stdout.startswith("A receiver refuses it.\nThe signature was made with the secret in line 2 of")
    assert "it has been parsed and written anew on its way" in result.stdout
    result = run("webhooks", "verify", request, "--data", empty_folder / "data")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "nicobar: There is no secret to check with. Give --secret-file, or set DODO_PAYMENTS_WEBHOOK_KEY.\n"
    )
    assert list(empty_folder.iterdir()) == []


def test_what_cannot_be_done_is_said_in_a_sentence(data: Path, empty_folder: Path) -> None:
    event_id, payment_id = triggered(data, "payment.cancelled")
    for words, sentence in (
        (["events", "show", "evt_no"], "There is no event with the id 'evt_no'."),
        (["events", "show", event_id, "--mode", "live"], f"{event_id} is a test event. It is shown by: "),
        (["events", "resend", "evt_no"], "Event not found"),
        (
            ["events", "resend", event_id, "--forward-to", "localhost", "--mode", "live"],
            "--forward-to is for test events",
        ),
        (["trigger", "payment.failed", "--payment", "pay_no"], "Payment pay_no"),
        (
            ["trigger", "payment.failed", "--payment", payment_id],
            f"No payment.failed was told about {payment_id}, which is cancelled. Told was: payment.cancelled.",
        ),
        (["trigger", "license_key.created"], "Invalid value"),
        (["trigger", "subscription.expired"], "subscription.expired cannot be triggered: a term has to pass"),
    ):
        result = run(*words, "--data", data)
        assert (result.returncode, result.stdout) == (2, "")
        assert sentence in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) == 1
    result = run("events", "resend", event_id, "--data", data)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("No enabled webhook endpoint wants it, or it is on its way.")
    for command in (["events", "list"], ["webhooks", "list"]):
        result = run(*command, "--mode", "live", "--data", data)
        assert (result.returncode, result.stdout) == (0, "")
        assert result.stderr in ("There are no live events.\n", "There are no webhook endpoints in live mode.\n")
        result = run(*command, "--data", empty_folder / "data")
        assert (result.returncode, result.stdout) == (2, "")
        assert "Check --data." in result.stderr
    assert list(empty_folder.iterdir()) == []
