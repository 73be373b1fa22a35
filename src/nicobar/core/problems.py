"""The closed catalogue of what Nicobar refuses: code, HTTP status and sentence.

A refusal is raised as `Problem` anywhere below the edge and rendered once, in `api/errors.py`, as the
contract's envelope `{"code": ..., "message": ...}`. Codes and quoted sentences follow the contract's error
catalogue; `PRODUCT_CART_EMTPY` is spelled as clients know it. A code that is not in `CATALOGUE` cannot be raised.
"""

from typing import Final

from nicobar.core.catalogue_entry import CatalogueEntry as CatalogueEntry
from nicobar.core.subscription_problems import SUBSCRIPTION_PROBLEMS

CATALOGUE: Final[dict[str, CatalogueEntry]] = {
    # --- access ---------------------------------------------------------------------------------------------
    "UNAUTHORIZED": CatalogueEntry(
        401,
        "You are not authorised to perform this action: {detail}",
        "No API key, or an unknown, expired or revoked one (401); a key that may only read, or not write this, or an "
        "upload without a ticket (403).",
    ),
    "TOO_MANY_REQUESTS": CatalogueEntry(
        429,
        "Too many requests. Try again in {after}",
        "A key made more requests than `NICOBAR_RATE_LIMIT` allows; too many tries to pay through one link; or too "
        "many keys or links that do not exist from one address.",
    ),
    # --- shape of the request -------------------------------------------------------------------------------
    "INVALID_REQUEST_BODY": CatalogueEntry(
        422,
        "Your request body is invalid. {detail}",
        "The JSON cannot be parsed (400), is too large (413), has the wrong type (415), breaks the schema, or, of a "
        "refund, has a name that would say how much goes back and is no field (422); an uploaded picture likewise.",
    ),
    "INVALID_QUERY_PARAMS": CatalogueEntry(
        422, "Your query parameters are invalid. {detail}", "A known query parameter cannot be read."
    ),
    "INVALID_REQUEST_PARAMETERS": CatalogueEntry(
        422, "{detail}", "Each field is well formed but together they make no sense."
    ),
    "MAXIMUM_KEYS_REACHED": CatalogueEntry(422, "Exceeds 50 key-value pairs", "`metadata` has more than 50 pairs."),
    "INTEGER_CONVERSION_FAILURE": CatalogueEntry(
        422, "Integer Conversion Failure: {detail}", "An amount does not fit the contract's 32-bit integer."
    ),
    "NOT_FOUND": CatalogueEntry(
        404, "{what} not found", "The object does not exist, or belongs to another business or mode."
    ),
    "METHOD_NOT_ALLOWED": CatalogueEntry(
        405, "{method} is not allowed here; try {allowed}", "The path exists, but not with this HTTP method."
    ),
    "UNSUPPORTED_ACTION": CatalogueEntry(422, "{detail}", "The object exists but does not permit this."),
    # --- requests that come again ---------------------------------------------------------------------------
    "IDEMPOTENCY_KEY_REUSED": CatalogueEntry(
        422,
        "This Idempotency-Key belongs to a request with another body",
        "A key came again on the same method and path, with another body or query. Nothing was done.",
    ),
    "IDEMPOTENT_REQUEST_RUNNING": CatalogueEntry(
        409,
        "The first request of this kind is still running; ask again for its answer",
        "A request came again before it was answered. `retry-after-ms` says when to ask again.",
    ),
    "TEST_CLOCK_MOVING": CatalogueEntry(
        409,
        "The clock of test mode is being moved; ask again when that is done",
        "One moves the test clock of the business, and another wants to.",
    ),
    "IDEMPOTENT_ANSWER_LOST": CatalogueEntry(
        409,
        "The request was carried out, and its answer was lost. What it made: {object_id}",
        "The server ended between doing what was asked and keeping the answer, which cannot be read from the object.",
    ),
    # --- cart and products ----------------------------------------------------------------------------------
    "PRODUCT_CART_EMTPY": CatalogueEntry(
        422,
        "product_cart is empty",
        "`product_cart` has no line, or in a checkout session only lines with a quantity of 0.",
    ),
    "BRAND_MISMATCH": CatalogueEntry(
        422,
        "All items in the product cart should belong to the same brand",
        "The cart mixes products of several brands.",
    ),
    "BRAND_NOT_ENABLED": CatalogueEntry(422, "Brand provided is not enabled", "The brand is disabled or archived."),
    "UNABLE_TO_EDIT_PRIMARY_BRAND": CatalogueEntry(
        403,
        "Primary brand cannot be updated via this API endpoint.",
        "PATCH of the brand whose id is the business id.",
    ),
    "PRODUCT_IS_DELETED": CatalogueEntry(
        422,
        "Product {product_id} is archived",
        "An archived product in a cart (422), or archived twice (410).",
    ),
    "MISSING_PRODUCT_INFORMATION": CatalogueEntry(
        422,
        "Product {product_id} exists but other mandatory information is missing or invalid",
        "The stored product cannot be sold, for example it has no name.",
    ),
    "PAY_AS_YOU_WANT_AMOUNT_REQUIRED": CatalogueEntry(
        422, "Amount is mandatory for pay as you want product", "A pay-what-you-want line has no `amount`."
    ),
    "REQUEST_AMOUNT_BELOW_MINIMUM": CatalogueEntry(
        422,
        "Amount cannot be less than minimum amount specified for the product",
        "The `amount` of a pay-what-you-want line is below the product's price.",
    ),
    "ppp_not_enabled_for_business": CatalogueEntry(
        422,
        "Purchasing power parity needs adaptive pricing, which is off for this business.",
        "A price has `purchasing_power_parity`, and the setting `adaptive_pricing` is off. The code has small letters.",
    ),
    "INVALID_SUGGESTED_PRICE": CatalogueEntry(
        422, "Suggested Price cannot be lower than minimum price.", "`suggested_price` is below `price`."
    ),
    "DUPLICATE_METER_IDS_IN_REQUEST": CatalogueEntry(
        422, "Duplicate Meter Ids are not allowed", "A usage-based price names one meter twice."
    ),
    "PRODUCT_PRICING_MODE_REQUIRED": CatalogueEntry(
        422,
        "Product pricing_mode must be set before adding localized prices",
        "A localized price for a product without `pricing_mode`.",
    ),
    "LOCALIZED_PRICE_SHAPE_MISMATCH": CatalogueEntry(
        422,
        "Localized price shape does not match the product's pricing_mode",
        "`country_code` is missing for `by_country`, or given for `by_currency`.",
    ),
    "LOCALIZED_PRICE_DUPLICATES_BASE": CatalogueEntry(
        422,
        "Localized price duplicates the product's base currency/country",
        "A price by currency in the product's own currency.",
    ),
    "LOCALIZED_PRICE_ALREADY_EXISTS": CatalogueEntry(
        409,
        "A localized price for this product and country/currency already exists",
        "The market has an active price.",
    ),
    # --- country, currency, tax -----------------------------------------------------------------------------
    "UNSUPPORTED_COUNTRY": CatalogueEntry(
        422,
        "Country {country} currently not supported",
        "The billing country is on the business's block list.",
    ),
    "UNSUPPORTED_CURRENCY": CatalogueEntry(
        422,
        "Currency Not Supported: {detail}",
        "The currency cannot be charged, or the cart mixes currencies.",
    ),
    "EXCHANGE_RATE_NOT_FOUND": CatalogueEntry(
        422,
        "Exchange rate not found to convert from {source} to {target}",
        "A conversion is needed and one of the two currencies has no rate.",
    ),
    "INVALID_TAX_ID": CatalogueEntry(
        422, "Tax Id is invalid. {detail}", "The buyer's tax id fails its country's check."
    ),
    "AMOUNT_NOT_CHARGEABLE": CatalogueEntry(
        422,
        "The processor takes amounts in steps of {step}, and {amount} is none",
        "The connected processor cannot charge this amount of the currency, or cannot give this part of it back.",
    ),
    "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT": CatalogueEntry(
        422,
        "Minimum amount of {amount} is required to process payment",
        "The total is above zero and below the smallest charge of its currency.",
    ),
    # --- discount codes -------------------------------------------------------------------------------------
    "INVALID_DISCOUNT_CODE": CatalogueEntry(
        422, "Invalid Discount Code: {code}", "The code is unknown, or fits no line."
    ),
    "DISCOUNT_NOT_YET_ACTIVE": CatalogueEntry(
        422,
        "Discount code is not yet active (starts_at is in the future)",
        "The code is used before its `starts_at`.",
    ),
    "DISCOUNT_CODE_EXPIRED": CatalogueEntry(
        422, "Discount code expired", "The code is used at or after its `expires_at`."
    ),
    "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED": CatalogueEntry(
        422, "Discount code hit usage limit", "All uses of the code are taken or reserved."
    ),
    "DISCOUNT_CUSTOMER_NOT_ELIGIBLE": CatalogueEntry(
        422,
        "Customer is not eligible for this discount code",
        "The code is for first purchases, for earlier buyers, or for a list of customers.",
    ),
    "DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED": CatalogueEntry(
        422,
        "Per-customer usage limit exceeded for this discount code",
        "The customer has used the code as often as it allows.",
    ),
    "DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT": CatalogueEntry(
        422,
        "Discount coupon not available for this product",
        "The code is restricted to products that the cart does not hold.",
    ),
    "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET": CatalogueEntry(
        422,
        "Cart subtotal is below the discount's minimum required subtotal",
        "The list prices of the lines that the code covers sum to less than its `minimum_subtotal`.",
    ),
    "DISCOUNT_CURRENCY_OPTION_INVALID": CatalogueEntry(
        422,
        "A flat discount requires at least one currency option with a resolvable default",
        "A flat code has neither a row in the charge currency nor a default row with an amount.",
    ),
    "DISCOUNT_CODE_ALREADY_EXISTS": CatalogueEntry(
        422, "Discount Code already exists", "Another discount that is not deleted has this code."
    ),
    "DISCOUNT_CONCURRENT_REDEMPTION": CatalogueEntry(
        503,
        "Discount is being redeemed concurrently; please retry",
        "Other payments held the code for longer than a few seconds; nothing was created, so trying again is safe.",
    ),
    "INVALID_PERCENTAGE": CatalogueEntry(
        422, "Percentage amount cannot be more than 10000", "The `amount` of a percentage is above 100 %."
    ),
    "UNSUPPORTED_DISCOUNT_TYPE": CatalogueEntry(
        422, "Only percentage and flat discount codes are supported", "The `type` is `flat_per_unit`."
    ),
    # --- paying ---------------------------------------------------------------------------------------------
    "NO_ELIGIBLE_PAYMENT_METHODS": CatalogueEntry(
        422, "No eligible payment methods found", "The allow-list leaves no method that could be offered."
    ),
    # --- checkout sessions and links ------------------------------------------------------------------------
    "CHECKOUT_SESSION_CONSUMED": CatalogueEntry(
        409,
        "Checkout session has already been consumed",
        "Somebody else made the session's payment at the same moment, or the session has expired.",
    ),
    "SLUG_ALREADY_TAKEN": CatalogueEntry(
        409, "Slug is already taken", "Another short link of this server has the name."
    ),
    # --- subscriptions: a page of their own -------------------------------------------------------------------
    **SUBSCRIPTION_PROBLEMS,
    # --- refunds --------------------------------------------------------------------------------------------
    "PAYMENT_NOT_SUCCEEDED": CatalogueEntry(
        422, "The provided payment has not succeeded", "A refund of a payment that is not paid."
    ),
    "ZERO_AMOUNT_PAYMENT_REFUND_NOT_ALLOWED": CatalogueEntry(
        422, "Cannot refund a payment with zero currency amount", "A refund of a payment of nothing."
    ),
    "REFUND_WINDOW_EXPIRED": CatalogueEntry(
        422,
        "Refunds cannot be initiated {days} days after payment creation.",
        "The payment is older than the setting `refund_window_days` allows.",
    ),
    "EXISTING_REFUND_REQUEST_PROCESSING": CatalogueEntry(
        422,
        'A refund request with status "Pending" is still being processed',
        "Another refund of the payment has not ended yet.",
    ),
    "PAYMENT_ALREADY_REFUNDED": CatalogueEntry(
        422, "This payment has already been refunded", "One refund has given the whole payment back."
    ),
    "NOTHING_TO_REFUND": CatalogueEntry(
        422,
        "No refundable amount remaining. All positive line items have been fully refunded.",
        "Several refunds have given the whole payment back.",
    ),
    "DUPLICATE_LINE_ITEMS_IN_REQUEST": CatalogueEntry(
        422, "Duplicate item_ids specified in items array", "A refund names one item twice."
    ),
    "LINE_ITEM_NOT_FOUND": CatalogueEntry(422, "Line item {id} not found in payment", "The payment has no such item."),
    "LINE_ITEM_PRORATED": CatalogueEntry(
        422,
        "Line item {id} cannot be refunded because its prorated",
        "The item charges a part of a period, at a plan change. Its payment is refunded as a whole, without `items`.",
    ),
    "LINE_ITEM_FULLY_REFUNDED": CatalogueEntry(
        422,
        "Line item {id} has been fully refunded cannot be refunded further.",
        "Nothing is left of the item, while something is left of the payment.",
    ),
    "LINE_ITEM_REFUND_AMOUNT_TOO_LOW": CatalogueEntry(
        422,
        "Line item {id} requested refund amount is {amount} which is too low",
        "The amount is zero or less, the item was free, or the amount is below one unit of the currency that was paid.",
    ),
    "LINE_ITEM_REFUND_AMOUNT_TOO_HIGH": CatalogueEntry(
        422,
        "Line item {id} requested refund amount including tax is {amount} which is above the paid amount {paid}",
        "More is asked for than was paid for the item.",
    ),
    "REFUND_AMOUNT_EXCEEDS_PAID_AMOUNT": CatalogueEntry(
        422,
        "The calculated refund amount is larger than the paid amount",
        "Together with earlier refunds more is asked for than was paid for the item.",
    ),
    "PARTIAL_REFUND_NOT_ALLOWED": CatalogueEntry(
        422,
        "Partial refunds are not allowed for this payment method",
        "The payment's method can only give the whole payment back.",
    ),
    # --- our fault ------------------------------------------------------------------------------------------
    "INTERNAL_SERVER_ERROR": CatalogueEntry(
        500,
        "Something went wrong on our side. Quote the request id: {request_id}",
        "A bug, or a lost database.",
    ),
    "SERVICE_UNAVAILABLE": CatalogueEntry(
        503,
        "The server cannot answer at the moment; try again",
        "PostgreSQL is down or out of connections, two requests waited for each other, or the server is being stopped.",
    ),
}


class Problem(Exception):
    """A decided refusal from the catalogue.

    `code` is the catalogue key, `status` the HTTP status, `message` the finished sentence. `path` is the JSON path
    of the field at fault (for example `product_cart[0].amount`) or None; the edge puts it in front of the message.
    """

    def __init__(
        self,
        code: str,
        /,
        *,
        status: int | None = None,
        message: str | None = None,
        path: str | None = None,
        retry_after: int | None = None,
        retry_after_ms: int | None = None,
        **values: object,
    ) -> None:
        """Look `code` up and fill its sentence with `values`; `message` replaces the sentence as a whole.

        `retry_after` are the seconds after which trying again makes sense, for the header of that name.
        `retry_after_ms` are milliseconds, for a refusal that will not be the same next time.

        Raises KeyError when the code is not in the catalogue or a value of its sentence is missing: a bug of ours.
        """
        entry = CATALOGUE[code]
        self.code = code
        self.status = entry.status if status is None else status
        self.path = path
        self.retry_after = retry_after
        self.retry_after_ms = retry_after_ms
        self.message = entry.sentence.format(**values) if message is None else message
        super().__init__(f"{code}: {self.message}")
