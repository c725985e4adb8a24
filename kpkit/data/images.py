"""Pictures from disk: size from the header, decoding with limits, a cache of decoded ones."""

from __future__ import annotations

import struct
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.files import write_bytes

# One thread per process: OpenCV's pool fights the data loaders' processes over the cores.
cv2.setNumThreads(0)

MAX_PIXELS = 100_000_000
"""Pictures above this are refused before decoding: a few bytes of header can ask for all the memory."""

_COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
# Start-of-frame markers of every JPEG process; C4, C8 and CC in that range mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode a picture.

    The EXIF orientation is ignored: COCO's coordinates are those of the stored pixels.

    Returns:
        (H, W, 3) uint8, RGB; grey pictures have three equal channels.

    Raises:
        InputError: missing picture, not an image, cut short, or more than ``max_pixels`` pixels.
    """
    data = _read(path)
    size = _header_size(data)
    if size is not None:
        _check_size(size, max_pixels, path)
        _check_whole(data, path)
    image = None
    if data:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), _COLOUR)
        except cv2.error:
            image = None
    if image is None:
        raise InputError("not an image that can be decoded", file=path, remedy="fetch the picture again")
    _check_size((image.shape[1], image.shape[0]), max_pixels, path)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height in stored pixels, from the header of a JPEG or PNG; others are decoded."""
    size = _header_size(_read(path))
    if size is None:
        height, width = read_image(path).shape[:2]
        return width, height
    return size


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        remedy = "check the picture folder, or fetch the data set's pictures"
        raise InputError("missing picture", file=path, remedy=remedy) from None
    except OSError as error:
        raise InputError(f"picture cannot be read ({error.strerror})", file=path) from None


def _check_size(size: tuple[int, int], max_pixels: int, path: str | Path) -> None:
    if size[0] * size[1] > max_pixels:
        cause = f"picture of {size[0]} x {size[1]} pixels, more than the {max_pixels:,} allowed"
        raise InputError(cause, file=path, remedy="leave it out or make it smaller")


def _header_size(data: bytes) -> tuple[int, int] | None:
    """Width and height a JPEG or PNG header gives; None for other formats or a broken header."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:2] == b"\xff\xd8":
        for marker, start in _jpeg_segments(data):
            if marker in _FRAMES and start + 9 <= len(data):
                height, width = struct.unpack(">HH", data[start + 5 : start + 9])
                return width, height
    return None


def _jpeg_segments(data: bytes) -> list[tuple[int, int]]:
    """(marker, offset of its 0xFF byte) of each header segment, up to and with the start of the scan."""
    found = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        found.append((marker, at))
        if marker == 0xDA:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return found


def _check_whole(data: bytes, path: str | Path) -> None:
    """Refuse a file without its end mark: decoders fill what is missing with grey and say nothing."""
    if data[:2] == b"\xff\xd8":
        scan = next((at for marker, at in _jpeg_segments(data) if marker == 0xDA), len(data))
        # Data after the mark are legal; before the scan a thumbnail may hold a mark of its own.
        whole = data.find(b"\xff\xd9", scan) >= 0
    else:
        whole = data.rfind(b"IEND") >= 0
    if not whole:
        raise InputError("picture is cut short", file=path, remedy="fetch the picture again")


class ImageCache:
    """Decoded pictures kept in memory, least recently used ones dropped first.

    Small data sets are read many times over; decoding is most of a crop's cost.

    Args:
        max_bytes: most memory the kept pictures may take; 0 keeps none.
        max_pixels: limit of one picture.
    """

    def __init__(self, max_bytes: int, *, max_pixels: int = MAX_PIXELS) -> None:
        self.max_bytes, self.max_pixels = max_bytes, max_pixels
        self.bytes = 0
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()

    def read(self, path: str | Path) -> np.ndarray:
        """As read_image; the array is shared and must not be written to."""
        name = str(path)
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        image = read_image(path, max_pixels=self.max_pixels)
        image.setflags(write=False)
        if image.nbytes <= self.max_bytes:
            self._kept[name] = image
            self.bytes += image.nbytes
            while self.bytes > self.max_bytes:
                self.bytes -= self._kept.popitem(last=False)[1].nbytes
        return image


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Save (H, W, 3) uint8 RGB as the file's ending says (.png, .jpg), atomically.

    Raises InputError for an ending that names no picture format.
    """
    try:
        done, data = cv2.imencode(Path(path).suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise InputError("the file's ending names no picture format", file=path, remedy="use .png or .jpg")
    write_bytes(path, data.tobytes())
