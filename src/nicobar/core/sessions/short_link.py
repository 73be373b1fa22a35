"""A short link: a name of the merchant's for a static link, which sells one product."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

import msgspec

from nicobar.core.business.tenant import Mode

PRODUCT_PREFIX: Final = "pdt_"
"""What a name never begins with: static links end with the id of their product."""


class ShortLink(msgspec.Struct, frozen=True, kw_only=True):
    """A stored short link."""

    business_id: str
    mode: Mode
    link_id: str
    slug: str
    product_id: str
    parameters: dict[str, str]
    created_at: datetime


def static_path(product_id: str, parameters: Mapping[str, str]) -> str:
    """Return the path and query of a static link."""
    return f"/buy/{product_id}" + (f"?{urlencode(parameters)}" if parameters else "")
