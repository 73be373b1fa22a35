"""Saved cards on the payment page: who may see them, how they are shown, and the customer's consent to save one.

A payment link may be forwarded, so it shows saved cards to nobody by itself. The merchant appends a proof that the
visitor is the payment's customer (`POST /customers/{customer_id}/proof`). The page exchanges it for a cookie of this
one link and leads on to the clean address, so that the proof stays neither in the address bar nor in the history. A
proof that is forged, too old or somebody else's leads there as well, and nothing shows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.customers.customer_proof import LIFETIME, proof_holds, sign_proof
from nicobar.core.payments.methods import CARD_TYPES, Decision
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.saved_method import SavedMethod, can_pay
from nicobar.flows.customers.load_proof_key import load_proof_key
from nicobar.flows.runtime import Runtime
from nicobar.pages.frame.rendering import Renderer, keep_cookie, redirect
from nicobar.pages.frame.view import card_name, expiry_text
from nicobar.pages.texts.texts import Texts
from nicobar.processors.accounts.registry import is_chargeable
from nicobar.processors.base import Processor
from nicobar.storage.database import Read
from nicobar.storage.payments.saved_methods import list_methods
from nicobar.vault import VaultError

_log = structlog.get_logger(__name__)

PARAMETER: Final = "proof"
"""Name of the query parameter that brings a proof."""

COOKIE: Final = "customer_proof"

MAXIMUM_SHOWN: Final = 8
"""Saved cards that the page offers: the last used ones."""


class SavedItem(msgspec.Struct, frozen=True):
    """One saved card to choose."""

    payment_method_id: str
    card: str
    """Network and last four digits."""
    expires: str
    chosen: bool


class SavedView(msgspec.Struct, frozen=True):
    """What the page shows about saving and saved cards."""

    items: list[SavedItem]
    """Empty unless the visitor has proved to be the customer."""
    error: str | None
    """Why the saved card that was chosen could not be charged."""
    consent: bool
    """Whether the box that asks to save the card is ticked; it is never ticked before the customer does it."""


async def exchange_proof(runtime: Runtime, renderer: Renderer, request: Request, payment: Payment) -> Response:
    """Lead on to the link's own address without the proof, with a cookie in its place if the proof holds."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != PARAMETER]
    path = renderer.path(f"/{payment.link_id}")
    response = redirect(f"{path}?{urlencode(kept)}" if kept else path)
    if not payment.options.show_saved_payment_methods:
        return response
    now = runtime.real_now()
    async with runtime.database.read() as read:
        key = await _proof_key(runtime, read, payment)
    proof = request.query_params[PARAMETER]
    customer_id = payment.customer.customer_id
    if key is not None and proof_holds(key, "link", payment.tenant, customer_id, proof, now):
        proven = sign_proof(key, "page", payment.tenant, customer_id, now + LIFETIME, payment.link_id or "")
        keep_cookie(response, COOKIE, proven, LIFETIME, path, runtime.public_url)
    return response


async def proven_methods(
    runtime: Runtime,
    request: Request,
    payment: Payment,
    decisions: Sequence[Decision],
    processor: Processor | None,
    now: datetime,
) -> list[SavedMethod]:
    """Return the saved cards that `processor` can charge for this payment, of the types that it is offered.

    There is none unless the visitor proved to be the payment's customer.
    """
    cookie = request.cookies.get(COOKIE)
    offered = {decision.type for decision in decisions if decision.offered}
    asked_for = payment.options.show_saved_payment_methods and not payment.is_free
    if cookie is None or not asked_for or offered.isdisjoint(CARD_TYPES):
        return []
    customer_id = payment.customer.customer_id
    async with runtime.database.snapshot() as read:
        key = await _proof_key(runtime, read, payment)
        link_id = payment.link_id or ""
        if key is None or not proof_holds(key, "page", payment.tenant, customer_id, cookie, now, link_id):
            return []
        methods = await list_methods(read, payment.tenant, customer_id)
    kept = [method for method in methods if is_chargeable(method, processor)]
    usable = [method for method in kept if can_pay(method, payment.currency, offered)]
    today = runtime.now(payment.tenant)
    return [method for method in usable if not method.is_expired(today)][:MAXIMUM_SHOWN]


def saved_view(methods: Sequence[SavedMethod], texts: Texts, *, failed: bool, consent: bool) -> SavedView:
    """Return the view; `failed` says that the chosen card could not be charged, `consent` that the box was ticked."""
    items = [
        SavedItem(
            method.payment_method_id,
            card_name(method.card, texts),
            expiry_text(method.card, texts),
            index == 0,
        )
        for index, method in enumerate(methods)
    ]
    return SavedView(items, texts("error.saved_gone") if failed else None, consent)


async def _proof_key(runtime: Runtime, read: Read, payment: Payment) -> bytes | None:
    """Return the key of the seller's proofs; without one, or with one that cannot be decrypted, no proof holds."""
    try:
        return await load_proof_key(runtime, read, payment.tenant)
    except VaultError as error:
        _log.error("proof_key_unreadable", why=str(error))
        return None
