"""The check of a buyer's tax id with the European Union's register, against a register of our own."""

import json
from typing import Any

import pytest

from fake_site import FakeSite, fake_site
from harness import START
from nicobar.core.business.business_settings import BusinessSettings, settings_from
from nicobar.core.problems import Problem
from nicobar.core.tax.tax_id import CheckedTaxId, RegisterAnswer
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.check_tax_id import check_tax_id
from nicobar.processors.tax import vies
from nicobar.reference.codes import codes

ONLINE = settings_from({"tax_id_check": "vies"}, codes())
OFFLINE = settings_from({}, codes())


def reply(**parts: Any) -> bytes:
    whole = {
        "isValid": True,
        "requestDate": "2026-03-14T15:09:26.535Z",
        "userError": "VALID",
        "name": "ACME GmbH",
        "address": "Hauptstr. 1\n10115 Berlin",
        "requestIdentifier": "",
        "originalVatNumber": "123456788",
        "vatNumber": "123456788",
        "viesApproximate": {"name": "---", "matchName": 3},
    }
    return json.dumps({**whole, **parts}).encode()


async def ask(
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    site: FakeSite,
    country: str = "DE",
    tax_id: str = "DE123456788",
    settings: BusinessSettings = ONLINE,
) -> CheckedTaxId:
    original = vies.ask_register

    async def ask_here(*arguments: Any) -> RegisterAnswer:
        return await original(*arguments, url=site.url, seconds=0.2 if site.silent else 3.0)

    with monkeypatch.context() as patch:
        patch.setattr(vies, "ask_register", ask_here)
        return await check_tax_id(runtime, country, tax_id, settings)


async def test_a_valid_number_comes_with_evidence(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_site(reply(requestIdentifier="WAPIAAAA1")) as site:
        found = await ask(runtime, monkeypatch, site, tax_id="de 123 456 788")
    assert site.asked == ["/ms/DE/vat/123456788"]
    assert found == CheckedTaxId(
        "DE123456788",
        RegisterAnswer(
            answer="valid",
            asked_at=START,
            detail="VALID",
            request_id="WAPIAAAA1",
            request_date="2026-03-14T15:09:26.535Z",
            name="ACME GmbH",
            address="Hauptstr. 1\n10115 Berlin",
        ),
    )


async def test_a_number_that_the_register_does_not_know_is_refused(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake_site(reply(isValid=False, userError="INVALID", name="---", address="---")) as site:
        with pytest.raises(Problem) as refused:
            await ask(runtime, monkeypatch, site)
    assert refused.value.code == "INVALID_TAX_ID"
    assert refused.value.message == (
        "Tax Id is invalid. The European Union's register (VIES) does not know the USt-IdNr DE123456788."
    )


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (reply(isValid=False, userError="MS_UNAVAILABLE"), 200, "MS_UNAVAILABLE"),
        (reply(isValid=False, userError="MS_MAX_CONCURRENT_REQ"), 200, "MS_MAX_CONCURRENT_REQ"),
        (reply(isValid=False, userError="INVALID_INPUT"), 200, "INVALID_INPUT"),
        (reply(isValid=False, userError="VALID"), 200, "VALID"),
        (b'{"actionSucceed": false, "errorWrappers": []}', 200, "the answer cannot be read"),
        (b"<html>", 200, "the answer cannot be read"),
        (b"{}", 500, "status 500"),
        (b"x" * 70_000, 200, "more than 65536 bytes"),
    ],
)
async def test_whatever_else_it_says_leaves_the_offline_check(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, body: bytes, status: int, detail: str
) -> None:
    async with fake_site(body, status=status) as site:
        found = await ask(runtime, monkeypatch, site)
    assert found.number == "DE123456788"
    assert found.register is not None
    assert (found.register.answer, found.register.detail, found.register.asked_at) == ("unavailable", detail, START)
    assert found.doubt == f"the register (VIES) did not confirm it ({detail})"


async def test_silence_and_absence_leave_the_offline_check(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_site(silent=True) as site:
        found = await ask(runtime, monkeypatch, site)
    assert found.register == RegisterAnswer(answer="unavailable", asked_at=START, detail="no answer within 0.2 seconds")
    gone = FakeSite(url=site.url)
    found = await ask(runtime, monkeypatch, gone)
    assert found.register == RegisterAnswer(answer="unavailable", asked_at=START, detail="ConnectError")


async def test_the_register_is_not_asked_in_vain(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_site(reply()) as site:
        assert await ask(runtime, monkeypatch, site, settings=OFFLINE) == CheckedTaxId("DE123456788")
        assert await ask(runtime, monkeypatch, site, "CH", "CHE-123.456.788") == CheckedTaxId("CHE123456788")
        assert await ask(runtime, monkeypatch, site, "GB", "GB123456782") == CheckedTaxId("GB123456782")
        with pytest.raises(Problem, match="For Germany give the USt-IdNr"):
            await ask(runtime, monkeypatch, site, "DE", "DE123456789")
        assert (await ask(runtime, monkeypatch, site, "UG", "1000123456")).doubt.startswith("nothing is known by which")
        assert site.asked == []
        assert (await ask(runtime, monkeypatch, site, "GR", "091234566")).number == "EL091234566"
        assert (await ask(runtime, monkeypatch, site, "GB", "XI123456782")).number == "XI123456782"
        assert site.asked == ["/ms/EL/vat/091234566", "/ms/XI/vat/123456782"]
