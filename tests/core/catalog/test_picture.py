"""What may be uploaded, and that nothing of it is kept but its pixels."""

import io
import struct
import warnings
import zlib
from typing import Any

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from nicobar.core.catalog.picture import MAXIMUM_SMALL, Picture, is_image_id
from nicobar.core.problems import Problem
from nicobar.drawing import draw_anew
from pictures import file_of, noise, opened

SECRET = "taken at 52.5200, 13.4050"
NOT_A_PICTURE = (415, "It is not a PNG, JPEG, WebP or GIF picture.")
DAMAGED = (422, "The picture is damaged or not complete.")
TOO_LARGE = (422, "The picture has more than 25000000 pixels.")


def refusal_of(upload: bytes) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        draw_anew(upload)
    assert caught.value.code == "INVALID_REQUEST_BODY"
    return caught.value.status, caught.value.message.removeprefix("Your request body is invalid. ")


def shown(picture: Picture) -> list[tuple[str | None, str, tuple[int, int]]]:
    return [(image.format, image.mode, image.size) for image in (opened(picture.whole), opened(picture.small))]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_every_format_becomes_two_sizes_of_one(kind: str) -> None:
    picture = draw_anew(file_of(Image.new("RGB", (1280, 800), "#c02060"), kind))
    assert shown(picture) == [("WEBP", "RGB", (640, 400)), ("WEBP", "RGB", (144, 90))]
    red, green, blue = opened(picture.small).getpixel((70, 40))  # type: ignore[misc]
    assert abs(red - 0xC0) < 6
    assert abs(green - 0x20) < 6
    assert abs(blue - 0x60) < 6


@pytest.mark.parametrize(
    ("size", "whole", "small"),
    [
        ((1, 1), (1, 1), (1, 1)),
        ((100, 30), (100, 30), (100, 30)),
        ((300, 900), (213, 640), (48, 144)),
        ((5000, 100), (640, 13), (144, 3)),
    ],
)
def test_nothing_is_enlarged_and_nothing_distorted(
    size: tuple[int, int], whole: tuple[int, int], small: tuple[int, int]
) -> None:
    picture = draw_anew(file_of(Image.new("RGB", size)))
    assert (opened(picture.whole).size, opened(picture.small).size) == (whole, small)


@pytest.mark.parametrize(
    ("mode", "size", "kind", "options", "most"),
    [
        ("1", (5001, 5000), "PNG", {}, 25_000_000),
        ("L", (5001, 5000), "GIF", {}, 25_000_000),
        ("L", (5001, 5000), "JPEG", {}, 25_000_000),
        ("RGB", (4100, 4100), "JPEG", {"progressive": True}, 16_666_666),
        ("CMYK", (3600, 3600), "JPEG", {"progressive": True}, 12_500_000),
        ("RGB", (2501, 2000), "WEBP", {"quality": 1, "method": 0}, 5_000_000),
    ],
)
def test_the_header_tells_what_is_too_large_to_be_decoded(
    mode: str, size: tuple[int, int], kind: str, options: dict[str, object], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = file_of(Image.new(mode, size), kind, **options)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _image: pytest.fail("it was decoded"))
    assert refusal_of(upload) == (422, f"The picture has more than {most} pixels.")


@pytest.mark.parametrize("size", [(1, 16_385), (1, 1_000_000), (16_385, 1)])
def test_a_thread_of_a_picture_is_refused_before_it_is_decoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = file_of(Image.new("1", size))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _image: pytest.fail("it was decoded"))
    assert refusal_of(upload) == (422, "The picture is more than 16384 pixels wide or high.")


def test_a_large_picture_keeps_its_places_and_its_transparency() -> None:
    """It is made smaller in strips, whose seams must not show."""
    image = Image.new("RGBA", (4000, 3001), (0, 0, 0, 0))
    image.paste((250, 10, 10, 255), (0, 1500, 4000, 3001))
    whole = opened(draw_anew(file_of(image)).whole)
    assert (whole.mode, whole.size) == ("RGBA", (640, 480))
    assert whole.getchannel("A").getextrema() == (0, 255)
    for row in (5, 230, 250, 474):
        red, _green, _blue, alpha = whole.getpixel((320, row))  # type: ignore[misc]
        assert (alpha, red > 200) == ((255, True) if row > 240 else (0, red > 200))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16"])
def test_every_kind_of_pixel_can_be_read(mode: str) -> None:
    colours = {"LA": (255, 255), "RGB": (255, 255, 255), "RGBA": (255, 255, 255, 255)}
    bright = colours.get(mode, 65_535 if mode == "I;16" else 255)
    picture = draw_anew(file_of(Image.new(mode, (40, 40), bright)))
    assert opened(picture.whole).convert("L").getpixel((20, 20)) == 255


def test_a_palette_can_be_read() -> None:
    picture = draw_anew(file_of(Image.new("RGB", (40, 40), "#ffffff").convert("P")))
    assert opened(picture.whole).convert("L").getpixel((20, 20)) == 255


def test_sixteen_bits_of_grey_keep_their_shade() -> None:
    grey = opened(draw_anew(file_of(Image.new("I;16", (40, 40), 100 << 8))).whole).convert("L").getpixel((20, 20))
    assert isinstance(grey, int)
    assert abs(grey - 100) < 3


