"""The objects at Stripe that attempts are made with: a PaymentIntent, or a SetupIntent where nothing is charged.

A SetupIntent keeps a card for later charges without its owner, and moves no money. It is read as a PaymentIntent of
nothing, whose charge is the card that was kept: from there on both are treated alike.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar, cast

import msgspec

from nicobar.processors.stripe.stripe_outcomes import (
    ATTEMPT,
    BillingDetails,
    Card,
    Charge,
    MethodDetails,
    PaymentError,
    PaymentIntent,
)

PAGE_SIZE: Final = 100
PAGES: Final = 20
"""How much of a list is read at most; beyond that nobody knows."""

_CHARGED: Final = ["latest_charge"]
_KEPT: Final = ["latest_attempt", "payment_method"]

StructT = TypeVar("StructT")


class SetupMethod(msgspec.Struct, frozen=True):
    """A payment method that was kept."""

    id: str
    card: Card | None = None
    billing_details: BillingDetails | None = None


class SetupAttempt(msgspec.Struct, frozen=True):
    """The last try at keeping a payment method; its card says how its owner was authenticated."""

    payment_method_details: MethodDetails | None = None


class SetupIntent(msgspec.Struct, frozen=True):
    """One wish to keep a payment method."""

    id: str
    status: str
    metadata: dict[str, str] = {}
    client_secret: str | None = None
    customer: str | None = None
    payment_method: SetupMethod | str | None = None
    latest_attempt: SetupAttempt | str | None = None
    last_setup_error: PaymentError | None = None
    next_action: dict[str, Any] | None = None


class Intents:
    """The intents of one account for attempts of an amount and a currency: 0 stands for keeping a card."""

    def __init__(self, api: Any, amount: int, currency: str) -> None:
        """Take the library's client, and an amount as Stripe counts it."""
        self._is_setup = amount == 0
        self._service = api.setup_intents if self._is_setup else api.payment_intents
        self._amount, self._currency = amount, currency.lower()
        self._expanded = _KEPT if self._is_setup else _CHARGED

    async def create(self, order: dict[str, Any], key: str) -> PaymentIntent:
        """Make one, once for the key; the amount, or what keeping a card takes, is added to the order."""
        what = {"usage": "off_session"} if self._is_setup else {"amount": self._amount, "currency": self._currency}
        options = {"idempotency_key": key}
        whole = {**what, **order, "expand": self._expanded}
        return self.read(await self._service.create_async(cast(Any, whole), cast(Any, options)))

    async def retrieve(self, reference: str) -> PaymentIntent:
        """Return one by Stripe's id."""
        return self.read(await self._service.retrieve_async(reference, {"expand": self._expanded}))

    async def search(self, created: dict[str, int], attempt_id: str) -> PaymentIntent | None:
        """Return the one that was made for an attempt in a span of time, None for none. Raises as `search`."""
        filters = {"created": created, "expand": [f"data.{name}" for name in self._expanded]}
        found = await search(self._service.list_async, filters, ATTEMPT, attempt_id)
        return None if found is None else self.read(found)

    async def cancel(self, reference: str) -> None:
        """End one, so that nothing can be charged or kept by it. Raises InvalidRequestError when it has ended."""
        await self._service.cancel_async(reference)

    def read(self, found: Any) -> PaymentIntent:
        """Return an object of the library as a struct of ours. Raises ValueError, also as msgspec.ValidationError."""
        return self._of_setup(read(found, SetupIntent)) if self._is_setup else read(found, PaymentIntent)

    def _of_setup(self, setup: SetupIntent) -> PaymentIntent:
        return PaymentIntent(
            id=setup.id,
            status=setup.status,
            amount=0,
            currency=self._currency,
            metadata=setup.metadata,
            client_secret=setup.client_secret,
            customer=setup.customer,
            latest_charge=_card_kept(setup),
            last_payment_error=setup.last_setup_error,
            next_action=setup.next_action,
        )


def _card_kept(setup: SetupIntent) -> Charge | None:
    """Return the card that a SetupIntent has kept, as a charge shows it; None while there is none.

    Raises ValueError for one that succeeded without a card that can be charged: nobody could be charged later.
    """
    method, tried = setup.payment_method, setup.latest_attempt
    if not isinstance(method, SetupMethod) or method.card is None or setup.customer is None:
        if setup.status == "succeeded":
            raise ValueError(f"{setup.id} succeeded and has no card of a customer")
        return None
    details = tried.payment_method_details if isinstance(tried, SetupAttempt) else None
    authenticated = None if details is None or details.card is None else details.card.three_d_secure
    card = msgspec.structs.replace(method.card, three_d_secure=authenticated)
    return Charge(setup.id, method.id, MethodDetails(card=card), method.billing_details)


async def search(list_async: Any, filters: dict[str, Any], key: str, value: str) -> Any | None:
    """Return the object of a list whose metadata has this value; None when the whole list has none.

    Raises LookupError when the list goes on beyond what is read.
    """
    after: dict[str, Any] = {}
    for _ in range(PAGES):
        page = await list_async({**filters, "limit": PAGE_SIZE, **after})
        items: Sequence[Any] = page.data
        for item in items:
            if (item.to_dict().get("metadata") or {}).get(key) == value:
                return item
        if not items or not page.has_more:
            return None
        after = {"starting_after": items[-1].id}
    raise LookupError(f"more than {PAGES * PAGE_SIZE} objects at Stripe, none of them for {value}")


def read(found: Any, shape: type[StructT]) -> StructT:
    """Return an object of the library as a struct of ours. Raises msgspec.ValidationError."""
    return msgspec.convert(found.to_dict(), shape)
