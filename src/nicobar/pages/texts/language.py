"""In which language a page speaks: what the address asks for, what the seller knows, what the browser prefers."""

import re
from functools import cache, lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from babel import Locale, UnknownLocaleError
from markupsafe import Markup, escape
from starlette.requests import Request

from nicobar.pages.texts.texts import LANGUAGES, Reader, load_texts
from nicobar.reference import locales

PARAMETER: Final = "lang"
"""The query parameter that asks for a language by its code. It stays in the address through forms and redirects."""

MAXIMUM_TAGS: Final = 10
"""Languages of one browser that are looked at."""

_MAXIMUM_HEADER: Final = 500
"""Characters of the browser's header that are looked at."""

_TAG: Final = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z]{4})?(?:[-_]([A-Za-z]{2}))?(?:[-_].*)?")
"""A language tag as browsers send it: language, perhaps script, perhaps territory (RFC 5646)."""

_OLD_CODES: Final = {"iw": "he", "in": "id", "cmn": "zh", "yue": "zh"}
"""Codes that were replaced, and varieties that read the same writing."""

_CUT: Final = "\x00"

_BY_CODE: Final = {locale.code: locale for locale in locales.ALL if locale.code in LANGUAGES}


class TypedForm(NamedTuple):
    """A form of the page that something can have been typed into."""

    id: str
    action: str


class LanguageView(NamedTuple):
    """The selector of languages: a form that asks for the same page again."""

    action: str
    kept: tuple[tuple[str, str], ...]
    """The rest of the address's query, name and value."""
    chosen: str
    """The code of the page's language."""
    form: str | None
    """Id of the form that goes along without a script, so that what was typed is kept; None for a page without one."""
    form_address: str
    """Where that form is sent, to be shown again in a language whose code comes at the end."""

    @property
    def name(self) -> Markup:
        """The page's language in itself, as HTML."""
        return _native_name(self.chosen)

    @property
    def buttons(self) -> Markup:
        """One entry of a list for each language, as HTML: a template would take a tenth of a page's time."""
        address = str(escape(self.form_address))
        return Markup(address.join(_between_addresses(self.chosen, self.form)))  # noqa: S704 - of escaped texts


def reader_of(request: Request, preferred: str | None = None, forced: str | None = None) -> Reader:
    """Return the reader of a request; `preferred` is the language that the seller knows the customer to prefer.

    `forced` is the only language that the seller wants; one that is not ours is English.
    """
    asked = asked_language(request) if forced is None else _known(forced) or "en"
    return reader_for(request.headers.get("accept-language", ""), asked, preferred)


def asked_language(request: Request) -> str | None:
    """Return the language that the address asks for, None when it names none of ours."""
    return _known(request.query_params.get(PARAMETER))


def language_in(address: str) -> str | None:
    """Return the language that a payment page's address asks for; pages between go on in it."""
    return _known(dict(parse_qsl(urlsplit(address).query)).get(PARAMETER))


def with_language(path: str, language: str | None) -> str:
    """Return a path that goes on asking for this language; None changes nothing."""
    return path if language is None else with_parameter(path, PARAMETER, language)


def with_parameter(path: str, name: str, value: str) -> str:
    """Return a path of ours with one parameter more."""
    return f"{path}{'&' if '?' in path else '?'}{name}={value}"


def language_view(address: str, reader: Reader, typed: TypedForm | None = None) -> LanguageView:
    """Return the selector; `address` is the path and query that show the same page again."""
    parts = urlsplit(address)
    kept = tuple(pair for pair in parse_qsl(parts.query) if pair[0] != PARAMETER)
    path = f"{urlsplit(typed.action if typed else address).path}{'?' if kept else ''}{urlencode(kept)}"
    form = None if typed is None else typed.id
    return LanguageView(parts.path, kept, reader.texts.language, form, with_language(path, ""))


@cache
def _native_name(code: str) -> Markup:
    language = _BY_CODE[code]
    return Markup('<span lang="{}">{}</span>').format(language.tag, language.native_name)


@lru_cache(maxsize=1024)
def _between_addresses(chosen: str, form: str | None) -> tuple[str, ...]:
    """Return the entries of `LanguageView.buttons`, cut where the address of the form stands."""
    entries = []
    for language in _BY_CODE.values():
        place = Markup('form="{}" formmethod="post" formaction="{}{}" formnovalidate')
        sent = "" if form is None else " " + place.format(form, _CUT, language.code)
        current = Markup(' aria-current="true"') if language.code == chosen else ""
        button = Markup('<button type="submit" name="lang" value="{}" lang="{}"{}{}><bdi>{}</bdi></button>')
        values = (language.code, language.tag, sent, current, language.native_name)
        entries.append(f"<li>{button.format(*values)}</li>")
    return tuple("\n".join(entries).split(_CUT))


@lru_cache(maxsize=1024)
def reader_for(accept_language: str, asked: str | None = None, preferred: str | None = None) -> Reader:
    """Return who reads a page.

    The language is the one that was asked for, else the preferred one, else the first of the browser's languages that
    is one of the contract's 22, else English. Amounts and dates follow the browser's own territory where it names one
    for this language.
    """
    wanted = _wanted(accept_language[:_MAXIMUM_HEADER])
    chosen = _known(asked) or _known(preferred) or next((code for code, _ in wanted), "en")
    territory = next((place for code, place in wanted if code == chosen), None)
    return Reader(load_texts(chosen), _babel_locale(_BY_CODE[chosen], territory))


def _known(language: str | None) -> str | None:
    match = _TAG.fullmatch(language or "")
    code = "" if match is None else match[1].lower()
    code = _OLD_CODES.get(code, code)
    return code if code in _BY_CODE else None


def _wanted(accept_language: str) -> list[tuple[str, str | None]]:
    """Return language and territory of the header's tags that are ours, the most wanted first.

    A quality that cannot be read counts as 0.
    """
    weighted = []
    for part in accept_language.split(",")[:MAXIMUM_TAGS]:
        tag, _, parameter = part.strip().partition(";")
        quality = parameter.strip().removeprefix("q=") if parameter else "1"
        readable = re.fullmatch(r"[01](\.\d{0,3})?", quality)
        weighted.append((float(quality) if readable else 0.0, tag.strip()))
    weighted.sort(key=lambda pair: pair[0], reverse=True)
    matches = [(_known(tag), _TAG.fullmatch(tag)) for quality, tag in weighted if quality > 0]
    return [(code, match[2]) for code, match in matches if code is not None and match is not None]


def _babel_locale(language: locales.Locale, territory: str | None) -> Locale:
    """Return the locale of language and territory, and the usual one of the language where that does not exist."""
    if territory is not None:
        try:
            return Locale.parse(f"{language.babel}_{territory.upper()}")
        except (UnknownLocaleError, ValueError):
            pass
    return Locale.parse(language.babel_territory)
