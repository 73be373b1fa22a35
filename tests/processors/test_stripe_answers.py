"""What Stripe is sent, and what becomes of every kind of answer: a scripted Stripe instead of a server."""

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec
import pytest
import stripe

from harness import START, FakeClock
from nicobar.core.payments.payment import Attempt, CardDetails, Declined, NeedsAction, Outcome, Pending, Succeeded
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.refunds.refund import RefundFailed
from nicobar.processors.base import ChargeRequest, MethodInput, RefundRequest
from nicobar.processors.stripe.stripe import Stripe
from nicobar.processors.stripe.stripe_account import StripeAccount
from nicobar.processors.stripe.stripe_http import StripeHTTP
from nicobar.reference import failures

RETURN_URL = "https://pay.example.com/AbCdEfGh"
ATTEMPT = "att_0000000000000000000001"


class ScriptedStripe(stripe.HTTPClient):
    """Gives the answers that it was told, and keeps what it was sent."""

    name = "scripted"

    def __init__(self, *answers: tuple[int, dict[str, Any]] | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.sent: list[tuple[str, str, dict[str, str], Mapping[str, str]]] = []

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        path = url.removeprefix("https://api.stripe.com")
        self.sent.append((method, path, dict(parse_qsl(post_data or "")), headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer[1]).encode(), answer[0], {"request-id": "req_1"}

    async def sleep_async(self, secs: float) -> None:
        pass


def intent(status: str, **changes: Any) -> dict[str, Any]:
    body = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 2400,
        "currency": "eur",
        "status": status,
        "client_secret": "pi_1_secret_2",
        "metadata": {"attempt_id": ATTEMPT},
    }
    return body | changes


def error(type: str, code: str | None = None, **changes: Any) -> dict[str, Any]:
    return {"error": {"type": type, "code": code, "message": "Stripe's words."} | changes}


def processor(*answers: tuple[int, dict[str, Any]] | Exception) -> tuple[Stripe, ScriptedStripe]:
    http = ScriptedStripe(*answers)
    account = StripeAccount("sk_test_abcdefghijkl", "pk_test_abcdefghijkl", "whsec_abcdefghijkl")
    return Stripe(account, "test", http, FakeClock("stripe")), http


def request(type: str = "ideal", **changes: Any) -> ChargeRequest:
    values: dict[str, Any] = {
        "amount": 2400,
        "currency": "EUR",
        "email": "ana@example.com",
        "payment_id": "pay_1",
    } | changes
    return ChargeRequest(ATTEMPT, instrument=MethodInput(type), return_url=RETURN_URL, **values)


def attempt(outcome: Outcome | None) -> Attempt:
    return Attempt(
        attempt_id=ATTEMPT,
        payment_id="pay_1",
        processor="stripe",
        amount=2400,
        currency="EUR",
        card=None,
        outcome=outcome,
        created_at=START,
        resolved_at=None,
    )


async def test_a_method_that_needs_nothing_sends_the_customer_on_at_once() -> None:
    url = "https://hooks.stripe.com/redirect/authenticate/src_1"
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": RETURN_URL}}
    subject, http = processor((200, intent("requires_action", next_action=action)))
    assert await subject.charge(request()) == NeedsAction("pi_1", url)
    ((method, path, sent, headers),) = http.sent
    assert (method, path) == ("post", "/v1/payment_intents")
    assert sent == {
        "amount": "2400",
        "currency": "eur",
        "confirm": "true",
        "expand[0]": "latest_charge",
        "metadata[attempt_id]": ATTEMPT,
        "metadata[payment_id]": "pay_1",
        "payment_method_data[type]": "ideal",
        "payment_method_types[0]": "ideal",
        "return_url": RETURN_URL,
    }
    assert headers["Idempotency-Key"] == ATTEMPT
    assert headers["Authorization"] == "Bearer sk_test_abcdefghijkl"


async def test_a_card_for_which_the_seller_insists_on_3d_secure() -> None:
    subject, http = processor(
        (200, intent("requires_payment_method", metadata={"attempt_id": ATTEMPT, "page": f"{RETURN_URL}/stripe"}))
    )
    assert await subject.charge(request("credit", force_3ds=True)) == NeedsAction("pi_1", f"{RETURN_URL}/stripe")
    sent = http.sent[0][2]
    assert sent["payment_method_options[card][request_three_d_secure]"] == "any"
    assert sent["metadata[page]"] == f"{RETURN_URL}/stripe"
    assert "confirm" not in sent


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (402, error("card_error", "card_declined", decline_code="insufficient_funds"), "INSUFFICIENT_FUNDS"),
        (400, error("invalid_request_error", "amount_too_small"), "INVALID_AMOUNT"),
        (400, error("invalid_request_error", "parameter_unknown"), "INVALID_REQUEST"),
        (401, error("invalid_request_error"), "INVALID_REQUEST"),
        (403, error("invalid_request_error"), "INVALID_REQUEST"),
        (429, error("invalid_request_error", "rate_limit"), "NETWORK_ERROR"),
    ],
)
async def test_an_explicit_no_is_declined(status: int, body: dict[str, Any], code: str) -> None:
    subject, _ = processor((status, body))
    outcome = await subject.charge(request())
    assert isinstance(outcome, Declined)
    assert outcome.error_code == code
    assert "sk_test" not in outcome.error_message


