"""Where a developer has test events forwarded to: any address, also one of the own computer."""

from nicobar.core.problems import Problem
from nicobar.core.webhooks.endpoint import LONGEST_URL, checked_url


def forward_url(text: str) -> str:
    """Return the address to forward to; `localhost:3000/hook` means `http://localhost:3000/hook`.

    Raises Problem INVALID_REQUEST_BODY and INVALID_REQUEST_PARAMETERS, as for the address of an endpoint in test mode.
    """
    if len(text) > LONGEST_URL:
        raise Problem("INVALID_REQUEST_BODY", path="url", detail=f"It is longer than {LONGEST_URL} characters.")
    return checked_url(text if "://" in text else f"http://{text}", "test", allow_private=True)
