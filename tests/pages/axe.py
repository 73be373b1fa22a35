"""axe-core in a page: what stands in the way of people who see, hear or move differently."""

from typing import Any

from playwright.async_api import Frame, Page

from pages.browsing import package_file


async def obstacles(place: Page | Frame, *, colours_only: bool = False) -> list[str]:
    """Return every violation that axe-core finds, best practices included, with its element and what is wrong."""
    if not await place.evaluate("typeof axe === 'object'"):
        await place.evaluate(package_file("axe-core/axe.min.js"))
    options: dict[str, Any] = {"resultTypes": ["violations"]} | ({"runOnly": ["cat.color"]} if colours_only else {})
    found: list[dict[str, Any]] = (await place.evaluate("(options) => axe.run(document, options)", options))[
        "violations"
    ]
    return [
        f"{violation['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for violation in found
        for node in violation["nodes"]
    ]
