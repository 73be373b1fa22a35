"""Pages that are asked for side by side share a query, and each customer gets the page of their own link."""

import asyncio
import random
from collections.abc import Sequence

import httpx
import pytest

from nicobar.pages.entry import links
from nicobar.storage.belongings.hosted_page import HostedPage, find_hosted_pages
from nicobar.storage.database import Read
from shop import Shop, item, order_request


@pytest.mark.parametrize("fails", [False, True])
async def test_everybody_gets_their_own(shop: Shop, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    """Also where many ask for the same link, some go away meanwhile, some links are unknown, and queries break."""
    draw = random.Random(7)  # noqa: S311 - it wants to repeat
    paths, prices = [], [1001 + 111 * number for number in range(12)]
    for price in prices:
        made = await shop.create(order_request(item(await shop.product(price)), payment_link=True))
        paths.append("/" + made["payment_link"].rpartition("/")[2])
    asked: list[int] = []

    async def look_up(read: Read, link_ids: Sequence[str]) -> list[HostedPage | None]:
        asked.append(len(link_ids))
        found = await find_hosted_pages(read, link_ids)
        if fails and len(link_ids) > 1 and draw.random() < 0.5:
            raise ValueError("the row of somebody else cannot be read")
        return found

    monkeypatch.setattr(links, "find_hosted_pages", look_up)

    async def visit(index: int) -> tuple[int, httpx.Response]:
        return index, await shop.browser.get(paths[index] if index >= 0 else "/00000000")

    visits = [asyncio.create_task(visit(draw.randrange(-1, 12))) for _ in range(120)]
    await asyncio.sleep(0)
    gone = draw.sample(visits, 20)
    for task in gone:
        task.cancel()
    await asyncio.wait(visits)
    assert max(asked) > 1
    for index, page in [task.result() for task in visits if task not in gone]:
        if index < 0:
            assert page.status_code in (404, 429)
            continue
        assert page.status_code == 200
        assert [price for price in prices if f"${price / 100:.2f}" in page.text] == [prices[index]]
