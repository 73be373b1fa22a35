"""Stripe as a processor: one PaymentIntent for each attempt, in one account; a SetupIntent where nothing is charged.

No card number comes by here. A card, and most other methods, is typed into Stripe's own fields on a page of ours; the
charge answers NeedsAction with that page. What the customer does there is between the browser and Stripe, and `find`
learns it. One attempt is one try: a decline ends it, and its PaymentIntent is cancelled so that it cannot be paid any
more. docs/decisions/0015-stripe.md says why.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, Final, cast
from urllib.parse import urlsplit

import stripe
import structlog

from nicobar.clock import Clock
from nicobar.core.business.tenant import Mode
from nicobar.core.disputes.dispute import DisputeFacts
from nicobar.core.payments.payment import Abandoned, Attempt, CardDetails, Declined, NeedsAction, Outcome
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.refunds.refund import RefundFailed, RefundOutcome
from nicobar.processors.base import (
    CardInput,
    CardRefused,
    ChargeRequest,
    FieldsAhead,
    MethodInput,
    Notice,
    OwnFields,
    RefundRequest,
)
from nicobar.processors.stripe.stripe_account import NAME, StripeAccount
from nicobar.processors.stripe.stripe_identity import account_id_of
from nicobar.processors.stripe.stripe_intents import Intents, read, search
from nicobar.processors.stripe.stripe_matching import checked_intent, checked_refund, reference_of
from nicobar.processors.stripe.stripe_notices import read_notice
from nicobar.processors.stripe.stripe_outcomes import (
    ATTEMPT,
    CLOSED,
    PAGE,
    PAYMENT,
    REFUND,
    PaymentError,
    PaymentIntent,
    StripeDispute,
    StripeRefund,
    declined,
    dispute_of,
    outcome_of,
    refund_of,
)
from nicobar.reference import failures
from nicobar.reference.stripe import stripe_methods, to_stripe

_log = structlog.get_logger(__name__)

REPETITIONS: Final = 1
"""How often the library repeats a request that broke, or was answered with 409 or 5xx, under the same key."""

PATIENCE: Final = timedelta(minutes=30)
"""How long an attempt waits for a customer who does not come back, before it is cancelled at Stripe."""

BEFORE: Final = timedelta(minutes=5)
AFTER: Final = timedelta(minutes=15)
"""Around the start of an attempt: when its PaymentIntent can have been made, whatever the two clocks differ."""

LOOKED_BACK: Final = timedelta(days=1)
"""How far back the PaymentIntent of an attempt is looked for that a test clock has dated ahead of real time."""

FIELDS_PATH: Final = "/stripe"
"""The path of the page with Stripe's fields below the page of a payment link."""

_IMPOSSIBLE_AMOUNTS: Final = frozenset({"amount_too_small", "amount_too_large"})
"""Stripe's words for an amount of which it takes no order at all."""


