"""Poses read back with the labels of the pictures they were judged on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.files import file_hash
from kpkit.data.coco import read_annotations
from kpkit.data.results import write_poses
from kpkit.pipeline.artefacts import Artefact
from kpkit.reports.judged_poses import POSES, read_judged
from kpkit.reports.manifests import Entry, read_entry

from .fake_runs import make_data


def _judged_on(split: str, root: Path) -> Entry:
    """An ensemble whose poses of val2017 are the labels, said to be on ``split``."""
    annotations = root / "coco/annotations/person_keypoints_val2017.json"
    _, truth = read_annotations(annotations)
    inputs = {"boxes_annotations": file_hash(annotations)}
    artefact = Artefact("ensembles", "mine", {"split": split}, inputs, root / "runs")
    with artefact.working() as work:
        write_poses(work / POSES, truth)
    artefact.publish({"boxes": len(truth), "boxes_hash": truth.boxes_hash(), "pictures": 6}, 1.0, 0)
    return read_entry(artefact.folder)


def test_a_part_s_ensemble_is_held_against_its_own_people(tmp_path: Path) -> None:
    make_data(tmp_path)
    whole = read_judged(_judged_on("coco_val2017", tmp_path), tmp_path)
    halves = [
        read_judged(_judged_on(f"coco_val2017@{part}", tmp_path), tmp_path) for part in ("1of2", "not1of2")
    ]
    ids = np.concatenate([half.images.id for half in halves])
    assert sorted(ids) == sorted(whole.images.id) and min(len(half.images) for half in halves) > 0
    for half in halves:
        assert set(half.truth.image_id) == set(half.images.id)
    assert sum(len(half.truth) for half in halves) == len(whole.truth)


def test_other_annotations_are_refused(tmp_path: Path) -> None:
    make_data(tmp_path)
    entry = _judged_on("coco_val2017", tmp_path)
    path = tmp_path / "coco/annotations/person_keypoints_val2017.json"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(InputError, match="not the annotations that mine was judged on"):
        read_judged(entry, tmp_path)
