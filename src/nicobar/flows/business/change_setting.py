"""Change one of a business's settings."""

from nicobar.core.business.business_settings import (
    SettingChange,
    check_together,
    find_setting,
    format_setting,
    parse_setting,
    settings_from,
)
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.brand import descriptor_from
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.reference.codes import codes
from nicobar.storage.business.settings import insert_setting_change, lock_business, setting_texts
from nicobar.storage.catalog.brands import rename_primary_brand


async def change_setting(runtime: Runtime, tenant: Tenant, name: str, text: str) -> SettingChange:
    """Give a setting a new value and keep the change with its time; the value it has already changes nothing.

    It is in force for new payments of every running server within the bound that `load_policy` states. Raises Problem
    NOT_FOUND for an unknown name or business and INVALID_REQUEST_PARAMETERS for a value that the setting does not take,
    alone or together with the others; nothing is changed then. The name of the business goes to its primary brand, too,
    with the text of statements: that is where pages and the API read it.
    """
    known = codes()
    setting = find_setting(name)
    new = setting.kind.format(parse_setting(name, text, known), known)
    async with runtime.database.transaction() as tx:
        if not await lock_business(tx, tenant.business_id):
            raise Problem("NOT_FOUND", what="Business")
        texts = await setting_texts(tx, tenant)
        old = format_setting(name, settings_from(texts, known), known)
        change = SettingChange(name, old, new)
        if new != old:
            check_together(settings_from({**texts, name: new}, known), name)
            await insert_setting_change(tx, tenant, change, runtime.real_now())
            await write_audit_entry(runtime, tx, tenant, "setting.change", [tenant.business_id], [name])
            if name == "business_name":
                await rename_primary_brand(tx, tenant, new, descriptor_from(new), runtime.real_now())
    return change
