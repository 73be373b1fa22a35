"""The addresses of the customer portal."""

from starlette.routing import Route

from nicobar.flows.runtime import Runtime
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.frame.rendering import Handler, PageEndpoint, Renderer
from nicobar.pages.portal.address_page import AddressPage
from nicobar.pages.portal.billing_pages import BillingPages
from nicobar.pages.portal.cancellation_page import CancellationPage
from nicobar.pages.portal.card_pages import CardPages
from nicobar.pages.portal.details_page import DetailsPage
from nicobar.pages.portal.overview import Overview
from nicobar.pages.portal.portal_visit import Portal


def portal_routes(runtime: Runtime, renderer: Renderer, limits: PageLimits) -> list[Route]:
    """Return the routes of the portal."""
    portal = Portal(runtime, renderer, limits)
    overview, cancellation, billing = Overview(portal), CancellationPage(portal), BillingPages(portal)
    cards, details, address = CardPages(portal), DetailsPage(portal), AddressPage(portal)
    back = portal.shown(overview.lead_back)
    places: dict[str, dict[str, Handler]] = {
        "": {"GET": portal.shown(overview.show)},
        "/open/{secret}": {"GET": portal.open},
        "/payments/{payment_id}": {"GET": portal.shown(overview.receipt)},
        "/subscriptions/{subscription_id}/cancel": {
            "GET": portal.shown(cancellation.show),
            "POST": portal.posted(cancellation.cancel),
        },
        "/subscriptions/{subscription_id}/keep": {"GET": back, "POST": portal.posted(billing.keep)},
        "/subscriptions/{subscription_id}/pause": {"GET": back, "POST": portal.posted(billing.pause)},
        "/subscriptions/{subscription_id}/resume": {"GET": back, "POST": portal.posted(billing.resume)},
        "/subscriptions/{subscription_id}/card": {
            "GET": portal.shown(billing.show_cards),
            "POST": portal.posted(billing.change_card),
        },
        "/subscriptions/{subscription_id}/address": {
            "GET": portal.shown(address.show),
            "POST": portal.posted(address.save),
        },
        "/cards/{payment_method_id}/remove": {
            "GET": portal.shown(cards.show),
            "POST": portal.posted(cards.remove),
        },
        "/details": {"GET": portal.shown(details.show), "POST": portal.posted(details.save)},
    }
    return [
        Route(f"/portal/{{session_id}}{place}", PageEndpoint(runtime, renderer, handlers), methods=list(handlers))
        for place, handlers in places.items()
    ]
