"""From view to response: templates, security headers, and what a person sees when something is refused."""

import gzip
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nicobar.core.problems import Problem
from nicobar.flows.business_time.recall_clocks import recall_clocks
from nicobar.flows.runtime import Runtime
from nicobar.pages.frame.embedding import FrameView, error_view
from nicobar.pages.frame.static_files import takes_gzip
from nicobar.pages.frame.templates import static_files, templates
from nicobar.pages.texts.language import LanguageView, reader_of
from nicobar.pages.texts.texts import Texts
from nicobar.storage.database import DatabaseUnavailable, ReferenceGone

_log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

_HEADERS: Final = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}

SCRIPT_HEADER: Final = "x-nicobar-script"
"""Header of a form that the page's own script sends."""

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
)

_PROBLEM_TEXTS: Final = {403: "forbidden", 404: "missing", 413: "large", 429: "many", 503: "away", 500: "broken"}
"""HTTP status to the name of its sentences; every other refusal is a form that cannot be read."""


class Look(NamedTuple):
    """How a session wants its pages to look."""

    theme: str | None
    """`light` or `dark`; None leaves it to the customer's system."""
    sheet: str | None
    """The address of its style sheet."""
    pay_button_text: str | None


class Renderer:
    """Turns templates into responses. Addresses start with the public address's path, should it have one."""

    def __init__(self, public_url: str) -> None:
        self._prefix = urlsplit(public_url).path.rstrip("/")
        self.static = static_files()

    def path(self, path: str) -> str:
        """Return the address of one of our own pages, without scheme and host."""
        return self._prefix + path

    def page(
        self,
        template: str,
        *,
        texts: Texts,
        status: int = 200,
        form_action: str = "'self'",
        frame: FrameView | None = None,
        languages: LanguageView | None = None,
        look: Look | None = None,
        **values: Any,
    ) -> Response:
        """Render a page in the language of `texts`. `form_action` are the sources that its forms may lead to.

        Nobody may frame it, except the origins of `frame`: those that the seller has allowed. `languages` is the
        selector at its foot, `look` how a session wants the page to look.
        """
        values |= {"texts": texts, "frame": frame, "languages": languages, "look": look}
        body = templates(self._prefix, texts.language).get_template(template).render(values)
        ancestors = "'none'" if frame is None else frame.ancestors
        policy = f"{_POLICY}frame-ancestors {ancestors}; form-action {form_action}"
        headers = {**_HEADERS, "content-security-policy": policy}
        if ancestors != "'none'":
            del headers["x-frame-options"]  # it cannot name origins, and the policy above says the same better
        return Response(body, status, headers, "text/html")

    def problem(self, request: Request, status: int) -> Response:
        """Render a refusal, or a failure of ours, for a person."""
        texts = reader_of(request).texts
        name = _PROBLEM_TEXTS.get(status, "reload")
        heading = texts(f"problem.{'reload' if name == 'large' else name}_heading")
        frame = getattr(request.state, "frame", None)
        return self.page(
            "message.html",
            status=status,
            texts=texts,
            heading=heading,
            text=texts(f"problem.{name}_text"),
            frame=None if frame is None else error_view(frame, heading),
            page=None,
            seller=None,
            support_email=None,
            test_mode=False,
            back=None,
        )


def redirect(address: str) -> Response:
    """Send the browser on with GET, whatever the method was. An address leaves in ASCII, whatever it was made of."""
    address = quote(address, safe="!#$%&'()*+,/:;=?@[]~")
    return Response(status_code=303, headers={**_HEADERS, "location": address})


def tell_script(values: Mapping[str, str]) -> Response:
    """Answer the page's own script, which sent a form and goes on from there."""
    return Response(msgspec.json.encode(values), headers=_HEADERS, media_type="application/json")


def keep_cookie(response: Response, name: str, value: str, lifetime: timedelta, path: str, public_url: str) -> None:
    """Let the browser keep a cookie for addresses below `path`, out of reach of scripts and of other sites' forms."""
    response.set_cookie(
        name,
        value,
        max_age=int(lifetime.total_seconds()),
        path=path,
        secure=public_url.startswith("https:"),
        httponly=True,
        samesite="lax",
    )


def with_query_of(request: Request, path: str) -> str:
    """Return one of our paths with the query that the request came with, whatever bytes it holds."""
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def wants_json(request: Request) -> bool:
    """Return whether the client is a program that asks for JSON rather than a person's browser.

    Who shows an API key means the API: the path of an operation that is not there can look like a link.
    """
    accept = request.headers.get("accept", "")
    has_key = request.headers.get("authorization", "")[:7].lower() == "bearer "
    return "text/html" not in accept and (has_key or "application/json" in accept)


def wants_page(request: Request) -> bool:
    """Return whether the client is a person's browser: it asks for pages and shows no API key."""
    return "text/html" in request.headers.get("accept", "") and "authorization" not in request.headers


def refuse_foreign_forms(request: Request) -> None:
    """Refuse a form that another website sent. Raises Problem UNAUTHORIZED with status 403.

    Browsers say where a request comes from: `Sec-Fetch-Site` on https and localhost, `Origin` otherwise. Our pages
    send no referrer, so for their own forms `Origin` may read `null`.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        origin = request.headers.get("origin", "null")
        foreign = origin != "null" and _host_of(origin) != request.headers.get("host")
    if foreign:
        raise Problem("UNAUTHORIZED", status=403, message="This form was sent from another website")


def _host_of(origin: str) -> str | None:
    """Return host and port of an origin; None for one that cannot be read."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


class PageEndpoint:
    """One address of the pages. It shows people a page whatever happens, and leaves JSON errors to the edge."""

    def __init__(self, runtime: Runtime, renderer: Renderer, handlers: Mapping[str, Handler]) -> None:
        self._runtime = runtime
        self._renderer = renderer
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with the handler of its method."""
        request = Request(scope, receive)
        handler = self._handlers["GET" if request.method == "HEAD" else request.method]
        try:
            if "\x00" in scope["path"]:  # nothing has it in its name, and PostgreSQL cannot look it up
                raise Problem("NOT_FOUND", what="Page")
            await recall_clocks(self._runtime)
            response = await handler(request)
        except Problem as problem:
            if wants_json(request):
                raise
            response = self._renderer.problem(request, problem.status)
            if problem.retry_after is not None:
                response.headers["retry-after"] = str(problem.retry_after)
        except (DatabaseUnavailable, ReferenceGone) as error:
            if wants_json(request):
                raise
            event = "database_unavailable" if isinstance(error, DatabaseUnavailable) else "reference_gone"
            _log.error(event, why=str(error), path=request.state.told_path)
            response = self._renderer.problem(request, 503)
        except Exception:
            if not wants_json(request):
                await self._renderer.problem(request, 500)(scope, receive, send)
            raise  # it is a bug: the outermost layer logs it, and answers where nothing was sent yet
        if request.headers.get(SCRIPT_HEADER) and response.status_code == 303:
            response.status_code = 200  # a script could not see where a redirect leads, so it goes there itself
        await _packed(request, response)(scope, receive, send)


def _packed(request: Request, response: Response) -> Response:
    """Compress a page for a browser that reads it so.

    A page holds no secret next to a stranger's words, from which the length of the answer could betray it: whoever can
    ask for a page knows its link, and the link shows everything that is on it. Saved cards hang on a cookie, which
    browsers do not send for other sites.
    """
    if response.media_type != "text/html":
        return response
    response.headers["vary"] = "accept-encoding"
    if takes_gzip(request.headers):
        response.body = gzip.compress(response.body, 6, mtime=0)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
    return response
