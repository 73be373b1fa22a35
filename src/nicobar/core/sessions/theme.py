"""The look that a merchant gives to the page of a session, let through by a strict list: it ends up in a style sheet.

Source of the forms: contract, "Checkout sessions", 2.6.
"""

import re
from typing import Final, Literal

import msgspec

Theme = Literal["dark", "light", "system"]
FontSize = Literal["xs", "sm", "md", "lg", "xl", "2xl"]
FontWeight = Literal["normal", "medium", "bold", "extraBold"]

_NUMBER: Final = r"[+-]?(?:\d{1,4}(?:\.\d{1,6})?|\.\d{1,6})(?:%|deg|rad|turn|grad)?"
_PART: Final = rf"(?:{_NUMBER}|none)"
_SPACES: Final = r"(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch)"
_NAMED_SPACE: Final = r"(?:srgb|srgb-linear|display-p3|a98-rgb|prophoto-rgb|rec2020|xyz|xyz-d50|xyz-d65)"
_HEX: Final = re.compile(r"#?((?:[0-9a-f]{2}){3,4}|[0-9a-f]{3})", re.ASCII)
_FUNCTION: Final = re.compile(
    rf"{_SPACES}\( ?{_PART}(?: ?, ?{_PART}){{2,3}} ?\)"
    rf"|{_SPACES}\( ?{_PART}(?: {_PART}){{2}}(?: ?/ ?{_PART})? ?\)"
    rf"|color\( ?{_NAMED_SPACE}(?: {_PART}){{3}}(?: ?/ ?{_PART})? ?\)",
    re.ASCII,
)
_RADIUS: Final = re.compile(r"(?:\d{1,4}(?:\.\d{1,4})?|\.\d{1,4})(?:px|rem|em)", re.ASCII)

# fmt: off
_NAMES: Final = frozenset((
    "transparent", "currentcolor", "aliceblue", "antiquewhite", "aqua", "aquamarine", "azure", "beige", "bisque",
    "black", "blanchedalmond", "blue", "blueviolet", "brown", "burlywood", "cadetblue", "chartreuse", "chocolate",
    "coral", "cornflowerblue", "cornsilk", "crimson", "cyan", "darkblue", "darkcyan", "darkgoldenrod", "darkgray",
    "darkgreen", "darkgrey", "darkkhaki", "darkmagenta", "darkolivegreen", "darkorange", "darkorchid", "darkred",
    "darksalmon", "darkseagreen", "darkslateblue", "darkslategray", "darkslategrey", "darkturquoise",
    "darkviolet", "deeppink", "deepskyblue", "dimgray", "dimgrey", "dodgerblue", "firebrick", "floralwhite",
    "forestgreen", "fuchsia", "gainsboro", "ghostwhite", "gold", "goldenrod", "gray", "green", "greenyellow",
    "grey", "honeydew", "hotpink", "indianred", "indigo", "ivory", "khaki", "lavender", "lavenderblush",
    "lawngreen", "lemonchiffon", "lightblue", "lightcoral", "lightcyan", "lightgoldenrodyellow", "lightgray",
    "lightgreen", "lightgrey", "lightpink", "lightsalmon", "lightseagreen", "lightskyblue", "lightslategray",
    "lightslategrey", "lightsteelblue", "lightyellow", "lime", "limegreen", "linen", "magenta", "maroon",
    "mediumaquamarine", "mediumblue", "mediumorchid", "mediumpurple", "mediumseagreen", "mediumslateblue",
    "mediumspringgreen", "mediumturquoise", "mediumvioletred", "midnightblue", "mintcream", "mistyrose",
    "moccasin", "navajowhite", "navy", "oldlace", "olive", "olivedrab", "orange", "orangered", "orchid",
    "palegoldenrod", "palegreen", "paleturquoise", "palevioletred", "papayawhip", "peachpuff", "peru", "pink",
    "plum", "powderblue", "purple", "rebeccapurple", "red", "rosybrown", "royalblue", "saddlebrown", "salmon",
    "sandybrown", "seagreen", "seashell", "sienna", "silver", "skyblue", "slateblue", "slategray", "slategrey",
    "snow", "springgreen", "steelblue", "tan", "teal", "thistle", "tomato", "turquoise", "violet", "wheat",
    "white", "whitesmoke", "yellow", "yellowgreen",
))
# fmt: on
"""The named colours of CSS Color 4."""


class ColourSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The colours of one mode; None leaves a colour as it is."""

    bg_primary: str | None = None
    bg_secondary: str | None = None
    border_primary: str | None = None
    border_secondary: str | None = None
    button_primary: str | None = None
    button_primary_hover: str | None = None
    button_secondary: str | None = None
    button_secondary_hover: str | None = None
    button_text_primary: str | None = None
    button_text_secondary: str | None = None
    input_focus_border: str | None = None
    text_error: str | None = None
    text_placeholder: str | None = None
    text_primary: str | None = None
    text_secondary: str | None = None
    text_success: str | None = None


class ThemeConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Colours, corners and words of the page. Fonts are kept and not loaded: the page loads nothing from elsewhere."""

    light: ColourSet | None = None
    dark: ColourSet | None = None
    font_primary_url: str | None = None
    font_secondary_url: str | None = None
    font_size: FontSize | None = None
    font_weight: FontWeight | None = None
    radius: str | None = None
    pay_button_text: str | None = None


def css_colour(text: str) -> str | None:
    """Return a colour as a style sheet takes it; None for what is none of the forms that are let through."""
    plain = " ".join(text.lower().split())
    if match := _HEX.fullmatch(plain):
        return f"#{match[1]}"
    return plain if plain in _NAMES or _FUNCTION.fullmatch(plain) else None


def css_length(text: str) -> str | None:
    """Return the radius of corners as a style sheet takes it; None for anything but a number with px, rem or em."""
    plain = text.strip().lower()
    return plain if _RADIUS.fullmatch(plain) else None