async def test_a_decline_with_its_payment_intent_cancels_that() -> None:
    failed = intent(
        "requires_payment_method",
        last_payment_error={"code": "payment_method_provider_decline", "type": "invalid_request_error"},
    )
    subject, http = processor(
        (402, error("card_error", "payment_method_provider_decline", payment_intent=failed)), (200, intent("canceled"))
    )
    message = failures.get("PAYMENT_METHOD_PROVIDER_DECLINED").error_message
    assert await subject.charge(request()) == Declined("PAYMENT_METHOD_PROVIDER_DECLINED", message, "pi_1")
    assert [path for _, path, _, _ in http.sent] == ["/v1/payment_intents", "/v1/payment_intents/pi_1/cancel"]


@pytest.mark.parametrize(
    "answers",
    [
        [(500, error("api_error")), (500, error("api_error"))],
        [(409, error("idempotency_error", "idempotency_key_in_use"))] * 2,
        [(409, error("invalid_request_error", "lock_timeout"))] * 2,
        [(400, error("idempotency_error"))],
        [(200, {"object": "payment_intent"})],
    ],
)
async def test_whatever_else_stripe_says_is_no_answer(answers: list[tuple[int, dict[str, Any]]]) -> None:
    subject, http = processor(*answers)
    with pytest.raises((stripe.StripeError, ValueError)):
        await subject.charge(request())
    assert http.answers == []
    assert {headers["Idempotency-Key"] for *_, headers in http.sent} == {ATTEMPT}


async def test_a_connection_that_breaks_is_tried_once_more_under_the_same_key() -> None:
    broken = stripe.APIConnectionError("broken", should_retry=True)
    subject, http = processor(broken, (200, intent("processing")))
    assert await subject.charge(request()) == Pending("pi_1")
    assert [headers["Idempotency-Key"] for *_, headers in http.sent] == [ATTEMPT, ATTEMPT]
    subject, _ = processor(broken, broken)
    with pytest.raises(stripe.APIConnectionError):
        await subject.charge(request())


async def test_what_is_paid_in_the_moment_of_the_cancelling_is_paid() -> None:
    waiting = intent("requires_payment_method", metadata={"attempt_id": ATTEMPT, "page": "p"})
    refused = error("invalid_request_error", "payment_intent_unexpected_state")
    subject, http = processor((200, waiting), (400, refused), (200, intent("succeeded")))
    assert await subject.cancel(attempt(NeedsAction("pi_1", "p"))) == Succeeded("pi_1")
    assert [path.partition("?")[0] for _, path, _, _ in http.sent] == [
        "/v1/payment_intents/pi_1",
        "/v1/payment_intents/pi_1/cancel",
        "/v1/payment_intents/pi_1",
    ]


