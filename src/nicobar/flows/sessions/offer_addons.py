"""Find the add-ons whose number the buyer of a session may change."""

from typing import Final, NamedTuple

from nicobar.core.catalog.addon import Addon, RequestedAddon
from nicobar.core.catalog.product import RecurringPrice
from nicobar.core.sessions.checkout_session import CheckoutSession
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.addons import get_addons
from nicobar.storage.catalog.products import get_products

_NONE: Final = RequestedAddon("", 0)


class OfferedAddon(NamedTuple):
    """An add-on that can be bought with a subscription of the cart."""

    place: int
    """The place of its item in the cart."""
    addon: Addon
    price: RecurringPrice
    """Of the product, whose cycle the add-on shares."""
    quantity: int
    """How many of it the session has."""


async def offer_addons(runtime: Runtime, session: CheckoutSession) -> list[OfferedAddon]:
    """Return them item by item: those of the session in its order, then what else the product has today.

    There are none unless `allow_editing_addons` is set, and none with what is charged on demand, which takes none.
    """
    request = session.request
    if not request.flags.allow_editing_addons or request.subscription.on_demand is not None:
        return []
    async with runtime.database.snapshot() as read:
        products = await get_products(read, session.tenant, list({item.product_id for item in request.items}))
        attached = {each.product_id: each.extras.get("addons") or [] for each in products}
        ids = list({addon_id for each in attached.values() for addon_id in each})
        known = {each.addon_id: each for each in await get_addons(read, session.tenant, ids) if not each.archived_at}
    prices = {each.product_id: each.price for each in products}
    offered = []
    for place, item in enumerate(request.items):
        price, wanted = prices.get(item.product_id), {each.addon_id: each for each in item.addons}
        if isinstance(price, RecurringPrice):
            order = dict.fromkeys([*wanted, *attached[item.product_id]])
            offered += [
                OfferedAddon(place, known[addon_id], price, wanted.get(addon_id, _NONE).quantity)
                for addon_id in order
                if addon_id in known
            ]
    return offered
