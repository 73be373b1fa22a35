"""Decide what a cart costs: the one function behind creation, preview and repricing, so that they cannot disagree.

No I/O: the facts were read before, and the moment is an argument.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.catalog.product import OneTimePrice
from nicobar.core.discounts.discounts import CodeHistory, DiscountTerms, check_code, keep_terms, resolve_terms
from nicobar.core.money.fx import NO_FEE, charge_terms, settlement_currency
from nicobar.core.pricing.cart import CartRequest, Pricing, price_lines
from nicobar.core.pricing.pricing import CartLine, ChargeTerms, check_minimum, check_step, quote, with_fee
from nicobar.core.pricing.pricing_facts import PricedCart, PricingFacts
from nicobar.core.pricing.quote import KeptProduct
from nicobar.core.problems import Problem
from nicobar.flows.pricing.check_cart import check_cart
from nicobar.flows.pricing.decide_taxes import decide_taxes
from nicobar.reference import currencies
from nicobar.reference.charge_steps import charge_step
from nicobar.reference.tax_regions import tax_regions

_OF_THE_CURRENCY: Final = frozenset(
    {
        "AMOUNT_NOT_CHARGEABLE",
        "INTEGER_CONVERSION_FAILURE",
        "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT",
    }
)
"""Refusals that say that a charge currency cannot hold the total."""


def quote_cart(request: CartRequest, facts: PricingFacts, now: datetime) -> PricedCart:
    """Climb the ladder of refusals in the contract's order, and quote.

    Raises Problem for the first rung that fails: those of `check_cart`, then the amounts of pay-what-you-want lines,
    exchange rates, the codes in their order, and the smallest charge. The tax id has its rung before the amounts; it
    was checked when the facts were loaded.

    A currency that only the country chose, and that cannot hold the total, gives way to the products' own.
    """
    brand_id, currency, fallback = check_cart(request, facts)
    try:
        return _quoted(request, facts, now, brand_id, currency)
    except Problem as problem:
        if fallback is None or problem.code not in _OF_THE_CURRENCY:
            raise
    return _quoted(request, facts, now, brand_id, fallback)


def _quoted(request: CartRequest, facts: PricingFacts, now: datetime, brand_id: str, currency: str) -> PricedCart:
    """Quote in one charge currency."""
    policy, cart = facts.policy, facts.cart
    country = request.billing.country
    kept = facts.kept
    parity = policy.settings.purchasing_power_percent(country)
    if kept is not None and kept.country == country:
        parity = kept.purchasing_power_percent
    categories = {product.tax_category for product in cart.products.values()}
    pricing = Pricing(
        country=country,
        currency=currency,
        taxes=decide_taxes(categories, request.billing, policy, now.date(), facts.tax_id),
        localized=facts.localized,
        purchasing_power_percent=parity,
        default_tax_inclusive=policy.settings.default_tax_inclusive,
        suggest_amounts=request.suggest_amounts,
    )
    lines = price_lines(request.items, cart.products, pricing)
    terms = _charge_terms(request, lines, facts, currency)
    codes = _codes(request, facts, lines, currency, now)
    if terms.conversions or terms.settlement is not None:
        tiers = policy.settings.fee_tiers
        if kept is not None and kept.inputs.charge.currency == currency and not kept.inputs.charge.fee_bps:
            tiers = NO_FEE  # what was made without one gets none
        terms = with_fee(lines, terms, codes, tiers, policy.rates, currencies.exponents())
        if kept is not None and any(line.converted is not None for line in lines):
            terms = msgspec.structs.replace(terms, fee_bps=kept.inputs.charge.fee_bps)  # it is in the amounts already
    priced = quote(lines, terms, codes)
    inputs = msgspec.structs.replace(priced.inputs, products=_kept_products(request, facts), tax_date=now.date())
    priced = msgspec.structs.replace(priced, inputs=inputs)
    check_minimum(priced, currencies.get(currency).minimum_minor, terms.exponent)
    check_step(priced.total, currency, charge_step(policy.charging, currency), terms.exponent)
    tax_is_open = policy.settings.tax != "off" and tax_regions().find(request.billing).is_open
    return PricedCart(priced, cart, brand_id, cart.customer, facts.tax_id, policy, tax_is_open)


def _kept_products(request: CartRequest, facts: PricingFacts) -> tuple[KeptProduct, ...]:
    """Return what an open payment is priced again from: what it was made from."""
    if facts.kept is not None and facts.kept.inputs.products:
        return facts.kept.inputs.products
    kept = []
    for product_id in dict.fromkeys([item.product_id for item in request.items]):
        product = facts.cart.products[product_id]
        price = product.price
        assert isinstance(price, OneTimePrice)  # noqa: S101 - check_products refused every other price
        if price.tax_inclusive is None:
            price = msgspec.structs.replace(price, tax_inclusive=facts.policy.settings.default_tax_inclusive)
        localized = tuple(facts.localized.get(product_id, ()))
        kept.append(KeptProduct(product_id, price, product.pricing_mode, localized))
    return tuple(kept)


def _charge_terms(request: CartRequest, lines: Sequence[CartLine], facts: PricingFacts, currency: str) -> ChargeTerms:
    """Return the terms without the fee; a payment that stays in its currency keeps its own."""
    settings, cart, policy = facts.policy.settings, facts.cart, facts.policy
    if facts.kept is not None and facts.kept.inputs.charge.currency == currency:
        own = facts.kept.inputs.charge
        known = {currency, *[conversion.source_currency for conversion in own.conversions]}
        if {line.currency for line in lines} <= known:
            return msgspec.structs.replace(own, fee_bps=0)
    bases = [cart.products[item.product_id].price.currency for item in request.items]
    inclusive = settings.fees_inclusive if request.fees_inclusive is None else request.fees_inclusive
    terms = charge_terms(
        currency,
        settlement_currency(bases, settings.default_currency),
        [line.currency for line in lines],
        policy.rates,
        currencies.exponents(),
        fees_inclusive=inclusive,
    )
    if settings.charm_kind is None or settings.adaptive_pricing == "off":
        return terms
    return msgspec.structs.replace(terms, charm=settings.charm_kind)


def _codes(
    request: CartRequest, facts: PricingFacts, lines: Sequence[CartLine], currency: str, now: datetime
) -> list[DiscountTerms]:
    """Check the codes in the order of the request; one that may not be used refuses the whole cart.

    A code that the payment holds already keeps its terms, and only what the cart decides is checked again.
    """
    terms = []
    rates, exponents = facts.policy.rates, currencies.exponents()
    agreed = {} if facts.kept is None else facts.kept.codes()
    for index, text in enumerate(request.discount_codes):
        path = "discount_code" if request.single_code else f"discount_codes[{index}]"
        if facts.kept is not None and text in agreed:
            if agreed[text].currency_options:  # what the cart decides holds for another country's prices, too
                own, held = agreed[text].as_code(), CodeHistory(held=True)
                check_code(own, held, lines, currency, rates, exponents, now, path=path)
            terms.append(keep_terms(agreed[text], facts.kept.inputs.charge.currency, currency, rates, exponents))
            continue
        if text not in facts.codes:
            raise Problem("INVALID_DISCOUNT_CODE", code=text, path=path)
        code, history = facts.codes[text]
        check_code(code, history, lines, currency, rates, exponents, now, path=path)
        terms.append(resolve_terms(code, currency, rates, exponents))
    return terms
