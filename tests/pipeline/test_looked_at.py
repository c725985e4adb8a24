"""Each choice of ``[boxes]``, on the world's detections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from kpkit.core.boxes import box_iou
from kpkit.core.instances import Instances
from kpkit.data.load import load_boxes, load_dataset
from kpkit.data.results import write_detections
from kpkit.pipeline.looked_at import looked_at
from kpkit.specs.datasets import Dataset, resolve
from kpkit.specs.ensemble import BoxesSpec


@pytest.fixture
def val(nano_world: Path, tmp_path: Path) -> Dataset:
    """The world's val set, every detection doubled nearby, and a second detector that sees the doubles."""
    dataset = resolve("coco_val2017", nano_world, need=("detections",))
    boxes = load_boxes(dataset, load_dataset(dataset), "detections")
    doubles = boxes.with_(box=boxes.box + 1.0, score=boxes.score * 0.9)
    write_detections(tmp_path / "both.json", Instances.concat([boxes, doubles]))
    write_detections(tmp_path / "doubles.json", doubles)
    more = (tmp_path / "doubles.json",)
    return replace(dataset, detections=tmp_path / "both.json", more_detections=more)


def chosen(val: Dataset, **table: Any) -> Instances:
    return looked_at(val, load_dataset(val), BoxesSpec.model_validate(table))


def closest(boxes: Instances) -> float:
    """The largest IoU of two boxes of one picture."""
    found = [0.0]
    for image in np.unique(boxes.image_id):
        box = boxes.box[boxes.image_id == image]
        found.append(float((box_iou(box, box) - np.eye(len(box))).max()))
    return max(found)


def test_each_choice(val: Dataset) -> None:
    everything = chosen(val)
    assert closest(everything) > 0.8
    hard = chosen(val, nms="hard", iou_nms=0.5)
    assert len(hard) <= len(everything) / 2 and closest(hard) <= 0.5
    linear = chosen(val, nms="soft_linear")
    gaussian = chosen(val, nms="soft_gaussian")
    assert len(linear) == len(gaussian) == len(everything)
    assert linear.score.sum() < everything.score.sum() > gaussian.score.sum()
    fused = chosen(val, nms="fusion", iou_nms=0.55, more=[{"detections": "doubles.json", "weight": 2.0}])
    assert closest(fused) < closest(everything)
    for boxes in (everything, hard, linear, gaussian, fused):
        assert boxes.boxes_hash() == boxes.sorted_by_image().boxes_hash()


def test_the_least_score_is_asked_of_what_became_of_it(val: Dataset) -> None:
    everything = chosen(val, min_score=0.3)
    linear = chosen(val, nms="soft_linear", min_score=0.3)
    assert 0 < len(linear) < len(everything)
    assert linear.score.min() >= 0.3


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"source": "truth", "nms": "hard"}, 'source = "detections"'),
        ({"more": [{"detections": "a.json"}]}, 'nms = "fusion"'),
        ({"nms": "soft_gaussian", "iou_nms": 0.0}, "above 0"),
    ],
)
def test_what_does_not_go_together_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BoxesSpec.model_validate(table)
