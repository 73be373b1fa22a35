"""The pages' own style, script and icon: read once, named by their content, cached by browsers for a year."""

import hashlib
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from nicobar.core.problems import Problem

_FOLDER: Final = Path(__file__).parent / "static"

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_HEADERS: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}
"""The policy is for somebody who opens a file by itself, above all an image, which could hold a script."""


class StaticFiles:
    """The files of `pages/static` under names that change with their content."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, tuple[bytes, str]] = {}
        for path in sorted(_FOLDER.iterdir()):
            if path.suffix in _TYPES:
                content = path.read_bytes()
                name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
                self._names[path.name] = name
                self._files[name] = (content, _TYPES[path.suffix])

    def name(self, plain: str) -> str:
        """Return the name under which a file is served. Raises KeyError when there is no such file."""
        return self._names[plain]

    async def serve(self, request: Request) -> Response:
        """Answer GET /static/{name}. Raises Problem NOT_FOUND."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise Problem("NOT_FOUND", what="File")
        content, media_type = found
        return Response(content, headers=_HEADERS, media_type=media_type)
