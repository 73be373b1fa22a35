"""The sentences of the hosted pages, one file for each language."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, NamedTuple
from unicodedata import bidirectional

from babel import Locale

from nicobar.reference import locales

_FOLDER: Final = Path(__file__).parents[1] / "locales"

_BEYOND_CYRILLIC: Final = re.compile("[\u0590-\U0010ffff]")
"""Characters among which all those are that are written from right to left."""

LANGUAGES: Final = frozenset(path.stem for path in _FOLDER.glob("*.toml"))
"""The languages that there are sentences in."""


class Texts:
    """The sentences of one language, by key such as `form.number`."""

    def __init__(self, language: str, sentences: dict[str, str]) -> None:
        self.language = language
        self._sentences = sentences
        self._row = locales.get(language)

    def __call__(self, key: str, **values: object) -> str:
        """Return the sentence with its places filled. Raises KeyError for an unknown key or a missing value.

        In a language that is written from right to left each value is isolated, so that a Latin name or a number
        does not rearrange the words around it; in the others each value with a letter of the other direction.
        """
        if values:
            rtl = self.direction == "rtl"
            values = {name: f"\u2068{text}\u2069" if rtl or _turns(text) else text for name, text in values.items()}
        return self._sentences[key].format(**values)

    def __contains__(self, key: str) -> bool:
        """Return whether there is a sentence with this key."""
        return key in self._sentences

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all sentences."""
        return frozenset(self._sentences)

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        """How the language is written, for the page's `dir`."""
        return self._row.direction

    @property
    def tag(self) -> str:
        """The language for the page's `lang`, with its script where that is not obvious."""
        return self._row.tag


def _turns(value: object) -> bool:
    """Return whether a value holds a letter that is written from right to left."""
    return isinstance(value, str) and any(
        bidirectional(char) in ("R", "AL") for char in _BEYOND_CYRILLIC.findall(value)
    )


class Reader(NamedTuple):
    """Whom a page speaks to."""

    texts: Texts
    locale: Locale
    """For amounts and dates: the browser's own territory where it names one."""


@lru_cache(maxsize=len(locales.ALL))
def load_texts(language: str) -> Texts:
    """Return the sentences of one of the contract's languages; its file is read when it is first needed."""
    return Texts(language, sentences_of("en") | sentences_of(language))


@lru_cache
def sentences_of(language: str) -> dict[str, str]:
    """Return the sentences of one language's own file, by key."""
    sections = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return {f"{section}.{key}": text for section, keys in sections.items() for key, text in keys.items()}


class Reason(NamedTuple):
    """What is wrong with a field."""

    name: str
    """The sentence's name, among those of `error`."""
    character: str = ""
    """The character that is at fault, where it is one. It is never a digit."""

    def sentence(self, texts: Texts) -> str:
        """Return what the customer reads."""
        return texts(f"error.{self.name}", character=self.character)
