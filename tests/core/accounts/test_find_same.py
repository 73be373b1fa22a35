"""Which of the stored accounts new keys are of."""

from datetime import UTC, datetime, timedelta

import pytest

from nicobar.core.accounts.processor_account import ProcessorAccount, find_same, place_of
from nicobar.core.business.tenant import Tenant

AT = datetime(2026, 3, 14, 12, tzinfo=UTC)


def stored(name: str, account_id: str | None, publishable_key: str, retired: int | None = None) -> ProcessorAccount:
    """Return an account that charges, or has not done so for some days."""
    return ProcessorAccount(
        business_id="bus_1",
        mode="test",
        processor="stripe",
        account=name,
        account_id=account_id,
        number=1,
        publishable_key=publishable_key,
        api_base=None,
        sealed=b"",
        changed_at=AT,
        retired_at=None if retired is None else AT - timedelta(days=retired),
    )


@pytest.mark.parametrize(
    ("accounts", "account_id", "publishable_key", "expected"),
    [
        ([], "acct_a", "pk_a", None),
        ([stored("acct_a", "acct_a", "pk_a")], "acct_a", "pk_new", "acct_a"),
        ([stored("acct_a", "acct_a", "pk_a")], "acct_b", "pk_a", None),
        ([stored("acct_a", "acct_a", "pk_a")], None, "pk_a", "acct_a"),
        ([stored("acct_a", "acct_a", "pk_a")], None, "pk_b", None),
        ([stored("", None, "pk_a")], "acct_a", "pk_a", ""),
        ([stored("", None, "pk_a")], "acct_a", "pk_b", None),
        ([stored("pk_a", "acct_a", "pk_new")], None, "pk_a", "pk_a"),
        ([stored("", None, "pk_b"), stored("acct_a", "acct_a", "pk_a", 3)], "acct_a", "pk_b", "acct_a"),
        ([stored("y", None, "pk_a"), stored("x", None, "pk_a", 1)], None, "pk_a", "y"),
        ([stored("x", None, "pk_a", 9), stored("y", None, "pk_a", 1)], None, "pk_a", "y"),
    ],
)
def test_the_id_decides_and_where_one_is_missing_the_publishable_key(
    accounts: list[ProcessorAccount], account_id: str | None, publishable_key: str, expected: str | None
) -> None:
    found = find_same(accounts, account_id, publishable_key)
    assert (None if found is None else found.account) == expected


def test_the_name_of_an_account_is_a_part_of_its_place() -> None:
    tenant = Tenant("bus_1", "test")
    places = {place_of(tenant, "stripe", name, "pk", None) for name in ("", "acct_a", "acct_b")}
    assert len(places) == 3
    assert "processor_accounts\0bus_1\0test\0stripe\0pk\0" in places
