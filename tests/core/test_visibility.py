"""Visibility codes and COCO's."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from kpkit.core.skeletons import SKELETONS
from kpkit.core.visibility import CODES, VisibilityCodes
from kpkit.specs.datasets import SkeletonName, VisibilityName


def test_documents_name_what_there_is() -> None:
    assert set(get_args(VisibilityName)) == set(CODES)
    assert set(get_args(SkeletonName)) == set(SKELETONS)


def test_ai_challenger_to_coco() -> None:
    codes = np.array([[1.0, 2.0], [3.0, 1.0]])
    assert CODES["aic"].to_coco(codes).tolist() == [[2, 1], [0, 2]]
    assert CODES["inverted"].to_coco(np.array([0, 1, 2])).tolist() == [0, 2, 1]
    assert CODES["openpose"].to_coco(np.array([0, 1, 2])).tolist() == [1, 2, 0]
    assert str(CODES["aic"]) == "1 visible, 2 labelled but not visible, 3 not labelled"


@pytest.mark.parametrize("codes", CODES.values(), ids=str)
def test_there_and_back(codes: VisibilityCodes) -> None:
    visibility = np.array([0, 1, 2, 2, 0])
    assert codes.to_coco(codes.from_coco(visibility)).tolist() == visibility.tolist()
    assert len({codes.visible, codes.hidden, codes.unlabelled}) == 3
