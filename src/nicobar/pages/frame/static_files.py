"""The pages' own style, script and icon: read once, named by their content, cached by browsers for a year."""

import base64
import gzip
import hashlib
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.problems import Problem

_FOLDER: Final = Path(__file__).parents[1] / "static"

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_HEADERS: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}
"""The policy is for somebody who opens a file by itself, above all an image, which could hold a script."""


_NEVER: Final = frozenset({"q=0", "q=0.0", "q=0.00", "q=0.000"})


def in_one_scheme(style: bytes, theme: str) -> bytes:
    """Return a style sheet in one colour scheme, whatever the customer's system prefers."""
    answer = b"all" if theme == "dark" else b"not all"
    style = style.replace(b"(prefers-color-scheme: dark)", answer)
    return style.replace(b"color-scheme: light dark", f"color-scheme: {theme}".encode())


def takes_gzip(headers: Headers) -> bool:
    """Return whether a client reads compressed answers, as every browser does."""
    codings = [part.strip().partition(";") for part in headers.get("accept-encoding", "").lower().split(",")]
    return any(coding.strip() == "gzip" and weight.strip() not in _NEVER for coding, _, weight in codings)


class StaticFiles:
    """The files of `pages/static` under names that change with their content."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, tuple[bytes, str]] = {}
        self._packed: dict[str, bytes] = {}
        self._hashes: dict[str, str] = {}
        for path in sorted(_FOLDER.iterdir()):
            if path.suffix in _TYPES:
                self._keep(path.name, path.read_bytes())
        style = (_FOLDER / "checkout.css").read_bytes()
        for theme in ("light", "dark"):
            self._keep(f"checkout.{theme}.css", in_one_scheme(style, theme))

    def name(self, plain: str) -> str:
        """Return the name under which a file is served. Raises KeyError when there is no such file."""
        return self._names[plain]

    def integrity(self, plain: str) -> str:
        """Return the hash that a page states of a file, so that a browser takes nothing else for it."""
        return self._hashes[plain]

    def _keep(self, plain: str, content: bytes) -> None:
        stem, _, suffix = plain.rpartition(".")
        digest = hashlib.sha256(content)
        name = f"{stem}.{digest.hexdigest()[:12]}.{suffix}"
        self._names[plain] = name
        self._hashes[plain] = f"sha256-{base64.b64encode(digest.digest()).decode()}"
        self._files[name] = (content, _TYPES[f".{suffix}"])
        self._packed[name] = gzip.compress(content, mtime=0)

    async def serve(self, request: Request) -> Response:
        """Answer GET /static/{name}. Raises Problem NOT_FOUND."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise Problem("NOT_FOUND", what="File")
        content, media_type = found
        headers = {**_HEADERS, "vary": "accept-encoding"}
        if takes_gzip(request.headers):
            content, headers["content-encoding"] = self._packed[request.path_params["name"]], "gzip"
        return Response(content, headers=headers, media_type=media_type)
