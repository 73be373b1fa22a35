"""What answers of the API have to look like."""

from typing import Any

import httpx
from pydantic import BaseModel


def answered(response: httpx.Response) -> dict[str, Any]:
    """Return the body of an answer that must have succeeded."""
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def has_every_key(raw: dict[str, Any], model: type[BaseModel]) -> None:
    """Ensure that an answer has the keys of the official library's type, and no others."""
    assert raw.keys() == model.model_fields.keys()


def refused(response: httpx.Response, status: int, code: str, message: str) -> None:
    """Ensure that a request was refused like this, and that no program asks again."""
    assert (response.status_code, response.json()) == (status, {"code": code, "message": message})
    assert response.headers["x-should-retry"] == "false"
