"""The command under `nicobar run`: which server it gets, what it finds, its signals, its status, its webhooks."""

import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

import nicobar
from cli.program import PATIENCE, PROGRAM, environment, eventually, heed_signals, postmaster
from nicobar.run.environment import NODE_HOOK, PYTHON_HOOK
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import EmbeddedPostgres
from run.conftest import DemoShop, free_payment, listens, needs_node

PRINT = "import json, os, sys; print(json.dumps({name: os.environ.get(name) for name in sys.argv[1:]}))"


def printed(shop: DemoShop, *names: str, **extra: str) -> dict[str, str | None]:
    """Return what a command finds in its environment."""
    done = shop.run("--", sys.executable, "-c", PRINT, *names, **extra)
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


def test_the_command_finds_what_sdks_and_adapters_read(shop: DemoShop) -> None:
    names = ("DODO_PAYMENTS_API_KEY", "NUXT_PRIVATE_BEARER_TOKEN")
    assert printed(shop, *names) == dict.fromkeys(names, shop.key)
    names = ("DODO_PAYMENTS_ENVIRONMENT", "NUXT_PRIVATE_ENVIRONMENT")
    assert printed(shop, *names, DODO_PAYMENTS_ENVIRONMENT="live_mode") == dict.fromkeys(names, "test_mode")
    assert printed(shop, "DODO_PAYMENTS_BASE_URL", "PATH") == {
        "DODO_PAYMENTS_BASE_URL": shop.base_url,
        "PATH": os.environ["PATH"],
    }


def test_hooks_are_added_to_what_was_there(shop: DemoShop) -> None:
    names = ("NODE_OPTIONS", "PYTHONPATH", "NO_PROXY", "no_proxy")
    own = printed(shop, *names, NODE_OPTIONS="--no-deprecation", PYTHONPATH="/opt/mine", NO_PROXY="shop.example")
    hosts = "dodopayments.com,.dodopayments.com,dodopayments.tech,.dodopayments.tech"
    assert own == {
        "NODE_OPTIONS": f"--no-deprecation --require {NODE_HOOK}",
        "PYTHONPATH": f"{PYTHON_HOOK}:/opt/mine",
        "NO_PROXY": f"shop.example,{hosts}",
        "no_proxy": f"shop.example,{hosts}",
    }


def test_a_secret_that_signs_nothing_has_the_form_of_one(shop: DemoShop) -> None:
    names = ("DODO_PAYMENTS_WEBHOOK_KEY", "DODO_PAYMENTS_WEBHOOK_SECRET", "DODO_WEBHOOK_SECRET")
    found = set(printed(shop, *names, "NUXT_PRIVATE_WEBHOOK_KEY").values())
    (secret,) = found
    assert secret is not None and secret.startswith("whsec_")
    Webhook(secret)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["sh", "-c", "exit 0"], 0),
        (["sh", "-c", "exit 77"], 77),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["nicobar-has-no-such-command"], 127),
        ([str(Path(__file__).parent)], 126),
    ],
)
def test_the_status_is_that_of_the_command(shop: DemoShop, command: Sequence[str], status: int) -> None:
    assert shop.run("--", *command).returncode == status


