"""CVAT's XML taken apart safely: from a file, a folder or the zip CVAT makes, one picture at a time."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpkit.core.errors import InputError
from kpkit.data.json_rows import read_bytes

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ANNOTATIONS, LABELS = "annotations.xml", "labels.json"
MAX_BYTES = 2**30
"""Of the XML in a zip, a few bytes of which can unpack to all the memory; all of COCO takes half of it."""


def image_elements(path: Path) -> Iterator[Element]:
    """Every ``image`` element, one at a time; it is emptied when the next one is asked for.

    Raises InputError: no XML of CVAT's, broken, of video tracks, or with a document type.
    """
    from xml.etree.ElementTree import ParseError, XMLPullParser

    text = _text(path)
    # Without a document type there are no entities to expand or fetch. The text is fed decoded, so that no
    # encoding the file claims can hide one.
    if "<!DOCTYPE" in text:
        remedy = "CVAT writes none: export again as CVAT for images 1.1"
        raise InputError("holds a document type declaration", file=path, remedy=remedy)
    parser: Any = XMLPullParser(["end"])  # starts are not needed, and each event takes time
    last = None
    try:
        for start in range(0, len(text), 1 << 20):
            parser.feed(text[start : start + (1 << 20)])
            for _, last in parser.read_events():
                if last.tag == "track":
                    remedy = "export as CVAT for images 1.1"
                    raise InputError("holds video tracks", file=path, row="track", remedy=remedy)
                if last.tag == "image":
                    yield last
                    last.clear()
        parser.close()
    except ParseError as error:
        remedy = "export it again as CVAT for images 1.1"
        raise InputError(f"not valid XML ({error})", file=path, remedy=remedy) from None
    if last is None or last.tag != "annotations":  # the root ends last
        raise InputError("is not CVAT's XML: its root is not <annotations>", file=path)


def _text(path: Path) -> str:
    if path.is_dir():
        path = path / ANNOTATIONS
    data = read_bytes(path)
    if data[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive, archive.open(ANNOTATIONS) as file:
                data = file.read(MAX_BYTES + 1)
        except KeyError:
            remedy = "export as CVAT for images 1.1"
            raise InputError(f"the zip holds no {ANNOTATIONS}", file=path, remedy=remedy) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise InputError(f"not a whole zip archive ({error})", file=path) from None
        if len(data) > MAX_BYTES:
            cause = f"{ANNOTATIONS} unpacks to more than {MAX_BYTES:,} bytes"
            raise InputError(cause, file=path, remedy="unpack it and give the XML")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not XML in UTF-8", file=path, remedy="export it again from CVAT") from None
