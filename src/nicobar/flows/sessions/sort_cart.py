"""Sort the cart of a session: what is subscribed to, and what is sold once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment_request import PaymentRequest
from nicobar.core.problems import Problem
from nicobar.core.sessions.checkout_session import SessionItem, SessionRequest
from nicobar.core.subscriptions.subscription_request import RequestedPlan, SubscriptionRequest
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.products import ProductLookup, find_recurring
from nicobar.storage.database import Database
from nicobar.storage.gathering import Gatherings

_LOOKUPS: Final = Gatherings[ProductLookup, set[str]](at_most=16, lanes=2)


class SortedCart(NamedTuple):
    """A cart with subscriptions. Its payment has their lines first, each followed by its add-ons."""

    plans: Sequence[RequestedPlan]
    once: Sequence[int]
    """The items of the session that are sold once."""
    lines: Sequence[int]
    """For each item of the session, its line in the payment."""
    origins: Sequence[int]
    """For each line of the payment, the item of the session that it comes of."""

    def request(self, session: SessionRequest, payment: PaymentRequest) -> SubscriptionRequest:
        """Return the subscriptions that a session asks for; `payment` is what it would be without them."""
        return SubscriptionRequest(
            payment=msgspec.structs.replace(payment, items=[]),
            plans=self.plans,
            one_time_items=[payment.items[index] for index in self.once],
            trial_period_days=session.subscription.trial_period_days,
            on_demand=session.subscription.on_demand,
        )

    @contextmanager
    def blaming_items(self) -> Iterator[None]:
        """Let refusals of a line of the payment name the item of the session."""
        try:
            yield
        except Problem as problem:
            mark, _, rest = (problem.path or "").partition("]")
            index = mark.removeprefix("product_cart[")
            if index != mark and index.isdigit() and int(index) < len(self.origins) and rest.startswith("."):
                problem.path = f"product_cart[{self.origins[int(index)]}]{rest}"
            raise


async def sort_cart(runtime: Runtime, tenant: Tenant, items: Sequence[SessionItem]) -> SortedCart | None:
    """Return the cart of these items of a session, sorted; None when nothing in it is subscribed to.

    Raises Problem MISSING_ADDON_IDS for an add-on of what is sold once, and INVALID_REQUEST_BODY for a subscription to
    no unit, and for two to the same product.
    """
    database = runtime.database
    lookup = ProductLookup(tenant.business_id, tenant.mode, list({item.product_id: None for item in items}))
    recurring = await _LOOKUPS.of(database).ask(None, lookup, partial(_look_up, database.shared))
    for index, item in enumerate(items):
        ids = ", ".join(addon.addon_id for addon in item.addons if addon.quantity)
        if ids and item.product_id not in recurring:
            raise Problem("MISSING_ADDON_IDS", path=f"product_cart[{index}].addons", ids=ids)
    if not recurring:
        return None
    plans: list[RequestedPlan] = []
    origins: list[int] = []
    lines = [0] * len(items)
    for index, item in enumerate(items):
        if item.product_id in recurring:
            lines[index] = len(origins)
            plans.append(_plan(items, index, lines[index]))
            origins += [index] * (1 + len(item.addons))
    once = [index for index, item in enumerate(items) if item.product_id not in recurring]
    for index in once:
        lines[index] = len(origins)
        origins.append(index)
    return SortedCart(plans, once, lines, origins)


async def _look_up(database: Database, lookups: list[ProductLookup]) -> Sequence[set[str]]:
    async with database.read() as read:
        return await find_recurring(read, lookups)


def _plan(items: Sequence[SessionItem], index: int, line: int) -> RequestedPlan:
    """Return what an item subscribes to; refusals of it name its line of the payment, as those of all lines do."""
    item, where = items[index], f"product_cart[{index}]."
    if not item.quantity:
        raise Problem("INVALID_REQUEST_BODY", path=f"{where}quantity", detail="A subscription needs at least 1.")
    if item.product_id in [other.product_id for other in items[:index]]:
        detail = "Another line subscribes to this product: send one line with the whole quantity."
        raise Problem("INVALID_REQUEST_BODY", path=f"{where}product_id", detail=detail)
    return RequestedPlan(
        product_id=item.product_id, quantity=item.quantity, addons=item.addons, where=f"product_cart[{line}]."
    )