async def test_what_can_be_neither_cancelled_nor_told_is_no_answer() -> None:
    waiting = intent("requires_payment_method", metadata={"attempt_id": ATTEMPT, "page": "p"})
    refused = error("invalid_request_error", "payment_intent_unexpected_state")
    subject, _ = processor((200, waiting), (400, refused), (200, waiting))
    with pytest.raises(stripe.InvalidRequestError):
        await subject.cancel(attempt(NeedsAction("pi_1", "p")))


NOTHING = {"object": "list", "data": [], "has_more": False, "url": "/v1/payment_intents"}


async def test_an_order_that_could_never_be_placed_is_closed_without_asking() -> None:
    """The server died before it had written down that Stripe does not take 1.234 dinars."""
    asked, http = processor((200, NOTHING))
    lost = msgspec.structs.replace(attempt(None), amount=1234, currency="KWD")
    assert await asked.cancel(lost) is None
    assert [method for method, *_ in http.sent] == ["get"]


@pytest.mark.parametrize("code", ["amount_too_small", "amount_too_large"])
async def test_an_order_that_stripe_would_refuse_is_closed_by_its_refusal(code: str) -> None:
    """Whatever takes its place is refused for its amount, and so would it be."""
    asked, http = processor((200, NOTHING), (400, error("invalid_request_error", code)))
    assert await asked.cancel(attempt(None)) is None
    assert [method for method, *_ in http.sent] == ["get", "post"]


@pytest.mark.parametrize("status", [400, 401, 403, 429])
async def test_a_place_that_cannot_be_taken_is_no_evidence(status: int) -> None:
    asked, _ = processor((200, NOTHING), (status, error("invalid_request_error", "other")))
    with pytest.raises(stripe.StripeError):
        await asked.cancel(attempt(None))


async def test_a_place_whose_answer_cannot_be_read_is_no_evidence() -> None:
    asked, _ = processor((200, NOTHING), (200, intent("requires_payment_method", amount="much")))
    with pytest.raises(msgspec.ValidationError):
        await asked.cancel(attempt(None))


async def test_a_bank_that_has_the_order_is_waited_for() -> None:
    subject, http = processor((200, intent("processing")))
    assert await subject.cancel(attempt(Pending("pi_1"))) == Pending("pi_1")
    assert len(http.sent) == 1


async def test_an_attempt_is_looked_for_page_by_page() -> None:
    others = [intent("succeeded", id=f"pi_{number}", metadata={}) for number in range(100)]
    pages = [{"object": "list", "data": others, "has_more": True, "url": "/v1/payment_intents"}]
    pages.append({"object": "list", "data": [intent("succeeded", id="pi_x")], "has_more": False, "url": "/"})
    subject, http = processor(*((200, page) for page in pages))
    assert await subject.find(attempt(None)) == Succeeded("pi_x")
    first, second = (dict(parse_qsl(path.partition("?")[2])) for _, path, _, _ in http.sent)
    since = int(START.timestamp())
    assert (first["created[gte]"], first["created[lte]"]) == (str(since - 300), str(since + 900))
    assert (first["limit"], first["expand[0]"], second["starting_after"]) == ("100", "data.latest_charge", "pi_99")


async def test_a_list_without_an_end_is_no_evidence() -> None:
    others = [intent("succeeded", id=f"pi_{number}", metadata={}) for number in range(100)]
    page = {"object": "list", "data": others, "has_more": True, "url": "/v1/payment_intents"}
    subject, http = processor(*[(200, page)] * 21)
    with pytest.raises(LookupError, match="more than 2000 objects"):
        await subject.find(attempt(None))
    assert len(http.sent) == 20


