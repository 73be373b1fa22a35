"""Settings: what they take, that every change is kept, and when it is in force."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from harness import START, FakeClock
from nicobar.core.business.business_settings import (
    SETTINGS,
    BusinessSettings,
    SettingChange,
    format_setting,
    parse_setting,
    settings_from,
)
from nicobar.core.business.tenant import Tenant
from nicobar.core.money.fx import DODO_FEES, NO_FEE
from nicobar.core.pricing.policy import Policy
from nicobar.core.problems import Problem
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.reference import countries, currencies
from nicobar.reference.codes import codes
from nicobar.storage.business.policy import PolicyState, policy_state
from nicobar.storage.business.settings import PastChange, setting_changes, setting_texts
from nicobar.storage.catalog.brands import get_brand
from nicobar.storage.database import Database, DatabaseUnavailable

LOAD_POLICY = sys.modules["nicobar.flows.business.load_policy"]


@pytest_asyncio.fixture
async def other_process(runtime: Runtime) -> AsyncIterator[Runtime]:
    """The same installation as another process sees it: with its own connections and its own memory."""
    database = Database(runtime.database.dsn, size=2)
    yield runtime._replace(database=database)
    await database.close()


async def changes(runtime: Runtime, tenant: Tenant) -> list[PastChange]:
    async with runtime.database.read() as read:
        return await setting_changes(read, tenant)


def test_defaults_do_nothing_to_a_price() -> None:
    assert settings_from({}, codes()) == BusinessSettings(
        business_name="My business",
        tax="off",
        seller_country="",
        default_tax_inclusive=False,
        tax_id_check="offline",
        adaptive_pricing="off",
        adaptive_fees="none",
        fees_inclusive=False,
        currencies=currencies.chargeable(),
        default_currency="USD",
        blocked_countries=frozenset(),
        purchasing_power="off",
        purchasing_power_table={},
        charm_pricing="off",
        link_ttl_minutes=1440,
        refund_window_days=30,
        disabled_payment_methods=frozenset(),
        allowed_origins=(),
    )
    assert len(currencies.chargeable()) == 84


def test_every_field_is_a_setting_with_a_canonical_default_and_a_meaning() -> None:
    assert set(SETTINGS) == set(BusinessSettings.__struct_fields__)
    plain = settings_from({}, codes())
    for name, setting in SETTINGS.items():
        assert format_setting(name, plain, codes()) == setting.default, name
        assert setting.name == name
        assert setting.meaning.endswith("."), name


REFUSED_COUNTRIES = frozenset(country.alpha2 for country in countries.ALL if not country.accepted)


@pytest.mark.parametrize(
    ("name", "text", "value", "canonical"),
    [
        ("business_name", " Dodo Records ", "Dodo Records", "Dodo Records"),
        ("tax", " TABLE ", "table", "table"),
        ("seller_country", "de", "DE", "DE"),
        ("seller_country", "", "", ""),
        ("default_tax_inclusive", "True", True, "true"),
        ("tax_id_check", "vies", "vies", "vies"),
        ("adaptive_pricing", "on", "on", "on"),
        ("adaptive_fees", "dodo", "dodo", "dodo"),
        ("fees_inclusive", "false", False, "false"),
        ("currencies", "usd, eur EUR", frozenset({"USD", "EUR"}), "EUR,USD"),
        ("currencies", "BGN,Dodo", currencies.chargeable() | {"BGN"}, "dodo,BGN"),
        ("default_currency", "eur", "EUR", "EUR"),
        ("blocked_countries", "kp", frozenset({"KP"}), "KP"),
        ("blocked_countries", "dodo,us", REFUSED_COUNTRIES | {"US"}, "dodo,US"),
        ("blocked_countries", "", frozenset(), ""),
        ("purchasing_power_table", "in=30 BR=100", {"BR": 100, "IN": 30}, "BR=100,IN=30"),
        ("charm_pricing", "nearest", "nearest", "nearest"),
        ("link_ttl_minutes", "1", 1, "1"),
        ("link_ttl_minutes", "525600", 525600, "525600"),
        ("refund_window_days", "0", 0, "0"),
        ("disabled_payment_methods", "Klarna, ach klarna", frozenset({"ach", "klarna"}), "ach,klarna"),
        ("disabled_payment_methods", "", frozenset(), ""),
    ],
)
def test_accepted_values_and_their_canonical_text(name: str, text: str, value: object, canonical: str) -> None:
    assert parse_setting(name, text, codes()) == value
    settings = settings_from({name: text}, codes())
    assert getattr(settings, name) == value
    assert format_setting(name, settings, codes()) == canonical
    assert parse_setting(name, canonical, codes()) == value


@pytest.mark.parametrize(
    ("name", "text", "takes"),
    [
        ("tax", "on", "off or table"),
        ("seller_country", "UK", 'a country code of two letters such as DE, or "" for none'),
        ("default_tax_inclusive", "yes", "true or false"),
        ("tax_id_check", "", "offline or vies"),
        ("adaptive_fees", "4", "none or dodo"),
        ("default_currency", "", "a currency code of three letters such as EUR"),
        ("charm_pricing", "up", "off, nearest, floor, ceiling or whole"),
        ("link_ttl_minutes", "0", "a whole number of minutes from 1 to 525600"),
        ("link_ttl_minutes", "525601", "a whole number of minutes from 1 to 525600"),
        ("link_ttl_minutes", "1.5", "a whole number of minutes from 1 to 525600"),
        ("link_ttl_minutes", "٣", "a whole number of minutes from 1 to 525600"),
        ("refund_window_days", "-1", "a whole number of days from 0 to 3650"),
        (
            "disabled_payment_methods",
            "klarna,wechat_pay",
            "payment method types such as klarna,crypto_currency, or \"\" for none; 'wechat_pay' is none of them",
        ),
        (
            "currencies",
            "",
            "currency codes such as USD,EUR, or the word dodo for the hosted service's list",
        ),
        (
            "currencies",
            "USD,EURO",
            "currency codes such as USD,EUR, or the word dodo for the hosted service's list; 'EURO' is none of them",
        ),
        (
            "purchasing_power_table",
            "IN=29",
            "each country once with a percentage from 30 to 100, such as IN=40,BR=60, or \"\" for none; 'IN=29' is not",
        ),
        (
            "purchasing_power_table",
            "IN=40,in=50",
            "each country once with a percentage from 30 to 100, such as IN=40,BR=60, or \"\" for none; 'in=50' is not",
        ),
    ],
)
async def test_a_refused_value_changes_nothing(
    runtime: Runtime, tenant: Tenant, name: str, text: str, takes: str
) -> None:
    with pytest.raises(Problem) as refused:
        await change_setting(runtime, tenant, name, text)
    assert refused.value.code == "INVALID_REQUEST_PARAMETERS"
    assert refused.value.path == name
    assert refused.value.message == f"{name} takes {takes}. It was given {text!r}."
    assert await changes(runtime, tenant) == []


async def test_an_unknown_name_is_refused_with_a_guess(runtime: Runtime, tenant: Tenant) -> None:
    with pytest.raises(Problem) as refused:
        await change_setting(runtime, tenant, "seler_country", "DE")
    assert refused.value.code == "NOT_FOUND"
    assert refused.value.message == "There is no setting 'seler_country'. Did you mean seller_country?"
    with pytest.raises(Problem, match=r"There is no setting 'xyz'\.$"):
        format_setting("xyz", settings_from({}, codes()), codes())


async def test_an_unknown_business_is_refused(runtime: Runtime) -> None:
    with pytest.raises(Problem, match="Business not found"):
        await change_setting(runtime, Tenant("bus_unknown", "test"), "tax", "table")


async def test_changes_are_kept_with_their_time_and_belong_to_one_mode(
    runtime: Runtime, clock: FakeClock, tenant: Tenant
) -> None:
    assert await change_setting(runtime, tenant, "tax", "table") == SettingChange("tax", "off", "table")
    later = clock.advance(hours=1)
    assert await change_setting(runtime, tenant, "tax", "off") == SettingChange("tax", "table", "off")
    assert await change_setting(runtime, tenant, "tax", "off") == SettingChange("tax", "off", "off")
    assert await change_setting(runtime, tenant, "currencies", "dodo") == SettingChange("currencies", "dodo", "dodo")
    assert await changes(runtime, tenant) == [
        PastChange(START, "tax", "off", "table"),
        PastChange(later, "tax", "table", "off"),
    ]
    assert await changes(runtime, Tenant(tenant.business_id, "live")) == []


async def test_simultaneous_changes_make_one_unbroken_history(runtime: Runtime, tenant: Tenant) -> None:
    minutes = [str(1000 + number) for number in range(12)]
    await asyncio.gather(*(change_setting(runtime, tenant, "link_ttl_minutes", text) for text in minutes))
    kept = await changes(runtime, tenant)
    assert sorted(change.new_value for change in kept) == minutes
    assert [change.old_value for change in kept] == ["1440", *(change.new_value for change in kept[:-1])]
    async with runtime.database.read() as read:
        assert await setting_texts(read, tenant) == {"link_ttl_minutes": kept[-1].new_value}


@pytest.mark.parametrize(
    ("table", "rewriting"),
    [
        ("setting_changes", "UPDATE setting_changes SET new_value = 'off?'"),
        ("setting_changes", "DELETE FROM setting_changes"),
        ("tax_tables", "UPDATE tax_tables SET origin = 'elsewhere'"),
        ("tax_tables", "DELETE FROM tax_tables"),
        ("rate_snapshots", "UPDATE rate_snapshots SET origin = 'elsewhere'"),
        ("rate_snapshots", "DELETE FROM rate_snapshots"),
    ],
)
async def test_the_database_refuses_to_rewrite_history(
    runtime: Runtime, tenant: Tenant, table: str, rewriting: str
) -> None:
    await change_setting(runtime, tenant, "tax", "table")
    async with runtime.database.read() as read:
        await read.execute(
            "INSERT INTO tax_tables VALUES ($1, 'test', 1, NULL, 'shipped', $2)", tenant.business_id, START
        )
        await read.execute("INSERT INTO rate_snapshots (quotes, origin, stored_at) VALUES ('{}', 'ecb', $1)", START)
        with pytest.raises(asyncpg.PostgresError, match=f"rows of {table} are kept as they are"):
            await read.execute(rewriting)
        assert await read.fetchval(f"SELECT count(*) FROM {table}") == 1


async def test_settings_as_the_core_takes_them() -> None:
    plain = settings_from({}, codes())
    assert (plain.fee_tiers, plain.charm_kind, plain.purchasing_power_percent("IN")) == (NO_FEE, None, 100)
    texts = {"adaptive_fees": "dodo", "charm_pricing": "whole", "purchasing_power_table": "IN=40"}
    chosen = settings_from(texts, codes())
    assert (chosen.fee_tiers, chosen.charm_kind, chosen.purchasing_power_percent("IN")) == (DODO_FEES, "whole", 100)
    both = settings_from({**texts, "purchasing_power": "on", "adaptive_pricing": "on"}, codes())
    assert (both.purchasing_power_percent("IN"), both.purchasing_power_percent("US")) == (40, 100)
    alone = settings_from({**texts, "purchasing_power": "on"}, codes())
    assert alone.purchasing_power_percent("IN") == 100


async def test_a_change_is_in_force_after_five_seconds_in_every_process(
    runtime: Runtime, other_process: Runtime, clock: FakeClock, tenant: Tenant
) -> None:
    for process in (runtime, other_process):
        assert (await load_policy(process, tenant)).settings.tax == "off"
    await change_setting(other_process, tenant, "tax", "table")
    clock.advance(seconds=4.999)
    for process in (runtime, other_process):
        assert (await load_policy(process, tenant)).settings.tax == "table"
    assert (await load_policy(runtime, Tenant(tenant.business_id, "live"))).settings.tax == "off"


class Readings:
    """Counts how often the database is asked, and holds every answer back until it is let go."""

    def __init__(self) -> None:
        self.count = 0
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def __call__(self, read: Any, tenant: Tenant) -> PolicyState:
        self.count += 1
        self.begun.set()
        await self.let_go.wait()
        return await policy_state(read, tenant)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    found = Readings()
    monkeypatch.setattr(LOAD_POLICY, "policy_state", found)
    return found


async def test_the_hot_path_asks_the_database_once_in_two_seconds(
    runtime: Runtime, clock: FakeClock, tenant: Tenant, readings: Readings
) -> None:
    first = await load_policy(runtime, tenant)
    clock.advance(seconds=1.999)
    assert await load_policy(runtime, tenant) is first
    assert readings.count == 1
    clock.advance(seconds=0.001)
    second = await load_policy(runtime, tenant)
    assert readings.count == 2
    assert second.settings is first.settings
    assert second.tax_table is first.tax_table
    assert second.rates is first.rates


async def test_one_reads_while_the_others_use_what_they_have(
    runtime: Runtime, clock: FakeClock, tenant: Tenant, readings: Readings
) -> None:
    old = await load_policy(runtime, tenant)
    await change_setting(runtime, tenant, "tax", "table")
    clock.advance(seconds=4.5)
    readings.let_go.clear()
    readings.begun.clear()
    reader = asyncio.create_task(load_policy(runtime, tenant))
    await readings.begun.wait()
    assert [await load_policy(runtime, tenant) for _ in range(20)] == [old] * 20
    clock.advance(seconds=0.5)
    waiting = [asyncio.create_task(load_policy(runtime, tenant)) for _ in range(20)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    readings.let_go.set()
    found: list[Policy] = await asyncio.gather(reader, *waiting)
    assert readings.count == 2
    assert {policy.settings.tax for policy in found} == {"table"}


async def test_a_failed_reading_is_tried_again_by_the_next(
    runtime: Runtime, clock: FakeClock, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load_policy(runtime, tenant)
    await change_setting(runtime, tenant, "tax", "table")
    clock.advance(seconds=3)

    async def fail(read: Any, tenant: Tenant) -> PolicyState:
        raise DatabaseUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(LOAD_POLICY, "policy_state", fail)
        with pytest.raises(DatabaseUnavailable):
            await load_policy(runtime, tenant)
    assert (await load_policy(runtime, tenant)).settings.tax == "table"


async def test_a_corrected_clock_neither_prolongs_nor_ends_a_policy(
    runtime: Runtime, clock: FakeClock, tenant: Tenant
) -> None:
    assert (await load_policy(runtime, tenant)).settings.tax == "off"
    await change_setting(runtime, tenant, "tax", "table")
    clock.correct(hours=2)
    assert (await load_policy(runtime, tenant)).settings.tax == "off"
    clock.correct(hours=-4)
    clock.advance(seconds=2)
    assert (await load_policy(runtime, tenant)).settings.tax == "table"


async def test_the_name_is_shown_to_customers_in_its_mode_alone(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    other = Tenant(tenant.business_id, "live")
    moment = clock.advance(minutes=1)
    await change_setting(runtime, tenant, "business_name", "Vögel & Söhne")
    async with runtime.database.read() as read:
        brand = await get_brand(read, tenant, tenant.business_id)
        untouched = await get_brand(read, other, tenant.business_id)
    assert brand is not None and untouched is not None
    assert (brand.name, brand.statement_descriptor, brand.updated_at) == ("Vögel & Söhne", "V gel & S hne", moment)
    assert (untouched.name, untouched.statement_descriptor) == ("Dodo Records", "Dodo Records")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "bell\x07"])
async def test_a_name_that_cannot_be_shown_is_refused(runtime: Runtime, tenant: Tenant, name: str) -> None:
    with pytest.raises(Problem, match="business_name takes a name of 1 to 100 characters on one line"):
        await change_setting(runtime, tenant, "business_name", name)
    assert await changes(runtime, tenant) == []
    async with runtime.database.read() as read:
        brand = await get_brand(read, tenant, tenant.business_id)
    assert brand is not None and brand.name == "Dodo Records"


async def test_purchasing_power_is_refused_without_adaptive_pricing(runtime: Runtime, tenant: Tenant) -> None:
    with pytest.raises(Problem, match="purchasing_power works only with adaptive_pricing"):
        await change_setting(runtime, tenant, "purchasing_power", "on")
    assert await changes(runtime, tenant) == []
    await change_setting(runtime, tenant, "adaptive_pricing", "on")
    await change_setting(runtime, tenant, "purchasing_power", "on")
    with pytest.raises(Problem, match="purchasing_power works only with adaptive_pricing"):
        await change_setting(runtime, tenant, "adaptive_pricing", "off")
    assert [change.new_value for change in await changes(runtime, tenant)] == ["on", "on"]
