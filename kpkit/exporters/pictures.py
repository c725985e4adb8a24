"""Which pictures a labelling tool speaks of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable


@dataclass
class Pictures:
    """Finds the pictures that a tool names, and remembers which were named.

    Tools drop endings of names and drop or add folders: a name is looked for whole, then without its ending,
    then with more or fewer folders before it.

    Args:
        images: the image list.
        file: the tool's file, for errors.
    """

    images: ImageTable
    file: Path
    named: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._exact = {name: row for row, name in enumerate(self.images.file_name)}
        self._parts = [_parts(name) for name in self.images.file_name]
        self._by_stem: dict[str, list[int]] = defaultdict(list)
        for row, parts in enumerate(self._parts):
            self._by_stem[parts[-1]].append(row)

    def find(self, name: str, where: str) -> int:
        """Row of a picture.

        Args:
            name: what the tool calls it.
            where: where in the file, for errors.

        Raises:
            InputError: no such picture in the list, or several.
        """
        rows = self.look_for(name)
        if len(rows) != 1:
            cause = f"picture {name!r} is not in the image list"
            remedy = "give the list the labels were exported with"
            if rows:
                both = " or ".join(self.images.file_name[row] for row in rows[:2])
                cause, remedy = f"picture {name!r} could be {both}", "name pictures with their folders"
            raise InputError(cause, file=self.file, row=where, remedy=remedy)
        return rows[0]

    def look_for(self, name: str) -> list[int]:
        """Rows a name could mean, the closest way of reading it only."""
        if name in self._exact:
            return [self._exact[name]]
        parts = _parts(name)
        rows = self._by_stem.get(parts[-1], []) if parts else []
        same = [row for row in rows if self._parts[row] == parts]
        alike = same or [row for row in rows if _ends_with(self._parts[row], parts)]
        shared = {row: min(len(self._parts[row]), len(parts)) for row in alike}
        return [row for row in alike if shared[row] == max(shared.values())]

    def take(self, row: int, where: str) -> int:
        """Note that the file speaks of a picture; returns its image id. Raises InputError the second time."""
        if row in self.named:
            raise InputError(
                f"picture {self.images.file_name[row]!r} is there twice (first at {self.named[row]})",
                file=self.file,
                row=where,
                remedy="keep one of the two",
            )
        self.named[row] = where
        return int(self.images.id[row])

    def check_size(self, row: int, width: float, height: float, where: str) -> None:
        """Refuse a picture that the tool saw in another size (one turned by its EXIF orientation, say)."""
        known = int(self.images.width[row]), int(self.images.height[row])
        if known != (0, 0) and known != (width, height):
            raise InputError(
                f"picture {self.images.file_name[row]!r} is {width:g} x {height:g} here but "
                f"{known[0]} x {known[1]} in the image list",
                file=self.file,
                row=where,
                remedy="use the same pictures, without EXIF rotation",
            )

    @property
    def seen(self) -> ImageTable:
        """The pictures named so far."""
        rows = np.zeros(len(self.images), bool)
        rows[list(self.named)] = True
        return self.images[rows]


def _parts(name: str) -> tuple[str, ...]:
    """Folders and file name, without its ending."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.with_suffix("").parts if path.name else ()


def _ends_with(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether the longer of two paths ends with the shorter one."""
    shorter = min(len(a), len(b))
    return a[-shorter:] == b[-shorter:]