def test_the_commands_output_and_arguments_are_its_own(shop: DemoShop) -> None:
    done = shop.run("--", "printf", "%s|", "--no-color", "--help", "--", "-x", "a b")
    assert (done.returncode, done.stdout) == (0, "--no-color|--help|--|-x|a b|")
    told = done.stderr.splitlines()
    assert told[0] == f"nicobar run: server: {shop.base_url}"
    assert told[-1] == "nicobar run: requests that were redirected here: none"
    assert [line for line in told if not line.startswith("nicobar run: ")] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_reach_the_command(shop: DemoShop, tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    trap = f"trap 'exit 42' {number.name.removeprefix('SIG')}; touch {ready}; while :; do sleep 0.05; done"
    running = subprocess.Popen(
        [*PROGRAM, "run", "--", "bash", "-c", trap],
        env=shop.variables(),
        stderr=subprocess.DEVNULL,
        preexec_fn=heed_signals,
        start_new_session=True,  # without a terminal, whose keys reach the command by themselves
    )
    eventually(ready.exists)
    running.send_signal(number)
    assert running.wait(PATIENCE) == 42


def refused(*words: str, **variables: str) -> str:
    """Return with which words `nicobar run` refuses; the command is not started."""
    marker = "the command was started"
    done = subprocess.run(
        [*PROGRAM, "run", *words, "--", "echo", marker],
        capture_output=True,
        text=True,
        env=environment(**variables),
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert marker not in done.stderr
    return done.stderr


def test_keys_for_live_mode_are_refused(shop: DemoShop) -> None:
    told = refused(DODO_PAYMENTS_BASE_URL=shop.base_url, DODO_PAYMENTS_API_KEY="nicobar_live_abc")
    assert told == "nicobar: DODO_PAYMENTS_API_KEY is a key for live mode. nicobar run takes test keys only.\n"


def test_a_server_that_is_not_there_or_not_open_is_named(shop: DemoShop, tmp_path: Path) -> None:
    told = refused(DODO_PAYMENTS_BASE_URL="http://127.0.0.1:9")
    assert told == "nicobar: No server answers at http://127.0.0.1:9, which DODO_PAYMENTS_BASE_URL names.\n"
    data = str(tmp_path / "none")
    told = refused("--data", data, DODO_PAYMENTS_BASE_URL=shop.base_url, DODO_PAYMENTS_API_KEY="nicobar_test_wrong")
    assert told.startswith(f"nicobar: A server answers at {shop.base_url}, but no test key is known that opens it.")
    assert not (tmp_path / "none").exists()


async def test_no_demo_is_started_in_a_database_of_the_users(postgres: EmbeddedPostgres, port: int) -> None:
    maintenance = Database(postgres.dsn, size=1)
    async with maintenance.read() as connection:
        await connection.execute("CREATE DATABASE nicobar_run TEMPLATE template0")
    address = postgres.dsn.replace("/nicobar?", "/nicobar_run?")
    told = refused(NICOBAR_DATABASE_URL=address, NICOBAR_PORT=str(port))
    assert told == (
        f"nicobar: No server answers at http://127.0.0.1:{port}, and nicobar run starts no demo in the database that "
        "NICOBAR_DATABASE_URL names. Start the server of that database, or name a folder for the demo with --data.\n"
    )
    untouched = Database(address, size=1)
    async with untouched.read() as connection:
        ours = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'"
        assert await connection.fetchval(ours) == 0
    await untouched.close()
    async with maintenance.read() as connection:
        await connection.execute("DROP DATABASE nicobar_run WITH (FORCE)")
    await maintenance.close()


def test_a_command_is_asked_for(shop: DemoShop) -> None:
    done = shop.run()
    assert done.returncode == 2
    assert done.stderr == ("nicobar: There is no command. It stands behind two hyphens: nicobar run -- npm run dev\n")


def test_a_browser_that_is_not_there_is_named(shop: DemoShop) -> None:
    done = shop.run("--browser", "--", "true", CHROMIUM="/nowhere/chromium")
    assert done.returncode == 2
    assert done.stderr == (
        "nicobar: --browser needs Chromium or Chrome. CHROMIUM names /nowhere/chromium, which is no program.\n"
    )


def test_a_demo_server_is_started_and_stopped(empty_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]  # free again before it is used
    command = [*PROGRAM, "run", "--data", str(empty_folder / "data"), "--", sys.executable, "-c"]
    program = (
        "import os; from dodopayments import DodoPayments\n"
        "with DodoPayments(environment='test_mode') as client: print(len(client.products.list().items))\n"
        "print(os.environ['DODO_PAYMENTS_BASE_URL'])"
    )
    # The shell's own key and address of the hosted service are no hindrance.
    done = subprocess.run(
        [*command, program],
        capture_output=True,
        text=True,
        env=environment(
            NICOBAR_PORT=str(port),
            DODO_PAYMENTS_API_KEY="key_of_the_hosted_service",
            DODO_PAYMENTS_BASE_URL="https://live.dodopayments.com",
        ),
        timeout=3 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"3\nhttp://127.0.0.1:{port}\n"
    assert f"nicobar run: started a demo server: http://127.0.0.1:{port}\n" in done.stderr
    assert postmaster(empty_folder / "data") is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


RECEIVER = """
import http.server, json, os, sys
from dodopayments import DodoPayments

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        with DodoPayments(environment="live_mode") as client:
            event = client.webhooks.unwrap(body, headers=dict(self.headers))
        self.send_response(204)
        self.end_headers()
        print(event.type, event.data.total_amount, event.data.currency, flush=True)
        raise SystemExit
    def log_message(self, *words): pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
"""


def endpoints(shop: DemoShop) -> list[dict[str, Any]]:
    with shop.client as client:
        found: list[dict[str, Any]] = client.get("/webhooks").json()["data"]
    return found


def test_webhooks_reach_the_command_and_its_key_proves_them(shop: DemoShop, port: int) -> None:
    running = subprocess.Popen(
        [*PROGRAM, "run", "--forward-to", f"localhost:{port}/hook", "--", sys.executable, "-c", RECEIVER, str(port)],
        env=shop.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: listens(port))
    assert [endpoint["url"] for endpoint in endpoints(shop)] == [f"http://localhost:{port}/hook"]
    free_payment(shop)
    out, told = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (0, "payment.succeeded 0 USD\n"), told
    assert f"nicobar run: webhooks go to http://localhost:{port}/hook\n" in told
    assert endpoints(shop) == []


def test_an_endpoint_that_a_killed_run_left_is_replaced(shop: DemoShop, port: int) -> None:
    words = ["--forward-to", f"http://localhost:{port}/hook", "--", "sleep", "30"]
    killed = subprocess.Popen([*PROGRAM, "run", *words], env=shop.variables(), stderr=subprocess.DEVNULL)
    eventually(lambda: endpoints(shop))
    killed.kill()
    killed.wait(PATIENCE)
    (left,) = endpoints(shop)
    again = shop.run("--forward-to", f"http://localhost:{port}/hook", "--", "true")
    assert again.returncode == 0, again.stderr
    assert left["url"] == f"http://localhost:{port}/hook"
    assert endpoints(shop) == []


def test_an_address_that_cannot_be_sent_to_is_refused(shop: DemoShop) -> None:
    done = shop.run("--forward-to", "ftp://localhost/hook", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "nicobar: --forward-to takes an address such as http://localhost:3000/api/webhook, not 'ftp://localhost/hook'.\n"
    )
    assert endpoints(shop) == []


# The words are not in the command's own text, which is shown as well. Bash runs a trap when `read` has ended, which it
# does by itself now and then, because the signal may come just before it waits.
COUNTING = "trap 'echo inter\"\"rupted' INT; echo rea''dy; while :; do read -t 0.2 -r line && exit 5; done"


def test_ctrl_c_reaches_the_command_once(shop: DemoShop) -> None:
    """The terminal tells all of its foreground, so that passing it on would be once more."""
    child, terminal = pty.fork()
    if child == 0:
        heed_signals()
        os.execve(sys.executable, [*PROGRAM, "run", "--", "bash", "-c", COUNTING], shop.variables())  # noqa: S606
    shown = b""
    for awaited, typed in ((b"ready", b"\x03"), (b"interrupted", b"x\n")):
        while awaited not in shown:
            assert select.select([terminal], [], [], PATIENCE)[0], shown
            shown += os.read(terminal, 4096)
        os.write(terminal, typed)
    with suppress(OSError):  # the terminal is gone with its last program
        while more := os.read(terminal, 4096):
            shown += more
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 5, shown
    assert shown.count(b"interrupted") == 1


@needs_node
def test_hooks_work_where_blanks_and_quotes_are_in_the_path(shop: DemoShop, tmp_path: Path) -> None:
    source = tmp_path / 'a "b" c'
    shutil.copytree(Path(nicobar.__file__).parent, source / "nicobar", ignore=shutil.ignore_patterns("__pycache__"))
    program = "fetch('https://live.dodopayments.com/health').then((answer) => console.log(answer.status))"
    command = [*PROGRAM, "run", "--", "node", "-e", program]
    variables = shop.variables(PYTHONPATH=str(source))
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
