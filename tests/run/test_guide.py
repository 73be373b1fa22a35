"""The shops of docs/guide.md do what the page says: they sell a thing, and know from a webhook that it is paid.

Their files are those of the page, and they are started by its own lines, on other ports. Next.js is played by
`clients/routes.mjs`, and itself in `test_next.py`.
"""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

import orders
from cli.program import PATIENCE, eventually, heed_signals
from house.test_readme import blocks
from pages.session.filling import send
from run.conftest import CLIENTS, NODE_MODULES, DemoShop, listens, needs_node

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
BUYER = {"email": "kim@example.com", "customer_name": "Kim Park", "country": "DE"}
ADDRESS = {"street": "Allee 1", "zipcode": "10115", "city": "Berlin"}


def files(language: str) -> list[tuple[str, str]]:
    """Return the files of a language in order: the name in their first line, and the text."""
    found = [block.text for block in blocks(PAGE) if block.language == language]
    return [(text.partition("\n")[0].split()[1], text) for text in found]


def starting(port_of_the_page: int) -> list[str]:
    """Return the line that starts the shop with this port."""
    (line,) = [block.text for block in blocks(PAGE) if f":{port_of_the_page}/webhook" in block.text]
    return shlex.split(line)


class Shop(NamedTuple):
    """A shop that runs."""

    address: str
    out: Path
    process: "subprocess.Popen[bytes]"


@contextmanager
def running(shop: DemoShop, folder: Path, port: int, command: list[str]) -> Iterator[Shop]:
    """Let a shop run in its folder, which the reader's terminal has been prepared for."""
    out = folder / "out"
    variables = shop.variables(PRODUCT=shop.product_id, PYTHONUNBUFFERED="1")
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    with out.open("wb") as told:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=told, stderr=told, preexec_fn=heed_signals
        )
    try:
        eventually(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, out.read_text()
        yield Shop(f"http://127.0.0.1:{port}", out, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


async def buy(shop: Shop) -> str:
    """Buy and pay as the page tells the reader to; return the address that the receipt leads back to."""
    async with httpx.AsyncClient(headers={"accept": "text/html"}, timeout=PATIENCE) as browser:
        home = await browser.get(f"{shop.address}/")
        form = r'<form(?= [^>]*method="post")[^>]* action="(/\w+)"[^>]*><button>Buy the field guide</button></form>'
        action = re.search(form, home.text)
        assert action is not None, home.text
        sent = await browser.post(f"{shop.address}{action[1]}")
        assert sent.status_code == 303, shop.out.read_text()
        session = await browser.get(sent.headers["location"])
        assert session.status_code == 200
        paying = await send(browser, session, **BUYER, **ADDRESS)
        assert paying.status_code == 303, paying.text
        link = str(session.url.join(paying.headers["location"]))
        await orders.pay(browser, link)
        receipt = await browser.get(link)
    assert "Payment received" in receipt.text
    back = re.search(rf'href="({re.escape(shop.address)}[^"]*)"', receipt.text)
    assert back is not None, receipt.text
    return back[1].replace("&amp;", "&")


def newest(shop: DemoShop) -> dict[str, Any]:
    """Return the newest payment."""
    with shop.client as client:
        found: dict[str, Any] = client.get("/payments").json()["items"][0]
    return found


def on(port: int, line: list[str], page_port: int) -> list[str]:
    return [word.replace(str(page_port), str(port)).replace("localhost", "127.0.0.1") for word in line]


def write(folder: Path, written: list[tuple[str, str]]) -> None:
    for name, text in written:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


async def test_the_shop_in_python_sells(shop: DemoShop, tmp_path: Path, port: int) -> None:
    write(tmp_path, files("python"))
    with running(shop, tmp_path, port, on(port, starting(8000), 8000)) as own:
        back = await buy(own)
        assert re.match(rf"{own.address}/orders/[\w-]+\?payment_id=pay_[\w-]+&status=succeeded&email=", back)
        order = back.partition("/orders/")[2].partition("?")[0]
        paid = {"order": order, "state": "paid"}
        eventually(lambda: httpx.get(back).json() == paid)
        forged = httpx.post(f"{own.address}/webhook", json={"type": "payment.succeeded"})
        assert forged.status_code == 401
        assert httpx.get(f"{own.address}/orders/none").status_code == 404
        payment = newest(shop)
        assert (payment["total_amount"], payment["currency"], payment["metadata"]) == (2033, "USD", {"order": order})


@needs_node
async def test_the_shop_in_typescript_sells(shop: DemoShop, tmp_path: Path, port: int) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    write(tmp_path, [*files("tsx"), *files("typescript")[:2]])
    line = starting(3000)
    assert line[-4:] == ["--", "npm", "run", "dev"]
    command = [*on(port, line[:-3], 3000), "node", str(CLIENTS / "routes.mjs"), str(port)]
    with running(shop, tmp_path, port, command) as own:
        back = await buy(own)
        assert re.match(rf"{own.address}/\?paid=?&payment_id=pay_[\w-]+&status=succeeded", back)
        order = newest(shop)["metadata"]["order"]
        eventually(lambda: f"order {order} is paid: 2033 USD\n" in own.out.read_text())
        assert httpx.post(f"{own.address}/webhook", json={}).status_code == 401


@needs_node
async def test_the_shop_in_typescript_sells_in_production(shop: DemoShop, tmp_path: Path, port: int) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    write(tmp_path, [*files("tsx"), files("typescript")[2]])
    with running(shop, tmp_path, port, ["node", str(CLIENTS / "routes.mjs"), str(port)]) as own:
        await buy(own)
    payment = newest(shop)
    assert (payment["status"], payment["total_amount"], payment["currency"]) == ("succeeded", 2033, "USD")


def test_every_block_is_run_or_says_why_not() -> None:
    unrun = [block for block in blocks(PAGE) if block.language == "bash" and block.reason]
    assert [block.text.split()[0] for block in unrun] == ["git", "python3", "npx"]
    names = [[name for name, _ in files(language)] for language in ("python", "tsx", "typescript")]
    assert names == [["shop.py"], ["app/page.tsx"], ["app/buy/route.ts", "app/webhook/route.ts", "app/buy/route.ts"]]
    rest = [block.text for block in blocks(PAGE) if block.language == "bash" and not block.reason]
    assert [shlex.join(starting(port)) + "\n" for port in (8000, 3000)] == rest
