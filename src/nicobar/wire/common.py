"""What the wire types of all nouns share: bounded scalars, metadata, addresses, the list envelope.

Requests ignore unknown fields (older SDKs send some) and answers carry every key, with null where nothing applies.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from nicobar.core.customers.buyer import Address
from nicobar.core.problems import Problem
from nicobar.wire.codes import AllowedMethodType, CountryCode
from nicobar.wire.patterns import NAME

INT32_MAX: Final = 2_147_483_647

Amount = Annotated[int, Meta(ge=0, le=INT32_MAX, description="Minor units of its currency (cents, yen, fils)")]
PositiveInt32 = Annotated[int, Meta(ge=1, le=INT32_MAX)]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000, description="Basis points: 100 are one percent")]
ObjectId = Annotated[str, Meta(max_length=64)]
Text100 = Annotated[str, Meta(max_length=100)]
Text250 = Annotated[str, Meta(max_length=250)]
Text1000 = Annotated[str, Meta(max_length=1000)]
Email = Annotated[str, Meta(max_length=254, description="An e-mail address (RFC 5321)")]
Phone = Annotated[str, Meta(max_length=40)]
Url = Annotated[str, Meta(max_length=2048)]
TaxIdText = Annotated[str, Meta(max_length=64)]
DiscountCodeText = Annotated[str, Meta(max_length=64)]
DiscountCodes = Annotated[list[DiscountCodeText], Meta(max_length=20)]
MethodTypes = Annotated[list[AllowedMethodType], Meta(max_length=200)]

MetadataKey = Annotated[str, Meta(min_length=1, max_length=40, pattern=NAME)]
MetadataText = Annotated[str, Meta(max_length=500)]
MetadataInteger = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Metadata = dict[MetadataKey, MetadataText | MetadataInteger | float | bool]
"""At most 50 pairs of scalars (contract, "metadata"); each value comes back with the JSON type it was sent with."""


class RequestBody(Struct, frozen=True, kw_only=True):
    """Base of request bodies: keyword fields, unknown fields ignored but for those of `instead`."""

    instead: ClassVar[Mapping[str, str]] = {}
    """Names that no field has and that would say how much money moves: `wire/misnamed.py`."""


class ResponseBody(Struct, frozen=True, kw_only=True):
    """Base of answers: every key is always sent."""


class BillingAddress(RequestBody, frozen=True, kw_only=True):
    """A billing address; only the country is required."""

    country: CountryCode
    city: Text250 | None = None
    state: Text250 | None = None
    street: Text250 | None = None
    zipcode: Annotated[str, Meta(max_length=32)] | None = None


def read_address(billing: BillingAddress) -> Address:
    """Return the address of a request."""
    return Address(billing.country, billing.city, billing.state, billing.street, billing.zipcode)


def known_types(types: Sequence[str] | None) -> list[str] | None:
    """Return the types of payment methods that a request allows, without the one that no SDK knows."""
    return None if types is None else [name for name in types if name != "sunbit"]


class PageQuery(Struct, frozen=True, kw_only=True):
    """Paging of lists: pages count from zero and a page past the end is empty (contract, "GET /payments")."""

    page_number: Annotated[int, Meta(ge=0)] = 0
    page_size: Annotated[int, Meta(ge=1, le=100)] = 10

    @property
    def offset(self) -> int:
        """Rows before this page. Raises Problem INVALID_QUERY_PARAMS past 10 000 rows, where paging gets slow."""
        offset = self.page_number * self.page_size
        if offset > MAXIMUM_OFFSET:
            raise Problem(
                "INVALID_QUERY_PARAMS",
                path="page_number",
                detail=f"Pages end after {MAXIMUM_OFFSET} rows; narrow the list, for example by created_at_lte.",
            )
        return offset


MAXIMUM_OFFSET: Final = 10_000

ItemT = TypeVar("ItemT")


class Items(ResponseBody, Generic[ItemT], frozen=True, kw_only=True):
    """A page of a list: no total and no next link, as the contract has it."""

    items: list[ItemT]


class NoQuery(Struct, frozen=True):
    """For calls whose query string means nothing; unknown query keys are ignored everywhere."""


def in_utc(moment: datetime | None) -> datetime | None:
    """Return a query's moment in UTC; one without an offset is taken as UTC.

    A moment outside the years 1970 to 2100 becomes the nearer end: nothing here is older or younger, and the ids that
    dates are looked up by hold no other years.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment.year <= EARLIEST.year:
        return EARLIEST
    if moment.year >= LATEST.year:
        return LATEST
    return moment.astimezone(UTC)


EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


def to_builtins(value: Any) -> Any:
    """Return plain dicts and lists, ready for a jsonb column."""
    return msgspec.to_builtins(value)
