"""The sentences of the hosted pages, one file for each language, and the choice of a language for a browser."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from babel import Locale, UnknownLocaleError

from nicobar.reference import locales

_FOLDER: Final = Path(__file__).parent / "locales"

_TAG: Final = re.compile(r"([A-Za-z]{2,3})(?:-[A-Za-z]{4})?(?:-([A-Za-z]{2}))?(?:-.*)?")
"""A language tag as browsers send it: language, perhaps script, perhaps territory (RFC 5646)."""

MAXIMUM_TAGS: Final = 10
"""Languages of one browser that are looked at."""

_BY_LANGUAGE: Final = {locale.code: locale for locale in locales.ALL}


class Texts:
    """The sentences of one language, by key such as `form.number`."""

    def __init__(self, language: str, sentences: dict[str, str]) -> None:
        self.language = language
        self._sentences = sentences

    def __call__(self, key: str, **values: object) -> str:
        """Return the sentence with its places filled. Raises KeyError for an unknown key or a missing value."""
        return self._sentences[key].format(**values)

    def __contains__(self, key: str) -> bool:
        """Say whether there is a sentence with this key."""
        return key in self._sentences

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all sentences."""
        return frozenset(self._sentences)


class Reader(NamedTuple):
    """Whom a page speaks to."""

    texts: Texts
    locale: Locale
    """For amounts and dates: the browser's own territory where it names one."""


def load_texts(language: str) -> Texts:
    """Read one language's file."""
    sections = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return Texts(
        language, {f"{section}.{key}": text for section, keys in sections.items() for key, text in keys.items()}
    )


ENGLISH: Final = load_texts("en")
"""The language that every sentence exists in."""


@lru_cache(maxsize=512)
def reader_for(accept_language: str) -> Reader:
    """Return the first of the browser's languages that is one of the contract's 22, otherwise English.

    Sentences exist in English only; amounts and dates already follow the language that was found.
    """
    for tag in _preferred(accept_language[:500]):
        match = _TAG.fullmatch(tag)
        language = _BY_LANGUAGE.get(match[1].lower()) if match else None
        if match and language:
            return Reader(ENGLISH, _babel_locale(match[1].lower(), match[2], language.babel_territory))
    return Reader(ENGLISH, Locale.parse("en_US"))


def _preferred(accept_language: str) -> list[str]:
    """Return the language tags of the header, the most wanted first; a quality that cannot be read counts as 0."""
    weighted = []
    for part in accept_language.split(",")[:MAXIMUM_TAGS]:
        tag, _, parameter = part.strip().partition(";")
        quality = parameter.strip().removeprefix("q=") if parameter else "1"
        readable = re.fullmatch(r"[01](\.\d{0,3})?", quality)
        weighted.append((float(quality) if readable else 0.0, tag.strip()))
    return [tag for quality, tag in sorted(weighted, key=lambda pair: pair[0], reverse=True) if quality > 0]


def _babel_locale(language: str, territory: str | None, otherwise: str) -> Locale:
    """Return the locale of language and territory, and the usual one of the language where that does not exist."""
    if territory is not None:
        try:
            return Locale.parse(f"{language}_{territory.upper()}")
        except (UnknownLocaleError, ValueError):
            pass
    return Locale.parse(otherwise)
