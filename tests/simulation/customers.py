"""What customers' browsers do: they pay by every method, answer their banks, come back, and click twice."""

import asyncio
import random
import re

import httpx

from orders import token_of
from simulation.sellers import look
from simulation.town import Process, Told, Town

CARDS: dict[str, int] = {
    "4242424242424242": 40,
    "4000056655665556": 8,
    "378282246310005": 2,
    "4000000000000002": 8,
    "4000000000009995": 4,
    "4000000000000341": 3,
    "4000002500003155": 12,
    "4000008260003178": 4,
    "4000000000003055": 3,
    "4000000000000259": 4,
    "4000000000002685": 3,
    "4000000000007726": 5,
    "4000000000005126": 4,
    "4111111111111111": 2,
    "12": 1,
}
"""Published test cards with how often each is used; the last two are none."""

VALUES: dict[str, tuple[dict[str, str], ...]] = {
    "ach": tuple(
        {"routing": "110000000", "account": account}
        for account in ("000123456789", "000222222227", "000555555559", "000111111113", "1")
    ),
    "sepa": tuple(
        {"iban": iban} for iban in ("DE89370400440532013000", "DE62370400440532013001", "DE08370400440532013003", "DE1")
    ),
    "upi_collect": ({"upi_id": "success@upi"}, {"upi_id": "failure@upi"}, {"upi": "qr"}),
    "pix": ({"tax_number": "1234567890"},),
}
"""What is typed for methods that ask for something. The account whose debits never end is left out."""

PANEL = ("pay", "decline", "challenge", "lose_answer", "expire")


async def pay(town: Town, process: Process, chance: random.Random) -> None:
    """Open a link and pay by card, another method or the test panel."""
    told = _pick(town, chance)
    if told is not None:
        await pay_for(town, process, chance, told)


async def pay_for(town: Town, process: Process, chance: random.Random, told: Told) -> None:
    """Pay this payment, with one click or two."""
    page = await _open(town, process, told)
    if page is None or 'name="token"' not in page.text:
        return
    form = {"token": token_of(page)} | _payment_form(page, chance)
    clicks = 2 if chance.random() < 0.1 else 1
    answers = await asyncio.gather(*(town.send(process, "POST", told.link or "", data=form) for _ in range(clicks)))
    for answer in answers:
        if answer is not None and answer.status_code == 303 and chance.random() < 0.5:
            await _follow(town, process, chance, answer.headers["location"], told)
    if chance.random() < 0.7:
        await look(town, process, told.payment_id)


async def come_back(town: Town, process: Process, chance: random.Random) -> None:
    """Open a link in whatever state it is, and answer the bank if it asks."""
    told = _pick(town, chance)
    if told is not None:
        await come_back_to(town, process, chance, told)


async def come_back_to(town: Town, process: Process, chance: random.Random, told: Told) -> None:
    """Open this link, and answer the bank if it asks."""
    page = await _open(town, process, told)
    found = None if page is None else re.search(r"/simulator/(?:challenge|pay|qr)/[A-Za-z0-9_-]+", page.text)
    if found is not None:
        await _follow(town, process, chance, found[0], told)
        await look(town, process, told.payment_id)


async def change_code(town: Town, process: Process, chance: random.Random) -> None:
    """Type a discount code into the page, or remove one."""
    told = _pick(town, chance)
    if told is not None:
        code = chance.choice(("TENTH", "EVERYTHING", "FIVER", "FIRST", "NOPE"))
        await _change(town, process, told, "discount", {chance.choice(("code", "code", "remove")): code})


async def change_country(town: Town, process: Process, chance: random.Random) -> None:
    """Choose another country on the page."""
    told = _pick(town, chance)
    if told is not None:
        details = {
            "country": chance.choice(("US", "DE", "GB", "JP", "NL")),
            "email": "ana@email.us",
            "name": "Ana Lima",
            "street": "Street 1",
            "city": "City",
            "state": "NY",
            "zipcode": "10118",
        }
        await _change(town, process, told, "details", details)


async def _change(town: Town, process: Process, told: Told, part: str, fields: dict[str, str]) -> None:
    page = await _open(town, process, told)
    if page is None or 'name="token"' not in page.text:
        return
    told.changes += 1
    told.total = None
    try:
        await town.send(process, "POST", f"{told.link}/{part}", data={"token": token_of(page)} | fields)
    finally:
        told.changes += 1
        told.total = None


async def _open(town: Town, process: Process, told: Told) -> httpx.Response | None:
    """Open the page of a link."""
    return None if told.link is None else await town.send(process, "GET", told.link)


async def _follow(town: Town, process: Process, chance: random.Random, location: str, told: Told) -> None:
    """Go where the page leads: to a page of the simulator, where the customer decides, or back to the link."""
    path = httpx.URL(location).path
    if not path.startswith("/simulator/"):
        await _open(town, process, told)
        return
    if chance.random() < 0.2:
        return  # the customer walks away
    card = path.startswith("/simulator/challenge/")
    answer = chance.choice(("confirm", "confirm", "refuse") if card else ("approve", "approve", "fail", "cancel"))
    path = path.replace("/simulator/qr/", "/simulator/pay/")
    await town.send(process, "POST", path, data={"answer": answer})
    if chance.random() < 0.1:
        await town.send(process, "POST", path, data={"answer": "confirm" if card else "approve"})
    if chance.random() < 0.8:
        await _open(town, process, told)


def _payment_form(page: httpx.Response, chance: random.Random) -> dict[str, str]:
    """Fill the form of a page with one of the ways to pay that it offers."""
    if 'name="panel"' in page.text and chance.random() < 0.2:
        return {"panel": chance.choice(PANEL), "error_code": "EXPIRED_CARD"}
    methods = re.findall(r'<input type="(?:radio|hidden)" name="method"[^>]* value="([^"]+)"', page.text)
    method = chance.choice([*methods, *["card"] * 8])
    if method == "card":
        number = chance.choices(list(CARDS), list(CARDS.values()))[0]
        expiry = "06 / 32" if chance.random() < 0.97 else "01 / 20"
        cvc = "1234" if number.startswith("37") else "123"
        card = {"method": "card", "number": number, "expiry": expiry, "cvc": cvc, "name": "Ana Lima"}
        return card | ({"save": "yes"} if chance.random() < 0.3 else {})
    return {"method": method} | chance.choice(VALUES.get(method, ({},)))


def _pick(town: Town, chance: random.Random) -> Told | None:
    """Choose one of the payments that were made last, and now and then any other."""
    linked = [told for told in town.journal.payments.values() if told.link is not None]
    if not linked:
        return None
    return chance.choice(linked[-8:] if chance.random() < 0.8 else linked)
