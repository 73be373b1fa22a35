"""Refuse to ask for a card without charging it where the processor is not asked for that yet. No I/O."""

from nicobar.core.payments.payment import PaymentOptions
from nicobar.core.pricing.policy import Policy
from nicobar.core.problems import Problem


def check_can_set_up(policy: Policy, options: PaymentOptions) -> None:
    """Raise Problem UNSUPPORTED_ACTION when a card would have to be kept where only charged cards are.

    The simulator keeps cards that it charges nothing. At Stripe that is another kind of object, which this server does
    not make. A saved method needs none.
    """
    if options.payment_method_id is None and policy.accounts:
        detail = (
            f"A card cannot be kept at {policy.accounts[0].processor} without charging it: "
            "name a payment_method_id, or begin with an amount"
        )
        raise Problem("UNSUPPORTED_ACTION", detail=detail)
