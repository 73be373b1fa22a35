"""A session's page and the payment page in a frame of the seller's own, as overlay or inline, and what they tell it.

Paths, query options and messages are those that the script `dodopayments-checkout` uses (contract: clients of the
checkout, section 2). A frame cannot take the customer away from the seller's page, so every step that would leave the
payment page is a message, and the seller's page goes there. Only the origins that the seller has allowed may frame the
page (`frame-ancestors`), and messages go to these origins and to no other.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.paying import is_payable
from nicobar.core.payments.payment import Payment
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.pages.details.details import is_complete
from nicobar.storage.payments.payments import find_payment_by_link

FrameKind = Literal["overlay", "inline"]

_KINDS: Final[Mapping[str, FrameKind]] = {"overlay": "overlay", "inline": "inline"}

OPTIONS: Final = ("showTimer", "showSecurityBadge", "manualRedirect", "payButtonText", "theme")
"""The names of a frame's options in its address."""

MAXIMUM_BUTTON_TEXT: Final = 40
"""Characters of a pay button's own text; a longer one is passed over."""

Told = Literal["opened", "payment", "processing"]
"""What the seller's page has heard from this frame already: that it is open, that the customer can pay, that the
payment is under way. Each includes the ones before it."""

_TOLD: Final[Mapping[str, Told]] = {"opened": "opened", "payment": "payment", "processing": "processing"}

FrameMessage = tuple[str, dict[str, Any]]
"""A message: its `event_type` and its `data`."""


class FrameConvertor(Convertor[str]):
    """Matches the first part of a framed page's path."""

    regex = "|".join(_KINDS)

    def convert(self, value: str) -> str:
        """Return the word as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Return the word as it is."""
        return value


register_url_convertor("frame", FrameConvertor())


class Frame(NamedTuple):
    """The frame that a page is shown in, with the options that its address brings."""

    kind: FrameKind
    parents: tuple[str, ...]
    """Origins that may frame the page; without any, no browser shows it in a frame."""
    show_timer: bool = True
    show_security_badge: bool = True
    manual_redirect: bool = False
    """The seller's page wants to hear where the customer should go, and to go there itself."""
    pay_button_text: str | None = None
    theme: Literal["light", "dark"] | None = None
    """None leaves it to the customer's system."""
    told: Told | None = None
    """None at the first page of a frame."""

    @property
    def ancestors(self) -> str:
        """The `frame-ancestors` sources."""
        return " ".join(self.parents) or "'none'"

    def after(self, payment: Payment) -> "Frame":
        """Return the frame once the page of a payment that can be paid has been shown in it."""
        return self._replace(told=self.told if self.told == "processing" or not is_complete(payment) else "payment")

    def path(self, page: str | None, told: Told | None = None) -> str:
        """Return the address of a page in this frame, with its options.

        `page` is a link's id, or a session's behind `session/`. `told` is what the seller's page will have heard by
        then, if it is more than now.
        """
        options = {
            "showTimer": None if self.show_timer else "false",
            "showSecurityBadge": None if self.show_security_badge else "false",
            "manualRedirect": "true" if self.manual_redirect else None,
            "payButtonText": self.pay_button_text,
            "theme": self.theme,
            "told": told or self.told or "opened",
        }
        query = urlencode({name: value for name, value in options.items() if value is not None})
        return f"/{self.kind}/{page}?{query}"


class FrameView(NamedTuple):
    """What a template needs of the frame around the page."""

    kind: FrameKind
    ancestors: str
    data: str
    """JSON for `embed.js`: whom to tell what, and when."""
    show_timer: bool
    show_security_badge: bool
    pay_button_text: str | None
    theme: Literal["light", "dark"] | None
    again: str
    """Where a page that reloads itself goes on: the seller's page need not hear the same twice."""


def read_frame(kind: FrameKind, parents: tuple[str, ...], query: Mapping[str, str]) -> Frame:
    """Return the frame that an address describes; an option that cannot be read counts as not given."""
    text = unicodedata.normalize("NFC", query.get("payButtonText", "")).strip()
    readable = 0 < len(text) <= MAXIMUM_BUTTON_TEXT and text.isprintable()
    theme = query.get("theme")
    return Frame(
        kind,
        parents,
        show_timer=query.get("showTimer") != "false",
        show_security_badge=query.get("showSecurityBadge") != "false",
        manual_redirect=query.get("manualRedirect") == "true",
        pay_button_text=text if readable else None,
        theme="light" if theme == "light" else "dark" if theme == "dark" else None,
        told=_TOLD.get(query.get("told", "")),
    )


async def frame_of(runtime: Runtime, request: Request, tenant: Tenant) -> Frame | None:
    """Return the frame that this request's page is shown in, None for a page of its own. Raises DatabaseUnavailable."""
    kind = request.path_params.get("frame")
    if kind is None:
        return None
    frame = await _frame(runtime, tenant, kind, request.query_params)
    if request.method == "POST" and frame.told != "processing":
        # Whoever sends the form that pays has seen it; any other form says in its address what was told.
        pays = "link_id" in request.path_params and "part" not in request.path_params
        return frame._replace(told="payment" if pays else frame.told or "opened")
    return frame


