"""What the hosted pages read beyond the payment itself, and the end of a link in test mode."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import PAYABLE, Payment
from nicobar.storage.database import Read, Tx
from nicobar.storage.payments.payments import WITH_CUSTOMER

# `OFFSET 0` has each product looked up by its key: without statistics, reading all of a seller's looks as good.
FACTS_COLUMNS: Final = """
    coalesce(br.name, own.name, bu.name) AS seller, br.support_email, p.client_secret_hash AS form_key,
    c.preferred_locale, br.image_id,
    coalesce((
        SELECT jsonb_object_agg(l.product_id, g.image_id)
        FROM payment_lines l CROSS JOIN LATERAL (
            SELECT image_id FROM products
            WHERE (business_id, mode, product_id) = (l.business_id, l.mode, l.product_id) OFFSET 0
        ) g
        WHERE (l.business_id, l.mode, l.payment_id) = (p.business_id, p.mode, p.payment_id) AND g.image_id IS NOT NULL
    ), '{}') AS pictures
"""
WITH_SELLER: Final = f"""
{WITH_CUSTOMER}
JOIN businesses bu ON bu.business_id = p.business_id
LEFT JOIN brands br ON (br.business_id, br.mode, br.brand_id) = (p.business_id, p.mode, p.brand_id)
LEFT JOIN brands own ON (own.business_id, own.mode, own.brand_id) = (p.business_id, p.mode, p.business_id)
"""

_FACTS: Final = f"""
SELECT {FACTS_COLUMNS} {WITH_SELLER} WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = $3
"""

# What is not paid for yet has no payment and so no form key of its own.
_OFFER: Final = """
SELECT coalesce(br.name, own.name, bu.name) AS seller, br.support_email, ''::bytea AS form_key, br.image_id,
       (SELECT preferred_locale FROM customers WHERE (business_id, mode, customer_id) = ($1, $2, $5))
           AS preferred_locale,
       coalesce((
           SELECT jsonb_object_agg(product_id, image_id) FROM products
           WHERE business_id = $1 AND mode = $2 AND product_id = ANY($4::text[]) AND image_id IS NOT NULL
       ), '{}') AS pictures
FROM businesses bu
LEFT JOIN brands br ON (br.business_id, br.mode, br.brand_id) = ($1, $2, $3)
LEFT JOIN brands own ON (own.business_id, own.mode, own.brand_id) = ($1, $2, $1)
WHERE bu.business_id = $1
"""

_END_LINK: Final = """
UPDATE payments SET expires_on = $4, updated_at = $4
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND status = ANY($5::text[])
  AND expires_on > $4
RETURNING true
"""


class PageFacts(msgspec.Struct, frozen=True):
    """What a hosted page needs to know besides the payment."""

    seller: str
    """Name of the brand, or of the primary one when it has none."""
    support_email: str | None
    form_key: bytes
    """Key for the form's token: secret, and the payment's own; empty for what is no payment yet."""
    preferred_locale: str | None
    """The language that the seller knows the customer to prefer."""
    image_id: str | None
    """The seller's picture."""
    pictures: dict[str, str]
    """Product to picture, of those lines whose products have one today: a payment keeps words and amounts only."""


async def page_facts(read: Read, payment: Payment) -> PageFacts:
    """Return the facts for the page of a payment that exists."""
    row = await read.fetchrow(_FACTS, payment.business_id, payment.mode, payment.payment_id)
    return msgspec.convert(dict(row or {}), PageFacts)


async def offer_facts(
    read: Read, tenant: Tenant, brand_id: str, product_ids: Sequence[str], customer_id: str | None
) -> PageFacts:
    """Return the facts for the page of a session, which has no payment yet."""
    row = await read.fetchrow(_OFFER, tenant.business_id, tenant.mode, brand_id, product_ids, customer_id)
    return msgspec.convert(dict(row or {}), PageFacts)


async def end_payment_link(tx: Tx, tenant: Tenant, payment_id: str, at: datetime) -> bool:
    """Let the link of a payment expire at this moment, if somebody could still pay it; return whether it did."""
    ended = await tx.fetchval(_END_LINK, tenant.business_id, tenant.mode, payment_id, at, sorted(PAYABLE))
    return ended is not None