async def test_a_refund_that_stripe_refuses_has_failed() -> None:
    paid = (200, intent("succeeded"))
    subject, http = processor(paid, (400, error("invalid_request_error", "charge_already_refunded")))
    order = RefundRequest("ref_1", attempt(Succeeded("pi_1")), 900)
    assert await subject.refund(order) == RefundFailed("Stripe refused it: Stripe's words")
    _, (_, path, sent, headers) = http.sent
    assert path == "/v1/refunds"
    assert sent == {"amount": "900", "metadata[refund_id]": "ref_1", "payment_intent": "pi_1"}
    assert headers["Idempotency-Key"] == "ref_1"
    for before in ((), (paid,)):
        subject, _ = processor(*before, (500, error("api_error")), (500, error("api_error")))
        with pytest.raises(stripe.APIError):
            await subject.refund(order)
    subject, _ = processor((404, error("invalid_request_error", "resource_missing")))
    assert isinstance(await subject.refund(order), RefundFailed)


async def test_a_repetition_that_comes_too_often_says_nothing_about_the_first_request() -> None:
    """Stripe has carried the request out, its answer got lost, and the repetition met the limit."""
    broken, too_often = stripe.APIConnectionError("broken", should_retry=True), (429, error("", "rate_limit"))
    subject, http = processor((200, intent("succeeded")), broken, too_often)
    with pytest.raises(stripe.RateLimitError):
        await subject.refund(RefundRequest("ref_1", attempt(Succeeded("pi_1")), 900))
    assert [headers["Idempotency-Key"] for *_, headers in http.sent[1:]] == ["ref_1", "ref_1"]
    card = CardDetails("4242", "visa", "credit", "FR", None, "12", "2030")
    saved = SavedMethod(
        payment_method_id="pm_1",
        customer_id="cus_1",
        processor="stripe",
        token="cus_1/pm_1",
        fingerprint="f",
        card=card,
        last_used_at=START,
    )
    subject, http = processor(broken, too_often)
    with pytest.raises(stripe.RateLimitError):
        await subject.charge(ChargeRequest(ATTEMPT, 2400, "EUR", saved, RETURN_URL, customer_present=False))
    assert [headers["Idempotency-Key"] for *_, headers in http.sent] == [ATTEMPT, ATTEMPT]


async def test_the_connection_itself() -> None:
    """Requests go out once, redirects are not followed, and what breaks says nothing of the key."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) > 1:
            raise httpx.ReadTimeout("too slow")
        return httpx.Response(302, headers={"location": "https://evil.example"}, stream=_Streamed(b"{}"))

    http = StripeHTTP()
    await http._client.aclose()
    http._client = httpx.AsyncClient(transport=httpx.MockTransport(answer), follow_redirects=False)
    headers = {"authorization": "Bearer sk_test_secret"}
    content, status, _ = await http.request_async("post", "https://api.stripe.com/v1/x", headers, "a=1")
    assert (content, status, seen[0].content) == (b"{}", 302, b"a=1")
    with pytest.raises(stripe.APIConnectionError, match="Stripe did not answer: ReadTimeout") as broken:
        await http.request_async("post", "https://api.stripe.com/v1/x", headers, "a=1")
    assert broken.value.should_retry and "sk_test_secret" not in str(broken.value)
    await http.close_async()


@pytest.mark.parametrize(
    ("content", "headers", "said"),
    [
        (b"x" * (1024 * 1024 + 1), {}, "Stripe sent more than 1048576 bytes"),
        (
            gzip.compress(b"x" * 100, mtime=0),
            {"content-encoding": "gzip"},
            "Stripe sent a packed answer, which was not asked for",
        ),
    ],
    ids=["too many bytes", "packed"],
)
async def test_an_answer_that_is_too_much_is_not_read(content: bytes, headers: dict[str, str], said: str) -> None:
    """Nobody knows then what became of the question, and repeating it would bring the same."""
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("accept-encoding"))
        return httpx.Response(200, headers=headers, stream=_Streamed(content))

    http = StripeHTTP()
    await http._client.aclose()
    http._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    with pytest.raises(stripe.APIConnectionError) as broken:
        await http.request_async("post", "https://api.stripe.com/v1/x", {}, "a=1")
    assert (str(broken.value), broken.value.should_retry, asked) == (said, False, ["identity"])
    await http.close_async()


class _Streamed(httpx.AsyncByteStream):
    """An answer that comes in parts, as from the network."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 65_536):
            yield self._content[start : start + 65_536]
