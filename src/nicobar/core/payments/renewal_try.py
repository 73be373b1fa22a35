"""Which renewal of its subscription a charge is for."""

import msgspec


class RenewalTry(msgspec.Struct, frozen=True):
    """The number of a renewal, and of its try: renewals are counted from 1, the tries of each from 0."""

    number: int
    retry_attempt: int
