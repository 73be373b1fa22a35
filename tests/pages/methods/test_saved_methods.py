"""Saved cards on the payment page: shown to a proven customer alone, and charged through the one door."""

import asyncio
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from starlette.routing import Router

from harness import PUBLIC_URL, VAULT, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Buyer
from nicobar.core.customers.customer_proof import place_of_key, sign_proof
from nicobar.core.payments.payment import Payment
from nicobar.core.test_mode.clock_goal import ClockGoal
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.business.create_business import create_business
from nicobar.flows.customers.prove_customer import prove_customer
from nicobar.flows.payments.delete_saved_method import delete_saved_method
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode.advance_clock import advance_clock
from nicobar.pages.checkout.routes import page_routes
from nicobar.pages.frame.rendering import Renderer
from nicobar.storage.customers.proof_keys import make_proof_key
from nicobar.storage.database import Tx
from nicobar.storage.payments.saved_methods import list_methods
from nicobar.vault import NONCE_BYTES
from orders import attempts_of, order, pay, place, reload, token_of

ANA = Buyer("cus_ana", "ana.lima@example.com", "Ana Lima", None, {})
BEN = Buyer("cus_ben", "ben@example.com", "Ben Okri", None, {})

SHOWN = ("Pay with a saved card", "Visa ending in 4242", "Expires 06/32", 'name="saved"', "pm_", "ending in")
"""What only a proven customer sees."""


RUPAY = "6074825972083818"
"""It pays in rupees alone."""


async def link(runtime: Runtime, tenant: Tenant, buyer: Buyer = ANA, **options: Any) -> Payment:
    """Place an order whose page may show saved cards, unless `options` say otherwise."""
    chosen = {"show_saved_payment_methods": True} | options
    return await place(runtime, order(runtime, tenant, customer=buyer, options=chosen))


async def save(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, buyer: Buyer, **card: str) -> str:
    """Let a customer pay with a card and save it; return the id of the saved method."""
    currency = "INR" if card.get("number") == RUPAY else "USD"
    payment = await place(runtime, order(runtime, tenant, customer=buyer, currency=currency))
    path = f"/{payment.link_id}"
    answer = await pay(browser, path, save="yes", **card)
    assert answer.status_code == 303
    if "/simulator/" in answer.headers["location"]:
        await browser.post(answer.headers["location"], data={"answer": "confirm"})
        await browser.get(path)
    method_id = (await reload(runtime, payment)).payment_method_id
    assert method_id is not None
    return method_id


@pytest_asyncio.fixture
async def saved(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient) -> str:
    """The id of Ana's saved Visa; Ben has saved a Mastercard."""
    method_id = await save(runtime, tenant, browser, ANA)
    await save(runtime, tenant, browser, BEN, number="5555555555554444", name="Ben Okri")
    return method_id


async def proof_of(runtime: Runtime, tenant: Tenant, buyer: Buyer = ANA) -> str:
    return (await prove_customer(runtime, tenant, buyer.customer_id)).proof


async def opened(browser: httpx.AsyncClient, payment: Payment, proof: str) -> httpx.Response:
    """Open a link with a proof as a browser does, and return the page that it leads to."""
    response = await browser.get(f"/{payment.link_id}", params={"proof": proof})
    assert (response.status_code, response.headers["location"], response.text) == (303, f"/{payment.link_id}", "")
    return await browser.get(response.headers["location"])


def hides_saved_cards(page: httpx.Response) -> bool:
    return page.status_code == 200 and not [text for text in SHOWN if text in page.text]


async def test_a_proven_customer_sees_their_own_cards(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str
) -> None:
    payment = await link(runtime, tenant)
    page = await opened(browser, payment, await proof_of(runtime, tenant))
    for text in (*SHOWN, f'value="{saved}" required checked', "Pay another way"):
        assert text in page.text
    assert page.text.count('name="saved" value=') == 1
    for foreign in ("Mastercard ending", "4444", "Ben Okri", "ben@"):
        assert foreign not in page.text


async def test_a_bare_link_shows_nothing_of_them(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str
) -> None:
    payment = await link(runtime, tenant)
    page = await browser.get(f"/{payment.link_id}")
    assert hides_saved_cards(page)
    assert "Pay another way" not in page.text
    assert "set-cookie" not in page.headers


