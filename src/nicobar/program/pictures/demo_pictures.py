"""The pictures of the demo's products: three birds of a few shapes, drawn when the demo is set up."""

import io
from typing import Final, NamedTuple

_SIDE: Final = 320
"""Pixels of a picture's side, and units of the shapes below. It is drawn four times as large, for smooth edges."""

_FINE: Final = 4

_Points = tuple[tuple[int, int], ...]


class Bird(NamedTuple):
    """A bird in one colour on a ground of another, as it looks to the right."""

    ground: str
    colour: str
    rounds: tuple[tuple[int, int, int, int], ...]
    """Ellipses by their boxes: body, head, and of a note."""
    corners: tuple[_Points, ...]
    """Filled outlines: beak and tail."""
    lines: tuple[_Points, ...]
    """Strokes: legs, and of a note."""
    eye: tuple[int, int]


KIWI: Final = Bird(
    ground="#dfece6",
    colour="#0e6655",
    rounds=((52, 92, 222, 244), (178, 66, 252, 140)),
    corners=(((232, 84), (296, 178), (226, 128)), ((104, 106), (206, 80), (216, 150))),
    lines=(((122, 236), (116, 282), (140, 282)), ((170, 236), (168, 282), (192, 282))),
    eye=(226, 94),
)
PIGEON: Final = Bird(
    ground="#e6e8f4",
    colour="#4a4f8c",
    rounds=((78, 104, 238, 232), (184, 58, 250, 124)),
    corners=(
        ((242, 80), (276, 98), (242, 106)),
        ((28, 238), (112, 144), (150, 226)),
        ((188, 88), (250, 96), (236, 176)),
    ),
    lines=(((146, 226), (146, 278), (170, 278)), ((182, 226), (182, 278), (206, 278))),
    eye=(222, 84),
)
SONGBIRD: Final = Bird(
    ground="#f8eadb",
    colour="#a84a1c",
    rounds=((84, 130, 222, 240), (160, 90, 234, 164), (266, 80, 286, 96)),
    corners=(
        ((224, 104), (262, 92), (230, 124)),
        ((226, 128), (258, 140), (222, 146)),
        ((34, 110), (62, 96), (140, 160), (104, 202)),
    ),
    lines=(
        ((146, 236), (140, 280), (160, 280)),
        ((176, 236), (172, 280), (192, 280)),
        ((282, 88), (282, 44), (300, 52)),
    ),
    eye=(204, 118),
)


def draw(bird: Bird) -> bytes:
    """Return a PNG of the bird."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_SIDE * _FINE, _SIDE * _FINE), bird.ground)
    pen = ImageDraw.Draw(image)
    for box in bird.rounds:
        pen.ellipse([place * _FINE for place in box], fill=bird.colour)
    for outline in bird.corners:
        pen.polygon([(x * _FINE, y * _FINE) for x, y in outline], fill=bird.colour)
    for stroke in bird.lines:
        pen.line([(x * _FINE, y * _FINE) for x, y in stroke], fill=bird.colour, width=7 * _FINE, joint="curve")
    x, y = bird.eye
    pen.circle((x * _FINE, y * _FINE), 6 * _FINE, fill=bird.ground)
    out = io.BytesIO()
    image.reduce(_FINE).save(out, "PNG")
    return out.getvalue()
