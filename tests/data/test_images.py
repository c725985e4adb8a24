"""Pictures: sizes from headers, decoding, refusals, the cache."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.data.images import ImageCache, image_size, read_image

RED_GREEN = np.zeros((20, 31, 3), np.uint8)
RED_GREEN[:, :15, 0] = 250
RED_GREEN[:, 15:, 1] = 250


def save(path: Path, image: np.ndarray = RED_GREEN, *flags: int) -> Path:
    pixels = image[..., ::-1] if image.ndim == 3 else image
    assert cv2.imwrite(str(path), np.ascontiguousarray(pixels), list(flags))
    return path


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp"])
def test_size_and_colours(tmp_path: Path, ending: str) -> None:
    path = save(tmp_path / f"a.{ending}")
    assert image_size(path) == (31, 20)
    image = read_image(path)
    assert image.shape == (20, 31, 3)
    assert image.dtype == np.uint8
    assert image[10, 3].argmax() == 0  # red first
    assert image[10, 28].argmax() == 1


def test_progressive_jpeg_and_grey_png(tmp_path: Path) -> None:
    path = save(tmp_path / "p.jpg", RED_GREEN, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert image_size(path) == (31, 20)
    read_image(path)
    grey = save(tmp_path / "g.png", np.arange(200, dtype=np.uint8).reshape(10, 20))
    image = read_image(grey)
    assert image.shape == (10, 20, 3)
    assert (image == image[..., :1]).all()


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg")
    data = path.read_bytes()
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    body = b"Exif\0\0" + tiff
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])
    turned = cv2.imread(str(path))
    assert turned.shape == (31, 20, 3)  # the mark is there and other readers obey it
    assert image_size(path) == (31, 20)
    assert read_image(path).shape == (20, 31, 3)


def test_thumbnail_and_trailing_bytes_do_not_confuse(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg")
    data = path.read_bytes()
    thumbnail = b"JFXX\0\x10" + data
    segment = b"\xff\xe0" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    path.write_bytes(data[:2] + segment + data[2:] + b"after the end")
    assert read_image(path).shape == (20, 31, 3)
    path.write_bytes((data[:2] + segment + data[2:])[:-60])
    with pytest.raises(InputError, match="cut short"):
        read_image(path)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_every_cut_is_refused(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    path = save(tmp_path / f"a.{ending}", noise)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 9, len(whole) // 25):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut short|not an image") as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "fetch the picture again" in str(caught.value)


def test_missing_picture_and_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jpg: missing picture; .*fetch"):
        read_image(tmp_path / "none.jpg")
    path = tmp_path / "text.jpg"
    path.write_text("this is not a picture")
    with pytest.raises(InputError, match=r"text\.jpg: not an image"):
        read_image(path)
    with pytest.raises(InputError, match="not an image"):
        image_size(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path)


def test_huge_headers_are_refused_before_decoding(tmp_path: Path) -> None:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path = tmp_path / "bomb.png"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"40000 x 40000 pixels, more than the 100,000,000 allowed"):
        read_image(path)
    with pytest.raises(InputError, match="31 x 20 pixels, more than the 600"):
        read_image(save(tmp_path / "a.bmp"), max_pixels=600)
    read_image(tmp_path / "a.bmp", max_pixels=620)


def test_cache_keeps_the_latest_within_its_bytes(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{k}.png", np.full((10, 10, 3), k, np.uint8)) for k in range(4)]
    cache = ImageCache(700)
    first = cache.read(paths[0])
    cache.read(paths[1])
    assert cache.read(str(paths[0])) is first
    cache.read(paths[2])  # drops 1, the least recently used
    assert cache.bytes == 600
    paths[0].unlink()
    paths[1].unlink()
    assert (cache.read(paths[0]) == 0).all()
    with pytest.raises(InputError, match="missing picture"):
        cache.read(paths[1])
    with pytest.raises(ValueError, match="read-only"):
        cache.read(paths[0])[0] = 1
    assert ImageCache(0).read(paths[3]).max() == 3


@pytest.mark.shared
def test_real_pictures(shared: Path) -> None:
    from kpkit.data.coco import read_annotations

    images, _ = read_annotations(shared / "real/coco/annotations/person_keypoints_train2017.json")
    folder = shared / "real/coco/train2017"
    for name, width, height in zip(images.file_name, images.width, images.height, strict=True):
        assert image_size(folder / name) == (width, height)
    for name in images.file_name[::6]:
        image = read_image(folder / name)
        bgr = cv2.imread(str(folder / name), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        np.testing.assert_array_equal(image, bgr[..., ::-1])
