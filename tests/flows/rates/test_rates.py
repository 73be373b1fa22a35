"""Exchange rates: what a feed says is kept to the digit, what cannot be believed is refused, what is law stays."""

import asyncio
import json
from collections.abc import Mapping
from datetime import date

import pytest

from fake_site import fake_site
from harness import START, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.money.fx import UsdRate
from nicobar.core.money.rate_feed import QuotedRate, RateMove, Taken, rate_text, rates_in_force
from nicobar.core.problems import Problem
from nicobar.flows.business.create_business import create_business
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.rates.import_rates import import_rates
from nicobar.flows.rates.refresh_rates import refresh_rates
from nicobar.flows.runtime import Runtime
from nicobar.processors.rates import rate_feeds, rate_files
from nicobar.processors.rates.rate_feeds import FeedUnavailable
from nicobar.processors.rates.rate_files import read_rates
from nicobar.reference import currencies, rates
from nicobar.reference.codes import codes
from nicobar.reference.rate_seed import ANCHORS, seed
from nicobar.storage.rates.rates import StoredRates, newest_rates

KNOWN = codes().currencies
TODAY = date(2026, 11, 23)
EXPONENTS = currencies.exponents()

ECB_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
    xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <Cube>
    <Cube time='2026-11-20'>
      <Cube currency='USD' rate='1.1083'/><Cube currency='JPY' rate='174.21'/>
      <Cube currency='GBP' rate='0.83395'/><Cube currency='HKD' rate='8.6952'/>
      <Cube currency='ISK' rate='145.5'/>
    </Cube>
    <Cube time='2026-11-19'><Cube currency='USD' rate='1.2'/></Cube>
  </Cube>
