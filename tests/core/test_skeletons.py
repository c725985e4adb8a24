"""Skeletons: mirrored pairs, halves, meeting by name."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.core.errors import KpkitError
from kpkit.core.skeletons import AIC14, COCO17, SKELETONS, Skeleton


def test_known_skeletons() -> None:
    assert {name: len(s) for name, s in SKELETONS.items()} == {"coco17": 17, "aic14": 14}
    for skeleton in SKELETONS.values():
        assert len(skeleton.oks_sigmas) == len(skeleton)
        assert len(skeleton.limb_indices) == len(skeleton.limbs)


def test_coco_pairs_are_the_published_ones() -> None:
    assert COCO17.flip_pairs == ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
    assert COCO17.flip_order[0] == 0
    assert AIC14.flip_pairs == ((0, 3), (1, 4), (2, 5), (6, 9), (7, 10), (8, 11))
    assert AIC14.flip_order[12:].tolist() == [12, 13]


@pytest.mark.parametrize("skeleton", list(SKELETONS.values()), ids=lambda s: s.name)
def test_mirroring_twice_is_identity(skeleton: Skeleton) -> None:
    assert skeleton.flip_order[skeleton.flip_order].tolist() == list(range(len(skeleton)))


def test_upper_body_is_above_the_hips() -> None:
    assert np.flatnonzero(COCO17.upper_body).tolist() == list(range(11))
    assert np.flatnonzero(~AIC14.upper_body).tolist() == [6, 7, 8, 9, 10, 11]


def test_aic_meets_coco_by_name() -> None:
    # The pairs of mmpose's AIC configuration.
    pairs = {0: 6, 1: 8, 2: 10, 3: 5, 4: 7, 5: 9, 6: 12, 7: 14, 8: 16, 9: 11, 10: 13, 11: 15, 12: -1, 13: -1}
    assert dict(enumerate(AIC14.positions_in(COCO17).tolist())) == pairs


def test_faults_are_refused() -> None:
    with pytest.raises(KpkitError, match="no keypoint 'tail'"):
        COCO17.index("tail")
    with pytest.raises(KpkitError, match="occurs twice"):
        Skeleton("x", ("a", "a"), (), ())
    with pytest.raises(KpkitError, match="one OKS sigma per keypoint"):
        Skeleton("x", ("a", "b"), (0.1,), ())
    with pytest.raises(KpkitError, match="no keypoint 'right_a'"):
        _ = Skeleton("x", ("left_a",), (), ()).flip_order
