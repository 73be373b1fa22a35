"""An answer of Stripe counts only if it is about what was asked: attempt, amount and currency, on every path."""

from typing import Any

import pytest

from nicobar.core.payments.payment import NeedsAction, Succeeded
from nicobar.core.refunds.refund import RefundFailed, RefundSucceeded
from nicobar.processors.base import RefundRequest
from processors.test_stripe_answers import ATTEMPT, NOTHING, attempt, error, intent, processor, request

OTHERS = [
    {"amount": 2399},
    {"currency": "usd"},
    {"amount_received": 2399},
    {"metadata": {"attempt_id": "att_of_somebody_else"}},
    {"metadata": {}},
]
"""What makes a PaymentIntent one that was not asked for."""


def paid(**changes: Any) -> dict[str, Any]:
    return intent("succeeded", **{"amount_received": 2400} | changes)


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    return NOTHING | {"data": list(items)}


async def test_the_answer_to_an_order_that_fits_counts() -> None:
    for body in (paid(), intent("succeeded")):
        subject, _ = processor((200, body))
        assert isinstance(await subject.charge(request()), Succeeded)


@pytest.mark.parametrize("other", OTHERS)
async def test_an_order_is_not_paid_by_another_payment_intent(other: dict[str, Any]) -> None:
    subject, _ = processor((200, paid(**other)))
    with pytest.raises(ValueError, match="is about another"):
        await subject.charge(request())


@pytest.mark.parametrize("other", OTHERS)
async def test_the_payment_intent_of_a_refusal_has_to_fit(other: dict[str, Any]) -> None:
    body = error("card_error", "card_declined")
    body["error"]["payment_intent"] = paid(**other)
    subject, _ = processor((402, body))
    with pytest.raises(ValueError, match="is about another"):
        await subject.charge(request())


@pytest.mark.parametrize("other", OTHERS)
async def test_what_is_found_by_its_id_has_to_fit(other: dict[str, Any]) -> None:
    for ask in ("find", "cancel", "fields"):
        subject, _ = processor((200, paid(**other)))
        with pytest.raises(ValueError, match="is about another"):
            await getattr(subject, ask)(attempt(NeedsAction("pi_1", "p")))


@pytest.mark.parametrize("other", OTHERS[:3])
async def test_what_is_found_in_a_list_has_to_fit(other: dict[str, Any]) -> None:
    subject, _ = processor((200, listed(paid(**other))))
    with pytest.raises(ValueError, match="is about another amount"):
        await subject.find(attempt(None))


async def test_what_is_told_after_a_refused_cancellation_has_to_fit() -> None:
    waiting = intent("requires_payment_method", metadata={"attempt_id": ATTEMPT, "page": "p"})
    refused = error("invalid_request_error", "payment_intent_unexpected_state")
    for other in ({"amount": 1}, {"currency": "usd"}):
        subject, _ = processor((200, waiting), (400, refused), (200, paid(**other)))
        with pytest.raises(ValueError, match="another amount now"):
            await subject.cancel(attempt(NeedsAction("pi_1", "p")))


def refund(**changes: Any) -> dict[str, Any]:
    body = {"id": "re_1", "object": "refund", "amount": 900, "currency": "eur", "payment_intent": "pi_1"}
    return body | {"status": "succeeded", "metadata": {"refund_id": "ref_1"}} | changes


ORDER = RefundRequest("ref_1", attempt(Succeeded("pi_1")), 900)


async def test_a_refund_that_fits_counts() -> None:
    subject, _ = processor((200, paid()), (200, refund()), (200, listed(refund())))
    assert await subject.refund(ORDER) == RefundSucceeded("re_1")
    assert await subject.find_refund(ORDER) == RefundSucceeded("re_1")


@pytest.mark.parametrize(
    "other",
    [{"amount": 901}, {"currency": "usd"}, {"payment_intent": "pi_2"}, {"payment_intent": None}],
)
async def test_a_refund_of_something_else_does_not_count(other: dict[str, Any]) -> None:
    subject, _ = processor((200, paid()), (200, refund(**other)), (200, listed(refund(**other))))
    for ask in (subject.refund, subject.find_refund):
        with pytest.raises(ValueError, match="re_1 is about another"):
            await ask(ORDER)


@pytest.mark.parametrize("other", OTHERS)
async def test_nothing_is_given_back_of_a_charge_that_is_not_the_attempts(other: dict[str, Any]) -> None:
    """Somebody may have changed the reference in the database: the money would go to another card."""
    subject, http = processor((200, paid(**other)))
    refused = await subject.refund(ORDER)
    assert isinstance(refused, RefundFailed) and "pi_1 is about another" in refused.why
    assert [path.partition("?")[0] for _, path, *_ in http.sent] == ["/v1/payment_intents/pi_1"]


async def test_the_answer_to_a_refund_has_to_be_about_it() -> None:
    subject, _ = processor((200, paid()), (200, refund(metadata={"refund_id": "ref_2"})))
    with pytest.raises(ValueError, match="re_1 is about another refund than ref_1"):
        await subject.refund(ORDER)
