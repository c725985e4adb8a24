"""Mining as a job: what is written, and the counts at the paper's thresholds."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpkit.core.progress import silent
from kpkit.data.coco import read_annotations
from kpkit.data.results import read_detections
from kpkit.mining.hard_negatives import counts_by_score, mine_hard_negatives
from kpkit.pipeline.artefacts import Artefact
from kpkit.pipeline.mine_job import NEGATIVES, MineJob
from kpkit.specs.datasets import resolve
from kpkit.specs.recipe import HardNegativesSpec


@pytest.mark.parametrize("least", [0.0, 0.5, 0.7])
def test_the_document_s_score_decides_what_is_kept_not_what_is_counted(
    least: float, nano_world: Path, tmp_path: Path
) -> None:
    dataset = resolve("coco_train2017", nano_world, need=("detections",))
    spec = HardNegativesSpec(boxes="coco_train2017", min_score=least)
    artefact = Artefact("hard_negatives", "mine", {}, {}, tmp_path)
    told = MineJob(artefact, dataset=dataset, spec=spec).make(tmp_path, silent)
    assert dataset.detections is not None
    _, people = read_annotations(dataset.annotations)
    everything = mine_hard_negatives(read_detections(dataset.detections), people, 0.0)
    assert told["by_score"] == counts_by_score(everything)
    assert told["by_score"]["0.5"] > told["by_score"]["0.7"] > 0
    written = read_detections(tmp_path / NEGATIVES)
    assert len(written) == told["negatives"] == (everything.score >= least).sum()
    assert written.score.min() >= least
