"""The parts of the payment page that the customer can change before paying, and how long that is possible."""

from typing import Any

from nicobar.pages.changes.changes import Changed
from nicobar.pages.checkout.test_panel import panel_view
from nicobar.pages.checkout.visit import Visit
from nicobar.pages.details.details import details_view
from nicobar.pages.details.discount_entry import discount_view
from nicobar.pages.frame.countdown import countdown_view
from nicobar.pages.frame.rendering import Renderer


def changeable_parts(renderer: Renderer, visit: Visit, token: str, changed: Changed) -> dict[str, Any]:
    """Return what the template shows of them, and of the test panel; `changed` is what came of the last change."""
    payment, reader = visit.payment, visit.reader
    details = details_view(
        payment,
        reader,
        action=renderer.path(visit.part("details")),
        token=token,
        blocked=visit.blocked,
        errors=changed.errors,
        shown=changed.shown,
    )
    action = renderer.path(visit.part("discount"))
    discount = discount_view(payment, action=action, token=token, errors=changed.errors, shown=changed.shown)
    pay = renderer.path(visit.action)
    return {
        "action": pay,
        "details": details,
        "discount": discount,
        "countdown": countdown_view(payment, visit.now, reader),
        "panel": panel_view(visit, token, pay),
    }
