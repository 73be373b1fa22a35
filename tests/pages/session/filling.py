"""Forms of the session's page, filled as a browser without scripts sends them."""

import html
import re
from typing import Any

import httpx

FIELD = re.compile(r"<(?:input|select|textarea)\b[^>]*>")


def attributes(tag: str) -> dict[str, str]:
    found = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
    return {name: html.unescape(value) for name, value in found.items()}


def fields_of(page: httpx.Response) -> dict[str, str]:
    """Return the fields of the session's form with their values, boxes that are not ticked left out."""
    form = page.text.partition("data-session>")[2].partition("</form>")[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input\b[^>]*>", form):
        known = attributes(tag)
        if known.get("type") != "checkbox" or " checked" in tag:
            found[known["name"]] = known.get("value", "")
    for name, options in re.findall(r'<select\b[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected>', options)
        found[name] = html.unescape(chosen[1]) if chosen else ""
    return found


async def send(browser: httpx.AsyncClient, page: httpx.Response, **typed: Any) -> httpx.Response:
    """Fill the form of a page and send it."""
    return await browser.post(str(page.url), data=fields_of(page) | typed)


def errors_of(page: httpx.Response) -> dict[str, str]:
    """Return the sentences at fields, by the fields' names."""
    found = re.findall(r'<p class="field-error" id="([\w-]+?)-error"[^>]*>([^<]+)</p>', page.text)
    return {name: html.unescape(text) for name, text in found}


def notice_of(page: httpx.Response) -> tuple[str, str] | None:
    """Return heading and sentence of the notice that stands above the form, or None."""
    found = re.search(r'id="stale">.*?<h2>([^<]+)</h2>\s*<p>([^<]+)</p>', page.text, re.DOTALL)
    return None if found is None else (html.unescape(found[1]), html.unescape(found[2]))


def total_of(page: httpx.Response) -> str:
    match = re.search(r'class="sum-total">.*?<span class="amount">([^<]+)</span>', page.text, re.DOTALL)
    assert match is not None, page.text
    return html.unescape(match[1])
