"""Checkout sessions: so far their preview."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.flows.sessions.preview_checkout import preview_checkout
from nicobar.wire.common import NoQuery
from nicobar.wire.sessions.checkouts import CheckoutPreview, CheckoutPreviewRequest, read_preview, render_preview


async def preview(call: Call[CheckoutPreviewRequest, NoQuery]) -> CheckoutPreview:
    """Return what a cart would cost, by the same rules as a payment, and store nothing."""
    previewed = await preview_checkout(call.runtime, call.tenant, read_preview(call.body))
    priced = previewed.priced
    return render_preview(priced.quote, priced.facts.products, previewed.country, priced.tax_id, previewed.tax_id_error)


OPERATIONS: Final = [
    Operation(
        "POST",
        "/checkouts/preview",
        preview,
        CheckoutPreview,
        body=CheckoutPreviewRequest,
        summary="Preview the price of a cart",
        problems=(
            "PRODUCT_CART_EMTPY",
            "BRAND_MISMATCH",
            "BRAND_NOT_ENABLED",
            "PRODUCT_IS_DELETED",
            "UNSUPPORTED_ACTION",
            "UNSUPPORTED_COUNTRY",
            "UNSUPPORTED_CURRENCY",
            "EXCHANGE_RATE_NOT_FOUND",
            "REQUEST_AMOUNT_BELOW_MINIMUM",
            "INVALID_DISCOUNT_CODE",
            "DISCOUNT_NOT_YET_ACTIVE",
            "DISCOUNT_CODE_EXPIRED",
            "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED",
            "DISCOUNT_CUSTOMER_NOT_ELIGIBLE",
            "DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED",
            "DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT",
            "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET",
            "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT",
            "INTEGER_CONVERSION_FAILURE",
            "NO_ELIGIBLE_PAYMENT_METHODS",
            "NOT_FOUND",
        ),
    ),
]
"""The checkouts' part of the table in `app.py`."""
