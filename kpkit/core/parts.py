"""Parts of a data set: its pictures dealt into folds, the same for everybody who names them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from kpkit.core.errors import InputError
from kpkit.core.seeds import mixed

_FORM = re.compile(r"(not)?([0-9]{1,4})of([0-9]{1,4})")


@dataclass(frozen=True)
class Part:
    """One fold of a data set's pictures, or all but that fold.

    A picture's fold hangs on its id and the number of folds alone: not on the file's order, nor on which
    other pictures there are. Folds are therefore of nearly equal size, not of equal size.

    Attributes:
        fold: 1 to ``folds``.
        folds: 2 or more.
        others: all pictures but the fold's.
    """

    fold: int
    folds: int
    others: bool = False

    def __str__(self) -> str:
        return f"{'not' if self.others else ''}{self.fold}of{self.folds}"

    @property
    def rest(self) -> Part:
        """The pictures that this part lacks."""
        return replace(self, others=not self.others)

    def holds(self, image_id: np.ndarray) -> np.ndarray:
        """(N,) bool: which of the pictures with these ids, (N,) int64, belong to it."""
        dealt = mixed(image_id.astype(np.int64).view(np.uint64)) % np.uint64(self.folds)
        belongs: np.ndarray = (dealt == self.fold - 1) != self.others
        return belongs


def whole_and_part(name: str, own: Collection[str] = ()) -> tuple[str, Part | None]:
    """Split a data set's name: ``"coco_train2017@1of5"`` is its first fifth, ``"@not1of5"`` the other four.

    Args:
        name: what a document says.
        own: names that stand for themselves, whatever is in them.

    Raises:
        InputError: what follows the ``@`` names no part.
    """
    whole, at, text = name.rpartition("@")
    if not at or name in own:
        return name, None
    form = _FORM.fullmatch(text)
    part = Part(int(form[2]), int(form[3]), others=bool(form[1])) if form else None
    if part is None or part.folds < 2 or not 1 <= part.fold <= part.folds:
        remedy = "write @1of5 for the first of five folds, @not1of5 for all pictures but its"
        raise InputError(f"data set {name!r}: {text!r} is no part of it", remedy=remedy)
    return whole, part
