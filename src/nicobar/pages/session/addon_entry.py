"""The add-ons of a session's subscriptions: how many of each its buyer takes."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from nicobar.core.catalog.addon import RequestedAddon
from nicobar.core.pricing.cart import MAXIMUM_QUANTITY
from nicobar.core.subscriptions.plan import frequency_of
from nicobar.core.typed_text import plain
from nicobar.flows.sessions.offer_addons import OfferedAddon
from nicobar.pages.details.details import DetailField
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.pages.frame.renewals import cycle_text
from nicobar.pages.frame.view import amount_text
from nicobar.pages.texts.texts import Reader, Texts

LONGEST: Final = 12
"""Characters of a number."""

_NUMBER: Final = re.compile(r"\d{1,10}", re.ASCII)


def addon_field(offered: OfferedAddon) -> str:
    """Return the name of the form's field for an add-on."""
    return f"addon_{offered.place}_{offered.addon.addon_id}"


def addon_views(
    offers: Sequence[OfferedAddon], reader: Reader, errors: Mapping[str, str], shown: Mapping[str, str]
) -> list[DetailField]:
    """Return the fields, each with what a unit costs how often, before tax and in the add-on's own currency."""
    fields = []
    for offered in offers:
        addon, name = offered.addon, addon_field(offered)
        price = amount_text(addon.price, addon.currency, reader.locale)
        fields.append(
            DetailField(
                name=name,
                label=reader.texts("session.addon", name=addon.name),
                autocomplete="off",
                value=shown.get(name, str(offered.quantity)),
                required=True,
                hint=f"{price} · {cycle_text(frequency_of(offered.price), reader)}",
                error=errors.get(name),
                maximum=LONGEST,
                prices=True,
                kind="count",
            )
        )
    return fields


def read_addons(
    offers: Sequence[OfferedAddon], form: PostedForm, texts: Texts, errors: dict[str, str]
) -> dict[int, list[RequestedAddon]]:
    """Return the add-ons that the buyer takes, by the place of their items; an empty field is none of it.

    Of each a buyer can take as many as of a product, or what the session has, if that is more.
    """
    taken: dict[int, list[RequestedAddon]] = {}
    for offered in offers:
        name, most = addon_field(offered), max(MAXIMUM_QUANTITY, offered.quantity)
        text = plain(form.text(name)) or "0"
        quantity = int(text) if _NUMBER.fullmatch(text) else most + 1
        if quantity > most:
            errors[name] = texts("session.addon_unreadable", maximum=most)
            quantity = offered.quantity
        chosen = taken.setdefault(offered.place, [])
        if quantity:
            chosen.append(RequestedAddon(offered.addon.addon_id, quantity))
    return taken
