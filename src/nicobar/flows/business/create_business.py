"""Create a business with its primary brand."""

from typing import Final, get_args

from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.catalog.brand import Brand, descriptor_from
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.businesses import insert_business
from nicobar.storage.catalog.brands import insert_brand

_MODES: Final[tuple[Mode, ...]] = get_args(Mode)


async def create_business(runtime: Runtime, name: str) -> str:
    """Store a business and, in test and in live mode, its primary brand of the same id and name; return the id.

    Raises Problem INVALID_REQUEST_PARAMETERS when the name is blank.
    """
    name = name.strip()
    if not name:
        raise Problem("INVALID_REQUEST_PARAMETERS", path="name", detail="A business needs a name.")
    moment = runtime.real_now()
    business_id = runtime.new_id("bus", moment)
    primary = Brand(
        business_id=business_id,
        brand_id=business_id,
        name=name,
        description=None,
        statement_descriptor=descriptor_from(name),
        support_email=None,
        url=None,
        image_id=None,
        enabled=True,
        created_at=moment,
        updated_at=moment,
        archived_at=None,
    )
    async with runtime.database.transaction() as tx:
        await insert_business(tx, business_id, name, moment)
        for mode in _MODES:
            await insert_brand(tx, Tenant(business_id, mode), primary)
    return business_id