def test_a_photograph_for_print_can_be_read() -> None:
    picture = draw_anew(file_of(Image.new("CMYK", (40, 40)), "JPEG"))
    assert opened(picture.whole).convert("L").getpixel((20, 20)) == 255


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_transparency_stays(kind: str) -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (20, 0, 40, 40))
    drawn = opened(draw_anew(file_of(image, kind)).small)
    assert drawn.mode == "RGBA"
    assert [drawn.getpixel((x, 20))[3] for x in (5, 35)] == [0, 255]  # type: ignore[index]


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("#ff0000", "#00ff00")]
    for kind in ("GIF", "WEBP", "PNG"):
        drawn = opened(draw_anew(file_of(frames[0], kind, save_all=True, append_images=frames[1:])).whole)
        assert getattr(drawn, "n_frames", 1) == 1
        red, green, _ = drawn.convert("RGB").getpixel((20, 20))  # type: ignore[misc]
        assert (red > 200, green < 50) == (True, True), kind


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_the_camera_wrote_is_gone_and_its_turn_is_made(kind: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = SECRET
    exif[ExifTags.Base.Orientation] = 6  # held upright: to be turned by a quarter
    image = Image.new("RGB", (80, 40), "#0000ff")
    image.paste("#ff0000", (0, 0, 40, 40))
    options: dict[str, Any] = {
        "exif": exif,
        "icc_profile": SECRET.encode(),
        "xmp": SECRET.encode(),
        "comment": SECRET.encode(),
    }
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", SECRET)
    upload = file_of(image, kind, **options)
    assert SECRET.encode() in upload
    picture = draw_anew(upload)
    for written in (picture.whole, picture.small):
        assert SECRET.encode() not in written
        assert [name for name in (b"EXIF", b"XMP ", b"ICCP") if name in written] == []
        drawn = opened(written)
        assert drawn.size == (40, 80)
        assert drawn.getpixel((20, 10))[0] > 200  # type: ignore[index]
        assert drawn.getpixel((20, 70))[2] > 200  # type: ignore[index]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_small_copy_is_small_whatever_it_shows(mode: str) -> None:
    picture = draw_anew(file_of(noise(700, 700, mode)))
    assert 0 < len(picture.small) <= MAXIMUM_SMALL
    assert len(picture.whole) < 1024 * 1024


@pytest.mark.parametrize(
    "upload",
    [
        b"",
        b"hello",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<!doctype html><script>alert(1)</script>",
        b"%PDF-1.7",
        b"GIF89a",
        file_of(Image.new("RGB", (8, 8)), "BMP"),
        file_of(Image.new("RGB", (8, 8)), "TIFF"),
        file_of(Image.new("RGB", (8, 8)), "ICO"),
    ],
)
def test_anything_else_is_refused(upload: bytes) -> None:
    assert refusal_of(upload) == NOT_A_PICTURE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_half_a_picture_is_refused(kind: str) -> None:
    whole = file_of(noise(200, 200), kind)
    assert refusal_of(whole[: len(whole) // 2]) == DAMAGED


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_broken_bytes_end_in_a_picture_or_a_refusal(kind: str) -> None:
    whole = file_of(noise(40, 40), kind)
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        broken = whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :]
        try:
            draw_anew(broken)
        except Problem as problem:
            assert problem.status in (415, 422)


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that says to be this large, and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(5001, 5000), (6000, 6000), (8000, 8000), (65_535, 65_535), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_unfolded(size: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as a server runs, whose first upload sets the library's bound
        assert refusal_of(png_of(*size)) == TOO_LARGE


def test_a_picture_of_the_largest_size_is_taken() -> None:
    picture = draw_anew(file_of(Image.new("L", (5000, 5000), 200)))
    assert opened(picture.whole).size == (640, 640)


def test_a_gif_whose_frame_is_larger_than_it_says_is_refused() -> None:
    small = file_of(Image.new("P", (10, 10)), "GIF")
    place = small.index(b",\x00\x00\x00\x00\x0a\x00\x0a\x00") + 5
    assert refusal_of(small[:place] + b"\xff\xff\xff\xff" + small[place + 4 :]) in (TOO_LARGE, DAMAGED)


def test_a_text_that_unfolds_to_gigabytes_is_refused() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a" * 2_000_000, zip=True)
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    assert len(out.getvalue()) < 5000
    assert refusal_of(out.getvalue()) == DAMAGED


def test_a_jpeg_of_endless_passes_is_refused() -> None:
    jpeg = file_of(noise(64, 64), "JPEG", progressive=True)
    start = jpeg.rindex(b"\xff\xda")
    scan = jpeg[start:-2]
    assert refusal_of(jpeg[:-2] + scan * 200 + jpeg[-2:]) == (422, "The JPEG has more than 100 scans.")


def test_ids_are_random_uuids() -> None:
    assert is_image_id("3c90c3cc-0d44-4b50-8888-8dd25736052a")
    for text in ("", "img_1", "3C90C3CC-0D44-4B50-8888-8DD25736052A", "3c90c3cc-0d44-1b50-8888-8dd25736052a"):
        assert not is_image_id(text)
    assert not is_image_id("3c90c3cc-0d44-4b50-8888-8dd25736052a\n")