class Stripe:
    """Charges customers on behalf of one business, through its own account at Stripe."""

    name: Final = NAME

    def __init__(
        self, account: StripeAccount, mode: Mode, http: stripe.HTTPClient, clock: Clock, name: str = ""
    ) -> None:
        """Take an account whose keys are for `mode`; `http` is shared with others and closed by whoever made it.

        `name` is what attempts call the account.
        """
        self.account: Final = name
        self._keys = account
        self._clock = clock
        self._api = stripe.StripeClient(
            account.secret_key,
            http_client=http,
            base_addresses={"api": account.api_base},
            max_network_retries=REPETITIONS,
        ).v1
        self.modes: frozenset[Mode] = frozenset({mode})
        self.methods: frozenset[str] = frozenset(stripe_methods())

    def describe(self, card: CardInput, now: datetime) -> CardDetails:
        """Refuse: a card for Stripe is never typed into a form of ours. Raises CardRefused."""
        raise CardRefused("number", "method_unavailable")

    def check(self, method: MethodInput) -> None:
        """Take every method of the table: what it needs is typed into Stripe's own fields. KeyError for others."""
        stripe_methods()[method.type]

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Make the PaymentIntent of an attempt and, where nothing has to be typed, set it going.

        What Stripe refuses is declined: it has said that nothing was done. A broken connection, an error of Stripe's
        own and a repeated attempt id with another order are exceptions, after which nobody knows.
        """
        try:
            amount = to_stripe(request.amount, request.currency)
        except ValueError as error:
            failure = failures.get("INVALID_AMOUNT")
            return Declined(failure.code, f"{failure.error_message} {error}")
        try:
            order = {"metadata": _metadata(request), **await self._how(request)}
            made = await self._intents(amount, request.currency).create(order, request.attempt_id)
        except stripe.StripeError as error:
            if not _is_refusal(error) or (isinstance(request.instrument, SavedMethod) and _is_too_often(error)):
                raise
            return await self._refused(error, request)
        intent = checked_intent(made, request.attempt_id, request.amount, request.currency)
        if not request.customer_present and intent.status == "requires_action":
            return await self._end(intent, declined(PaymentError("authentication_required"), intent.id))
        return await self._read_and_end(intent, self._clock.now())

    async def find(self, attempt: Attempt) -> Outcome | None:
        """Return what became of an attempt; one that has waited for `PATIENCE` is cancelled at Stripe, and over."""
        intent = await self._intent(attempt)
        return None if intent is None else await self._read_and_end(intent, _began(attempt, intent, self._clock.now()))

    async def cancel(self, attempt: Attempt) -> Outcome | None:
        """Cancel the PaymentIntent of an attempt, unless it has been paid or the bank has it already.

        When there is none, one that can never be paid takes its place: it has the same idempotency key, so that an
        order which is still on its way is refused by Stripe itself. Raises IdempotencyError when the order has
        arrived meanwhile.
        """
        intent = await self._intent(attempt)
        if intent is not None:
            return await self._end(intent, outcome_of(intent))
        try:
            amount = to_stripe(attempt.amount, attempt.currency)
        except ValueError:
            return None  # `charge` sends no order of such an amount
        order = {"metadata": {ATTEMPT: attempt.attempt_id, CLOSED: "yes"}, "payment_method_types": ["card"]}
        try:
            taken = await self._intents(amount, attempt.currency).create(order, attempt.attempt_id)
        except stripe.InvalidRequestError as error:
            if error.code not in _IMPOSSIBLE_AMOUNTS:
                raise
            return None
        made = checked_intent(taken, attempt.attempt_id, attempt.amount, attempt.currency)
        await self._end(made, Abandoned(made.id))
        return None

    async def refund(self, request: RefundRequest) -> RefundOutcome:
        """Give money of the attempt's own charge back, once for the refund id. What Stripe refuses has failed."""
        reference = reference_of(request.attempt)
        if reference is None:
            return RefundFailed("The attempt has no charge at Stripe")
        try:
            await self._intent(request.attempt)
            amount = to_stripe(request.amount, request.attempt.currency)
        except ValueError as error:
            return RefundFailed(str(error))
        except stripe.StripeError as error:
            return _refused_refund(error, request)
        order = {"payment_intent": reference, "amount": amount, "metadata": {REFUND: request.refund_id}}
        try:
            made = await self._api.refunds.create_async(cast(Any, order), {"idempotency_key": request.refund_id})
        except stripe.StripeError as error:
            return _refused_refund(error, request)
        return refund_of(checked_refund(read(made, StripeRefund), request, reference))

    async def find_refund(self, request: RefundRequest) -> RefundOutcome | None:
        """Return what happened to a refund, None when no order for it has ever arrived."""
        reference = reference_of(request.attempt)
        if reference is None:
            return None
        found = await search(self._api.refunds.list_async, {"payment_intent": reference}, REFUND, request.refund_id)
        return None if found is None else refund_of(checked_refund(read(found, StripeRefund), request, reference))

    async def find_dispute(self, reference: str) -> DisputeFacts | None:
        """Return how a dispute stands; None for one that this account does not know, or that is not about us."""
        try:
            found = await self._api.disputes.retrieve_async(reference, {"expand": ["payment_intent"]})
        except stripe.InvalidRequestError as error:
            if error.http_status != 404:
                raise
            return None
        return dispute_of(read(found, StripeDispute))

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """Return what a notice is about; None for one that concerns nothing of ours. Raises NoticeRefused."""
        return read_notice(headers, body, self._keys.signing_secret)

    def signs_like(self, other: "Stripe") -> bool:
        """Return whether this account and another one sign their notices with the same secret."""
        return compare_digest(self._keys.signing_secret.encode(), other._keys.signing_secret.encode())

    async def fields(self, attempt: Attempt) -> OwnFields | None:
        """Return what Stripe's fields need for an attempt that waits for its customer; None for one that does not."""
        intent = await self._intent(attempt)
        if intent is None or intent.client_secret is None or not isinstance(outcome_of(intent), NeedsAction):
            return None
        return OwnFields(self._keys.publishable_key, intent.client_secret)

    def fields_ahead(self, amount: int, currency: str) -> FieldsAhead | None:
        """Return what Stripe's fields need for an amount in minor units; None for one that Stripe does not take."""
        try:
            counted = to_stripe(amount, currency)
        except ValueError:
            return None
        return FieldsAhead(self._keys.publishable_key, counted, currency.lower())

    def fields_page(self, return_url: str) -> str:
        """Return the address of the page with Stripe's fields: a part of the page that the customer comes back to."""
        parts = urlsplit(return_url)
        return parts._replace(path=f"{parts.path.rstrip('/')}{FIELDS_PATH}").geturl()

    async def check_keys(self) -> str | None:
        """Ask Stripe whether it takes the secret key, and return its id of the account; None when it does not tell.

        Raises ValueError with a sentence for a key that Stripe does not take.
        """
        try:
            await self._api.payment_intents.list_async({"limit": 1})
            return await account_id_of(self._api)
        except stripe.APIConnectionError as error:
            raise ValueError("Stripe cannot be reached from here.") from error
        except stripe.StripeError as error:
            raise ValueError(f"Stripe does not take the secret key: {_words(error)}.") from error

    def _intents(self, amount: int, currency: str) -> Intents:
        return Intents(self._api, amount, currency)

    async def _how(self, request: ChargeRequest) -> dict[str, Any]:
        """Return what a PaymentIntent has because of the way to pay."""
        three_ds = {"request_three_d_secure": "any"} if request.force_3ds else {}
        if isinstance(request.instrument, SavedMethod):
            customer, _, method = request.instrument.token.partition("/")
            absent = {"off_session": True} if request.amount else {}
            return {
                "customer": customer,
                "payment_method": method,
                "payment_method_types": ["card"],
                "confirm": True,
                **({"payment_method_options": {"card": three_ds}} if three_ds else {}),
                **({"return_url": request.return_url} if request.customer_present else absent),
            }
        if not isinstance(request.instrument, MethodInput):
            raise TypeError("a card is never sent to Stripe from here")
        known = stripe_methods()[request.instrument.type]
        kind: dict[str, Any] = {"payment_method_types": [known.stripe_type]}
        if known.start == "redirect":
            data = {"type": known.stripe_type}
            return {**kind, "confirm": True, "payment_method_data": data, "return_url": request.return_url}
        kind["metadata"] = {**_metadata(request), PAGE: self.fields_page(request.return_url)}
        if known.stripe_type != "card":
            return kind
        if request.keep_card or not request.amount:
            owner = await self._api.customers.create_async(
                {**({"email": request.email} if request.email else {}), "metadata": {ATTEMPT: request.attempt_id}},
                {"idempotency_key": f"{request.attempt_id}-customer"},
            )
            kind["customer"] = owner.id
            if request.amount:  # a SetupIntent is for that, and does not take the word
                kind["setup_future_usage"] = "off_session"
        return {**kind, "payment_method_options": {"card": three_ds}} if three_ds else kind

    async def _refused(self, error: stripe.StripeError, request: ChargeRequest) -> Outcome:
        """Return the decline for an explicit no of Stripe; nothing was charged, and nothing will be."""
        name = "payment_intent" if request.amount else "setup_intent"
        intent = None if error.error is None else getattr(error.error, name, None)
        if intent is not None:
            read_intent = self._intents(request.amount, request.currency).read(intent)
            told = checked_intent(read_intent, request.attempt_id, request.amount, request.currency)
            return await self._read_and_end(told, self._clock.now())
        _log.warning("stripe_refused", what="charge", attempt_id=request.attempt_id, **_facts(error))
        if isinstance(error, stripe.CardError):
            decline_code = None if error.error is None else getattr(error.error, "decline_code", None)
            return declined(PaymentError(error.code, decline_code))
        code = "rate_limit" if error.http_status == 429 else error.code or ""
        failure = failures.for_stripe_decline(code) or failures.get("INVALID_REQUEST")
        return Declined(failure.code, f"{failure.error_message} Stripe says: {_words(error)}")

    async def _intent(self, attempt: Attempt) -> PaymentIntent | None:
        """Return the PaymentIntent of an attempt; None when there is none, or only one that keeps its place.

        Raises StripeError when one that was there cannot be read, which is no evidence that it is not there.
        """
        reference = reference_of(attempt)
        intents = self._intents(attempt.amount, attempt.currency)
        if reference is not None:
            found: PaymentIntent | None = await intents.retrieve(reference)
        else:
            found = await intents.search(_made_between(attempt, self._clock.now()), attempt.attempt_id)
        if found is None:
            return None
        intent = checked_intent(found, attempt.attempt_id, attempt.amount, attempt.currency)
        return None if CLOSED in intent.metadata else intent

    async def _read_and_end(self, intent: PaymentIntent, began: datetime) -> Outcome:
        """Return what a PaymentIntent says, and cancel it where that ends the attempt."""
        outcome = outcome_of(intent)
        late = isinstance(outcome, NeedsAction) and self._clock.now() - began >= PATIENCE
        return await self._end(intent, outcome) if late or isinstance(outcome, Declined) else outcome

    async def _end(self, intent: PaymentIntent, outcome: Outcome) -> Outcome:
        """Cancel a PaymentIntent unless it has ended, and return how the attempt ends.

        Stripe refuses to cancel what was paid, or is at the bank, in this very moment; then that is the answer.
        """
        if intent.status in ("succeeded", "canceled", "processing"):
            return outcome
        intents = self._intents(intent.amount, intent.currency)
        try:
            await intents.cancel(intent.id)
        except stripe.InvalidRequestError:
            now = await intents.retrieve(intent.id)
            if now.status not in ("succeeded", "canceled", "processing"):
                raise
            if (now.amount, now.currency) != (intent.amount, intent.currency):
                raise ValueError(f"{intent.id} has another amount now") from None
            return outcome_of(now)
        return outcome if isinstance(outcome, Declined) else Abandoned(intent.id)


