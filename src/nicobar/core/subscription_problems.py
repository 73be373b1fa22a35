"""The part of the catalogue of problems that is about subscriptions and add-ons (contract, errors, 5.5)."""

from typing import Final

from nicobar.core.catalogue_entry import CatalogueEntry

NO_NEW_CHARGE: Final = "Cannot create new charge as previous payment is not successful yet"
"""What `PREVIOUS_PAYMENT_PENDING` says of a new charge, in the contract's words; the catalogue's sentence is for all
else that has to wait."""

SUBSCRIPTION_PROBLEMS: Final[dict[str, CatalogueEntry]] = {
    "ADDONS_NOT_ALLOWED_FOR_ON_DEMAND": CatalogueEntry(
        422, "Addons are not allowed for on demand subscriptions", "An on-demand subscription with add-ons."
    ),
    "ONE_TIME_PRODUCTS_NOT_ALLOWED_FOR_ON_DEMAND": CatalogueEntry(
        422,
        "One-time products are not allowed for on demand subscriptions",
        "An on-demand subscription with one-time products beside it.",
    ),
    "DISCOUNT_NOT_AVAILABLE_FOR_ON_DEMAND": CatalogueEntry(
        422,
        "Discount coupon not available for on demand subscriptions",
        "An on-demand subscription with a discount code.",
    ),
    "CHARGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION": CatalogueEntry(
        422, "Subscription scheduled for cancellation", "A charge on demand while a cancellation is scheduled."
    ),
    "CUSTOMER_HAS_EXISTING_SUBSCRIPTION": CatalogueEntry(
        409,
        "Customer {customer_id} has an existing subscription. To allow multiple subscriptions per customer, change "
        "business settings",
        "The setting `multiple_subscriptions` is off, and the customer has a live subscription, or pays for one at "
        "this moment, or the cart has several.",
    ),
    "DUPLICATE_ADDON_IDS_IN_REQUEST": CatalogueEntry(
        422, "Duplicate addon IDs are not allowed", "A request names one add-on twice."
    ),
    "MISSING_ADDON_IDS": CatalogueEntry(
        422,
        "One or more product IDs do not exist: {ids}",
        "An add-on does not exist, is archived, or is not attached to the product.",
    ),
    "INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED": CatalogueEntry(
        422,
        "Changing plans is not supported for inactive subscriptions",
        "A plan change of a subscription that is not `active`.",
    ),
    "ON_DEMAND_PLAN_CHANGE_NOT_SUPPORTED": CatalogueEntry(
        422,
        "Changing plans is not supported for on demand subscriptions",
        "A plan change of an on-demand subscription.",
    ),
    "PLAN_CHANGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION": CatalogueEntry(
        422, "Subscription scheduled for cancellation", "A plan change while a cancellation is scheduled."
    ),
    "PENDING_PLAN_CHANGE_EXISTS": CatalogueEntry(
        409,
        "A pending plan change already exists for this subscription. Please wait for the current payment to complete.",
        "An earlier change is still being paid.",
    ),
    "SCHEDULED_PLAN_CHANGE_EXISTS": CatalogueEntry(
        409,
        "A scheduled plan change already exists for this subscription. Please cancel the existing scheduled change "
        "before creating a new one.",
        "A change waits for the next billing date, and the request does not replace it.",
    ),
    "SCHEDULED_PLAN_CHANGE_NOT_FOUND": CatalogueEntry(
        404, "No scheduled plan change found for this subscription.", "There is no scheduled change to delete."
    ),
    "INVALID_PRORATION_MODE_WITH_NEXT_BILLING_DATE": CatalogueEntry(
        422,
        "Only full_immediately proration mode is allowed with effective_at: next_billing_date",
        "A change at the next billing date with another mode.",
    ),
    "DISCOUNT_NOT_APPLICABLE_TO_NEW_PRODUCT": CatalogueEntry(
        422,
        "Discount not applicable to the new plan's product",
        "A code of a plan change does not cover the new plan.",
    ),
    "PREVIOUS_PAYMENT_PENDING": CatalogueEntry(
        409,
        "A payment of this subscription is still being processed",
        "Something that cannot be done while a charge of the subscription is under way.",
    ),
    "SUBSCRIPTION_EXPIRED": CatalogueEntry(
        422, "Subscription expired cannot create new charges", "A charge of a subscription whose term is over."
    ),
    "SUBSCRIPTION_INACTIVE": CatalogueEntry(
        422, "Subscription is not active", "The subscription is in a status that does not allow this."
    ),
    "SUBSCRIPTION_NOT_ON_DEMAND": CatalogueEntry(
        422,
        "Subscription is already not on demand",
        "A charge on demand, or the end of on-demand, for a subscription that is charged by its dates.",
    ),
    "SUBSCRIPTION_PAYMENT_RETRY_LIMIT_EXCEEDED": CatalogueEntry(
        422,
        "Maximum retry limit of 10 attempts exceeded for this subscription",
        "What is owed was sent by hand ten times.",
    ),
    "SUBSCRIPTION_ALREADY_PAUSED": CatalogueEntry(
        409, "Subscription is already paused", "A pause of a subscription that is paused."
    ),
    "SUBSCRIPTION_NOT_ELIGIBLE_FOR_PAUSE": CatalogueEntry(
        422,
        "Subscription cannot be paused",
        "A pause of a subscription that is not `active`, or while a charge of it is under way.",
    ),
    "SUBSCRIPTION_NOT_PAUSED": CatalogueEntry(
        422, "Subscription is not paused", "A resumption of a subscription that is not paused."
    ),
}
"""Code -> row."""
