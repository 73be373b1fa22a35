"""What a payment processor has to offer, and what it is asked. A processor translates; it never touches storage."""

from collections.abc import Callable, Mapping
from datetime import datetime
from traceback import extract_tb
from typing import Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from nicobar.core.business.tenant import Mode
from nicobar.core.disputes.dispute import DisputeFacts
from nicobar.core.payments.payment import Attempt, CardDetails, Outcome
from nicobar.core.payments.renewal_try import RenewalTry
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.core.refunds.refund import RefundOutcome

Scenario = Literal["pay", "decline", "challenge", "lose_answer"]
"""How a simulated charge ends. `lose_answer` takes the money and never says so, as when a connection breaks."""


class CardInput:
    """A card as the customer typed it. It lives in memory until the processor has been asked, and nowhere else.

    Number and security code are left out of every text form, so that a log line, a traceback with local variables or
    an assertion cannot show them. `number` and `cvc` are digits only.
    """

    __slots__ = ("cvc", "exp_month", "exp_year", "holder_name", "number")

    def __init__(self, number: str, exp_month: int, exp_year: int, cvc: str, holder_name: str | None) -> None:
        self.number = number
        self.exp_month = exp_month
        self.exp_year = exp_year
        self.cvc = cvc
        self.holder_name = holder_name

    def __repr__(self) -> str:
        """Show that there is a card, and nothing of it."""
        return "CardInput(<hidden>)"

    def __reduce__(self) -> str:
        """Refuse to be pickled or copied: a card must not travel further by accident."""
        raise TypeError("a card is not serialised")


class MethodInput:
    """Another way to pay than a card: its type, and what the customer typed for it.

    A card that is typed into a processor's own fields comes as one, too, with the type `credit` or `debit`.

    Like a card it lives in memory only, and its text form does not show what was typed.
    """

    __slots__ = ("type", "value")

    def __init__(self, type: str, value: str = "") -> None:
        """Take a payment method type, and a bank account (`routing/account`, IBAN), a UPI ID, a tax id or a code."""
        self.type = type
        self.value = value

    def __repr__(self) -> str:
        """Name the type, and nothing of what was typed."""
        return f"MethodInput({self.type}, <hidden>)"

    def __reduce__(self) -> str:
        """Refuse to be pickled or copied: an account must not travel further by accident."""
        raise TypeError("an account is not serialised")


class SimulatedCharge:
    """A published test card with the end that somebody who tries the server out chose for it.

    Only the simulator takes it, and only for a test payment: the flow refuses it everywhere else, whatever was posted.
    """

    __slots__ = ("card", "error_code", "scenario")

    def __init__(self, card: CardInput, scenario: Scenario, error_code: str | None = None) -> None:
        """Take a card that pays; `error_code` is the failure code of a decline."""
        self.card = card
        self.scenario = scenario
        self.error_code = error_code

    def __repr__(self) -> str:
        """Name the scenario; the card hides itself."""
        return f"SimulatedCharge({self.scenario}, {self.error_code})"


class InputRefused(Exception):
    """What was typed cannot be used, which was seen before anything was stored or charged.

    `field` is the form field at fault, `reason` names the sentence that the customer reads. Neither holds anything
    that was typed.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


class CardRefused(InputRefused):
    """A card that cannot be used; the field is `number`, `expiry`, `cvc` or `name`."""


class ChargeRequest:
    """What a processor is asked to charge: this amount from this instrument, once for this attempt id."""

    __slots__ = (
        "amount",
        "attempt_id",
        "business_id",
        "currency",
        "customer_present",
        "email",
        "force_3ds",
        "instrument",
        "keep_card",
        "payment_id",
        "renewal",
        "return_url",
        "scenario",
    )

    def __init__(
        self,
        attempt_id: str,
        amount: int,
        currency: str,
        instrument: CardInput | SavedMethod | MethodInput | SimulatedCharge,
        return_url: str,
        *,
        keep_card: bool = False,
        customer_present: bool = True,
        force_3ds: bool | None = None,
        email: str = "",
        business_id: str = "",
        payment_id: str = "",
        scenario: object = None,
        renewal: RenewalTry | None = None,
    ) -> None:
        """Take minor units of `currency`; `return_url` is where a page of the processor sends the customer back to.

        `keep_card` asks for a token with the success, for later charges. Without `customer_present` nobody is there
        to confirm anything. `force_3ds` asks for 3-D Secure (True) or to leave it out (False); None leaves it to the
        card's bank, which has the last word in any case. `email` is the customer's address, which some methods ask for.
        `business_id` says who sells and `payment_id` what, for the processor's own records. `scenario` is what the
        payment's metadata tells the simulator to do wrong (docs/simulator.md), and `renewal` says which renewal that is
        about; for every other processor they are None.
        """
        self.attempt_id = attempt_id
        self.amount = amount
        self.currency = currency
        self.instrument = instrument
        self.return_url = return_url
        self.keep_card = keep_card
        self.customer_present = customer_present
        self.force_3ds = force_3ds
        self.email = email
        self.business_id = business_id
        self.payment_id = payment_id
        self.scenario = scenario
        self.renewal = renewal

    def __repr__(self) -> str:
        """Name the attempt and the amount; the instrument hides itself."""
        return f"ChargeRequest({self.attempt_id}, {self.amount} {self.currency}, {self.instrument})"


class RefundRequest(NamedTuple):
    """What a processor is asked to refund: this much of an attempt's charge, once for this refund id."""

    refund_id: str
    attempt: Attempt
    """The attempt that was charged; its outcome has the processor's own id of the charge."""
    amount: int
    """Minor units of the attempt's currency, more than zero."""