def _made_between(attempt: Attempt, now: datetime) -> dict[str, int]:
    """Return when the PaymentIntent of an attempt can have been made, by Stripe's clock, which shows real time."""
    if attempt.created_at > now:
        return {"gte": int((now - LOOKED_BACK).timestamp())}
    since, until = attempt.created_at - BEFORE, attempt.created_at + AFTER
    return {"gte": int(since.timestamp()), "lte": int(until.timestamp())}


def _began(attempt: Attempt, intent: PaymentIntent, now: datetime) -> datetime:
    """Return when an attempt began: for one that a test clock has dated ahead, when Stripe made its PaymentIntent."""
    if attempt.created_at <= now or intent.created is None:
        return attempt.created_at
    return datetime.fromtimestamp(intent.created, UTC)


def _refused_refund(error: stripe.StripeError, request: RefundRequest) -> RefundFailed:
    """Return what a refund that Stripe refused comes to; raise the error again when it is no refusal."""
    if not _is_refusal(error) or _is_too_often(error):
        raise error
    _log.warning("stripe_refused", what="refund", refund_id=request.refund_id, **_facts(error))
    return RefundFailed(f"Stripe refused it: {_words(error)}")


def _metadata(request: ChargeRequest) -> dict[str, str]:
    """Return by what a PaymentIntent is found again, here and in Stripe's dashboard."""
    return {ATTEMPT: request.attempt_id, **({PAYMENT: request.payment_id} if request.payment_id else {})}


def _is_refusal(error: stripe.StripeError) -> bool:
    """Return whether an error is an explicit no, after which nothing was done.

    A repeated idempotency key with another order, and one whose first order is still being worked on (409), are not:
    something may have been done before.
    """
    return error.http_status in (400, 401, 402, 403, 404, 429) and not isinstance(error, stripe.IdempotencyError)


def _is_too_often(error: stripe.StripeError) -> bool:
    """Return whether Stripe had no time to look at a request.

    It says nothing about the request before, which the library repeats when its answer was lost: where that one moves
    money without its owner, this is no answer.
    """
    return error.http_status == 429


def _words(error: stripe.StripeError) -> str:
    """Return Stripe's sentence, but for one about a key, which quotes a part of it."""
    if isinstance(error, stripe.AuthenticationError):
        return "it does not know this key"
    return (error.user_message or type(error).__name__)[:300].rstrip(".")


def _facts(error: stripe.StripeError) -> dict[str, object]:
    """Return what may be logged of an error."""
    return {
        "why": type(error).__name__,
        "code": error.code,
        "http_status": error.http_status,
        "request_id": error.request_id,
    }