</gesmes:Envelope>"""


@pytest.fixture
def now(clock: FakeClock) -> FakeClock:
    """The clock, at a moment after the rates that are shipped."""
    clock.advance(days=(TODAY - START.date()).days)
    return clock


async def stored(runtime: Runtime) -> StoredRates | None:
    async with runtime.database.read() as read:
        return await newest_rates(read)


async def snapshots(runtime: Runtime) -> int:
    async with runtime.database.read() as read:
        found: int = await read.fetchval("SELECT count(*) FROM rate_snapshots")
    return found


def quoted(units: str, dollars: str = "1", as_of: date = TODAY, source: str = "feed") -> QuotedRate:
    return QuotedRate(units, dollars, as_of, source)


def csv(**units: str) -> bytes:
    return "\n".join(["code,units_per_usd", *(f"{code},{text}" for code, text in units.items())]).encode()


# --- reading ---------------------------------------------------------------------------------------------------------


def test_the_banks_xml() -> None:
    day = date(2026, 11, 20)
    assert read_rates(ECB_XML, "file.xml", TODAY, KNOWN) == {
        "EUR": QuotedRate("1", "1.1083", day, "ecb"),
        "USD": QuotedRate("1.1083", "1.1083", day, "ecb"),
        "JPY": QuotedRate("174.21", "1.1083", day, "ecb"),
        "GBP": QuotedRate("0.83395", "1.1083", day, "ecb"),
        "HKD": QuotedRate("8.6952", "1.1083", day, "ecb"),
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '{"disclaimer": "x", "timestamp": 1795392000, "base": "USD", "rates": {"EUR": 0.920, "XAU": 0.0005}}',
            {"EUR": quoted("0.920", as_of=date(2026, 11, 23)), "USD": quoted("1", as_of=date(2026, 11, 23))},
        ),
        (
            '{"success": true, "timestamp": 1795305600, "source": "USD", "quotes": {"USDEUR": 0.92, "USDJPY": 15e1}}',
            {
                "EUR": quoted("0.92", as_of=date(2026, 11, 22)),
                "JPY": quoted("150", as_of=date(2026, 11, 22)),
                "USD": quoted("1", as_of=date(2026, 11, 22)),
            },
        ),
        (
            '{"amount": 10.0, "base": "EUR", "date": "2026-11-20", "rates": {"USD": 11.083, "GBP": 8.3395}}',
            {
                "EUR": quoted("10.0", "11.083", date(2026, 11, 20)),
                "GBP": quoted("8.3395", "11.083", date(2026, 11, 20)),
                "USD": quoted("11.083", "11.083", date(2026, 11, 20)),
            },
        ),
        (
            '{"date": "2026-11-21", "usd": {"eur": 0.92, "btc": 1.2e-05, "usd": 1}}',
            {"EUR": quoted("0.92", as_of=date(2026, 11, 21)), "USD": quoted("1", as_of=date(2026, 11, 21))},
        ),
        ('{"base": "USD", "rates": {"KWD": 3.07e-1}}', {"KWD": quoted("0.307"), "USD": quoted("1")}),
    ],
    ids=["open exchange rates", "exchangerate.host", "frankfurter", "currency-api", "without a day"],
)
def test_four_shapes_of_json(content: str, expected: Mapping[str, QuotedRate]) -> None:
    assert read_rates(content.encode(), "feed", TODAY, KNOWN) == expected


def test_a_csv_file() -> None:
    text = "\ufeffcode, units_per_usd,as_of,source\r\neur,0.92,2026-11-20,my bank\r\n\r\nJPY,150,,\r\n"
    assert read_rates(text.encode(), "rates.csv", TODAY, KNOWN) == {
        "EUR": QuotedRate("0.92", "1", date(2026, 11, 20), "my bank"),
        "JPY": QuotedRate("150", "1", TODAY, "rates.csv"),
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "The first line of a CSV file names the columns code, units_per_usd, as_of, source; the last two may be"),
        (b"code,rate\nEUR,1\n", "The first line of a CSV file names the columns"),
        (b"code,units_per_usd\n", "It holds no rate of a currency that is known here."),
        (b"\xff\xfe", "It is not text in UTF-8."),
        (b"{", "It is not JSON."),
        (b"{" * 100_000, "It is not JSON."),
        (b'{"error": true, "message": "invalid_app_id"}', "It reports an error: "),
        (b'{"success": false, "quotes": {}}', "It reports an error: "),
        (b'{"base": "EUR", "rates": {"GBP": 1}}', "It has no rate between EUR and USD, which all others are computed"),
        (b'{"rates": {"EUR": null}}', "A rate cannot be read: not a number: 'None'."),
        (b'{"rates": {"EUR": NaN}}', "A rate cannot be read: out of range: 'NaN'."),
        (b'{"rates": {"EUR": 0}}', "A rate cannot be read: not a positive decimal number: '0'."),
        (b'{"rates": {"EUR": -1}}', "A rate cannot be read: not a positive decimal number: '-1'."),
        (b'{"rates": {"EUR": 1e99}}', "A rate cannot be read: out of range: '1e99'."),
        (b'{"date": "today", "usd": {"eur": 1}}', "Its date cannot be read."),
        (b'{"timestamp": 1e99, "rates": {"EUR": 1}}', "Its date cannot be read."),
        (b'{"a": {}, "b": {}}', "This shape of JSON is not known."),
        (b"<html>", "It is not the XML of the European Central Bank."),
        (b"<html></html>", "It is not the XML of the European Central Bank."),
        (b"<Cube time='soon'/>", "It is not the XML of the European Central Bank."),
        (
            b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Cube time="2026-11-20">&b;</Cube>',
            "XML with a document type is not read.",
        ),
        (b"x" * (rate_files.LARGEST_BYTES + 1), "It is larger than 5000000 bytes."),
    ],
)
async def test_what_cannot_be_read_changes_nothing(runtime: Runtime, now: FakeClock, content: bytes, why: str) -> None:
    with pytest.raises(Problem) as refused:
        await import_rates(runtime, content, "feed")
    assert refused.value.code == "INVALID_REQUEST_PARAMETERS"
    assert refused.value.message.startswith(f"The exchange rates were not taken. {why}")
    assert await snapshots(runtime) == 0


def test_every_wrong_line_of_a_csv_file_is_named() -> None:
    lines = [
        "code,units_per_usd,as_of",
        "EUR,0.92,2026-11-20",
        "EURO,1,",
        "GBP,1/2,",
        "JPY,150,20.11.2026",
        "CHF,0.9",
        "EUR,0.93,",
        "SEK,0.000,",
        "NOK",
    ]
    with pytest.raises(Problem) as refused:
        read_rates("\n".join(lines).encode(), "rates.csv", TODAY, KNOWN)
    assert refused.value.message.splitlines() == [
        "The exchange rates were not taken. These lines are wrong:",
        "line 3: code is a currency code of three letters such as EUR, not 'EURO'.",
        "line 4: not a positive decimal number: '1/2'.",
        "line 5: as_of is a day such as 2026-01-31, not '20.11.2026'.",
        "line 6: it has 2 cells, and the first line has 3.",
        "line 7: EUR is there twice.",
        "line 8: not a positive decimal number: '0.000'.",
        "line 9: it has 1 cell, and the first line has 3.",
    ]


# --- what is in force ------------------------------------------------------------------------------------------------


def test_without_any_feed_the_shipped_rates_hold() -> None:
    found = rates_in_force(seed(), {}).by_currency
    assert set(found) == KNOWN - {"USD"}
    shipped = {rate.code: rate for rate in rates.snapshot()}
    for code, rate in found.items():
        if code not in ANCHORS:
            assert rate == seed().rates[code]
            assert rate.as_of == shipped[code].as_of
    assert rate_text(found["EUR"]) == "0.89509488"


def test_anchored_currencies_agree_with_the_shipped_table() -> None:
    shipped = {rate.code: rate for rate in rates.snapshot()}
    assert set(ANCHORS) == {code for code, rate in shipped.items() if rate.method in ("peg_cross", "retired_fixed")}
    found = rates_in_force(seed(), {}).by_currency
    for code, anchor in ANCHORS.items():
        if "withdrawn" not in shipped[code].note:
            assert shipped[code].note == f"1 {anchor.currency} is {anchor.units} {code} by law."
        old, new = seed().rates[code], found[code]
        assert abs(old.numerator * new.denominator - new.numerator * old.denominator) * 1_000_000 < (
            old.numerator * new.denominator
        ), code


def test_rates_of_one_feed_are_exactly_the_feeds_own() -> None:
    found = rates_in_force(seed(), read_rates(ECB_XML, "", TODAY, KNOWN))
    assert found.cross("EUR", "JPY") == (17421, 100)
    assert found.cross("EUR", "USD") == (11083, 10000)
    assert found.cross("GBP", "JPY") == (3484200, 16679)  # 174.21 / 0.83395
    assert found.cross("EUR", "XAF") == (655957, 1000)
    assert found.cross("HKD", "MOP") == (103, 100)
    conversion = found.conversion("USD", "XOF", EXPONENTS)
    assert conversion.as_of == date(2026, 11, 20)
    assert conversion.source == "655.957 for 1 EUR by law; ecb"


async def test_a_feed_is_merged_into_what_is_known(runtime: Runtime, now: FakeClock) -> None:
    first = await import_rates(runtime, csv(EUR="0.9", JPY="150"), "monday.csv")
    assert first.changed == ("EUR", "JPY")
    later = now.advance(hours=1)
    second = await import_rates(runtime, csv(JPY="151", CHF="0.85"), "tuesday.csv")
    assert second.changed == ("CHF", "JPY")
    expected = {
        "EUR": quoted("0.9", source="monday.csv"),
        "JPY": quoted("151", source="tuesday.csv"),
        "CHF": quoted("0.85", source="tuesday.csv"),
    }
    assert await stored(runtime) == StoredRates(expected, "tuesday.csv", later)
    assert await snapshots(runtime) == 2


async def test_the_same_feed_twice_is_stored_once(runtime: Runtime, now: FakeClock) -> None:
    await import_rates(runtime, csv(EUR="0.9"), "rates.csv")
    again = await import_rates(runtime, csv(EUR="0.9"), "rates.csv")
    assert (again.changed, again.moved) == ((), ())
    assert await snapshots(runtime) == 1


@pytest.mark.parametrize(
    ("new", "percent"),
    [("120", None), ("80", None), ("120.000001", "20"), ("79.9", "20.1"), ("150", "50"), ("1000", "900")],
)
async def test_a_rate_that_moved_too_far_is_refused_alone(
    runtime: Runtime, now: FakeClock, new: str, percent: str | None
) -> None:
    await import_rates(runtime, csv(JPY="100", EUR="0.9"), "rates.csv", force=True)
    taken = await import_rates(runtime, csv(JPY=new, EUR="0.91"), "rates.csv")
    found = await stored(runtime)
    assert found is not None
    if percent is None:
        assert (taken.changed, taken.moved) == (("EUR", "JPY"), ())
    else:
        assert (taken.changed, taken.moved) == (("EUR",), (RateMove("JPY", "100", new, percent),))
        assert found.quotes["JPY"].units == "100"
        forced = await import_rates(runtime, csv(JPY=new), "rates.csv", force=True)
        assert forced.changed == ("JPY",)
        found = await stored(runtime)
        assert found is not None
        assert found.quotes["JPY"].units == new
    assert found.quotes["EUR"].units == "0.91"


async def test_an_older_rate_does_not_replace_a_newer_one(runtime: Runtime, now: FakeClock) -> None:
    old = b"code,units_per_usd,as_of\nEUR,0.9,2026-10-29\n"
    taken = await import_rates(runtime, old, "old.csv")
    assert (taken.changed, taken.older) == ((), ("EUR",))
    assert await snapshots(runtime) == 0
    assert (await import_rates(runtime, old, "old.csv", force=True)).changed == ("EUR",)


async def test_a_feed_from_the_future_is_refused(runtime: Runtime, now: FakeClock) -> None:
    tomorrow = b"code,units_per_usd,as_of\nJPY,150,2026-11-24\n"
    assert (await import_rates(runtime, tomorrow, "rates.csv")).changed == ("JPY",)
    with pytest.raises(Problem, match="The rate of EUR is of 2026-11-25, which is in the future"):
        await import_rates(runtime, b"code,units_per_usd,as_of\nEUR,0.9,2026-11-25\n", "rates.csv", force=True)
    assert await snapshots(runtime) == 1


async def test_what_is_fixed_by_law_is_taken_only_on_purpose(runtime: Runtime, now: FakeClock) -> None:
    feed = csv(AED="3.68", XAF="600", USD="1.01", EUR="0.9")
    taken = await import_rates(runtime, feed, "rates.csv", force=True)
    assert taken == Taken({"EUR": quoted("0.9", source="rates.csv")}, ("EUR",), (), (), ("AED", "XAF"))
    both = await import_rates(runtime, feed, "rates.csv", fixed_too=True)
    assert both.changed == ("AED", "XAF")
    found = await stored(runtime)
    assert found is not None
    assert rates_in_force(seed(), found.quotes).cross("EUR", "XAF") == (2000, 3)


async def test_simultaneous_feeds_lose_nothing(runtime: Runtime, now: FakeClock) -> None:
    feeds = {"EUR": "0.9", "JPY": "150", "CHF": "0.85", "SEK": "10", "GBP": "0.75", "CAD": "1.4"}
    await asyncio.gather(*(import_rates(runtime, csv(**{code: text}), code) for code, text in feeds.items()))
    found = await stored(runtime)
    assert found is not None
    assert {code: quote.units for code, quote in found.quotes.items()} == feeds
    assert await snapshots(runtime) == len(feeds)


async def test_the_policy_follows(runtime: Runtime, now: FakeClock) -> None:
    tenant = Tenant(await create_business(runtime, "Dodo Records"), "test")
    before = await load_policy(runtime, tenant)
    await import_rates(runtime, csv(EUR="0.9"), "rates.csv")
    now.advance(seconds=4.999)
    after = await load_policy(runtime, tenant)
    assert after.rates.by_currency["EUR"] == UsdRate(9, 10, TODAY, "rates.csv")
    assert after.rates.by_currency["JPY"] == before.rates.by_currency["JPY"]
    assert after.tax_table is before.tax_table


# --- fetching --------------------------------------------------------------------------------------------------------


async def test_the_banks_feed_is_fetched(runtime: Runtime, now: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_site(ECB_XML) as site:
        monkeypatch.setattr("nicobar.flows.rates.refresh_rates.ECB_URL", f"{site.url}/daily.xml")
        taken = await refresh_rates(runtime, "ecb")
    assert site.asked == ["/daily.xml"]
    assert taken.changed == ("EUR", "GBP", "HKD", "JPY")
    found = await stored(runtime)
    assert found is not None
    assert (found.origin, found.quotes["EUR"].source) == ("ecb", "ecb")


async def test_an_address_is_fetched_and_its_key_is_not_kept(runtime: Runtime, now: FakeClock) -> None:
    body = json.dumps({"base": "USD", "timestamp": 1795392000, "rates": {"EUR": 0.9, "AED": 3.7}}).encode()
    async with fake_site(body) as site:
        taken = await refresh_rates(runtime, f"{site.url}/latest.json?app_id=SECRET", force=True)
    assert site.asked == ["/latest.json?app_id=SECRET"]
    assert (taken.changed, taken.fixed) == (("EUR",), ("AED",))
    found = await stored(runtime)
    assert found is not None
    assert found.quotes == {"EUR": quoted("0.9", source="127.0.0.1")}
    assert found.origin == "127.0.0.1"


async def test_a_feed_that_fails_changes_nothing(
    runtime: Runtime, now: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake_site(b"no", status=503) as site:
        with pytest.raises(FeedUnavailable, match=r"^127\.0\.0\.1 answered with status 503 and no rates\.$"):
            await refresh_rates(runtime, f"{site.url}/?app_id=SECRET")
    with pytest.raises(FeedUnavailable, match=r"^127\.0\.0\.1 cannot be reached: ConnectError\.$"):
        await refresh_rates(runtime, f"{site.url}/?app_id=SECRET")
    async with fake_site(b"x" * 1001) as site:
        monkeypatch.setattr(rate_feeds, "LARGEST_BYTES", 1000)
        with pytest.raises(FeedUnavailable, match="sent more than 1000 bytes"):
            await refresh_rates(runtime, site.url)
    async with fake_site(silent=True) as site:
        monkeypatch.setattr(rate_feeds, "FETCH_SECONDS", 0.05)
        with pytest.raises(FeedUnavailable, match="did not answer within"):
            await refresh_rates(runtime, site.url)
    assert await snapshots(runtime) == 0


@pytest.mark.parametrize(
    "url", ["", "ECB", "ftp://example.com", "http://example.com/rates.json", "https://", "https://[", "file:///etc/x"]
)
async def test_only_addresses_that_nobody_can_tamper_with_are_fetched(runtime: Runtime, url: str) -> None:
    with pytest.raises(FeedUnavailable, match=r"^The address of a feed starts with https:// and names a host\.$"):
        await refresh_rates(runtime, url)
