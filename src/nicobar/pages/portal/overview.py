"""The first page of the portal, and the receipts behind it."""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.problems import Problem
from nicobar.core.subscriptions.subscription import FINAL, Subscription
from nicobar.flows.plans.foresee_renewal import foresee_renewal
from nicobar.flows.subscriptions.require_subscription import require_subscription
from nicobar.pages.frame.view import mask_email, page_view, receipt_view
from nicobar.pages.portal.portal_views import card_item, payment_item, subscription_item
from nicobar.pages.portal.portal_visit import Portal, PortalVisit
from nicobar.pages.texts.language import with_language, with_parameter
from nicobar.storage.payments.hosted_pages import page_facts
from nicobar.storage.payments.payments import PaymentFilters, get_payment, list_payments
from nicobar.storage.payments.saved_methods import list_methods
from nicobar.storage.subscriptions.subscriptions import SubscriptionFilters, list_subscriptions

PAYMENTS_SHOWN: Final = 10
"""Payments of one page; older ones have pages of their own."""

SUBSCRIPTIONS_SHOWN: Final = 100
"""Subscriptions that are shown, the newest ones: more than anybody has."""

_LAST_PAGE: Final = 1_000


class Overview:
    """The handlers of the portal's address."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def show(self, request: Request, visit: PortalVisit) -> Response:
        """Show what the customer has, with what may be done about it."""
        runtime, reader, tenant = self._portal.runtime, visit.reader, visit.tenant
        customer_id, page = visit.customer.customer_id, _page_number(request)
        bought, subscribed = PaymentFilters(customer_id=customer_id), SubscriptionFilters(customer_id=customer_id)
        async with runtime.database.snapshot() as read:
            found = await list_subscriptions(read, tenant, subscribed, SUBSCRIPTIONS_SHOWN, 0)
            payments = await list_payments(read, tenant, bought, PAYMENTS_SHOWN + 1, page * PAYMENTS_SHOWN)
            methods = await list_methods(read, tenant, customer_id)
        live_first = sorted(found, key=lambda subscription: subscription.status in FINAL)
        now = runtime.now(tenant)
        older = with_parameter(visit.path(), "page", str(page + 1))
        return self._portal.page(
            visit,
            "portal.html",
            done="done" in request.query_params,
            subscriptions=[
                subscription_item(each, await foresee_renewal(runtime, each), methods, visit.settings, reader)
                for each in live_first
            ],
            payments=[payment_item(each, now, reader) for each in payments[:PAYMENTS_SHOWN]],
            older=self._portal.renderer.path(older) if len(payments) > PAYMENTS_SHOWN else None,
            first_page=page == 0,
            cards=[card_item(method, reader.texts) for method in methods],
            removes_cards=visit.settings.portal_card_removal,
            customer=visit.customer,
            email=mask_email(visit.customer.email),
            changes_details=visit.settings.portal_details,
            at=lambda place: self._portal.renderer.path(visit.path(place)),
            link=lambda link_id: self._portal.renderer.path(with_language(f"/{link_id}", visit.language)),
            token_of=visit.token,
            back=visit.session.return_url or visit.settings.portal_return_url or None,
        )

    async def receipt(self, request: Request, visit: PortalVisit) -> Response:
        """Show the receipt of a payment. Raises Problem NOT_FOUND for one that is not the customer's, or not paid."""
        payment_id = request.path_params["payment_id"]
        async with self._portal.runtime.database.snapshot() as read:
            payment = await get_payment(read, visit.tenant, payment_id)
            if payment is None or payment.customer.customer_id != visit.customer.customer_id:
                raise Problem("NOT_FOUND", what="Payment")
            facts = await page_facts(read, payment)
        if payment.status != "succeeded":
            raise Problem("NOT_FOUND", what="Receipt")
        return self._portal.page(
            visit,
            "portal_receipt.html",
            place=f"payments/{payment_id}",
            view=page_view(payment, facts, visit.reader),
            receipt=receipt_view(payment, visit.reader),
        )

    async def lead_back(self, _request: Request, visit: PortalVisit) -> Response:
        """Answer GET of a place that only takes forms."""
        return self._portal.back(visit)


async def own_subscription(portal: Portal, request: Request, visit: PortalVisit) -> Subscription:
    """Return the subscription that the path names. Raises Problem NOT_FOUND for one that is not the customer's."""
    subscription = await require_subscription(portal.runtime, visit.tenant, request.path_params["subscription_id"])
    if subscription.customer.customer_id != visit.customer.customer_id:
        raise Problem("NOT_FOUND", what="Subscription")
    return subscription


def switched_off() -> Problem:
    """Return the refusal of what the settings do not allow, or the subscription's state does not permit any more."""
    return Problem("UNSUPPORTED_ACTION", status=403, detail="The customer portal does not offer this")


def _page_number(request: Request) -> int:
    text = request.query_params.get("page", "")
    return min(int(text), _LAST_PAGE) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else 0
