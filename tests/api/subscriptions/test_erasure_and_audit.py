"""What the doctor finds about subscriptions, and what is left of a person who had one."""

import pytest

from api.subscriptions.subscribing import Club
from harness import START
from nicobar.core.problems import Problem
from nicobar.flows.customers.erase_customer import erase_customer
from nicobar.program.books_audit import audit_books
from orders import dump

BILLING = {"country": "DE", "city": "Wolkenheim", "street": "Quellenweg 7", "zipcode": "98765"}


async def test_a_person_is_erased_when_the_subscription_has_ended(club: Club) -> None:
    person = {"email": "zacharias@example.com", "name": "Zacharias"}
    own = await club.subscribe(customer=person, billing=BILLING, metadata={"nick": "greenhorn"})
    customer_id = own["customer"]["customer_id"]
    path = f"/subscriptions/{own['subscription_id']}"
    with pytest.raises(Problem) as raised:
        await erase_customer(club.runtime, club.merchant.tenant, customer_id)
    assert own["subscription_id"] in raised.value.message and await club.read(own["subscription_id"]) == own
    body = {"status": "cancelled", "cancellation_comment": "sorrow"}
    await club.call("PATCH", path, body)
    club.clock.advance(minutes=1)
    await erase_customer(club.runtime, club.merchant.tenant, customer_id)
    left = (await dump(club.runtime)).lower()
    words = ("zacharias", "wolkenheim", "quellenweg", "98765", "greenhorn", "sorrow")
    assert [word for word in words if word in left] == []
    after = await club.read(own["subscription_id"])
    assert (after["status"], after["billing"]["country"], after["metadata"]) == ("cancelled", "DE", {})
    await club.books_agree()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE subscriptions SET status = 'paused', due_at = NULL", "its columns and its details differ"),
        ("UPDATE subscriptions SET credit = 5", "its columns and its details differ"),
        ("UPDATE subscription_charges SET state = 'failed'", "is failed, and the payment succeeded"),
        ("DELETE FROM subscription_charges", "its current period was neither paid nor is it owed"),
        ("UPDATE subscriptions SET due_at = '2026-03-01T00:00:00Z'", "something is due since 2026-03-01 00:00 UTC"),
    ],
)
async def test_the_doctor_finds_what_was_changed_by_hand(club: Club, change: str, found: str) -> None:
    own = await club.subscribe()
    await club.books_agree()
    async with club.runtime.database.transaction() as tx:
        await tx.execute(change)
    async with club.runtime.database.read() as read:
        findings = [each for each in await audit_books(read, club.clock.now(), START) if each.good is False]
    assert findings and found in findings[0].sentence
    assert own["subscription_id"] in "".join(each.sentence for each in findings)
