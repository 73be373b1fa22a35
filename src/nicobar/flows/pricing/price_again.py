"""Price an open payment again, from what it was made from."""

from typing import cast

from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.core.catalog.product import OneTimePrice
from nicobar.core.money.rate_feed import rates_in_force
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import request_again
from nicobar.core.pricing.cart import CartFacts, SellableProduct
from nicobar.core.pricing.pricing_facts import KeptTerms, KnownCodes, PricedCart, PricingFacts
from nicobar.core.pricing.quote import UNCHANGED, KeptProduct, QuoteInputs
from nicobar.core.problems import Problem
from nicobar.core.tax.tax import Category
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.pricing.check_cart import check_cart
from nicobar.flows.pricing.quote_cart import quote_cart
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.check_tax_id import check_tax_id
from nicobar.reference.rate_seed import seed
from nicobar.storage.discounts.redemptions import load_codes
from nicobar.storage.rates.rates import quotes_at


async def price_again(runtime: Runtime, old: Payment, new: Payment, inputs: QuoteInputs) -> PricedCart:
    """Return the price of `new`, what a buyer makes of the open payment `old`, which was priced with `inputs`.

    Products, exchange rates and codes are those of the creation, whatever became of them: only what the buyer changed
    is replaced, and the taxes are those of today. Raises Problem as `quote_cart` and `check_tax_id` do; nothing was
    written.
    """
    policy = await load_policy(runtime, old.tenant)
    request = request_again(new)
    added = [code for code in request.discount_codes if code not in {terms.code for terms in inputs.codes}]
    codes: KnownCodes = {}
    async with runtime.database.snapshot() as read:
        quotes = await quotes_at(read, [old.created_at])
        if added:
            customer_id = old.customer.customer_id
            codes = await load_codes(read, old.tenant, added, customer_id, old.payment_id)
    rates = rates_in_force(seed(), quotes[old.created_at])
    policy = policy._replace(rates=rates)
    products, localized = _products(old, inputs)
    facts = PricingFacts(
        policy, CartFacts(old.customer, products), localized, codes, kept=KeptTerms(old.billing.country, inputs)
    )
    if request.tax_id is not None:
        check_cart(request, facts)
        tax_id = await check_tax_id(runtime, request.billing.country, request.tax_id, policy.settings)
        facts = facts._replace(tax_id=tax_id)
    return quote_cart(request, facts, runtime.now(old.tenant))


def _products(
    payment: Payment, inputs: QuoteInputs
) -> tuple[dict[str, SellableProduct], dict[str, tuple[LocalizedPrice, ...]]]:
    """Return the products as they were sold, and their localized prices."""
    kept = {product.product_id: product for product in inputs.products or _from_lines(inputs)}
    if any(line.product_id not in kept for line in payment.lines):
        detail = "What this payment was made from is not known, so it cannot be priced again"
        raise Problem("UNSUPPORTED_ACTION", status=409, detail=detail)
    products = {
        line.product_id: SellableProduct(
            product_id=line.product_id,
            brand_id=payment.brand_id,
            name=line.name,
            description=line.description,
            tax_category=cast(Category, line.tax_category),
            price=kept[line.product_id].price,
            pricing_mode=kept[line.product_id].pricing_mode,
            archived=False,
            brand_enabled=True,
            converted=kept[line.product_id].converted,
        )
        for line in payment.lines
    }
    return products, {product_id: product.localized for product_id, product in kept.items() if product.localized}


def _from_lines(inputs: QuoteInputs) -> list[KeptProduct]:
    """Return the products of a payment from before they were kept, as far as its lines tell: without other markets."""
    return [
        KeptProduct(
            line.product_id,
            OneTimePrice(
                line.currency,
                line.unit_price if not line.pay_what_you_want else 0,
                discount_bps=line.discount_bps,
                pay_what_you_want=line.pay_what_you_want,
                purchasing_power_parity=line.ppp_percent != UNCHANGED,
                tax_inclusive=line.tax_inclusive,
            ),
        )
        for line in inputs.lines
    ]
