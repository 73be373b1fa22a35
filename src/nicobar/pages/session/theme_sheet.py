"""The look of a session as a style sheet of our own: custom properties, and nothing else.

Every value was let through by `core/sessions/theme.py` when the session was made, and is again here.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from nicobar.core.sessions.checkout_session import Customization
from nicobar.core.sessions.theme import ColourSet, css_colour, css_length

_PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "bg_primary": ("--page", "--field"),
    "bg_secondary": ("--side",),
    "border_primary": ("--edge",),
    "border_secondary": ("--line",),
    "button_primary": ("--brand",),
    "button_primary_hover": ("--brand-strong",),
    "button_secondary": ("--quiet",),
    "button_secondary_hover": ("--quiet-strong",),
    "button_text_primary": ("--on-brand",),
    "button_text_secondary": ("--on-quiet",),
    "input_focus_border": ("--focus",),
    "text_error": ("--bad",),
    "text_placeholder": ("--placeholder",),
    "text_primary": ("--ink",),
    "text_secondary": ("--soft",),
    "text_success": ("--good",),
}
"""The colours of the contract, and what they are on our pages."""

_SIZES: Final = {"xs": "87.5%", "sm": "93.75%", "md": "100%", "lg": "106.25%", "xl": "112.5%", "2xl": "125%"}
_WEIGHTS: Final = {"normal": "400", "medium": "500", "bold": "700", "extraBold": "800"}


def theme_sheet(customization: Customization) -> str:
    """Return the style sheet of a session; empty when it leaves everything as it is."""
    config, theme = customization.theme_config, customization.theme
    if config is None:
        return ""
    general = []
    if config.radius and (radius := css_length(config.radius)):
        general.append(f"--radius: {radius}")
    if config.font_size:
        general.append(f"--text-size: {_SIZES[config.font_size]}")
    if config.font_weight:
        general.append(f"--text-weight: {_WEIGHTS[config.font_weight]}")
    light, dark = [*_colours(config.light)], [*_colours(config.dark)]
    parts = [_rule([*general, *(light if theme != "dark" else dark)])]
    if theme not in ("dark", "light") and (rule := _rule(dark)):
        parts.append(f"@media (prefers-color-scheme: dark) {{ {rule} }}")
    return "\n".join(part for part in parts if part)


def _rule(declarations: list[str]) -> str:
    return f":root {{ {'; '.join(declarations)} }}" if declarations else ""


def _colours(colours: ColourSet | None) -> Iterator[str]:
    for name, properties in _PROPERTIES.items():
        text = None if colours is None else getattr(colours, name)
        colour = None if text is None else css_colour(text)
        if colour is not None:
            yield from (f"{variable}: {colour}" for variable in properties)
