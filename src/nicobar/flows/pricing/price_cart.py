"""Price a requested cart: the one function behind creation and preview, so that they can never disagree."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.core.customers.buyer import Buyer
from nicobar.core.discounts.discounts import CodeHistory, DiscountCode, DiscountTerms, check_code, resolve_terms
from nicobar.core.money.fx import charge_currency, charge_terms, settlement_currency
from nicobar.core.pricing.cart import (
    CartFacts,
    CartRequest,
    Pricing,
    buyers_currency,
    check_country,
    check_products,
    price_lines,
)
from nicobar.core.pricing.pricing import CartLine, ChargeTerms, Quote, check_minimum, quote, with_fee
from nicobar.core.problems import Problem
from nicobar.core.tax.tax import TaxDecision
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.business.load_policy import Policy, load_policy
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.check_tax_id import check_tax_id
from nicobar.reference import countries, currencies
from nicobar.storage.catalog.localized_prices import load_localized_prices
from nicobar.storage.discounts.redemptions import load_codes
from nicobar.storage.pricing.cart import load_cart_facts

_UNTAXED: Final = TaxDecision(0, "", False, "tax is off", "")

KnownCodes = Mapping[str, tuple[DiscountCode, CodeHistory]]


class PricedCart(NamedTuple):
    """A cart that passed every check, with its amounts."""

    quote: Quote
    facts: CartFacts
    brand_id: str
    customer: Buyer | None
    """The existing customer, or None when the request brings a new one."""
    tax_id: CheckedTaxId | None
    policy: Policy


class _Facts(NamedTuple):
    cart: CartFacts
    localized: Mapping[str, Sequence[LocalizedPrice]]
    codes: KnownCodes


async def price_cart(runtime: Runtime, tenant: Tenant, request: CartRequest) -> PricedCart:
    """Read the facts, climb the ladder of refusals in the contract's order, and quote.

    A cart without codes and localized prices costs one query. Raises Problem for the first rung that fails; nothing
    was written.
    """
    policy = await load_policy(runtime, tenant)
    facts = await _facts(runtime, tenant, request)
    cart, now = facts.cart, runtime.clock.now()
    if request.customer_id is not None and cart.customer is None:
        raise Problem("NOT_FOUND", what=f"Customer {request.customer_id}", path="customer.customer_id")
    brand_id = check_products(request.items, cart.products)
    country = countries.get(request.billing.country)
    check_country(country.alpha2, country.name, policy.settings.blocked_countries)
    currency = _currency(request, facts, country, policy)
    tax_id = None
    if request.tax_id is not None:
        tax_id = await check_tax_id(runtime, country.alpha2, request.tax_id, policy.settings)
    pricing = Pricing(
        country=country.alpha2,
        currency=currency,
        taxes=_taxes(request, cart, policy, now, tax_id is not None),
        localized=facts.localized,
        purchasing_power_percent=policy.settings.purchasing_power_percent(country.alpha2),
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
    check_minimum(priced.total, currency, currencies.get(currency).minimum_minor, terms.exponent)
    return PricedCart(priced, cart, brand_id, cart.customer, tax_id, policy)


async def _facts(runtime: Runtime, tenant: Tenant, request: CartRequest) -> _Facts:
    async with runtime.database.read() as read:
        cart = await load_cart_facts(
            read,
            tenant,
            customer_id=request.customer_id,
            email_key=request.email_key,
            product_ids=[item.product_id for item in request.items],
        )
        markets = [product.product_id for product in cart.products.values() if product.pricing_mode is not None]
        localized = await load_localized_prices(read, tenant, markets) if markets else {}
        customer_id = None if cart.customer is None else cart.customer.customer_id
        codes: KnownCodes = {}
        if request.discount_codes:
            codes = await load_codes(read, tenant, request.discount_codes, customer_id, request.payment_id)
    return _Facts(cart, localized, codes)


def _currency(request: CartRequest, facts: _Facts, country: countries.Country, policy: Policy) -> str:
    adaptive = policy.settings.adaptive_pricing == "on"
    chargeable = policy.settings.currencies
    requested = request.billing_currency
    own = country.charge_currency if country.charge_currency_source != "fallback" else None
    products = facts.cart.products
    if not (adaptive and requested is not None):
        wanted = requested or own
        agreed = buyers_currency(request.items, products, facts.localized, country.alpha2, wanted, adaptive=adaptive)
        if agreed in chargeable and agreed is not None:
            return agreed
    bases = [products[item.product_id].price.currency for item in request.items]
    return charge_currency(requested, own, bases, adaptive=adaptive, chargeable=chargeable)


def _taxes(
    request: CartRequest, cart: CartFacts, policy: Policy, now: datetime, tax_id_valid: bool
) -> dict[str, TaxDecision]:
    categories = {product.tax_category for product in cart.products.values()}
    if policy.settings.tax == "off":
        return dict.fromkeys(categories, _UNTAXED)
    billing = request.billing
    return {
        category: policy.tax_table.decide(
            billing.country,
            billing.state,
            category,
            now.date(),
            tax_id_valid=tax_id_valid,
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
