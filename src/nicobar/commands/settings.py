"""`nicobar settings`: what a business decides about its sales."""

import sys
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Json,
    print_json,
    print_table,
    refuse_without_database,
    with_runtime,
)
from nicobar.program.banner import answer, say
from nicobar.program.configuration import read_configuration

if TYPE_CHECKING:
    from nicobar.core.business.business_settings import BusinessSettings, SettingChange
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.business.settings import PastChange

app = App(
    name="settings",
    help_epilogue="""Examples:
  nicobar settings list
  nicobar settings set tax table
  nicobar settings set seller_country DE --mode live""",
)

_MISSING_FOR_TAX: Final = """\
seller_country is not set. Without it nobody knows which sales cross a border,
so buyers with a tax id are charged the full tax. Say where you are established:
  nicobar settings set seller_country DE --mode {mode}"""

_EMPTY: Final = "-"
"""How an empty value is shown in a table."""

SettingName = Annotated[str, Parameter(help="The name of the setting, as 'nicobar settings list' shows it.")]


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar settings list
  nicobar settings list --json
  nicobar settings list --mode live""",
)
def list_(*, mode: InMode = "test", json: Json = False, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """List every setting with its value, its default and what it does."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "settings")

    async def work(runtime: "Runtime") -> list[list[str]]:
        from nicobar.core.business.business_settings import SETTINGS, format_setting
        from nicobar.reference.codes import codes

        held = await _held(runtime, mode)
        return [
            [name, format_setting(name, held, codes()), setting.default, setting.meaning]
            for name, setting in SETTINGS.items()
        ]

    rows = with_runtime(configuration, work)
    if json:
        print_json([dict(zip(("name", "value", "default", "meaning"), row, strict=True)) for row in rows])
        return 0
    print_table(["NAME", "VALUE", "DEFAULT", "MEANING"], [[cell or _EMPTY for cell in row] for row in rows])
    say(f"These are the settings of {mode} mode.", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar settings get tax
  nicobar settings get currencies --mode live"""
)
def get(name: SettingName, /, *, mode: InMode = "test", data: Data = None, database_url: DatabaseUrl = None) -> int:
    """Print the value of one setting, and nothing else."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "settings")

    async def work(runtime: "Runtime") -> str:
        from nicobar.core.business.business_settings import format_setting
        from nicobar.reference.codes import codes

        return format_setting(name, await _held(runtime, mode), codes())

    answer(with_runtime(configuration, work))
    return 0


@app.command(
    name="set",
    help_epilogue=f"""{WHERE}

Lists are written with commas, and the word dodo stands for the hosted
service's own list. An empty value is "".

Examples:
  nicobar settings set business_name "Dodo Records"
  nicobar settings set tax table
  nicobar settings set currencies dodo,BGN
  nicobar settings set blocked_countries ""
  nicobar settings set purchasing_power_table IN=40,BR=60 --mode live""",
)
def set_(
    name: SettingName,
    value: Annotated[str, Parameter(help="The new value.", allow_leading_hyphen=True)],
    /,
    *,
    mode: InMode = "test",
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Change a setting and print its old and its new value. Every change is kept with its time.

    Running servers use it for new payments within 5 seconds.
    """
    configuration = read_configuration(data=data, database_url=database_url)

    async def work(runtime: "Runtime") -> "tuple[SettingChange, str | None]":
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.business.change_setting import change_setting
        from nicobar.program.installation import own_business

        change = await change_setting(runtime, Tenant(await own_business(runtime), mode), name, value)
        return change, (await _held(runtime, mode)).missing_for_tax

    change, missing = with_runtime(configuration, work)
    answer(f"{change.name}: {change.old or _EMPTY} -> {change.new or _EMPTY} ({mode} mode)")
    if missing is not None and change.name in ("tax", missing):
        say(_MISSING_FOR_TAX.format(mode=mode), sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar settings history
  nicobar settings history --mode live"""
)
def history(*, mode: InMode = "test", json: Json = False, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """List every change of a setting with its time, the oldest first."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "settings")

    async def work(runtime: "Runtime") -> "list[PastChange]":
        from nicobar.core.business.tenant import Tenant
        from nicobar.storage.business.businesses import first_business
        from nicobar.storage.business.settings import setting_changes

        async with runtime.database.snapshot() as read:
            business_id = await first_business(read)
            return [] if business_id is None else await setting_changes(read, Tenant(business_id, mode))

    changes = with_runtime(configuration, work)
    if json:
        print_json(changes)
        return 0
    if not changes:
        say("No setting was ever changed.", sys.stderr)
        return 0
    rows = [
        [f"{change.changed_at:%Y-%m-%d %H:%M:%S}", change.name, change.old_value or _EMPTY, change.new_value or _EMPTY]
        for change in changes
    ]
    print_table(["CHANGED (UTC)", "NAME", "OLD", "NEW"], rows)
    return 0


async def _held(runtime: "Runtime", mode: InMode) -> "BusinessSettings":
    """Return the settings as they are stored at this moment."""
    from nicobar.core.business.business_settings import settings_from
    from nicobar.core.business.tenant import Tenant
    from nicobar.reference.codes import codes
    from nicobar.storage.business.businesses import first_business
    from nicobar.storage.business.settings import setting_texts

    async with runtime.database.snapshot() as read:
        business_id = await first_business(read)
        texts = {} if business_id is None else await setting_texts(read, Tenant(business_id, mode))
    return settings_from(texts, codes())
