"""The upgrade to the customer portal: customers of before can have a session, and go on without one."""

from datetime import timedelta

from harness import START, Databases
from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.customers.portal_session import PortalSession
from nicobar.storage.customers.customers import get_customer
from nicobar.storage.customers.portal_sessions import find_portal_session, insert_portal_session
from nicobar.storage.migrate import migrate
from storage.older import left_before

TENANT = Tenant("bus_OngtHP67H9lcLvQujx1nW", "test")
CUSTOMER = "cus_OngtW2b6zDPg7_ncFijUv"
SESSION = "cps_OngtW2b6zDPg7_ncFijUw"


async def test_a_customer_of_before_can_have_a_session(databases: Databases) -> None:
    async with left_before(databases, "portal_sessions", size=1) as database:
        async with database.transaction() as tx:
            await tx.execute(
                "INSERT INTO businesses (business_id, name, created_at) VALUES ($1, 'Shop', $2)",
                TENANT.business_id,
                START,
            )
            await tx.execute(
                "INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, metadata, created_at,"
                " updated_at) VALUES ($1, $2, $3, 'a@example.com', 'a@example.com', 'Ana', '{}', $4, $4)",
                *(TENANT.business_id, TENANT.mode, CUSTOMER, START),
            )
        assert "portal_sessions" in [migration.name for migration in await migrate(database)]
        session = PortalSession(
            business_id=TENANT.business_id,
            mode=TENANT.mode,
            session_id=SESSION,
            customer_id=CUSTOMER,
            secret_hash=secret_hash("secret"),
            return_url=None,
            created_at=START,
            expires_at=START + timedelta(hours=24),
        )
        async with database.transaction() as tx:
            assert await find_portal_session(tx, SESSION) is None
            await insert_portal_session(tx, session)
        async with database.read() as read:
            assert await find_portal_session(read, SESSION) == session
            assert await get_customer(read, TENANT, CUSTOMER) is not None
