"""Emptying the test mode of a business: every object goes, and what the business has decided stays."""

from typing import Final

from nicobar.storage.database import Tx

_NAME: Final = "SELECT set_config('nicobar.emptied_test_mode', $1, true)"

# Whoever records what becomes of a payment holds it first, and the rest then.
_HOLD_PAYMENTS: Final = """
SELECT count(*) FROM (SELECT FROM payments WHERE business_id = $1 AND mode = 'test' FOR UPDATE) held
"""

# Pictures and what they belong to name each other.
_LET_PICTURES_GO: Final = (
    "UPDATE products SET image_id = NULL WHERE business_id = $1 AND mode = 'test' AND image_id IS NOT NULL",
    "UPDATE brands SET image_id = NULL WHERE business_id = $1 AND mode = 'test' AND image_id IS NOT NULL",
)

EMPTIED: Final = (
    "kept_answers",
    "portal_sessions",
    "webhook_attempts",
    "webhook_deliveries",
    "events",
    "notices",
    "ledger_marks",
    "ledger_entries",
    "disputes",
    "refund_lines",
    "refunds",
    "subscription_charges",
    "subscriptions",
    "addons",
    "checkout_sessions",
    "short_links",
    "discount_redemptions",
    "discount_customers",
    "discounts",
    "attempts",
    "payment_lines",
    "payments",
    "saved_methods",
    "customers",
    "pictures",
    "localized_prices",
    "products",
)
"""The tables whose rows of a test mode are deleted, those that name others first. Of brands the primary one stays."""

KEPT: Final = (
    "api_keys",
    "audit_log",
    "brands",
    "processor_accounts",
    "proof_keys",
    "setting_changes",
    "tax_tables",
    "webhook_endpoints",
)
"""The tables with a mode whose rows stay: what the business has decided, its keys, and the record of who did what."""

_BRANDS: Final = "DELETE FROM brands WHERE business_id = $1 AND mode = 'test' AND brand_id <> business_id"

# What was found out about receivers is dated by the clock that is set back.
_ENDPOINTS: Final = """
UPDATE webhook_endpoints SET failing_since = NULL, disabled = disabled AND given_up_at IS NULL, given_up_at = NULL
WHERE business_id = $1 AND mode = 'test' AND (failing_since IS NOT NULL OR given_up_at IS NOT NULL)
"""

_SIMULATOR: Final = "DELETE FROM simulator.charges WHERE business_id = $1"


async def empty_tables(tx: Tx, business_id: str) -> int:
    """Delete all objects of a test mode, the simulator's books of it too; return how many rows that were.

    Webhook endpoints that were given up are enabled again.
    """
    await tx.fetchval(_NAME, business_id)
    await tx.fetchval(_HOLD_PAYMENTS, business_id)
    for statement in (*_LET_PICTURES_GO, _ENDPOINTS):
        await tx.execute(statement, business_id)
    statements = [f"DELETE FROM {table} WHERE business_id = $1 AND mode = 'test'" for table in EMPTIED]
    done = [await tx.execute(statement, business_id) for statement in (*statements, _BRANDS, _SIMULATOR)]
    return sum(int(tag.rpartition(" ")[2]) for tag in done)
