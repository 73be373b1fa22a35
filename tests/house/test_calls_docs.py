"""`docs/calls.md` is generated: it has every call of the official SDK, and says what becomes of it here."""

import re
from pathlib import Path

from harness import Merchant
from house.sdk_calls import COMMAND, OTHERWISE, SdkCall, render, sdk_calls
from nicobar.app import OPERATIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "calls.md"


def test_the_page_is_the_generated_text() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), f"write it anew: {COMMAND}"


def test_every_call_of_the_sdk_is_there_once() -> None:
    calls = sdk_calls()
    assert len({call.name for call in calls}) == len(calls) == 171
    assert [call for call in calls if "arg-" in call.path] == []
    by_name = {call.name: call for call in calls}
    assert by_name["checkout_sessions.create"] == SdkCall("checkout_sessions.create", "POST", "/checkouts")
    assert by_name["webhooks.headers.update"].request == "PATCH /webhooks/{webhook_id}/headers"
    assert by_name["products.localized_prices.retrieve"].request == "GET /products/{product_id}/localized-prices/{id}"


def test_what_an_operation_takes_works_and_nothing_else() -> None:
    ours = {re.sub(r"{.*?}", "*", f"{operation.method} {operation.path}") for operation in OPERATIONS}
    working = {re.sub(r"{.*?}", "*", call.request) for call in sdk_calls() if call.is_served}
    assert working == {re.sub(r"{.*?}", "*", call.request) for call in sdk_calls()} & ours - {
        re.sub(r"{.*?}", "*", request) for request in OTHERWISE
    }
    assert {"POST /payments", "POST /checkouts", "GET /products/short_links"} <= working


async def test_what_is_not_there_is_refused(merchant: Merchant) -> None:
    for call in sdk_calls():
        if not call.is_served and call.request not in OTHERWISE:
            path = call.path.replace("{", "").replace("}", "")
            answer = await merchant.client.request(call.method, path, json={})
            assert (answer.status_code in (404, 405), set(answer.json())) == (True, {"code", "message"}), call


async def test_addresses_that_mean_something_else_are_ours(merchant: Merchant) -> None:
    served = {f"{operation.method} {operation.path}" for operation in OPERATIONS}
    assert served >= OTHERWISE.keys()
    answer = await merchant.client.get("/events")
    assert answer.status_code == 200
