"""The simulated bank's page: where a customer of test mode confirms a payment or does not."""

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.simulator.bank_charge import BankCharge
from nicobar.flows.payments.abandon_attempt import abandon_attempt
from nicobar.flows.runtime import Runtime
from nicobar.pages.frame.embedding import payment_behind
from nicobar.pages.frame.posted_form import read_form
from nicobar.pages.frame.rendering import Renderer, redirect, refuse_foreign_forms
from nicobar.pages.frame.returns import form_action, return_address
from nicobar.pages.frame.view import amount_text
from nicobar.pages.texts.language import language_in, reader_for
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.payments.hosted_pages import page_facts


class ChallengePage:
    """The handlers of a challenge. Its reference is unguessable, and is all the permission that is needed."""

    def __init__(self, runtime: Runtime, renderer: Renderer) -> None:
        self._runtime = runtime
        self._renderer = renderer

    async def show(self, request: Request) -> Response:
        """Answer GET: ask the customer, or say that there is nothing to ask any more."""
        charge = await self._charge(request)
        asked = None if charge is None else language_in(charge.return_url)
        reader = reader_for(request.headers.get("accept-language", ""), asked)
        payment, frame = (None, None) if charge is None else await payment_behind(self._runtime, charge.return_url)
        back, seller = None, None
        if payment is not None:
            back = None if frame is not None else return_address(payment, with_email=True)
            async with self._runtime.database.read() as read:
                seller = (await page_facts(read, payment)).seller
        return self._renderer.page(
            "challenge.html",
            status=200 if charge else 404,
            # The link's page may send the customer straight on to the merchant, though never within a frame.
            form_action="'self'" if payment is None or frame is not None else form_action(payment),
            frame=frame,
            texts=reader.texts,
            amount=amount_text(charge.amount, charge.currency, reader.locale) if charge else None,
            is_open=charge is not None and charge.is_open(self._runtime.now(Tenant(charge.business_id, "test"))),
            return_url=charge.return_url if charge else None,
            back=back,
            seller=seller,
        )

    async def answer(self, request: Request) -> Response:
        """Answer POST: tell the simulator, and send the customer back to the payment, which asks it.

        With `leave` the attempt is given up, to pay in another way. Raises Problem INVALID_REQUEST_BODY for an answer
        that is none of these.
        """
        refuse_foreign_forms(request)
        answer = (await read_form(request)).text("answer")
        charge = await self._charge(request)
        simulator = self._simulator()
        if charge is None or simulator is None:
            raise Problem("NOT_FOUND", what="Challenge")
        if answer == "leave":
            payment, _ = await payment_behind(self._runtime, charge.return_url)
            if payment is not None:
                await abandon_attempt(self._runtime, payment.tenant, payment.payment_id)
            return redirect(charge.return_url)
        if answer not in ("confirm", "refuse"):
            raise Problem("INVALID_REQUEST_BODY", path="answer", detail="It is none of confirm, refuse and leave.")
        await simulator.decide(charge.reference, "approve" if answer == "confirm" else "fail")
        return redirect(charge.return_url)

    def _simulator(self) -> Simulator | None:
        found = self._runtime.processors.get(Simulator.name)
        return found if isinstance(found, Simulator) else None

    async def _charge(self, request: Request) -> BankCharge | None:
        simulator = self._simulator()
        return None if simulator is None else await simulator.challenge(request.path_params["reference"])
