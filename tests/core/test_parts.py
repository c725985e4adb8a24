"""Parts of data sets: folds that never overlap, told by name."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.parts import Part, whole_and_part

IDS = np.random.default_rng(0).permutation(np.arange(-50, 4000) * 7919)


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_share_the_pictures_out(folds: int) -> None:
    parts = [Part(fold, folds) for fold in range(1, folds + 1)]
    held = np.stack([part.holds(IDS) for part in parts])
    assert (held.sum(axis=0) == 1).all()
    assert np.abs(held.mean(axis=1) - 1 / folds).max() < 0.03
    for part, mine in zip(parts, held, strict=True):
        assert (part.rest.holds(IDS) == ~mine).all()
        assert part.rest.rest == part


def test_a_picture_keeps_its_fold_in_any_company() -> None:
    part = Part(2, 3)
    assert (part.holds(IDS[::-1]) == part.holds(IDS)[::-1]).all()
    assert (part.holds(IDS[100:200]) == part.holds(IDS)[100:200]).all()
    few = Part(1, 2).holds(np.array([139, 285, 632, 724, 776, 785]))
    assert few.tolist() == [False, False, True, False, False, True]  # for ever: hashes do not tell it


def test_names_tell_parts() -> None:
    assert whole_and_part("coco_train2017") == ("coco_train2017", None)
    assert whole_and_part("coco_train2017@1of5") == ("coco_train2017", Part(1, 5))
    assert whole_and_part("a@b@not3of4") == ("a@b", Part(3, 4, others=True))
    assert whole_and_part("mine@1of5", {"mine@1of5": 0}) == ("mine@1of5", None)
    for part in (Part(1, 5), Part(3, 4, others=True)):
        assert whole_and_part(f"mine@{part}") == ("mine", part)


@pytest.mark.parametrize("text", ["", "1", "0of2", "3of2", "1of1", "1/2", "not", "1of2 ", "+1of2"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no part of it; write @1of5 for the first of five folds"):
        whole_and_part(f"mine@{text}")
