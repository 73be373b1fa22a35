"""localstripe, a stand-in for Stripe, as a server of its own: `python localstripe_server.py PORT`.

Some things that Stripe does are missing in it, and this adds what the tests need of them: idempotency keys, the
newest first in lists with `created`, the cards of charges, the PaymentIntent with a decline, refunds that end at what
was paid, disputes, and parameters that localstripe does not know. It keeps its state in memory and listens on
127.0.0.1 only.
"""

import asyncio
import hashlib
import json
import sys
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from localstripe import resources, server

_one_by_one = asyncio.Lock()
_answers: dict[str, tuple[str, int, bytes]] = {}

_UNKNOWN = ("return_url", "payment_method_data", "setup_future_usage")


def _without(data: Any) -> Any:
    return {name: value for name, value in data.items() if name not in _UNKNOWN}


_create = resources.PaymentIntent._api_create.__func__
_confirm = resources.PaymentIntent._confirm
_refund = resources.Refund._api_create.__func__


_orders: dict[str, Any] = {}


def create(cls: Any, /, **data: Any) -> Any:
    made = _create(cls, **_without(data))
    _orders[made.id] = data
    return made


async def get_order(request: web.Request) -> web.Response:
    """Let a test see what a PaymentIntent was made with."""
    return web.json_response(_orders[request.match_info["id"]])


def confirm(self: Any, on_failure_now: Any) -> Any:
    """Stripe answers a decline together with the PaymentIntent."""
    try:
        return _confirm(self, on_failure_now)
    except server.UserError as error:
        if error.code == 402:
            error.body["error"] |= {"type": "card_error", "payment_intent": self._export()}
        raise


_create_setup = resources.SetupIntent._api_create.__func__
_attach = resources.SetupIntent._attach_pm


def create_setup(cls: Any, /, **data: Any) -> Any:
    """Stripe confirms a SetupIntent with the order that makes it, too."""
    confirmed, method = data.get("confirm"), data.get("payment_method")
    more = ("confirm", "payment_method", "payment_method_options")
    made = _create_setup(cls, **{name: value for name, value in _without(data).items() if name not in more})
    _orders[made.id] = data
    if confirmed:
        made._attach_pm(resources.PaymentMethod._api_retrieve(method))
    return made


def attach(self: Any, method: Any) -> None:
    """A decline is told with the SetupIntent, which waits for another card."""
    try:
        _attach(self, method)
    except server.UserError as error:
        self.status, self.payment_method = "requires_payment_method", None
        self.last_setup_error = {"code": "card_declined", "decline_code": "generic_decline"}
        error.body["error"] |= {"type": "card_error", "setup_intent": self._export()}
        raise


def list_intents(cls: Any, url: str, created: Any = None, limit: Any = None, starting_after: Any = None) -> Any:
    """Stripe lists the newest first, and takes a range of time."""
    bounds = {name: int(value) for name, value in (created or {}).items()}
    found = resources.List(url, limit=limit, starting_after=starting_after)
    found._list = [
        value
        for name, value in reversed(list(resources.store.items()))
        if name.startswith(f"{cls.object}:")
        and bounds.get("gte", 0) <= value.created <= bounds.get("lte", value.created)
    ]
    return found


def refund(cls: Any, /, **data: Any) -> Any:
    """Stripe gives back no more than was paid."""
    intent = resources.PaymentIntent._api_retrieve(data["payment_intent"])
    charge = intent.latest_charge
    if charge is not None and charge.amount_refunded + int(data.get("amount", charge.amount)) > charge.amount:
        raise server.UserError(400, "Refund amount is greater than unrefunded amount on charge")
    return _refund(cls, **data)


def card_of_charge(charge: Any) -> Any:
    method = resources.PaymentMethod._api_retrieve(charge.payment_method)
    card = {name: value for name, value in method.card.items() if name != "three_d_secure_usage"}
    return {"type": "card", "card": {**card, "three_d_secure": None}}


resources.PaymentIntent._api_create = classmethod(create)
resources.PaymentIntent._confirm = confirm
resources.PaymentIntent._api_list_all = classmethod(list_intents)
resources.SetupIntent._api_create = classmethod(create_setup)
resources.SetupIntent._attach_pm = attach
resources.SetupIntent._api_list_all = classmethod(list_intents)
resources.SetupIntent.latest_attempt = None
resources.SetupIntent.last_setup_error = None
resources.Refund._api_create = classmethod(refund)
resources.Charge.payment_method_details = property(card_of_charge)
resources.Charge.billing_details = property(lambda charge: {"name": "Ada Lovelace"})
resources.Store.dump_to_disk = lambda store: None


_disputes: dict[str, Any] = {}


async def put_dispute(request: web.Request) -> web.Response:
    """Let a test open a dispute, or set its state."""
    dispute = await request.json()
    _disputes[dispute["id"]] = dispute
    return web.json_response({})


async def get_dispute(request: web.Request) -> web.Response:
    found = _disputes.get(request.match_info["id"])
    if found is None:
        raise server.UserError(404, "No such dispute", {"code": "resource_missing"})
    intent = resources.PaymentIntent._api_retrieve(found["payment_intent"])._export()
    return web.json_response({**found, "payment_intent": intent})


async def get_account(request: web.Request) -> web.Response:
    """Say whose key it is: each of these servers is one account, whatever the keys."""
    return web.json_response({"id": f"acct_{request.url.port}", "object": "account"})


@web.middleware
async def idempotency(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One key, one answer; the same key with another order is refused."""
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or key is None:
        return await handler(request)
    order = hashlib.sha256(request.path.encode() + await request.read()).hexdigest()
    async with _one_by_one:
        if key not in _answers:
            try:
                answer = await handler(request)
            except server.UserError as error:
                answer = error.to_response()
            assert isinstance(answer, web.Response)
            assert isinstance(answer.body, bytes)
            _answers[key] = (order, answer.status, answer.body)
    known, status, body = _answers[key]
    if known != order:
        text = json.dumps({"error": {"type": "idempotency_error", "message": "Another order had this key."}})
        return web.Response(status=400, text=text, content_type="application/json")
    return web.Response(status=status, body=body, content_type="application/json")


async def main(port: int) -> None:
    server.app.middlewares.insert(0, idempotency)
    server.app.router.add_post("/_config/disputes", put_dispute)
    server.app.router.add_get("/v1/disputes/{id}", get_dispute)
    server.app.router.add_get("/_config/orders/{id}", get_order)
    server.app.router.add_get("/v1/account", get_account)
    runner = web.AppRunner(server.app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
