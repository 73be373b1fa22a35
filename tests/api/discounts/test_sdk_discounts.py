"""The official library drives every operation on discounts and validates each answer strictly."""

from datetime import UTC, datetime
from typing import Any

import dodopayments
import msgspec
import pytest
from dodopayments.types import Discount
from dodopayments.types.discount import CurrencyOption
from dodopayments.types.discount_detail import DiscountDetail

from api.answers import has_every_key
from discount_orders import buy, order_of
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from nicobar.storage.belongings.payment_belongings import load_belongings
from nicobar.storage.discounts.discounts import get_discount
from nicobar.wire.discounts.discounts import render_discount_detail


async def test_the_library_drives_every_operation(sdk: dodopayments.AsyncDodoPayments, clock: FakeClock) -> None:
    answer = await sdk.discounts.with_raw_response.create(
        type="flat",
        amount=500,
        code="Summer26",
        name="Summer",
        currency_options=[
            {"currency": "USD", "max_amount_possible": 500, "is_default": True},
            {"currency": "EUR", "max_amount_possible": 450},
        ],
        customer_eligibility="existing",
        starts_at=datetime(2026, 6, 1, tzinfo=UTC),
        expires_at="2026-09-01T00:00:00+02:00",
        metadata={"campaign": "radio", "wave": 2},
        usage_limit=10,
        per_customer_usage_limit=1,
        restricted_to=[],
        subscription_cycles=3,
        preserve_on_plan_change=True,
    )
    made = await answer.parse()
    raw = msgspec.json.decode(await answer.read())
    has_every_key(raw, Discount)
    has_every_key(raw["currency_options"][0], CurrencyOption)
    assert (made.code, made.type, made.starts_at) == ("SUMMER26", "flat", datetime(2026, 6, 1, tzinfo=UTC))
    assert made.expires_at == datetime(2026, 8, 31, 22, tzinfo=UTC)
    assert await sdk.discounts.retrieve(made.discount_id) == made
    assert await sdk.discounts.retrieve_by_code("sUMMER26") == made
    changed = await sdk.discounts.update(made.discount_id, usage_limit=None, starts_at=None, amount=7, metadata={})
    assert changed == made.model_copy(update={"usage_limit": None, "starts_at": None, "amount": 7, "metadata": {}})
    clock.advance(seconds=1)
    random = await sdk.discounts.create(type="percentage", amount=1250)
    assert (await sdk.discounts.list(page_number=0)).items == [random, changed]
    assert (await sdk.discounts.list(active=True, code="umm", discount_type="flat", product_id="pdt_x")).items == [
        changed
    ]
    discounts: Any = sdk.discounts  # typed as returning nothing, which is what is asserted
    assert await discounts.delete(made.discount_id) is None
    with pytest.raises(dodopayments.NotFoundError):
        await sdk.discounts.retrieve(made.discount_id)
    assert [item async for item in sdk.discounts.list(page_size=50)] == [random]


async def test_a_discount_of_a_payment_is_what_the_library_expects(runtime: Runtime, merchant: Merchant) -> None:
    response = await merchant.client.post("/discounts", json={"type": "percentage", "amount": 540, "code": "FIVE"})
    async with runtime.database.read() as read:
        record = await get_discount(read, merchant.tenant, response.json()["discount_id"])
        assert record is not None
    payment = await buy(runtime, order_of(runtime, merchant.tenant, "ana"), [record])
    async with runtime.database.read() as read:
        (applied,) = (await load_belongings(read, merchant.tenant, payment.payment_id)).discounts
    raw = msgspec.json.decode(msgspec.json.encode(render_discount_detail(applied)))
    has_every_key(raw, DiscountDetail)
    shared = raw.keys() & response.json().keys()
    assert {key: raw[key] for key in shared} == {key: response.json()[key] for key in shared}
    assert (raw["position"], raw["cycles_remaining"]) == (0, None)
    assert DiscountDetail.model_validate(raw).discount_id == record.discount_id
