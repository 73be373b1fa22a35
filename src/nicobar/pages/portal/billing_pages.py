"""What a customer does about the billing of a subscription: keep, pause and resume it, charge another card."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.payments.saved_method import SavedMethod, takes
from nicobar.core.subscriptions.change_request import SubscriptionChange
from nicobar.core.subscriptions.plan_change_request import MethodUpdate
from nicobar.core.subscriptions.subscription import UNPAID, Subscription
from nicobar.flows.accounts.find_charging_processor import find_charging_processor
from nicobar.flows.subscriptions.update_payment_method import update_payment_method
from nicobar.flows.subscriptions.update_subscription import update_subscription
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.pages.frame.rendering import redirect
from nicobar.pages.frame.view import decline_text
from nicobar.pages.portal.overview import own_subscription, switched_off
from nicobar.pages.portal.portal_views import Allowed, allowed, card_item
from nicobar.pages.portal.portal_visit import Portal, PortalVisit
from nicobar.pages.texts.language import with_language
from nicobar.processors.accounts.registry import is_chargeable
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.payments.saved_methods import list_methods

NEW_CARD: Final = "new"
"""What the form says for a card that is not saved yet."""


class BillingPages:
    """The handlers of what happens to a subscription without ending it."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def keep(self, request: Request, visit: PortalVisit, _form: PostedForm) -> Response:
        """Take back the cancellation that the customer has scheduled."""
        subscription, may = await self._allowed(request, visit)
        return await self._change(visit, subscription, SubscriptionChange(cancel_at_next_billing_date=False), may.keep)

    async def pause(self, request: Request, visit: PortalVisit, _form: PostedForm) -> Response:
        """Pause."""
        subscription, may = await self._allowed(request, visit)
        return await self._change(visit, subscription, SubscriptionChange(status="paused"), may.pause)

    async def resume(self, request: Request, visit: PortalVisit, _form: PostedForm) -> Response:
        """Resume."""
        subscription, may = await self._allowed(request, visit)
        return await self._change(visit, subscription, SubscriptionChange(status="active"), may.resume)

    async def show_cards(self, request: Request, visit: PortalVisit) -> Response:
        """Ask which card is to be charged. Raises Problem NOT_FOUND."""
        subscription, may = await self._allowed(request, visit)
        if not may.change_card:
            raise switched_off()
        return await self._cards(visit, subscription)

    async def change_card(self, request: Request, visit: PortalVisit, form: PostedForm) -> Response:
        """Charge a saved card from now on, or lead to the page where another one is entered.

        What is owed is charged at once; so tries are counted as those of a payment page are.
        """
        subscription, may = await self._allowed(request, visit)
        if not may.change_card:
            raise switched_off()
        runtime, attempts, choice = self._portal.runtime, self._portal.limits.attempts, form.text("card")
        if form.text("lang"):  # the choice is kept
            return await self._cards(visit, subscription, chosen=choice)
        own = await self._methods(visit, subscription.currency)
        if choice != NEW_CARD and choice not in {method.payment_method_id for method in own}:
            return await self._cards(visit, subscription, error=visit.reader.texts("error.saved_gone"))
        attempts.take(subscription.subscription_id, runtime.clock.elapsed())
        update = MethodUpdate(
            payment_method_id=None if choice == NEW_CARD else choice,
            return_url=f"{runtime.public_url}{visit.path()}",
        )
        placed = await update_payment_method(runtime, visit.tenant, subscription.subscription_id, update)
        if placed is None:
            return self._portal.back(visit, done=True)
        if placed.payment.link_id is not None:
            path = with_language(f"/{placed.payment.link_id}", visit.language)
            return redirect(self._portal.renderer.path(path))
        async with runtime.database.snapshot() as read:
            payment = await get_payment(read, visit.tenant, placed.payment.payment_id)
        if payment is not None and payment.status == "failed":
            subscription, _ = await self._allowed(request, visit)
            return await self._cards(visit, subscription, error=decline_text(payment.error_code, visit.reader.texts))
        return self._portal.back(visit, done=payment is None or payment.status == "succeeded")

    async def _allowed(self, request: Request, visit: PortalVisit) -> tuple[Subscription, Allowed]:
        subscription = await own_subscription(self._portal, request, visit)
        return subscription, allowed(subscription, visit.settings)

    async def _change(
        self, visit: PortalVisit, subscription: Subscription, change: SubscriptionChange, may: bool
    ) -> Response:
        if not may:
            raise switched_off()
        await update_subscription(self._portal.runtime, visit.tenant, subscription.subscription_id, change)
        return self._portal.back(visit, done=True)

    async def _methods(self, visit: PortalVisit, currency: str) -> list[SavedMethod]:
        """Return the saved cards that can be charged: not expired, of the account that charges, good for a currency."""
        runtime = self._portal.runtime
        now, processor = runtime.now(visit.tenant), await find_charging_processor(runtime, visit.tenant)
        async with runtime.database.read() as read:
            methods = await list_methods(read, visit.tenant, visit.customer.customer_id)
        kept = [method for method in methods if is_chargeable(method, processor) and not method.is_expired(now)]
        return [method for method in kept if takes(method.card, currency)]

    async def _cards(
        self, visit: PortalVisit, subscription: Subscription, *, error: str | None = None, chosen: str | None = None
    ) -> Response:
        texts = visit.reader.texts
        return self._portal.page(
            visit,
            "portal_card.html",
            place=f"subscriptions/{subscription.subscription_id}/card",
            status=200 if error is None else 422,
            has_form=True,
            heading=texts("portal.card_heading", name=subscription.plan.product.name),
            cards=[card_item(method, texts) for method in await self._methods(visit, subscription.currency)],
            current=subscription.payment_method_id if chosen is None else chosen,
            new_card=NEW_CARD,
            owes=subscription.status in UNPAID,
            error=error,
        )
