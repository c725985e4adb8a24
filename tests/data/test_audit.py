"""Labels counted keypoint by keypoint."""

from __future__ import annotations

import numpy as np

from kpkit.core.instances import Instances
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.data.audit import KeypointAudit, audit_labels


def people() -> Instances:
    keypoints = np.zeros((4, 14, 3))
    keypoints[:3, 0] = [[5, 5, 2], [5, 5, 2], [50, 5, 1]]  # right shoulders; the third outside its box
    keypoints[0, 12] = [5, -3, 1]  # a head top above its box
    box = np.tile([0.0, 0.0, 10.0, 10.0], (4, 1))
    box[3, 2] = 0
    keypoints[3] = 0
    return Instances.of([1, 1, 2, 2], box, keypoints, skeleton=AIC14)


def test_counts_and_mapping_by_name() -> None:
    audit = audit_labels(people(), COCO17)
    assert (audit.people, audit.boxless, audit.people_outside) == (4, 1, 2)
    rows = {row.name: row for row in audit.keypoints if row.name}
    assert tuple(rows) == AIC14.keypoints
    assert rows["right_shoulder"] == KeypointAudit("right_shoulder", "right_shoulder", 2, 1, 1, 1)
    assert rows["head_top"] == KeypointAudit("head_top", None, 0, 1, 3, 1)
    assert rows["neck"].becomes is None
    lacking = [row.becomes for row in audit.keypoints if row.name is None]
    assert lacking == ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
    assert [audit.total(state) for state in ("visible", "hidden", "unlabelled", "outside")] == [2, 2, 52, 2]


def test_crowds_are_left_out() -> None:
    crowd = people().with_(crowd=np.array([True, False, False, False]))
    audit = audit_labels(crowd, COCO17)
    assert audit.people == 3
    assert audit.keypoints[0].visible == 1


def test_its_own_skeleton_lacks_nothing() -> None:
    assert all(row.name == row.becomes for row in audit_labels(people(), AIC14).keypoints)
