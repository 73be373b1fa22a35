"""The templates of the pages, compiled once for each language.

What a page says to everybody alike is written into the compiled template: a third of what a page shows needs neither
to be looked up nor to be escaped again.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import TemplateModule
from jinja2.runtime import Context, Macro
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from nicobar.pages.frame.static_files import StaticFiles
from nicobar.pages.texts.texts import LANGUAGES, load_texts

_FOLDER: Final = Path(__file__).parents[1] / "templates"

_SPECIAL: Final = re.compile(r"""[&<>'"]""")
"""What `escape` replaces."""

Constant = Callable[[str], str]
"""A function of a template that always returns the same for the same argument, as text that is not escaped yet."""


@cache
def static_files() -> StaticFiles:
    """Return the files that the pages load."""
    return StaticFiles()


@lru_cache(maxsize=4 * len(LANGUAGES))
def templates(prefix: str, language: str) -> Environment:
    """Return the templates in a language, for addresses below a path, however many applications a process makes."""
    static = static_files()
    constants: dict[str, Constant] = {
        "texts": load_texts(language),
        "asset": lambda name: f"{prefix}/static/{static.name(name)}",
        "integrity": static.integrity,
    }
    environment = _Templates(constants)
    environment.filters["rendered_by"] = rendered_by
    environment.filters["picture"] = lambda image_id: f"{prefix}/images/{image_id}/small"
    return environment


def written(value: object) -> str:
    """Return a value as HTML: most texts hold nothing to escape, and are spared a copy that says so."""
    if type(value) is Markup or (type(value) is str and _SPECIAL.search(value) is None):
        return value
    return escape(value)


class View(Hashable, Protocol):
    """What a macro shows."""

    @property
    def is_plain(self) -> bool:
        """Whether it is the same for every customer."""


def rendered_by(view: View, macro: Macro) -> str:
    """Return what a macro makes of a view and nothing else; a plain view is rendered once for all who see it."""
    return _plain(view, macro) if view.is_plain else macro(view)


@lru_cache(maxsize=4096)
def _plain(view: View, macro: Macro) -> str:
    return macro(view)


class _Code(CodeGenerator):
    """Jinja's compiler, which writes each value with `written`."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        self.write("environment.written(")


class _Context(Context):
    """The names of a template. Jinja's own looks at each function before a call, for whether it takes them as well."""

    def call(
        self, function: Callable[..., Any], /, *args: Any, _loop_vars: Any = None, _block_vars: Any = None, **named: Any
    ) -> Any:
        """Call a macro or another function."""
        return function(*args, **named)


class _Template(Template):
    """A template. There are no globals, and Jinja's own looks for new ones at each import."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        return super()._get_default_module()


class _Templates(Environment):
    """Jinja's environment, which calls constant functions when it compiles a template."""

    code_generator_class = _Code
    context_class = _Context
    template_class = _Template
    written = staticmethod(written)

    def __init__(self, constants: Mapping[str, Constant]) -> None:
        super().__init__(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,  # it would ask for the time of each file for each page
        )
        self.globals.clear()  # an import in a template looks at each of them
        self.getattr = getattr  # type: ignore[assignment] # no view is a mapping, whose keys would be tried as well
        self._calls = _Calls(constants)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        return super()._generate(self._calls.visit(source), name, filename, defer_init)


class _Calls(NodeTransformer):
    """Writes what a constant function returns in place of its call, wherever a template names the argument itself."""

    def __init__(self, constants: Mapping[str, Constant]) -> None:
        self._constants = constants

    def visit_Call(self, call: nodes.Call) -> nodes.Node:
        """Return the constant that replaces a call, or the call itself."""
        self.generic_visit(call)
        function = self._constants.get(call.node.name) if isinstance(call.node, nodes.Name) else None
        match call.args, call.kwargs:
            case [nodes.Const(value=str(argument))], [] if function is not None:
                return nodes.Const(function(argument), lineno=call.lineno, environment=call.environment)
            case _:
                return call
