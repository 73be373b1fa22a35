"""Where a customer is sent after paying: the merchant's `return_url` with the outcome appended."""

from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

from nicobar.core.payments.payment import Payment
from nicobar.core.return_schemes import may_return_to
from nicobar.core.web_address import ascii_address


def return_address(payment: Payment, *, with_email: bool) -> str | None:
    """Return the payment's `return_url` with `payment_id`, `status` and, if wanted, `email`; None without one.

    A payment that starts subscriptions has their `subscription_id`, too, and says `active` when they have begun. The
    parameters are the contract's (POST /payments, section 5, and "Checkout sessions", section 11).
    """
    url = payment.options.return_url
    if url is None:
        return None
    parameters: dict[str, str] = {"payment_id": payment.payment_id, "status": payment.status}
    if starts := payment.options.starts:
        status = "active" if payment.status == "succeeded" else payment.status
        parameters |= {"subscription_id": ",".join(starts), "status": status}
    if with_email and payment.customer.email:
        parameters["email"] = payment.customer.email
    return with_parameters(url, parameters)


def with_parameters(url: str, parameters: dict[str, str]) -> str | None:
    """Return `url` in ASCII with these query parameters, None when a browser must not be sent there.

    Parameters that the address has already keep their place and spelling, except that ones of the same name give
    way; the fragment stays. Blanks become %20, because one mobile client does not read `+` as a blank.
    """
    try:
        parts = urlsplit(ascii_address(url))
    except ValueError:
        return None
    if not may_return_to(parts.scheme.lower()):  # whatever is stored
        return None
    kept = [pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in parameters]
    added = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items()]
    return urlunsplit(parts._replace(query="&".join([*kept, *added])))


def form_action(payment: Payment) -> str:
    """Return the `form-action` sources for this payment's form.

    Chromium holds every redirect that follows a form against this list. With `redirect_immediately` the chain ends
    at the merchant, who may redirect further (to another host name, to https), so the scheme is allowed as a whole.
    Every other form ends on a page of ours.
    """
    url = payment.options.return_url
    if url is None or not payment.options.redirect_immediately or with_parameters(url, {}) is None:
        return "'self'"
    scheme = urlsplit(url).scheme.lower()
    return f"'self' {scheme}:"
