"""Decide what starting a subscription writes. No I/O: facts, ids and the moment are arguments."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.addon import Addon
from nicobar.core.catalog.product import OneTimePrice, RecurringPrice
from nicobar.core.discounts.discount_record import CodeUse, DiscountRecord
from nicobar.core.discounts.discounts import FULL_BPS
from nicobar.core.money.money import round_half_up
from nicobar.core.payments.methods import CARD_TYPES
from nicobar.core.pricing.cart import SellableProduct
from nicobar.core.pricing.pricing_facts import PricedCart, PricingFacts
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.charges import net_prices
from nicobar.core.subscriptions.plan import Plan, RunningCode
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.subscriptions.subscription_request import OnDemand, SubscriptionRequest
from nicobar.flows.payments.check_payment_request import CheckedRequest
from nicobar.flows.payments.decide_creation import DecidedCreation, PaymentIds, decide_creation
from nicobar.flows.plans.build_plan import build_plan
from nicobar.flows.plans.check_can_set_up import check_can_set_up
from nicobar.flows.pricing.quote_cart import quote_cart


class SubscriptionFacts(NamedTuple):
    """What is known about what is to be sold."""

    pricing: PricingFacts
    """Of the product and of what is sold once."""
    addons: Mapping[str, Addon]
    """The add-ons that the product has and that were asked for, by id."""
    discounts: Mapping[str, DiscountRecord]
    """The discounts of the requested codes, by code."""


class DecidedSubscription(NamedTuple):
    """What starting a subscription writes."""

    subscription: Subscription
    first: DecidedCreation
    uses: Sequence[CodeUse]
    """The uses of codes to take. Those that the first payment does not get, because it is a trial, deduct nothing."""

    @property
    def succeeds_at_once(self) -> bool:
        """Whether nothing has to be paid and nobody has to be asked for a card."""
        options = self.first.payment.options
        return self.first.succeeds_at_once and (not options.keeps_method or options.payment_method_id is not None)


def decide_subscription(
    tenant: Tenant,
    request: SubscriptionRequest,
    checked: CheckedRequest,
    facts: SubscriptionFacts,
    runnable: frozenset[str],
    ids: PaymentIds,
    subscription_id: str,
    at: datetime,
) -> DecidedSubscription:
    """Price a whole cycle and the first payment, and put both objects together as they are at `at`.

    Raises Problem for the first check that fails: the product, the add-ons, then what `quote_cart` and
    `decide_creation` refuse.
    """
    product, price = _recurring(request, facts.pricing)
    settings = facts.pricing.policy.settings
    plan = build_plan(
        product,
        price,
        request.quantity,
        request.addons,
        facts.addons,
        facts.pricing.localized.get(product.product_id, ()),
        default_tax_inclusive=settings.default_tax_inclusive,
    )
    days = price.trial_period_days if request.trial_period_days is None else request.trial_period_days
    trial = days > 0 and request.on_demand is None
    with_codes = not trial or price.trial_apply_discounts
    codes = () if with_codes else checked.cart.discount_codes
    one_cycle = msgspec.structs.replace(checked.cart, items=plan.items(), discount_codes=codes)
    whole = quote_cart(one_cycle, _facts_of(plan, product.brand_id, facts.pricing), at)
    count, currency = len(plan.lines), whole.quote.currency
    first = _first_request(request, checked, plan, currency, with_codes=with_codes)
    first_plan = _first_prices(plan, price, request.on_demand, trial=trial)
    first_facts = _facts_of(first_plan, product.brand_id, facts.pricing)
    decided = decide_creation(tenant, first, first_facts, runnable, ids, at)
    asks = _asks_for_card(price, decided, trial=trial)
    if asks and not decided.quote.total:
        check_can_set_up(facts.pricing.policy, decided.payment.options)
    payment = msgspec.structs.replace(
        decided.payment, options=msgspec.structs.replace(decided.payment.options, keeps_method=asks)
    )
    decided = decided._replace(payment=payment)
    uses = decided.quote.code_uses
    if not with_codes:
        uses = [CodeUse(code.discount_id, 0) for code in whole.quote.inputs.codes]
    subscription = _subscription(request, plan, whole, decided, facts, subscription_id, at)
    nets = net_prices(whole.quote.inputs.lines[:count], whole.quote.inputs.charge, [])
    return DecidedSubscription(
        msgspec.structs.replace(
            subscription,
            recurring_pre_tax_amount=sum(nets),
            trial_period_days=days if trial else 0,
            trial_amount=_discounted(first_plan) or None if trial else None,
            payment_method_required=asks,
        ),
        decided,
        uses,
    )


def _recurring(request: SubscriptionRequest, facts: PricingFacts) -> tuple[SellableProduct, RecurringPrice]:
    product = facts.cart.products.get(request.product_id)
    if product is None:
        raise Problem("NOT_FOUND", what=f"Product {request.product_id}", path="product_id")
    if product.archived:
        raise Problem("PRODUCT_IS_DELETED", product_id=request.product_id, path="product_id")
    if not isinstance(product.price, RecurringPrice):
        kind = "a one-time product" if isinstance(product.price, OneTimePrice) else "sold by measured use"
        detail = f"Product {request.product_id} is {kind}; subscriptions need a recurring price"
        raise Problem("UNSUPPORTED_ACTION", detail=detail, path="product_id")
    return product, product.price


def _facts_of(plan: Plan, brand_id: str, facts: PricingFacts) -> PricingFacts:
    """Return the facts with the plan's lines in place of the product."""
    cart = msgspec.structs.replace(facts.cart, products={**facts.cart.products, **_sellable(plan, brand_id, facts)})
    others = {key: prices for key, prices in facts.localized.items() if key != plan.product_id}
    return facts._replace(cart=cart, localized={**others, **plan.localized()})


