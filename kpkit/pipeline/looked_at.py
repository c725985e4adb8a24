"""The boxes an ensemble looks at, as its ``[boxes]`` says."""

from __future__ import annotations

from dataclasses import replace

from kpkit.core.instances import Instances
from kpkit.data.load import LoadedDataset, load_boxes
from kpkit.inference.boxes import box_nms, fuse_boxes, soft_box_nms
from kpkit.specs.datasets import Dataset
from kpkit.specs.ensemble import BoxesSpec


def looked_at(dataset: Dataset, loaded: LoadedDataset, wanted: BoxesSpec) -> Instances:
    """Boxes in canonical order, after suppression or fusion.

    Args:
        dataset, loaded: the data set; ``dataset.more_detections`` are the files of ``wanted.more``.
        wanted: the document's table.

    Raises:
        InputError: a faulty or missing detections file.
    """
    if wanted.nms == "none":
        return load_boxes(dataset, loaded, wanted.source, wanted.min_score)
    boxes = load_boxes(dataset, loaded, wanted.source)
    if wanted.nms == "hard":
        boxes = box_nms(boxes, wanted.iou_nms)
    elif wanted.nms == "fusion":
        further = [replace(dataset, detections=path) for path in dataset.more_detections]
        others = [load_boxes(other, loaded, wanted.source) for other in further]
        weights = [1.0, *(detector.weight for detector in wanted.more)]
        boxes = fuse_boxes([boxes, *others], wanted.iou_nms, weights)
    else:
        boxes = soft_box_nms(boxes, wanted.iou_nms, linear=wanted.nms == "soft_linear")
    return boxes[boxes.score >= wanted.min_score].sorted_by_image()
