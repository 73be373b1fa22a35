"""Decide what a cart costs: the one function behind creation, preview and repricing, so that they cannot disagree.

No I/O: the facts were read before, and the moment is an argument.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.discounts.discounts import DiscountTerms, check_code, resolve_terms
from nicobar.core.money.fx import charge_terms, settlement_currency
from nicobar.core.pricing.cart import CartFacts, CartRequest, Pricing, price_lines
from nicobar.core.pricing.policy import Policy
from nicobar.core.pricing.pricing import CartLine, ChargeTerms, check_minimum, check_step, quote, with_fee
from nicobar.core.pricing.pricing_facts import KnownCodes, PricedCart, PricingFacts
from nicobar.core.problems import Problem
from nicobar.core.tax.tax import TaxDecision
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.pricing.check_cart import check_cart
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

_UNTAXED: Final = TaxDecision(0, "", False, "tax is off", "")


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
    pricing = Pricing(
        country=country,
        currency=currency,
        taxes=_taxes(request, cart, policy, now, facts.tax_id),
        localized=facts.localized,
        purchasing_power_percent=policy.settings.purchasing_power_percent(country),
        default_tax_inclusive=policy.settings.default_tax_inclusive,
        suggest_amounts=request.suggest_amounts,
    )
    lines = price_lines(request.items, cart.products, pricing)
    terms = _charge_terms(request, lines, cart, currency, policy)
    codes = _codes(request, facts.codes, lines, currency, policy, now)
    if terms.conversions or terms.settlement is not None:
        tiers = policy.settings.fee_tiers
        terms = with_fee(lines, terms, codes, tiers, policy.rates, currencies.exponents())
    priced = quote(lines, terms, codes)
    check_minimum(priced, currencies.get(currency).minimum_minor, terms.exponent)
    charging = policy.accounts[0].processor if policy.accounts else None
    check_step(priced.total, currency, charge_step(charging, currency), terms.exponent)
    tax_is_open = policy.settings.tax != "off" and tax_regions().find(request.billing).is_open
    return PricedCart(priced, cart, brand_id, cart.customer, facts.tax_id, policy, tax_is_open)


def _taxes(
    request: CartRequest, cart: CartFacts, policy: Policy, now: datetime, tax_id: CheckedTaxId | None
) -> dict[str, TaxDecision]:
    categories = {product.tax_category for product in cart.products.values()}
    if policy.settings.tax == "off":
        return dict.fromkeys(categories, _UNTAXED)
    place = tax_regions().find(request.billing)
    return {
        category: policy.tax_table.decide(
            place,
            category,
            now.date(),
            tax_id_given=tax_id is not None,
            tax_id_doubt="" if tax_id is None else tax_id.doubt,
            seller_country=policy.settings.seller_country or None,
        )
        for category in categories
    }


def _charge_terms(
    request: CartRequest, lines: Sequence[CartLine], cart: CartFacts, currency: str, policy: Policy
) -> ChargeTerms:
    settings = policy.settings
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
    request: CartRequest, known: KnownCodes, lines: Sequence[CartLine], currency: str, policy: Policy, now: datetime
) -> list[DiscountTerms]:
    """Check the codes in the order of the request; one that may not be used refuses the whole cart."""
    terms = []
    exponents = currencies.exponents()
    for index, text in enumerate(request.discount_codes):
        path = "discount_code" if request.single_code else f"discount_codes[{index}]"
        if text not in known:
            raise Problem("INVALID_DISCOUNT_CODE", code=text, path=path)
        code, history = known[text]
        check_code(code, history, lines, currency, policy.rates, exponents, now, path=path)
        terms.append(resolve_terms(code, currency, policy.rates, exponents))
    return terms