async def payment_behind(runtime: Runtime, return_url: str) -> tuple[Payment | None, FrameView | None]:
    """Return the payment and the frame that a page leads back to: a page of ours between payment and payment.

    `return_url` is the address that the processor was given for the payment, which ends with the link and, in a frame,
    the frame's options.
    """
    path, _, query = return_url.removeprefix(runtime.public_url).partition("?")
    first, _, link_id = path.strip("/").rpartition("/")
    async with runtime.database.snapshot() as read:
        payment = await find_payment_by_link(read, link_id)
    kind = _KINDS.get(first)
    if payment is None or kind is None:
        return payment, None
    return payment, silent_view(await _frame(runtime, payment.tenant, kind, dict(parse_qsl(query))), payment)


async def _frame(runtime: Runtime, tenant: Tenant, kind: FrameKind, query: Mapping[str, str]) -> Frame:
    policy = await load_policy(runtime, tenant)
    return read_frame(kind, policy.settings.allowed_origins, query)


def is_alone(request: Request) -> bool:
    """Return whether a browser asked for this page as a page of its own, and not for a frame."""
    return request.headers.get("sec-fetch-dest") == "document"


def frame_view(
    frame: Frame,
    payment: Payment,
    now: datetime,
    *,
    back: str | None = None,
    leave_after: int | None = None,
    action_url: str | None = None,
    decline: str | None = None,
) -> FrameView:
    """Return what the page of this state tells the seller's page.

    `back` is where the customer goes on to after the payment, by itself `leave_after` that many seconds. `action_url`
    is a page of somebody else's where the customer has to confirm: no bank shows its page in a stranger's frame, so
    the seller's page goes there. `decline` is the customer's sentence for an attempt that has just failed.
    """
    events: list[FrameMessage] = [] if frame.told else [("checkout.opened", {})]
    leave = "checkout.redirect_requested" if frame.manual_redirect else "checkout.redirect"
    later: FrameMessage | None = None
    if is_payable(payment, now):
        events += [] if frame.told else [("checkout.form_ready", {})]
        events += [("checkout.breakdown", {"message": breakdown(payment)})]
        if is_complete(payment) and frame.told in (None, "opened"):
            events += [("checkout.payment_page_opened", {})]
        if decline is not None and frame.told:
            events += [("checkout.error", {"message": decline}), *_status(frame, payment)]
    elif payment.status == "processing":
        events += [] if frame.told == "processing" else _status(frame, payment)
    elif payment.status == "requires_customer_action":
        events += _status(frame, payment)
        if action_url is not None and frame.told:
            events.append((leave, {"message": {"redirect_to": action_url}}))
    elif payment.status == "succeeded":
        events += _status(frame, payment)
        onward: FrameMessage | None = None if back is None else (leave, {"message": {"redirect_to": back}})
        if onward is not None and frame.manual_redirect:
            events.append(onward)
        elif leave_after is not None:
            later = onward
    else:
        events.append(("checkout.link_expired", {}))
    return _view(frame, payment.link_id, events, leave, later, leave_after or 0)


def session_frame_view(frame: Frame, session_id: str, drafted: Payment | None) -> FrameView:
    """Return what the page of a session tells: the sums of its order as drafted, or None for one that has ended."""
    events: list[FrameMessage] = [] if frame.told else [("checkout.opened", {})]
    if drafted is None:
        events.append(("checkout.link_expired", {}))
    else:
        events += [] if frame.told else [("checkout.form_ready", {})]
        events.append(("checkout.breakdown", {"message": breakdown(drafted)}))
    return _view(frame, session_page(session_id), events, "checkout.redirect", None, 0)


def session_page(session_id: str) -> str:
    """Return the path of a session's page without the slash before it: what a frame shows of it."""
    return f"session/{session_id}"


def silent_view(frame: Frame, payment: Payment) -> FrameView:
    """Return the view of a page that has nothing new to tell: it keeps its size, and closes."""
    return _view(frame, payment.link_id, [], "checkout.redirect", None, 0)


def error_view(frame: Frame, sentence: str) -> FrameView:
    """Return the view of a page that says that something went wrong."""
    return _view(frame, None, [("checkout.error", {"message": sentence})], "checkout.redirect", None, 0)


def breakdown(payment: Payment) -> dict[str, Any]:
    """Return the sums as `checkout.breakdown` carries them, in minor units.

    The customer is charged in the currency that the order is shown in, so the final total is the total.
    """
    return {
        "subTotal": payment.subtotal,
        "discount": payment.discount,
        "tax": payment.tax,
        "total": payment.total_amount,
        "currency": payment.currency,
        "finalTotal": payment.total_amount,
        "finalTotalCurrency": payment.currency,
    }


def _status(frame: Frame, payment: Payment) -> list[FrameMessage]:
    """Return the message about the payment's status, which only pages that redirect by themselves are sent."""
    return [("checkout.status", {"message": {"status": payment.status}})] if frame.manual_redirect else []


def _view(
    frame: Frame,
    page: str | None,
    events: list[FrameMessage],
    leave: str,
    later: FrameMessage | None,
    after: int,
) -> FrameView:
    told = {"kind": frame.kind, "parents": frame.parents, "events": events, "leave": leave}
    data = told | {"later": None if later is None else {"seconds": after, "event": later}}
    return FrameView(
        kind=frame.kind,
        ancestors=frame.ancestors,
        data=msgspec.json.encode(data).decode(),
        show_timer=frame.show_timer,
        show_security_badge=frame.show_security_badge,
        pay_button_text=frame.pay_button_text,
        theme=frame.theme,
        again=frame.path(page, "processing"),
    )
