"""Asks the European Union's register of VAT numbers, VIES, whether a number was issued and is in force.

The register is a door to those of the member states, which are slow at times and closed at others. Only its explicit
words VALID and INVALID decide anything; whatever else happens within the time limit is an answer of its own,
`unavailable`, and never an error.
"""

import asyncio
import ssl
from datetime import datetime
from functools import cache
from typing import Final, Literal
from urllib.parse import quote

import httpx
import msgspec

from nicobar.core.tax.tax_id import RegisterAnswer
from nicobar.processors.bounded_response import UNPACKED, ResponseRefused, read_response

URL: Final = "https://ec.europa.eu/taxation_customs/vies/rest-api"
"""The Commission's public interface. It needs no key; a question without the asker's own VAT number is answered, too,
but then without a number of the consultation."""

ANSWER_SECONDS: Final = 3.0
"""How long a payment waits for the register."""

_LARGEST_BYTES: Final = 65_536
_LONGEST_TEXT: Final = 500
_SILENT: Final = "---"
"""What the register writes where a member state does not tell."""

_WORDS: Final[dict[str, Literal["valid", "invalid"]]] = {"VALID": "valid", "INVALID": "invalid"}


class _Reply(msgspec.Struct, frozen=True, rename="camel"):
    """The parts of the answer that are kept."""

    is_valid: bool
    user_error: str
    request_date: str = ""
    request_identifier: str | None = None
    name: str | None = None
    address: str | None = None


async def ask_register(
    prefix: str, number: str, asked_at: datetime, *, url: str = URL, seconds: float = ANSWER_SECONDS
) -> RegisterAnswer:
    """Query one number; `prefix` is that of its country (Greece: EL), `number` the rest. Raises nothing."""
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(verify=_trust(), timeout=seconds) as client,
            client.stream(
                "GET", f"{url}/ms/{quote(prefix)}/vat/{quote(number, safe='')}", headers=UNPACKED
            ) as response,
        ):
            if response.status_code != 200:
                return RegisterAnswer(answer="unavailable", asked_at=asked_at, detail=f"status {response.status_code}")
            data = await read_response(response, _LARGEST_BYTES)
        reply = msgspec.json.decode(data, type=_Reply)
    except TimeoutError:
        return RegisterAnswer(answer="unavailable", asked_at=asked_at, detail=f"no answer within {seconds} seconds")
    except ResponseRefused as error:
        return RegisterAnswer(answer="unavailable", asked_at=asked_at, detail=str(error))
    except httpx.HTTPError as error:
        return RegisterAnswer(answer="unavailable", asked_at=asked_at, detail=type(error).__name__)
    except msgspec.MsgspecError:
        return RegisterAnswer(answer="unavailable", asked_at=asked_at, detail="the answer cannot be read")
    return _understood(reply, asked_at)


def _understood(reply: _Reply, asked_at: datetime) -> RegisterAnswer:
    answer = _WORDS.get(reply.user_error)
    contradicts = answer is not None and reply.is_valid != (answer == "valid")
    return RegisterAnswer(
        answer="unavailable" if answer is None or contradicts else answer,
        asked_at=asked_at,
        detail=reply.user_error[:_LONGEST_TEXT],
        request_id=_told(reply.request_identifier),
        request_date=reply.request_date[:_LONGEST_TEXT],
        name=_told(reply.name),
        address=_told(reply.address),
    )


def _told(text: str | None) -> str:
    return "" if text is None or text.strip() == _SILENT else text.strip()[:_LONGEST_TEXT]


@cache
def _trust() -> ssl.SSLContext:
    """Return the certificates to trust, which are slow to load."""
    return httpx.create_ssl_context()
