"""`docs/errors.md` is generated: it says what the catalogue says, all of it."""

import re
from pathlib import Path

import pytest

from nicobar.api.documentation import error_catalogue
from nicobar.api.documentation.error_catalogue import example_message, render_error_catalogue
from nicobar.core.problems import CATALOGUE, CatalogueEntry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
COMMAND = (
    'python -c "from nicobar.api.documentation.error_catalogue import render_error_catalogue as page;'
    " print(page(), end='')\" > docs/errors.md"
)


def test_the_page_is_the_generated_text() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_error_catalogue(), f"write it anew: {COMMAND}"


def test_every_code_has_one_row_under_its_status() -> None:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    rows = {
        code: [section[:3] for section in sections for _ in range(section.count(f"| `{code}` |"))] for code in CATALOGUE
    }
    assert rows == {code: [str(entry.status)] for code, entry in CATALOGUE.items()}


def test_a_row_keeps_its_cells_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_catalogue, "CATALOGUE", {"ODD": CatalogueEntry(410, "{this} | {that}", "One\nline.")})
    assert "\n## 410 Gone\n\n| Code | Message | When |\n" in render_error_catalogue()
    assert "\n| `ODD` | `{this}` \\| `{that}` | One line. |\n" in render_error_catalogue()


def test_every_code_has_an_example_without_open_places() -> None:
    messages = {code: example_message(code) for code in CATALOGUE}
    assert [code for code, message in messages.items() if not message] == []
    open_places = {code: message for code, message in messages.items() if re.search(r"\{\w+\}", message)}
    assert open_places == {}, "give the places a sample in error_catalogue.py"


def test_examples_read_like_the_real_messages() -> None:
    assert example_message("UNSUPPORTED_COUNTRY") == "Country AI currently not supported"
    assert example_message("PRODUCT_CART_EMTPY") == "product_cart is empty"
    assert example_message("UNSUPPORTED_ACTION") == CATALOGUE["UNSUPPORTED_ACTION"].when
