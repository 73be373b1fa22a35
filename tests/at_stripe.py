"""A stand-in for Stripe that the tests talk to: localstripe in a process of its own, and what a browser does there."""

import base64
import json
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest_asyncio
from stripe import WebhookSignature

from harness import FakeClock
from nicobar.core.accounts.processor_account import ProcessorAccount
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.flows.accounts.set_processor_account import set_processor_account
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.accounts import Accounts
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.vault import Keys, Vault

SECRET_KEY = "sk_test_nicobarlocalstripe0001"
PUBLISHABLE_KEY = "pk_test_nicobarlocalstripe0001"
SIGNING_SECRET = "whsec_nicobarlocalstripe0001"

KEYS = Keys.parse(base64.b64encode(bytes(range(32))).decode())

_PROGRAM = Path(__file__).parent / "processors" / "localstripe_server.py"


class LocalStripe:
    """A running localstripe; `stop` ends it."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen([sys.executable, str(_PROGRAM), str(port)], stderr=subprocess.PIPE)
        self.client = httpx.Client(base_url=self.base, headers={"authorization": f"Bearer {SECRET_KEY}"})
        until = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < until, "localstripe does not start"
            time.sleep(0.05)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._process.stderr and self._process.stderr.read().decode()
        try:
            return self.client.get("/v1/payment_intents", params={"limit": 1}).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        self.client.close()
        self._process.terminate()
        self._process.wait(10)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def post(self, path: str, **form: str) -> dict[str, object]:
        answer = self.client.post(f"/v1/{path}", data=form)
        assert answer.status_code in (200, 402), answer.text
        return dict(answer.json())

    def intent(self, reference: str) -> dict[str, object]:
        return dict(self.client.get(f"/v1/payment_intents/{reference}").json())

    def setup(self, reference: str) -> dict[str, object]:
        return dict(self.client.get(f"/v1/setup_intents/{reference}").json())

    def setups(self) -> list[dict[str, object]]:
        return list(self.client.get("/v1/setup_intents", params={"limit": 100}).json()["data"])

    def keep(self, reference: str, number: str = "4242424242424242") -> dict[str, object]:
        """Do what Stripe's fields do in a browser: confirm the SetupIntent with a card."""
        return self.post(f"setup_intents/{reference}/confirm", payment_method=self.card(number))

    def ordered(self, reference: str) -> dict[str, object]:
        """Return what an intent was made with."""
        return dict(self.client.get(f"/_config/orders/{reference}").json())

    def intents(self) -> list[dict[str, object]]:
        return list(self.client.get("/v1/payment_intents", params={"limit": 100}).json()["data"])

    def dispute(self, reference: str, status: str, **changes: object) -> str:
        """Let the customer of a PaymentIntent dispute it, or say how the dispute stands now; return its id."""
        dispute_id = f"du_{reference.removeprefix('pi_')}"
        body = {
            "id": dispute_id,
            "status": status,
            "amount": 2400,
            "currency": "usd",
            "created": 1_790_000_000,
            "reason": "product_not_received",
            "payment_intent": reference,
        }
        assert self.client.post("/_config/disputes", json=body | changes).status_code == 200
        return dispute_id

    def card(self, number: str = "4242424242424242") -> str:
        """Make a payment method, as Stripe's fields do in a browser."""
        card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        made = self.post("payment_methods", type="card", **{f"card[{name}]": value for name, value in card.items()})
        return str(made["id"])

    def pay(self, reference: str, number: str = "4242424242424242") -> dict[str, object]:
        """Do what Stripe's fields do in a browser: confirm the PaymentIntent with a card."""
        self.post(f"payment_intents/{reference}", payment_method=self.card(number))
        return self.post(f"payment_intents/{reference}/confirm")


def signed_notice(
    type: str, subject: Mapping[str, object], secret: str = SIGNING_SECRET
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a notice about an object, as Stripe signs and sends it."""
    event = {"id": f"evt_{uuid.uuid4().hex}", "object": "event", "type": type, "data": {"object": subject}}
    body = json.dumps(event)
    header = WebhookSignature.generate_signature_header(body, secret, int(time.time()))
    return {"stripe-signature": header, "content-type": "application/json; charset=utf-8"}, body.encode()


@asynccontextmanager
async def with_accounts(runtime: Runtime) -> AsyncIterator[Runtime]:
    """Lend the runtime with a vault, so that businesses can have accounts at processors."""
    accounts = Accounts(Vault(KEYS, None), runtime.clock)
    yield runtime._replace(accounts=accounts)
    await accounts.close()


def keys_of(localstripe: LocalStripe, mode: Mode = "test", number: int = 1) -> StripeAccount:
    """Return keys of the account that a localstripe is, the first ones or those that were made later."""
    secret_key, publishable_key = (key.replace("_test_", f"_{mode}_") for key in (SECRET_KEY, PUBLISHABLE_KEY))
    later = "" if number == 1 else f"rolled{number}"
    return StripeAccount(secret_key + later, publishable_key + later, SIGNING_SECRET + later, localstripe.base)


async def connect(
    runtime: Runtime, tenant: Tenant, localstripe: LocalStripe, number: int = 1, *, check: bool = False
) -> ProcessorAccount | None:
    """Give a business an account at Stripe; return the one that it replaces."""
    account = keys_of(localstripe, tenant.mode, number)
    return await set_processor_account(runtime, tenant, account, check=check)


@pytest_asyncio.fixture(name="runtime")
async def runtime_at_stripe(runtime: Runtime, clock: FakeClock) -> AsyncIterator[Runtime]:
    """A runtime with accounts, whose clock is as late as Stripe's."""
    clock.moment = datetime.now(UTC)
    async with with_accounts(runtime) as runtime:
        yield runtime