async def test_the_proof_becomes_a_cookie_of_this_link(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str, clock: FakeClock
) -> None:
    payment = await link(runtime, tenant)
    proof = await proof_of(runtime, tenant)
    response = await browser.get(f"/{payment.link_id}?theme=dark&proof={proof}&a=%C3%A9&a=2")
    assert response.headers["location"] == f"/{payment.link_id}?theme=dark&a=%C3%A9&a=2"
    assert (response.headers["cache-control"], response.headers["referrer-policy"]) == ("no-store", "no-referrer")
    (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    assert (cookie.key, cookie["path"], cookie["max-age"]) == ("customer_proof", f"/{payment.link_id}", "900")
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "lax", "")
    assert cookie.value != proof
    assert ANA.customer_id not in cookie.value
    another = await link(runtime, tenant)
    assert hides_saved_cards(await browser.get(f"/{another.link_id}"))
    moved = await browser.get(f"/{another.link_id}", headers={"cookie": f"customer_proof={cookie.value}"})
    assert hides_saved_cards(moved)


async def test_over_https_and_below_a_path_the_cookie_says_so(runtime: Runtime, tenant: Tenant, saved: str) -> None:
    below = runtime._replace(public_url="https://example.com/pay")
    payment = await link(below, tenant)
    transport = httpx.ASGITransport(Router(page_routes(below, Renderer(below.public_url))))
    async with httpx.AsyncClient(transport=transport, base_url="https://example.com") as client:
        response = await client.get(f"/{payment.link_id}", params={"proof": await proof_of(below, tenant)})
    assert response.headers["location"] == f"/pay/{payment.link_id}"
    (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    assert (cookie["path"], cookie["secure"]) == (f"/pay/{payment.link_id}", True)


async def proof_key(tx: Tx, tenant: Tenant, fresh: bytes, clock: FakeClock) -> bytes:
    """Return the key of a tenant's proofs; a fresh one is stored if there is none."""
    place = place_of_key(tenant)
    sealed = VAULT.seal(fresh, place, clock.random_bytes(NONCE_BYTES))
    return VAULT.open(await make_proof_key(tx, tenant, sealed, clock.now()), place)


async def test_a_key_that_was_changed_or_moved_opens_no_page(runtime: Runtime, tenant: Tenant, saved: str) -> None:
    genuine = await proof_of(runtime, tenant)
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE proof_keys SET sealed = $1", VAULT.seal(bytes(32), "elsewhere", bytes(NONCE_BYTES)))
    payment = await link(runtime, tenant)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Router(page_routes(runtime, Renderer(PUBLIC_URL)))), base_url=PUBLIC_URL
    ) as client:
        response = await client.get(f"/{payment.link_id}", params={"proof": genuine})
    assert response.status_code == 303 and "set-cookie" not in response.headers


