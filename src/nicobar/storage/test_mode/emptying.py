"""Emptying the test mode of a business: every object goes, and what the business has decided stays."""

from typing import Final

from nicobar.storage.database import Tx

DELETE_SECONDS: Final = 3600.0
"""How long deleting may take: it is one statement for whatever there is."""

_NAME: Final = "SELECT set_config('nicobar.emptied_test_mode', $1, true)"

_HELD: Final = ("payments", "subscriptions", "customers", "discounts", "products")
"""The tables whose rows are held before any is deleted, so that nothing new can name them: whoever does waits for us.
Whoever records what becomes of a payment holds it first, and the rest then; so it is here."""

_HOLD: Final = "SELECT count(*) FROM (SELECT FROM {table} WHERE business_id = $1 AND mode = 'test' FOR UPDATE) held"

_LET_PICTURES_GO: Final = """
UPDATE brands SET image_id = NULL WHERE business_id = $1 AND mode = 'test' AND image_id IS NOT NULL
"""

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
"""The tables whose rows of a test mode are deleted. Of brands the primary one stays."""

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

# What was found out about receivers is dated by the clock that is set back.
_ENDPOINTS: Final = """
UPDATE webhook_endpoints SET failing_since = NULL, disabled = disabled AND given_up_at IS NULL, given_up_at = NULL
WHERE business_id = $1 AND mode = 'test' AND (failing_since IS NOT NULL OR given_up_at IS NOT NULL)
"""

_DELETIONS: Final = {
    **{table: f"DELETE FROM {table} WHERE business_id = $1 AND mode = 'test' RETURNING 1" for table in EMPTIED},
    "brands": "DELETE FROM brands WHERE business_id = $1 AND mode = 'test' AND brand_id <> business_id RETURNING 1",
    "charges": "DELETE FROM simulator.charges WHERE business_id = $1 RETURNING 1",
}

# One statement sees one moment. By several a payment that is created meanwhile would lose its lines and stay itself.
_DELETE: Final = f"""
WITH {", ".join(f"deleted_{table} AS ({deletion})" for table, deletion in _DELETIONS.items())}
SELECT {" + ".join(f"(SELECT count(*) FROM deleted_{table})" for table in _DELETIONS)}
"""


async def empty_tables(tx: Tx, business_id: str) -> int:
    """Delete all objects of a test mode, the simulator's books of it too; return how many rows that were.

    Webhook endpoints that were given up are enabled again. A payment that is created meanwhile goes with its lines and
    its customer or stays with them. Where something names what was made between holding and deleting, PostgreSQL
    refuses the whole, which is to be tried again.
    """
    await tx.fetchval(_NAME, business_id)
    for table in _HELD:
        await tx.fetchval(_HOLD.format(table=table), business_id)
    for statement in (_LET_PICTURES_GO, _ENDPOINTS):
        await tx.execute(statement, business_id)
    deleted: int = await tx.fetchval(_DELETE, business_id, timeout=DELETE_SECONDS)
    return deleted
