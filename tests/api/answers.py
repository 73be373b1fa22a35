"""What answers of the API have to look like."""

from typing import Any

import httpx
from pydantic import BaseModel


def has_every_key(raw: dict[str, Any], model: type[BaseModel]) -> None:
    """Ensure that an answer has the keys of the official library's type, and no others."""
    assert set(raw) == set(model.model_fields)


def refused(response: httpx.Response, status: int, code: str, message: str) -> None:
    """Ensure that a request was refused like this, and that no program asks again."""
    assert (response.status_code, response.json()) == (status, {"code": code, "message": message})
    assert response.headers["x-should-retry"] == "false"
