"""Stripe's own fields on pages of ours: what is typed there goes from the browser to Stripe and never comes by here.

Stripe demands that its script comes from its own server. The policies of the pages with fields allow Stripe's addresses
for that, and those of all others stay as they are.
"""

from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.responses import Response

from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.policy import Policy
from nicobar.pages.texts.texts import Texts
from nicobar.processors.base import FieldsAhead
from nicobar.reference import methods

FIELDS: Final = "stripe"
"""The last part of the page's address, after the link's (`processors/stripe/stripe.py:FIELDS_PATH`)."""

SCRIPT: Final = "https://js.stripe.com/v3/"

_UNSPOKEN: Final = frozenset({"ca", "ka"})
"""Languages of ours that Stripe's fields do not speak; they take the browser's then."""

_WALLETS: Final = {"apple_pay": "applePay", "google_pay": "googlePay"}
"""Wallets that Stripe's fields for a card can show, by the contract's type."""


class FieldsView(msgspec.Struct, frozen=True, kw_only=True):
    """The fields for a card that a page shows before there is a payment."""

    key: str
    """The publishable key."""
    amount: int
    """As Stripe counts it; 0 where a card is only kept."""
    currency: str
    """As Stripe writes it."""
    keeps: bool
    """Whether the card is kept in any case, to be charged again."""
    language: str
    wallets: str
    submit: str
    """The label of the button while the fields are there."""


def fields_view(payment: Payment, ahead: FieldsAhead, policy: Policy, texts: Texts, submit: str) -> FieldsView:
    """Return the fields for what a payment costs as it is now."""
    return FieldsView(
        key=ahead.publishable_key,
        amount=ahead.amount,
        currency=ahead.currency,
        keeps=payment.options.keeps_method,
        language=fields_language(texts),
        wallets=" ".join(wallets(payment, policy)),
        submit=submit if payment.total_amount else texts("portal.use_card"),
    )


def fields_language(texts: Texts) -> str:
    """Return the language of the fields, in Stripe's spelling."""
    return "auto" if texts.language in _UNSPOKEN else texts.language


def wallets(payment: Payment, policy: Policy) -> list[str]:
    """Return the wallets that may be shown alongside the fields of a card, in Stripe's names."""
    allowed, country = payment.options.allowed_payment_method_types, payment.billing.country
    return [
        name
        for type, name in _WALLETS.items()
        if type not in policy.settings.disabled_payment_methods
        and (allowed is None or type in allowed)
        and methods.get(type).accepts(country, payment.currency)
    ]


def leads_to_fields(url: str) -> bool:
    """Return whether an address is that of the page with Stripe's fields."""
    return urlsplit(url).path.endswith(f"/{FIELDS}")


def allow_stripe(response: Response) -> Response:
    """Open the policy of one response for Stripe's script, its frames and its API (Stripe's page on security)."""
    sources = {
        "script-src 'self'": "script-src 'self' https://js.stripe.com https://*.js.stripe.com",
        "connect-src 'self'": "connect-src 'self' https://api.stripe.com",
        "base-uri": "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; base-uri",
    }
    policy = response.headers["content-security-policy"]
    for ours, theirs in sources.items():
        policy = policy.replace(ours, theirs, 1)
    response.headers["content-security-policy"] = policy
    # Wallets and some banks open a window of their own, which tells this page how it went.
    response.headers["cross-origin-opener-policy"] = "same-origin-allow-popups"
    permissions = response.headers["permissions-policy"]
    response.headers["permissions-policy"] = permissions.replace(
        "payment=()", 'payment=(self "https://js.stripe.com" "https://hooks.stripe.com")'
    )
    return response
