"""Decide what starting subscriptions writes. No I/O: facts, ids and the moment are arguments."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.addon import Addon
from nicobar.core.catalog.product import RecurringPrice
from nicobar.core.discounts.discount_record import CodeUse, DiscountRecord
from nicobar.core.money.money import round_half_up
from nicobar.core.payments.methods import CARD_TYPES
from nicobar.core.pricing.cart import SellableProduct, require_sold_once
from nicobar.core.pricing.pricing_facts import PricedCart, PricingFacts
from nicobar.core.pricing.quote import Quote
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.charges import net_prices
from nicobar.core.subscriptions.plan import Plan, RunningCode
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.subscriptions.subscription_request import OnDemand, RequestedPlan, SubscriptionRequest
from nicobar.flows.payments.check_payment_request import CheckedRequest
from nicobar.flows.payments.decide_creation import DecidedCreation, PaymentIds, decide_creation
from nicobar.flows.plans.build_plan import build_plan
from nicobar.flows.plans.require_recurring import require_recurring
from nicobar.flows.pricing.quote_cart import quote_cart


class SubscriptionFacts(NamedTuple):
    """What is known about what is to be sold."""

    pricing: PricingFacts
    """Of the products and of what is sold once."""
    addons: Mapping[str, Mapping[str, Addon]]
    """By product, the add-ons that it has and that were asked for, by id."""
    discounts: Mapping[str, DiscountRecord]
    """The discounts of the requested codes, by code."""


class DecidedSubscriptions(NamedTuple):
    """What starting subscriptions writes."""

    subscriptions: Sequence[Subscription]
    """In the order of the request, which is that of their lines in the payment."""
    first: DecidedCreation
    uses: Sequence[CodeUse]
    """The uses of codes. Those that the first payment does not get, because it is a trial, deduct nothing."""
    multiple: bool
    """Whether a customer may have several subscriptions."""

    @property
    def uses_to_take(self) -> list[CodeUse]:
        """The uses that deduct something now, or in the cycles to come."""
        lasting = {code.terms.discount_id for each in self.subscriptions for code in each.codes}
        return [use for use in self.uses if use.deducted or use.discount_id in lasting]

    @property
    def succeeds_at_once(self) -> bool:
        """Whether nothing has to be paid and nobody has to be asked for a card."""
        options = self.first.payment.options
        return self.first.succeeds_at_once and (not options.keeps_method or options.payment_method_id is not None)


class _Sold(NamedTuple):
    """A plan as it is sold."""

    product: SellableProduct
    price: RecurringPrice
    plan: Plan
    first: Plan
    """The plan at the prices of the first payment."""
    trial_days: int

    @property
    def takes_codes(self) -> bool:
        """Whether codes may lower its part of the first payment."""
        return not self.trial_days or self.price.trial_apply_discounts

    @property
    def is_full_trial(self) -> bool:
        """Whether it is a trial that costs something which no code may lower."""
        return not self.takes_codes and self.first.product.price.price > 0


def decide_subscription(
    tenant: Tenant,
    request: SubscriptionRequest,
    checked: CheckedRequest,
    facts: SubscriptionFacts,
    runnable: frozenset[str],
    ids: PaymentIds,
    subscription_ids: Sequence[str],
    at: datetime,
) -> DecidedSubscriptions:
    """Price a whole cycle and the first payment, and put all objects together as they are at `at`.

    Raises Problem for the first check that fails: several where a customer may have one, the products, the add-ons,
    what is sold once, what cannot be sold together, then what `quote_cart` and `decide_creation` refuse.
    """
    _check_number(request, facts)
    sold = [_sold(wanted, request, facts) for wanted in request.plans]
    otherwise = "one_time_product_cart" if request.one_time_items else "product_id"
    with _blaming_fields(request, otherwise):
        _check_sold_once(request, facts.pricing)
    with_codes = _codes_apply(sold, checked)
    plans, first_plans = [each.plan for each in sold], [each.first for each in sold]
    codes = () if with_codes else checked.cart.discount_codes
    items = [item for plan in plans for item in plan.items()]
    one_cycle = msgspec.structs.replace(checked.cart, items=items, discount_codes=codes)
    with _blaming_fields(request, "product_id"):
        whole = quote_cart(one_cycle, _facts_of(sold, plans, facts.pricing), at)
    first = _first_request(request, checked, plans, whole.quote.currency, with_codes=with_codes)
    if not with_codes or request.on_demand is not None or any(each.is_full_trial for each in sold):
        locked = sorted({*first.options.locked, "discount"})  # what is refused in a request no page may bring in
        first = first._replace(options=msgspec.structs.replace(first.options, locked=locked))
    first = first._replace(options=msgspec.structs.replace(first.options, starts=list(subscription_ids)))
    if request.on_demand is not None and request.on_demand.product_currency and not request.one_time_items:
        otherwise = "on_demand.product_currency"  # the plan itself was priced in its own one
    with _blaming_fields(request, otherwise):
        decided = decide_creation(tenant, first, _facts_of(sold, first_plans, facts.pricing), runnable, ids, at)
    asks = any(_asks_for_card(each.price, decided, trial=bool(each.trial_days)) for each in sold)
    payment = msgspec.structs.replace(
        decided.payment, options=msgspec.structs.replace(decided.payment.options, keeps_method=asks)
    )
    decided = decided._replace(payment=payment)
    uses = decided.quote.code_uses
    if not with_codes:
        uses = [CodeUse(code.discount_id, 0) for code in whole.quote.inputs.codes]
    subscriptions, line = [], 0
    for each, subscription_id in zip(sold, subscription_ids, strict=True):
        pending = _subscription(request, each.plan, whole, line, decided, facts, subscription_id, at)
        subscriptions.append(
            msgspec.structs.replace(
                pending,
                trial_period_days=each.trial_days,
                trial_amount=_trial_amount(each.first, decided.quote, line) if each.trial_days else None,
                payment_method_required=asks,
            )
        )
        line += len(each.plan.lines)
    return DecidedSubscriptions(subscriptions, decided, uses, facts.pricing.policy.settings.multiple_subscriptions)


def _check_number(request: SubscriptionRequest, facts: SubscriptionFacts) -> None:
    """Refuse several subscriptions at once where a customer may have one: they could be ordered and never paid."""
    if len(request.plans) > 1 and not facts.pricing.policy.settings.multiple_subscriptions:
        message = (
            "A customer may have one subscription, and the cart has several. To allow multiple subscriptions per "
            "customer, change business settings"
        )
        raise Problem("CUSTOMER_HAS_EXISTING_SUBSCRIPTION", path="product_cart", message=message)


def _sold(wanted: RequestedPlan, request: SubscriptionRequest, facts: SubscriptionFacts) -> _Sold:
    product, price = require_recurring(facts.pricing.cart.products, wanted.product_id, f"{wanted.where}product_id")
    plan = build_plan(
        product,
        price,
        wanted.quantity,
        wanted.addons,
        facts.addons.get(product.product_id, {}),
        facts.pricing.localized.get(product.product_id, ()),
        default_tax_inclusive=facts.pricing.policy.settings.default_tax_inclusive,
        path=f"{wanted.where}addons",
    )
    days = price.trial_period_days if request.trial_period_days is None else request.trial_period_days
    days = days if request.on_demand is None else 0
    return _Sold(product, price, plan, _first_prices(plan, price, request.on_demand, trial=days > 0), days)


def _check_sold_once(request: SubscriptionRequest, facts: PricingFacts) -> None:
    """Refuse to sell once what is no one-time product: the price of a plan's line would stand for that of its product.

    Raises Problem as `require_sold_once` does.
    """
    first = _plan_lines(request)
    for index, item in enumerate(request.one_time_items):
        require_sold_once(facts.cart.products, item.product_id, f"product_cart[{first + index}].product_id")


def _plan_lines(request: SubscriptionRequest) -> int:
    """Return how many lines of the first payment are of plans; those that are sold once follow."""
    return sum(1 + len(plan.addons) for plan in request.plans)


@contextmanager
def _blaming_fields(request: SubscriptionRequest, otherwise: str) -> Iterator[None]:
    """Let what refuses lines of the payment name the fields of POST /subscriptions, whose body has no cart.

    `otherwise` is the field to name where no line that is sold once is at fault.
    """
    try:
        yield
    except Problem as problem:
        path = problem.path or ""
        if path.startswith("product_cart") and not request.in_session:
            index, _, field = path.removeprefix("product_cart[").partition("].")
            once = int(index) - _plan_lines(request) if index.isdigit() else -1
            problem.path = otherwise if once < 0 else f"one_time_product_cart[{once}].{field}"
        raise


def _codes_apply(sold: Sequence[_Sold], checked: CheckedRequest) -> bool:
    """Return whether the first payment gets the codes: not where all that is sold is a trial that takes none.

    A free trial costs nothing that a code could lower. Raises Problem UNSUPPORTED_ACTION for a paid one that takes
    none, sold together with something that takes codes.
    """
    if not any(each.takes_codes for each in sold):
        return False
    if checked.cart.discount_codes and any(each.is_full_trial for each in sold):
        detail = "A code cannot be used where a paid trial that takes no discounts is sold with another subscription"
        raise Problem("UNSUPPORTED_ACTION", detail=detail, path="discount_codes")
    return True


def _facts_of(sold: Sequence[_Sold], plans: Sequence[Plan], facts: PricingFacts) -> PricingFacts:
    """Return the facts with the lines of the plans in place of their products.

    A brand that may not sell is refused as for every cart. Raises Problem DUPLICATE_ADDON_IDS_IN_REQUEST for an add-on
    of two plans that costs something with one of them only, because one of them is a trial.
    """
    lines: dict[str, SellableProduct] = {}
    own = {plan.product_id for plan in plans}
    localized = {key: prices for key, prices in facts.localized.items() if key not in own}
    for each, plan in zip(sold, plans, strict=True):
        for key, line in plan.products(each.product.brand_id).items():
            line = msgspec.structs.replace(line, brand_enabled=each.product.brand_enabled)
            if lines.setdefault(key, line) != line:
                raise Problem("DUPLICATE_ADDON_IDS_IN_REQUEST", path="product_cart")
        localized |= plan.localized()
    cart = msgspec.structs.replace(facts.cart, products={**facts.cart.products, **lines})
    return facts._replace(cart=cart, localized=localized)


def _first_request(
    request: SubscriptionRequest, checked: CheckedRequest, plans: Sequence[Plan], currency: str, *, with_codes: bool
) -> CheckedRequest:
    """Return the request for the first payment: the plans and what is sold once, in the currency of the cycles."""
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
        items=[*(item for plan in plans for item in plan.items()), *request.one_time_items],
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


def _trial_amount(first: Plan, charged: Quote, line: int) -> int | None:
    """Return what one unit of a trial costs after discounts, in the currency of its price; None for nothing.

    `charged` is the first payment, and `line` that of the trial. The share that discounts leave of it is that of the
    price, which may be in another currency.
    """
    itself = msgspec.structs.replace(charged.inputs.lines[line], discount_bps=0)
    (undiscounted,) = net_prices([itself], charged.inputs.charge, [])
    if not undiscounted:
        return None
    return round_half_up(first.product.price.price * charged.lines[line].net, undiscounted) or None


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
    line: int,
    first: DecidedCreation,
    facts: SubscriptionFacts,
    subscription_id: str,
    at: datetime,
) -> Subscription:
    """Return a subscription as it waits for its first payment; `line` is its first line among those of the cycles."""
    payment, settings, inputs = first.payment, whole.policy.settings, whole.quote.inputs
    own = inputs.lines[line : line + len(plan.lines)]
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
        recurring_pre_tax_amount=sum(net_prices(own, inputs.charge, [])),
        tax_inclusive=own[0].tax_inclusive,
        market=payment.billing.country,
        purchasing_power_percent=settings.purchasing_power_percent(payment.billing.country),
        fees_inclusive=payment.options.adaptive_currency_fees_inclusive,
        billing=payment.billing,
        tax_id=payment.options.tax_id,
        customer_business_name=payment.options.customer_business_name,
        custom_field_responses=payment.options.custom_field_responses,
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
            for terms in (*first.quote.inputs.codes, *inputs.codes)
            if any(terms.covers(each.sold.product_id) for each in plan.lines)
        ),
    )
