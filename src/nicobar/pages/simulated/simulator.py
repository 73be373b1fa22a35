"""The simulator's own pages for methods that are not cards: where a customer of test mode decides how it ends.

They stand in for the page of a bank or a wallet, for the app behind a QR code, and for the cash machine.
"""

from typing import get_args

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import NeedsAction
from nicobar.core.problems import Problem
from nicobar.core.simulator.bank_charge import BankCharge, CustomerDecision
from nicobar.flows.runtime import Runtime
from nicobar.pages.frame.embedding import payment_behind
from nicobar.pages.frame.posted_form import read_form
from nicobar.pages.frame.rendering import Renderer, redirect, refuse_foreign_forms
from nicobar.pages.frame.returns import form_action
from nicobar.pages.frame.view import amount_text
from nicobar.pages.texts.language import language_in, reader_for
from nicobar.pages.texts.method_names import method_name
from nicobar.processors.simulator.methods import DECISION_PATH
from nicobar.processors.simulator.simulator import Simulator
from nicobar.reference import methods


class SimulatorPages:
    """The handlers of a charge's pages. Its reference is unguessable, and is all the permission that is needed."""

    def __init__(self, runtime: Runtime, renderer: Renderer) -> None:
        self._runtime = runtime
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """Answer GET: let the customer decide, or say that there is nothing to decide any more."""
        return await self._page(request, "simulated.html")

    async def show_code(self, request: Request) -> Response:
        """Answer GET: show the QR code, as long as its payment waits; after that, lead back to the payment."""
        charge = await self._charge(request)
        if charge is not None and not charge.is_open(self._runtime.now(Tenant(charge.business_id, "test"))):
            return redirect(charge.return_url)
        return await self._page(request, "simulated_qr.html")

    async def decide(self, request: Request) -> Response:
        """Answer POST: tell the simulator, and send the customer back to the payment, which asks it.

        Raises Problem INVALID_REQUEST_BODY for an unknown answer, and NOT_FOUND for an unknown charge.
        """
        refuse_foreign_forms(request)
        answer = (await read_form(request)).text("answer")
        charge, simulated = await self._charge(request), self._simulated()
        if charge is None or simulated is None:
            raise Problem("NOT_FOUND", what="Charge")
        known: tuple[CustomerDecision, ...] = get_args(CustomerDecision)
        chosen = next((name for name in known if name == answer), None)
        if chosen is None:
            raise Problem("INVALID_REQUEST_BODY", path="answer", detail="It is none of approve, fail and cancel.")
        await simulated.decide(charge.reference, chosen)
        return redirect(charge.return_url)

    async def _page(self, request: Request, template: str) -> Response:
        charge = await self._charge(request)
        asked = None if charge is None else language_in(charge.return_url)
        reader = reader_for(request.headers.get("accept-language", ""), asked)
        if charge is None:
            name, amount, payment, frame = "", "", None, None
        else:
            payment, frame = await payment_behind(self._runtime, charge.return_url)
            country = "" if payment is None else payment.billing.country
            name = method_name(charge.type, country, reader.texts)
            amount = amount_text(charge.amount, charge.currency, reader.locale)
        here = None if charge is None else f"{self._runtime.public_url}{DECISION_PATH}/{charge.reference}"
        return self._renderer.page(
            template,
            status=200 if charge else 404,
            form_action="'self'" if payment is None or frame is not None else form_action(payment),
            frame=frame,
            texts=reader.texts,
            name=name,
            kind="" if charge is None else methods.get(charge.type).family,
            amount=amount,
            found=charge is not None,
            is_open=charge is not None and charge.is_open(self._runtime.now(Tenant(charge.business_id, "test"))),
            waits_for_money=charge is not None and not isinstance(charge.outcome, NeedsAction),
            return_url=charge.return_url if charge else None,
            here=here,
            code=None if here is None else _qr(here),
        )

    def _simulated(self) -> Simulator | None:
        found = self._runtime.processors.get(Simulator.name)
        return found if isinstance(found, Simulator) else None

    async def _charge(self, request: Request) -> BankCharge | None:
        simulated = self._simulated()
        return None if simulated is None else await simulated.method_charge(request.path_params["reference"])


def _qr(address: str) -> Markup:
    """Return the address as a QR code: an SVG that takes the size which the style sheet gives it."""
    code = segno.make(address, error="m", micro=False)
    drawing = code.svg_inline(border=4, dark="#000", light="#fff", lineclass=None, omitsize=True)
    return Markup(drawing)  # noqa: S704 - segno draws squares; the address itself is not in it
