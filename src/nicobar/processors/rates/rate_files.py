"""Reads exchange rates in the forms in which they are published: CSV, four shapes of JSON, the XML of the ECB.

Every number is taken as the text that was published. Rates come against any base that is itself in the feed or is
the US dollar. A table of our own (CSV) must be right in every line; a feed may hold currencies, metals and the like
that the contract does not know, and those are passed over.
"""

import csv
import io
import json
from collections.abc import Container, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from nicobar.core.counted import counted
from nicobar.core.money.fx import BASE
from nicobar.core.money.rate_feed import QuotedRate
from nicobar.core.problems import Problem

LARGEST_BYTES: Final = 5_000_000
"""The largest file or answer that is read; the largest known feed has a tenth of it."""

ECB: Final = "ecb"
"""Source of the European Central Bank's reference rates."""

_CSV_COLUMNS: Final = ("code", "units_per_usd", "as_of", "source")
_LISTED: Final = 20
_LARGEST_EXPONENT: Final = 15
"""How many decimal places or zeros the exponent of a number such as 1.2e-05 may stand for."""


class _Table(NamedTuple):
    """Rates against one base, before they are turned into dollars."""

    base: str
    amount: str
    """Units of the base that each rate is for."""
    units: Mapping[str, str]
    """Currency -> how much of it the amount is worth."""
    as_of: date
    source: str


def read_rates(data: bytes, source: str, today: date, known: Container[str]) -> dict[str, QuotedRate]:
    """Read a file or an answer; its first character tells the form.

    `source` names where it comes from, for forms that do not say it; `today` is the day of a form without one;
    `known` are the currencies to take. Raises Problem INVALID_REQUEST_PARAMETERS.
    """
    if len(data) > LARGEST_BYTES:
        raise _refused(f"It is larger than {LARGEST_BYTES} bytes.")
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    try:
        if start == b"<":
            found = _quotes(_read_ecb(data), known)
        elif start == b"{":
            found = _quotes(_read_json(data, source, today), known)
        else:
            found = _read_csv(data.decode("utf-8-sig"), source, today, known)
    except UnicodeDecodeError as error:
        raise _refused("It is not text in UTF-8.") from error
    if not found:
        raise _refused("It holds no rate of a currency that is known here.")
    return found


def _refused(why: str) -> Problem:
    return Problem("INVALID_REQUEST_PARAMETERS", detail=f"The exchange rates were not taken. {why}")


def _read_csv(text: str, source: str, today: date, known: Container[str]) -> dict[str, QuotedRate]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    errors: list[str] = []
    found: dict[str, QuotedRate] = {}
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if not {"code", "units_per_usd"} <= set(header) <= set(_CSV_COLUMNS) or len(set(header)) != len(header):
            names = ", ".join(_CSV_COLUMNS)
            raise _refused(f"The first line of a CSV file names the columns {names}; the last two may be left out.")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            try:
                code, quote = _csv_quote(header, cells, source, today, known)
                if code in found:
                    raise ValueError(f"{code} is there twice")
                found[code] = quote
            except ValueError as error:
                errors.append(f"line {reader.line_num}: {error}.")
    except csv.Error as error:
        errors.append(f"line {reader.line_num}: it is not CSV: {error}.")
    if errors:
        more = [f"... and {len(errors) - _LISTED} more."] if len(errors) > _LISTED else []
        raise _refused("\n".join(["These lines are wrong:", *errors[:_LISTED], *more]))
    return found


def _csv_quote(
    header: list[str], cells: list[str], source: str, today: date, known: Container[str]
) -> tuple[str, QuotedRate]:
    if len(cells) != len(header):
        raise ValueError(f"it has {counted(len(cells), 'cell')}, and the first line has {len(header)}")
    row = {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
    code = row["code"].upper()
    if code not in known:
        raise ValueError(f"code is a currency code of three letters such as EUR, not {row['code']!r}")
    day = row.get("as_of", "")
    try:
        as_of = date.fromisoformat(day) if day else today
    except ValueError as error:
        raise ValueError(f"as_of is a day such as 2026-01-31, not {day!r}") from error
    return code, QuotedRate(row["units_per_usd"], "1", as_of, row.get("source", "") or source)


def _read_json(data: bytes, source: str, today: date) -> _Table:
    try:
        # Numbers stay text, so that none of them passes through a binary fraction.
        content = json.loads(data.decode("utf-8-sig"), parse_float=str, parse_int=str, parse_constant=str)
    except (json.JSONDecodeError, RecursionError) as error:
        raise _refused("It is not JSON.") from error
    if "error" in content or content.get("success") is False:
        raise _refused(f"It reports an error: {json.dumps(content)[:200]}")
    as_of = _json_day(content, today)
    if isinstance(content.get("rates"), dict):
        return _Table(
            str(content.get("base", BASE)).upper(), str(content.get("amount", "1")), content["rates"], as_of, source
        )
    if isinstance(content.get("quotes"), dict):
        base = str(content.get("source", BASE)).upper()
        return _Table(base, "1", {k.removeprefix(base): v for k, v in content["quotes"].items()}, as_of, source)
    tables = [(name, value) for name, value in content.items() if isinstance(value, dict)]
    if len(tables) == 1:
        return _Table(tables[0][0].upper(), "1", tables[0][1], as_of, source)
    raise _refused('This shape of JSON is not known. Known are {"rates": ...}, {"quotes": ...} and {"usd": ...}.')


def _json_day(content: Mapping[str, Any], today: date) -> date:
    try:
        if "date" in content:
            return date.fromisoformat(str(content["date"]))
        if "timestamp" in content:
            return datetime.fromtimestamp(int(content["timestamp"]), UTC).date()
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise _refused("Its date cannot be read.") from error
    return today


def _read_ecb(data: bytes) -> _Table:
    """Read the bank's XML, of several days the newest. A document type, and with it every entity, is refused."""
    days: dict[date, dict[str, str]] = {}
    current: dict[str, str] = {}

    def refuse(*_: object) -> None:
        raise _refused("XML with a document type is not read.")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal current
        if name != "Cube":
            return
        if "time" in attributes:
            current = days.setdefault(date.fromisoformat(attributes["time"]), {})
        if "currency" in attributes and "rate" in attributes:
            current[attributes["currency"]] = attributes["rate"]

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError) as error:
        raise _refused("It is not the XML of the European Central Bank.") from error
    if not days:
        raise _refused("It is not the XML of the European Central Bank.")
    newest = max(days)
    return _Table("EUR", "1", days[newest], newest, ECB)


def _quotes(table: _Table, known: Container[str]) -> dict[str, QuotedRate]:
    """Turn rates against one base into rates against the dollar, as exact pairs of published numbers."""
    units = {str(code).upper(): value for code, value in table.units.items()}
    units.setdefault(table.base, table.amount)
    if BASE not in units:
        raise _refused(f"It has no rate between {table.base} and {BASE}, which all others are computed by.")
    try:
        dollars = _plain(units[BASE])
        return {
            code: QuotedRate(_plain(value), dollars, table.as_of, table.source)
            for code, value in units.items()
            if code in known
        }
    except ValueError as error:
        raise _refused(f"A rate cannot be read: {error}.") from error


def _plain(value: object) -> str:
    """Return a number as plain decimal text: `1.2e-05` becomes `0.000012`. Raises ValueError."""
    text = str(value)
    try:
        number = Decimal(text.strip())
    except InvalidOperation as error:
        raise ValueError(f"not a number: {text[:40]!r}") from error
    if not number.is_finite() or abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError(f"out of range: {text[:40]!r}")
    return f"{number:f}"
