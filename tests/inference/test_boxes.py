"""Box NMS, soft-NMS and weighted fusion against the peer's kept rows and plain loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core.boxes import box_iou
from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.inference.boxes import box_nms, fuse_boxes, soft_box_nms


def detections(seed: int, boxes: int = 60, pictures: int = 4) -> Instances:
    """Jittered copies of a few boxes over several pictures, unsorted; ``id`` is the row."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(0, 100, (8, 4)) + np.array([0, 0, 60, 60])
    box = base[rng.integers(0, 8, boxes)] + rng.normal(0, 6, (boxes, 4))
    return Instances.of(
        rng.integers(0, pictures, boxes), box, score=rng.permutation(boxes) / boxes + 0.001,
        id=np.arange(boxes), source="D",
    )  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize("threshold", ["0.3", "0.5", "0.7"])
def test_golden(threshold: str, shared: Path) -> None:
    stored = np.load(shared / "golden/oks_nms.npz")
    x1, y1, x2, y2, score = stored["boxes_xyxys"].T
    # the peer counts pixels: a box from 3 to 5 is 3 wide
    box = np.stack([x1, y1, x2 - x1 + 1, y2 - y1 + 1], axis=1)
    # and of two equal scores it takes the later row first
    boxes = Instances.of(np.zeros(len(box)), box, score=score, id=np.arange(len(box)))[::-1]
    assert box_nms(boxes, float(threshold)).id.tolist() == stored[f"box_keep_{threshold}"].tolist()


@pytest.mark.parametrize("linear", [True, False])
def test_soft_nms_equals_a_plain_loop(linear: bool) -> None:
    boxes = detections(1)
    soft = soft_box_nms(boxes, 0.4, linear=linear)
    assert len(soft) == len(boxes)
    for image in np.unique(boxes.image_id):
        rows = np.flatnonzero(boxes.image_id == image)
        left = {int(row): float(boxes.score[row]) for row in rows}
        done: list[tuple[int, float]] = []
        while left:
            best = max(left, key=lambda row: left[row])
            done.append((best, left.pop(best)))
            for row in left:
                iou = float(box_iou(boxes.box[[best]], boxes.box[[row]])[0, 0])
                left[row] *= (1 - iou if iou >= 0.4 else 1) if linear else np.exp(-(iou**2) / 0.4)
        mine = soft[soft.image_id == image]
        assert mine.id.tolist() == [row for row, _ in done]
        np.testing.assert_allclose(mine.score, [score for _, score in done], rtol=1e-12)
    assert (soft.score < boxes.score[soft.id]).any()
    with pytest.raises(KpkitError, match="above 0"):
        soft_box_nms(boxes, 0.0, linear=False)


def plain_fusion(parts: list[Instances], weights: list[float], threshold: float) -> list[list[float]]:
    """Weighted boxes fusion as its paper tells it, one picture after the other: image, box, score."""
    found = []
    for image in np.unique(np.concatenate([part.image_id for part in parts])):
        rows = [
            (part.score[row] * weight, part.box[row])
            for part, weight in zip(parts, weights, strict=True)
            for row in np.flatnonzero(part.image_id == image)
        ]
        groups: list[list[tuple[float, np.ndarray]]] = []
        for row in sorted(rows, key=lambda row: -row[0]):
            means = [np.average([b for _, b in g], axis=0, weights=[s for s, _ in g]) for g in groups]
            iou = [float(box_iou(mean[None], row[1][None])[0, 0]) for mean in means]
            if iou and max(iou) > threshold:
                groups[int(np.argmax(iou))].append(row)
            else:
                groups.append([row])
        for group in groups:
            scores = [score for score, _ in group]
            box = np.average([b for _, b in group], axis=0, weights=scores)
            share = min(len(group), len(parts)) / sum(weights)
            found.append([float(image), *box.tolist(), float(np.mean(scores)) * share])
    return sorted(found, key=lambda row: (row[0], -row[5]))


@pytest.mark.parametrize("weights", [[1.0, 1.0], [2.0, 0.5]])
def test_fusion_equals_a_plain_loop(weights: list[float]) -> None:
    parts = [detections(2), detections(3, boxes=30)]
    fused = fuse_boxes(parts, 0.5, weights)
    table = np.column_stack([fused.image_id, fused.box, fused.score])
    wanted = np.array(plain_fusion(parts, weights, 0.5))
    assert len(wanted) < 60
    np.testing.assert_allclose(table, wanted, rtol=1e-12)


def test_a_person_two_detectors_see_is_worth_more_than_one_seen_once() -> None:
    one = Instances.of([1, 1], [[0, 0, 10, 10], [100, 0, 10, 10]], score=[0.8, 0.9], source="D")
    two = Instances.of([1], [[2, 0, 10, 10]], score=[0.4], source="D")
    fused = fuse_boxes([one, two], 0.5)
    np.testing.assert_allclose(fused.score, [0.6, 0.45])
    np.testing.assert_allclose(fused.box[0], [2 * 0.4 / 1.2, 0, 10, 10])


def test_boxes_that_say_nothing_are_left_out_and_weights_are_checked() -> None:
    one = Instances.of([1, 1], [[0, 0, 10, 10], [5, 5, 0, 10]], score=[0.0, 0.9], source="D")
    assert len(fuse_boxes([one, one], 0.5)) == 0
    assert len(box_nms(Instances.empty(), 0.5)) == len(soft_box_nms(Instances.empty(), 0.5, linear=True)) == 0
    with pytest.raises(KpkitError, match="2 detectors need as many positive weights"):
        fuse_boxes([one, one], 0.5, [1.0])
