"""Removing a saved card in the portal."""

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.problems import Problem
from nicobar.flows.payments.delete_saved_method import delete_saved_method
from nicobar.pages.frame.posted_form import PostedForm
from nicobar.pages.frame.view import card_name
from nicobar.pages.portal.overview import switched_off
from nicobar.pages.portal.portal_visit import Portal, PortalVisit
from nicobar.storage.payments.saved_methods import get_method
from nicobar.storage.subscriptions.subscriptions import subscription_using


class CardPages:
    """The handlers of a saved card."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def show(self, request: Request, visit: PortalVisit) -> Response:
        """Ask whether the card is to go; one that a subscription is charged to cannot. Raises Problem NOT_FOUND."""
        method = await self._own_card(request, visit)
        if not visit.settings.portal_card_removal:
            raise switched_off()
        async with self._portal.runtime.database.read() as read:
            used = await subscription_using(read, visit.tenant, method.payment_method_id) is not None
        texts = visit.reader.texts
        return self._portal.page(
            visit,
            "portal_remove.html",
            place=f"cards/{method.payment_method_id}/remove",
            heading=texts("portal.remove_card", card=card_name(method.card, texts)),
            text=texts("portal.remove_used" if used else "portal.remove_text"),
            used=used,
        )

    async def remove(self, request: Request, visit: PortalVisit, _form: PostedForm) -> Response:
        """Forget the card. Raises Problem UNSUPPORTED_ACTION while a subscription is charged to it."""
        method = await self._own_card(request, visit)
        if not visit.settings.portal_card_removal:
            raise switched_off()
        own = visit.customer.customer_id
        await delete_saved_method(self._portal.runtime, visit.tenant, own, method.payment_method_id)
        return self._portal.back(visit, done=True)

    async def _own_card(self, request: Request, visit: PortalVisit) -> SavedMethod:
        async with self._portal.runtime.database.read() as read:
            method = await get_method(
                read, visit.tenant, visit.customer.customer_id, request.path_params["payment_method_id"]
            )
        if method is None:
            raise Problem("NOT_FOUND", what="Payment method")
        return method