async def forgeries(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> dict[str, str]:
    """Return proofs that must not hold for Ana's link in test mode."""
    genuine = await proof_of(runtime, tenant)
    ends, _, signature = genuine.partition(".")
    live = Tenant(tenant.business_id, "live")
    elsewhere = Tenant(await create_business(runtime, "Solitaire Books"), "test")
    until = clock.now() + timedelta(minutes=10)
    async with runtime.database.transaction() as tx:
        ours = await proof_key(tx, tenant, bytes(32), clock)
        theirs = await proof_key(tx, elsewhere, bytes(32), clock)
        of_live = await proof_key(tx, live, b"\1" * 32, clock)
    return {
        "longer": f"{int(ends) + 3600}.{signature}",
        "unsigned": f"{ends}.{'A' * 43}",
        "shortened": genuine[:-1],
        "other customer": await proof_of(runtime, tenant, BEN),
        "other purpose": sign_proof(ours, "page", tenant, ANA.customer_id, until),
        "other business": sign_proof(theirs, "link", elsewhere, ANA.customer_id, until),
        "other business's key": sign_proof(theirs, "link", tenant, ANA.customer_id, until),
        "other mode": sign_proof(of_live, "link", live, ANA.customer_id, until),
        "expired": sign_proof(ours, "link", tenant, ANA.customer_id, clock.now() - timedelta(seconds=1)),
        "empty": "",
        "noise": "\u0661\u0662.<script>\0",
        "endless": f"{'9' * 400}.{signature}",
        "far": f"999999999999.{signature}",
    }


async def test_a_proof_that_does_not_hold_shows_nothing(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str, clock: FakeClock
) -> None:
    payment = await link(runtime, tenant)
    for name, proof in (await forgeries(runtime, tenant, clock)).items():
        response = await browser.get(f"/{payment.link_id}", params={"proof": proof})
        assert (response.status_code, response.headers["location"]) == (303, f"/{payment.link_id}"), name
        assert "set-cookie" not in response.headers, name
        for cookie in (proof, "x"):
            if cookie.isascii() and cookie.isprintable():
                page = await browser.get(f"/{payment.link_id}", headers={"cookie": f"customer_proof={cookie}"})
                assert hides_saved_cards(page), name


async def test_proof_and_cookie_end_after_fifteen_minutes(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str, clock: FakeClock
) -> None:
    payment = await link(runtime, tenant)
    clock.moment = clock.moment.replace(microsecond=0)
    proof = await proof_of(runtime, tenant)
    clock.advance(minutes=14, seconds=59)
    assert "Visa ending in 4242" in (await opened(browser, payment, proof)).text
    clock.advance(seconds=1)
    late = await browser.get(f"/{payment.link_id}", params={"proof": proof})
    assert "set-cookie" not in late.headers
    clock.advance(minutes=14, seconds=58)
    assert "Visa ending in 4242" in (await browser.get(f"/{payment.link_id}")).text
    clock.advance(seconds=1)
    assert hides_saved_cards(await browser.get(f"/{payment.link_id}"))


async def test_only_a_link_that_was_made_for_it_shows_them(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str
) -> None:
    payment = await link(runtime, tenant, show_saved_payment_methods=False)
    page = await opened(browser, payment, await proof_of(runtime, tenant))
    assert hides_saved_cards(page)
    assert list(browser.cookies.jar) == []


async def test_what_cannot_pay_this_order_is_not_offered(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str, clock: FakeClock
) -> None:
    debit = await save(runtime, tenant, browser, ANA, number="4000056655665556")
    await save(runtime, tenant, browser, ANA, number=RUPAY)
    await save(runtime, tenant, browser, ANA, number="5555555555554444", expiry="03/26")
    proof = await proof_of(runtime, tenant)
    page = await opened(browser, await link(runtime, tenant), proof)
    assert page.text.count('name="saved" value=') == 3
    assert "RuPay" not in page.text
    only_debit = await opened(browser, await link(runtime, tenant, allowed_payment_method_types=["debit"]), proof)
    assert only_debit.text.count('name="saved" value=') == 1
    assert debit in only_debit.text
    clock.moment = clock.moment.replace(month=4, day=2)
    later = await opened(browser, await link(runtime, tenant), await proof_of(runtime, tenant))
    assert "Mastercard ending" not in later.text
    await change_setting(runtime, tenant, "disabled_payment_methods", "debit")
    clock.advance(minutes=1)
    without = await opened(browser, await link(runtime, tenant), await proof_of(runtime, tenant))
    assert without.text.count('name="saved" value=') == 1
    assert debit not in without.text


@pytest.mark.usefixtures("settled")
async def test_a_card_has_expired_by_the_time_of_test_mode_and_a_proof_by_real_time(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str
) -> None:
    await save(runtime, tenant, browser, ANA, number="5555555555554444", expiry="03/26")
    proof = await proof_of(runtime, tenant)
    assert "Mastercard ending" in (await opened(browser, await link(runtime, tenant), proof)).text
    await advance_clock(runtime, tenant, ClockGoal(by=timedelta(days=20)))
    later = (await opened(browser, await link(runtime, tenant), proof)).text
    assert "Mastercard ending" not in later
    assert "Visa ending in 4242" in later


async def choose(browser: httpx.AsyncClient, payment: Payment, page: httpx.Response, method_id: str) -> httpx.Response:
    return await browser.post(f"/{payment.link_id}", data={"saved": method_id, "token": token_of(page)})


async def test_a_saved_card_pays_without_its_security_code(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str, clock: FakeClock
) -> None:
    payment = await link(runtime, tenant)
    page = await opened(browser, payment, await proof_of(runtime, tenant))
    clock.advance(minutes=1)
    answer = await choose(browser, payment, page, saved)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{payment.link_id}")
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method_id, paid.payment_method_type) == ("succeeded", saved, "credit")
    assert paid.card is not None
    assert (paid.card.last_four, paid.card.holder_name) == ("4242", "Ana Lima")
    (attempt,) = await attempts_of(runtime, payment)
    assert (attempt["amount"], attempt["save_method"]) == (2400, False)
    async with runtime.database.read() as read:
        (method,) = await list_methods(read, tenant, ANA.customer_id)
    assert method.last_used_at == clock.now()
    receipt = await browser.get(f"/{payment.link_id}")
    assert "Payment received" in receipt.text
    assert saved not in receipt.text