class Notice(NamedTuple):
    """What a processor sent us unasked: that something about one of our objects has changed.

    A notice is a hint to ask and never evidence: that makes its order, its repetition and its delay unimportant.
    """

    notice_id: str
    """The processor's own id of the notice; the same one again is the same notice."""
    subject: Literal["attempt", "refund", "dispute"]
    reference: str
    """Our id of the attempt or the refund, or the processor's own id of the dispute."""


class NoticeRefused(Exception):
    """A notice does not prove that it comes from the processor, or cannot be read. The text says why."""


class ProcessorBroken(Exception):
    """A plug-in raised what it may not. The text names the kind of exception and the line, none of its words."""


CheckedT = TypeVar("CheckedT")


def without_its_words(processor: "Processor", check: Callable[[], CheckedT]) -> CheckedT:
    """Return what a check of a plug-in returns, and keep its words out of every log when it breaks.

    It has a card in its hands and may quote it. Its refusals (InputRefused, NoticeRefused) go through; of anything
    else ProcessorBroken is raised.
    """
    try:
        return check()
    except (InputRefused, NoticeRefused):
        raise
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        place = extract_tb(error.__traceback__)[-1]
        what = f"{processor.name} raised {type(error).__name__} in {place.filename}, line {place.lineno}"
        raise ProcessorBroken(what) from None


class Processor(Protocol):
    """A plug-in that charges customers, on behalf of one business or of all."""

    @property
    def name(self) -> str:
        """How attempts name it, for ever: it is stored."""

    @property
    def account(self) -> str:
        """How attempts name the account that it charges through, for ever; empty where there is one for all."""

    @property
    def modes(self) -> frozenset[Mode]:
        """The modes whose payments it may be asked to charge."""

    @property
    def methods(self) -> frozenset[str]:
        """The payment method types that it can run."""

    def describe(self, card: CardInput, now: datetime) -> CardDetails:
        """Return what may be kept of the card. No network is used. Raises CardRefused for a card it cannot take."""

    def check(self, method: MethodInput) -> None:
        """Check what was typed for a method other than a card. No network is used.

        Raises InputRefused for an input it cannot take, and KeyError for a type that is not among its `methods`.
        """

    async def charge(self, request: ChargeRequest) -> Outcome:
        """Charge once per attempt id: the same id again gets the same answer and takes no more money.

        An amount of 0 takes nothing: it keeps the card for later charges, or confirms one that was kept.
        A charge without `customer_present` never needs an action: when the bank insists on one, it is declined with
        AUTHENTICATION_REQUIRED. Any exception means that nobody knows whether the money was taken.
        """

    async def find(self, attempt: Attempt) -> Outcome | None:
        """Return what happened to an attempt, None when no charge for it has ever arrived."""

    async def cancel(self, attempt: Attempt) -> Outcome | None:
        """Ensure that an attempt takes no money any more, and return what became of it.

        None says that no charge had arrived, and none that arrives later will be carried out. An attempt that has
        taken the money answers Succeeded, and one that waited for its customer Abandoned. A debit that is under way
        cannot be called back: it answers Pending, and its end comes later.
        """

    async def refund(self, request: RefundRequest) -> RefundOutcome:
        """Give money back once per refund id: the same id again gets the same answer and gives no more back.

        Any exception means that nobody knows whether the money goes back.
        """

    async def find_refund(self, request: RefundRequest) -> RefundOutcome | None:
        """Return what happened to a refund, None when it has never arrived.

        A refund that succeeded and came back has failed. A RefundFailed from here has the processor's own id of it:
        without one it is taken for the refusal of a refund.
        """

    async def find_dispute(self, reference: str) -> DisputeFacts | None:
        """Return how a dispute stands, by the processor's own id; None when it is not about a charge of ours."""

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """Return what a notice is about; None for one that concerns no object of ours. No network is used.

        `headers` have names in lower case; `body` is exactly what came. Raises NoticeRefused for a notice that
        cannot prove, by its signature, where it comes from.
        """


class OwnFields(NamedTuple):
    """What a browser needs to show a processor's own fields for one attempt."""

    publishable_key: str
    client_secret: str
    """Opens this attempt to whoever has it: it goes into the customer's page and nowhere else."""

    def __repr__(self) -> str:
        """Show neither."""
        return "OwnFields(<hidden>)"


class FieldsAhead(NamedTuple):
    """What a browser needs to show a processor's own fields for a card before there is an attempt."""

    publishable_key: str
    amount: int
    """As the processor counts it; 0 where a card is only kept."""
    currency: str
    """As the processor writes it."""


@runtime_checkable
class BringsFields(Processor, Protocol):
    """A processor into whose own fields cards and accounts are typed, on a page of ours; none comes by here.

    Its charges answer NeedsAction with the page at `fields_page`.
    """

    async def fields(self, attempt: Attempt) -> OwnFields | None:
        """Return what its fields need for an attempt that waits for its customer; None for one that does not."""

    def fields_ahead(self, amount: int, currency: str) -> FieldsAhead | None:
        """Return what its fields need for an amount in minor units; None for one that it does not take."""

    def fields_page(self, return_url: str) -> str:
        """Return the address of the page with its fields, given the page that the customer comes back to."""
