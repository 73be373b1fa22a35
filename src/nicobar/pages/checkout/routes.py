"""The addresses of the hosted pages."""

from functools import partial

from starlette.routing import Route

from nicobar.flows.runtime import Runtime
from nicobar.pages.checkout.checkout import CheckoutPage
from nicobar.pages.checkout.state_pages import LEAVE
from nicobar.pages.checkout.stripe_page import StripePage
from nicobar.pages.entry.limits import PageLimits
from nicobar.pages.entry.links import QrCodes
from nicobar.pages.frame.rendering import PageEndpoint, Renderer
from nicobar.pages.methods.stripe_fields import FIELDS
from nicobar.pages.portal.portal_routes import portal_routes
from nicobar.pages.session.buy_page import BuyPage
from nicobar.pages.session.session_page import SessionPage
from nicobar.pages.simulated.challenge import ChallengePage
from nicobar.pages.simulated.simulator import SimulatorPages
from nicobar.processors.simulator.methods import DECISION_PATH, QR_PATH


def page_routes(runtime: Runtime, renderer: Renderer) -> list[Route]:
    """Return the routes of the hosted pages. They match after the API's: a link id looks like `/payments`."""
    page, limits = partial(PageEndpoint, runtime, renderer), PageLimits()
    checkout = CheckoutPage(runtime, renderer, limits)
    qr_codes = QrCodes(runtime, limits)
    challenge = ChallengePage(runtime, renderer)
    simulator = SimulatorPages(runtime, renderer)
    stripe = StripePage(runtime, renderer, limits)
    fields = page({"GET": stripe.show, "POST": checkout.leave})
    forms = ["GET", "POST"]
    leave = page({"GET": checkout.show_link, "POST": checkout.leave})
    link = page({"GET": checkout.show, "POST": checkout.pay})
    change = page({"GET": checkout.show_link, "POST": checkout.change})
    session = SessionPage(runtime, renderer, limits)
    session_page = page({"GET": session.show, "POST": session.submit})
    buy = page({"GET": BuyPage(runtime, renderer, limits).show})
    clean = page({"GET": checkout.show_clean})
    return [
        Route("/static/{name}", renderer.static.serve),
        Route("/return/{payment_id}", page({"GET": checkout.send_back}), methods=["GET"]),
        Route(
            "/simulator/challenge/{reference}",
            page({"GET": challenge.show, "POST": challenge.answer}),
            methods=forms,
        ),
        Route(
            f"{DECISION_PATH}/{{reference}}",
            page({"GET": simulator.show, "POST": simulator.decide}),
            methods=forms,
        ),
        Route(f"{QR_PATH}/{{reference}}", page({"GET": simulator.show_code}), methods=["GET"]),
        Route("/{frame:frame}/buy/{name}", buy, methods=["GET"]),
        Route("/buy/{name}", buy, methods=["GET"]),
        Route("/{frame:frame}/session/{session_id}", session_page, methods=forms),
        Route("/session/{session_id}", session_page, methods=forms),
        Route("/session/{session_id}/theme.css", page({"GET": session.sheet}), methods=["GET"]),
        *portal_routes(runtime, renderer, limits),
        Route("/{frame:frame}/{link_id:link}", link, methods=forms),
        Route("/{link_id:link}", link, methods=forms),
        Route(f"/{{frame:frame}}/{{link_id:link}}/{FIELDS}", fields, methods=forms),
        Route(f"/{{link_id:link}}/{FIELDS}", fields, methods=forms),
        Route(f"/{{frame:frame}}/{{link_id:link}}/{LEAVE}", leave, methods=forms),
        Route(f"/{{link_id:link}}/{LEAVE}", leave, methods=forms),
        Route("/{frame:frame}/{link_id:link}/{part:change}", change, methods=forms),
        Route("/{link_id:link}/{part:change}", change, methods=forms),
        Route("/{link_id:link}{clinging:clinging}", clean, methods=["GET"]),
        Route("/{link_id:link}/qr.svg", page({"GET": qr_codes.svg}), methods=["GET"]),
        Route("/{link_id:link}/qr.png", page({"GET": qr_codes.png}), methods=["GET"]),
    ]
