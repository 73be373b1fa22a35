"""`nicobar run --browser`: in that Chromium the vendor's checkout is this server, for links and for the script."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Error, Page, async_playwright

from cli.program import PATIENCE, PROGRAM, eventually, heed_signals, run
from pages.browsing import NODE_MODULES, WAIT
from run.conftest import CLIENTS, DemoShop, free_port, needs_node

pytestmark = needs_node

CARD = {"number": "4242424242424242", "expiry": "0632", "cvc": "123", "name": "Ana Lima"}


def real_chromium() -> str:
    """Return the Chromium that the tests use."""
    names = (os.environ.get("CHROMIUM", ""), "chromium-headless-shell", "chromium", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail("No Chromium found: make setup")
    return found


@pytest.fixture
async def page(shop: DemoShop, port: int, tmp_path: Path) -> AsyncIterator[Page]:
    """The shop's page in the browser that `nicobar run --browser` has opened, and in which the tests look on."""
    debugging = free_port()
    chromium = tmp_path / "chromium"
    flags = f"--headless --no-sandbox --disable-background-networking --remote-debugging-port={debugging}"
    chromium.write_text(f'#!/bin/sh\nexec {real_chromium()} {flags} "$@"\n')
    chromium.chmod(0o755)
    allowed = run("settings", "set", "allowed_origins", f"http://127.0.0.1:{port}", "--data", shop.data)
    assert allowed.returncode == 0, allowed.stderr
    script = NODE_MODULES / "dodopayments-checkout" / "dist" / "index.js"
    command = [sys.executable, str(CLIENTS / "shop.py"), str(port), shop.product_id, str(script)]
    running = subprocess.Popen(
        [*PROGRAM, "run", "--browser", "--forward-to", f"http://127.0.0.1:{port}/hook", "--", *command],
        env=shop.variables(CHROMIUM=str(chromium)),
        start_new_session=True,
        preexec_fn=heed_signals,
    )
    try:
        eventually(lambda: _is_debugged(debugging) or running.poll() is not None)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{debugging}")
            (opened,) = [page for page in browser.contexts[0].pages if not page.url.startswith("devtools:")]
            opened.set_default_timeout(WAIT)
            await opened.wait_for_url(f"http://127.0.0.1:{port}/")
            yield opened
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 128 + signal.SIGTERM
    assert not _is_debugged(debugging)


def _is_debugged(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/json/version").status_code == 200
    except httpx.HTTPError:
        return False


async def link_of(page: Page) -> str:
    link = await page.get_by_text("Pay", exact=True).get_attribute("href")
    assert link is not None and link.startswith("https://checkout.dodopayments.com/")
    return link


async def test_a_link_to_the_hosted_checkout_is_paid_here(page: Page, shop: DemoShop) -> None:
    link = await link_of(page)
    await page.get_by_text("Pay", exact=True).click()
    await page.wait_for_url(link)
    for field, value in CARD.items():
        await page.locator(f"#{field}").fill(value)
    await page.locator("#name").press("Enter")
    await page.locator("#name").wait_for(state="detached")
    assert page.url.startswith("https://checkout.dodopayments.com/")  # the receipt, at the host of the link
    with shop.client as client:
        (newest, *_) = client.get("/payments").json()["items"]
    assert (newest["status"], newest["total_amount"], newest["currency"]) == ("succeeded", 2033, "USD")


async def test_the_overlay_script_opens_its_host_here(page: Page) -> None:
    link = await link_of(page)
    await page.evaluate("url => DodoPaymentsCheckout.DodoPayments.Checkout.open({ checkoutUrl: url })", link)
    frame = page.frame_locator("#dodo-checkout-iframe")
    for field, value in CARD.items():
        await frame.locator(f"#{field}").fill(value)
    heard = "JSON.parse(sessionStorage.events || '[]').map((event) => event.event_type)"
    await page.wait_for_function(f"{heard}.includes('checkout.payment_page_opened')")
    assert await page.evaluate(f"{heard}.slice(0, 2)") == ["checkout.opened", "checkout.form_ready"]
    await frame.locator("#name").press("Enter")
    await page.wait_for_function(f"{heard}.includes('checkout.status') || location.pathname === '/thanks'")


async def test_the_overlay_script_opens_a_session_here(page: Page, shop: DemoShop) -> None:
    with shop.client as client:
        cart = [{"product_id": shop.product_id, "quantity": 2}]
        body = {"product_cart": cart, "customer": {"email": "kim@example.com", "name": "Kim Park"}}
        made = client.post("/checkouts", json=body | {"billing_address": {"country": "DE"}}).raise_for_status().json()
    link = f"https://checkout.dodopayments.com/session/{made['session_id']}"
    await page.evaluate("url => DodoPaymentsCheckout.DodoPayments.Checkout.open({ checkoutUrl: url })", link)
    frame = page.frame_locator("#dodo-checkout-iframe")
    for field, value in {"street": "Allee 1", "zipcode": "10115", "city": "Berlin"}.items():
        await frame.locator(f"#{field}").fill(value)
    await frame.locator("button[data-busy]").click()
    for field, value in CARD.items():
        await frame.locator(f"#{field}").fill(value)
    await frame.locator("#name").press("Enter")
    await frame.locator(".receipt").wait_for()
    heard = "JSON.parse(sessionStorage.events).map((event) => event.event_type.replace('checkout.', ''))"
    told = ["opened", "form_ready", "breakdown", "customer_details_submitted", "breakdown", "payment_page_opened"]
    assert await page.evaluate(heard) == [*told, "pay_button_clicked"]
    with shop.client as client:
        status = client.get(f"/checkouts/{made['session_id']}").json()
        payment = client.get(f"/payments/{status['payment_id']}").json()
    assert (payment["status"], payment["total_amount"], payment["currency"]) == ("succeeded", 4066, "USD")


async def test_the_rest_of_the_hosted_service_does_not_exist(page: Page) -> None:
    answer = await page.goto("http://test.checkout.dodopayments.com/health")
    assert answer is not None and answer.status == 200
    for host in ("docs.dodopayments.com", "dodopayments.com", "wsserver.dodopayments.tech"):
        other = await page.context.new_page()
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            await other.goto(f"https://{host}/")
        await other.close()


def test_a_browser_that_cannot_run_is_told(shop: DemoShop, tmp_path: Path) -> None:
    chromium = tmp_path / "chromium"
    chromium.write_text("#!/bin/sh\necho first >&2\necho No display here. >&2\nexit 3\n")
    chromium.chmod(0o755)
    done = shop.run("--browser", "--", "sleep", "2", CHROMIUM=str(chromium))
    assert done.returncode == 0
    assert "nicobar run: the browser ended with status 3: No display here.\n" in done.stderr