def _sellable(plan: Plan, brand_id: str, facts: PricingFacts) -> dict[str, SellableProduct]:
    """Return the lines of the plan as products; a brand that may not sell is refused as for every cart."""
    enabled = facts.cart.products[plan.product_id].brand_enabled
    return {key: msgspec.structs.replace(line, brand_enabled=enabled) for key, line in plan.products(brand_id).items()}


def _first_request(
    request: SubscriptionRequest, checked: CheckedRequest, plan: Plan, currency: str, *, with_codes: bool
) -> CheckedRequest:
    """Return the request for the first payment: the plan and what is sold once, in the currency of the cycles."""
    allowed = checked.options.allowed_payment_method_types
    cards = sorted(CARD_TYPES) if allowed is None else [each for each in allowed if each in CARD_TYPES]
    options = msgspec.structs.replace(
        checked.options,
        charge_type="new",
        allowed_payment_method_types=cards,  # what can be kept for renewals
        discount_codes=checked.options.discount_codes if with_codes else [],
    )
    cart = msgspec.structs.replace(
        checked.cart,
        items=[*plan.items(), *request.one_time_items],
        billing_currency=currency,
        discount_codes=checked.cart.discount_codes if with_codes else (),
    )
    return checked._replace(cart=cart, options=options)


def _first_prices(plan: Plan, price: RecurringPrice, on_demand: OnDemand | None, *, trial: bool) -> Plan:
    """Return the plan at the prices of its first payment: the whole, a trial's, or what a charge on demand takes."""
    product = plan.product

    def at_price(amount: int, currency: str, discount_bps: int) -> Plan:
        sold = msgspec.structs.replace(
            product.sold,
            price=msgspec.structs.replace(
                product.price,
                currency=currency,
                price=amount,
                discount_bps=discount_bps,
                purchasing_power_parity=False,
            ),
            localized=(),
        )
        nothing = tuple(
            msgspec.structs.replace(
                line,
                sold=msgspec.structs.replace(line.sold, price=msgspec.structs.replace(line.price, price=0)),
            )
            for line in plan.addons
        )
        description = product.description if on_demand is None else on_demand.product_description
        line = msgspec.structs.replace(product, sold=sold, description=description or product.description)
        return msgspec.structs.replace(plan, product=line, addons=nothing)

    if on_demand is not None and on_demand.mandate_only:
        return at_price(0, price.currency, 0)
    if on_demand is not None and on_demand.product_price is not None:
        return at_price(on_demand.product_price, on_demand.product_currency or price.currency, 0)
    if trial:
        return at_price(
            price.trial_amount or 0, price.currency, price.discount_bps if price.trial_apply_discounts else 0
        )
    return plan


def _discounted(plan: Plan) -> int:
    price = plan.product.price
    return round_half_up(price.price * (FULL_BPS - price.discount_bps), FULL_BPS)


def _asks_for_card(price: RecurringPrice, first: DecidedCreation, *, trial: bool) -> bool:
    """Return whether the first payment needs a card that is kept: where money is due, or the price insists."""
    if first.quote.total:
        return True
    if trial:
        return not price.trial_payment_method_optional
    return not price.zero_amount_payment_method_optional


def _subscription(
    request: SubscriptionRequest,
    plan: Plan,
    whole: PricedCart,
    first: DecidedCreation,
    facts: SubscriptionFacts,
    subscription_id: str,
    at: datetime,
) -> Subscription:
    payment, settings = first.payment, whole.policy.settings
    return Subscription(
        business_id=payment.business_id,
        mode=payment.mode,
        subscription_id=subscription_id,
        brand_id=payment.brand_id,
        customer=payment.customer,
        status="pending",
        created_at=at,
        updated_at=at,
        plan=plan,
        currency=whole.quote.currency,
        recurring_pre_tax_amount=0,
        tax_inclusive=whole.quote.inputs.lines[0].tax_inclusive,
        market=payment.billing.country,
        purchasing_power_percent=settings.purchasing_power_percent(payment.billing.country),
        fees_inclusive=payment.options.adaptive_currency_fees_inclusive,
        billing=payment.billing,
        tax_id=payment.options.tax_id,
        customer_business_name=payment.options.customer_business_name,
        metadata=payment.metadata,
        first_payment_id=payment.payment_id,
        pending_until=payment.expires_on,
        previous_billing_date=at,
        next_billing_date=at,
        anchor=at,
        number=0,
        on_demand=request.on_demand is not None,
        codes=tuple(
            RunningCode(
                terms=terms,
                cycles_remaining=facts.discounts[terms.code].subscription_cycles,
                preserve_on_plan_change=facts.discounts[terms.code].preserve_on_plan_change,
            )
            for terms in (*first.quote.inputs.codes, *whole.quote.inputs.codes)
            if any(terms.covers(line.sold.product_id) for line in plan.lines)
        ),
    )
