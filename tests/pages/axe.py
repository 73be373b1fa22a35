"""axe-core in a page: what stands in the way of people who see, hear or move differently."""

from typing import Any

from playwright.async_api import Frame, Page

from pages.browsing import package_file


async def obstacles(place: Page | Frame) -> list[str]:
    """Return every violation that axe-core finds, best practices included, with its element and what is wrong."""
    if not await place.evaluate("typeof axe === 'object'"):
        await place.evaluate(package_file("axe-core/axe.min.js"))
    run = "axe.run(document, { resultTypes: ['violations'], iframes: false })"
    found: list[dict[str, Any]] = (await place.evaluate(run))["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for violation in found
        for node in violation["nodes"]
    ]