async def test_a_challenge_comes_before_a_saved_card_too(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    method_id = await save(runtime, tenant, browser, ANA, number="4000002500003155")
    payment = await link(runtime, tenant)
    page = await opened(browser, payment, await proof_of(runtime, tenant))
    challenge = (await choose(browser, payment, page, method_id)).headers["location"]
    assert challenge.startswith("http://pay.test/simulator/challenge/sim_")
    await browser.post(challenge, data={"answer": "confirm"})
    assert "Payment received" in (await browser.get(f"/{payment.link_id}")).text


async def test_nobody_pays_with_a_card_that_was_not_shown_to_them(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str, clock: FakeClock
) -> None:
    """Knowing a link and the id of a saved method is not enough: the proof is asked for again."""
    payment = await link(runtime, tenant)
    bare = await browser.get(f"/{payment.link_id}")
    of_ben = await link(runtime, tenant, BEN)
    as_ben = await opened(browser, of_ben, await proof_of(runtime, tenant, BEN))
    for order_, page in ((payment, bare), (of_ben, as_ben)):
        for method_id in (saved, "pm_unknown"):
            refused = await choose(browser, order_, page, method_id)
            assert refused.status_code == 422
            assert "This saved card cannot be used any more." in refused.text
            assert saved not in refused.text
    page = await opened(browser, payment, await proof_of(runtime, tenant))
    clock.advance(minutes=15)
    assert (await choose(browser, payment, page, saved)).status_code == 422
    for untouched in (payment, of_ben):
        assert await attempts_of(runtime, untouched) == []
        assert (await reload(runtime, untouched)).status == "requires_payment_method"


async def test_a_card_that_was_deleted_meanwhile_is_explained(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await link(runtime, tenant)
    page = await opened(browser, payment, await proof_of(runtime, tenant))
    async with runtime.database.read() as read:
        before = await list_methods(read, tenant, ANA.customer_id)
    await delete_saved_method(runtime, tenant, ANA.customer_id, saved)

    async def as_it_was(*_arguments: Any) -> Any:
        return before

    monkeypatch.setattr("nicobar.pages.methods.saved_methods.list_methods", as_it_was)
    refused = await choose(browser, payment, page, saved)
    assert refused.status_code == 422
    assert 'role="alert" tabindex="-1" autofocus id="saved-gone"' in refused.text
    assert saved not in refused.text
    assert 'name="number"' in refused.text
    assert await attempts_of(runtime, payment) == []


async def test_a_double_click_charges_a_saved_card_once(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str
) -> None:
    payment = await link(runtime, tenant)
    page = await opened(browser, payment, await proof_of(runtime, tenant))
    answers = await asyncio.gather(*(choose(browser, payment, page, saved) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {303}
    assert len(await attempts_of(runtime, payment)) == 1
    assert (await reload(runtime, payment)).status == "succeeded"


async def test_after_a_saved_card_failed_a_typed_one_pays(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    method_id = await save(runtime, tenant, browser, ANA, number="4000002500003155")
    payment = await link(runtime, tenant)
    page = await opened(browser, payment, await proof_of(runtime, tenant))
    clock.advance(seconds=1)
    challenge = (await choose(browser, payment, page, method_id)).headers["location"]
    await browser.post(challenge, data={"answer": "refuse"})
    again = await browser.get(f"/{payment.link_id}")
    assert '<details class="other" open>' in again.text
    failed = await reload(runtime, payment)
    assert (failed.status, failed.payment_method_id) == ("failed", method_id)
    clock.advance(seconds=1)
    await pay(browser, f"/{payment.link_id}")
    paid = await reload(runtime, payment)
    assert (paid.status, paid.payment_method_id, paid.three_ds) == ("succeeded", None, None)


async def test_consent_is_asked_for_and_never_assumed(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient
) -> None:
    payment = await link(runtime, tenant)
    box = '<input type="checkbox" id="save" name="save" value="yes" aria-describedby="save-hint">'
    page = await browser.get(f"/{payment.link_id}")
    for text in (box, "Save this card for later", "It is kept for a•••@e•••.com.", "You can have it deleted"):
        assert text in page.text
    unticked = await pay(browser, f"/{payment.link_id}", cvc="")
    assert (unticked.status_code, box in unticked.text) == (422, True)
    ticked = await pay(browser, f"/{payment.link_id}", cvc="", save="yes")
    assert (ticked.status_code, box in ticked.text) == (422, False)
    assert 'aria-describedby="save-hint" checked>' in ticked.text
    free = msgspec.structs.replace(order(runtime, tenant, []), customer=BEN)
    assert 'name="save"' not in (await browser.get(f"/{(await place(runtime, free)).link_id}")).text


async def test_a_card_that_another_account_keeps_is_not_offered(
    runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, saved: str
) -> None:
    payment = await link(runtime, tenant)
    proof = await proof_of(runtime, tenant)
    assert "Visa ending in 4242" in (await opened(browser, payment, proof)).text
    async with runtime.database.statement() as tx:
        await tx.execute("UPDATE saved_methods SET account = 'acct_other' WHERE payment_method_id = $1", saved)
    assert hides_saved_cards(await opened(browser, payment, proof))
