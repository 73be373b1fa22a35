"""Cancelling a subscription in the portal: when, and if the customer likes to tell, why."""

from typing import Final, get_args

from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.subscriptions.change_request import SubscriptionChange
from nicobar.core.subscriptions.subscription import CancelledBy, Feedback, Subscription
from nicobar.core.typed_text import tidy
from nicobar.flows.subscriptions.update_subscription import update_subscription
from nicobar.pages.frame.posted_form import PostedForm, holds_card_number, text_fault
from nicobar.pages.frame.view import day_text
from nicobar.pages.portal.overview import own_subscription, switched_off
from nicobar.pages.portal.portal_views import allowed
from nicobar.pages.portal.portal_visit import Portal, PortalVisit

MAXIMUM_COMMENT: Final = 500
"""Characters of the customer's own words."""

FEEDBACKS: Final[tuple[Feedback, ...]] = get_args(Feedback)


class CancellationPage:
    """The handlers of a subscription's cancellation."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def show(self, request: Request, visit: PortalVisit) -> Response:
        """Ask when it ends. Raises Problem NOT_FOUND."""
        subscription = await own_subscription(self._portal, request, visit)
        if not allowed(subscription, visit.settings).cancel:
            raise switched_off()
        return self._form(visit, subscription)

    async def cancel(self, request: Request, visit: PortalVisit, form: PostedForm) -> Response:
        """Cancel as the form says. Raises Problem as `update_subscription` does, and with status 403 when it may not
        be."""
        subscription = await own_subscription(self._portal, request, visit)
        may = allowed(subscription, visit.settings)
        when, reason, comment = form.text("when"), form.text("reason"), tidy(form.text("comment"))
        shown = "" if holds_card_number(comment) else comment
        if form.text("lang") and may.cancel:  # what was typed is kept
            return self._form(visit, subscription, when=when, reason=reason, comment=shown)
        if (error := text_fault(comment, MAXIMUM_COMMENT, visit.reader.texts)) is not None:
            return self._form(visit, subscription, when=when, reason=reason, comment=shown, error=error)
        if not {"later": may.cancel_later, "now": may.cancel_now}.get(when, False):
            raise switched_off()
        feedback: Feedback | UnsetType = next((each for each in FEEDBACKS if each == reason), UNSET)
        change = SubscriptionChange(
            feedback=feedback,
            comment=comment or UNSET,
            status="cancelled" if when == "now" else UNSET,
            cancel_at_next_billing_date=True if when == "later" else UNSET,
        )
        by = CancelledBy("customer", visit.customer.email, visit.customer.name or None)
        await update_subscription(self._portal.runtime, visit.tenant, subscription.subscription_id, change, by)
        return self._portal.back(visit, done=True)

    def _form(
        self,
        visit: PortalVisit,
        subscription: Subscription,
        *,
        when: str = "",
        reason: str = "",
        comment: str = "",
        error: str | None = None,
    ) -> Response:
        texts = visit.reader.texts
        may = allowed(subscription, visit.settings)
        date = day_text(subscription.next_billing_date, visit.reader.locale)
        ways = [("later", texts("portal.cancel_later", date=date))] if may.cancel_later else []
        ways += [("now", texts("portal.cancel_now"))] if may.cancel_now else []
        chosen = when if when in dict(ways) else next(iter(dict(ways)), "")
        return self._portal.page(
            visit,
            "portal_cancel.html",
            place=f"subscriptions/{subscription.subscription_id}/cancel",
            status=200 if error is None else 422,
            has_form=True,
            heading=texts("portal.cancel_heading", name=subscription.plan.product.name),
            ways=[(value, label, value == chosen) for value, label in ways],
            reasons=[(each, texts(f"portal.reason_{each}"), each == reason) for each in FEEDBACKS],
            maximum=MAXIMUM_COMMENT,
            comment=comment,
            error=error,
        )
