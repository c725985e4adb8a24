"""How many spoilt labels do a document's rules remove when its teachers swap sides or drift?

    python benchmarks/planted_errors.py DOC --data DIR --runs runs [--share 0.1]

DOC is a pseudo-label document with ``audit``, ``min_agreement`` and two teachers or more, already built
(``kpkit pseudo-label DOC``). Its teachers look at the audit set's boxes again, and in each teacher's heatmaps
a share of the people have left and right exchanged, or are moved. A label is spoilt when its point is right
without the errors and wrong with them. Counted are all points, with agreement alone; then those that the
document would have labelled without the errors, with all its rules: agreement and the floors of its scores.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kpkit.core.files import read_json
from kpkit.core.instances import Instances
from kpkit.data.coco import AREA_OF_BOX
from kpkit.data.crops import CropDataset, picture_paths
from kpkit.data.load import load_dataset
from kpkit.ensembles.members import load_ensemble
from kpkit.inference.network import Predictor, best_device
from kpkit.inference.predict import predict_poses
from kpkit.pipeline.context import Context
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.node import Node
from kpkit.pipeline.pose_shards import PoseShards
from kpkit.pipeline.teachers_job import POSES, TeachersJob
from kpkit.pseudo_labels.agreement import agreement
from kpkit.pseudo_labels.judging import judge
from kpkit.pseudo_labels.planted import Effect, plant_errors
from kpkit.specs.loader import load


@dataclass
class Erring(Predictor):
    """A teacher with errors in its heatmaps, the same for a crop and its mirror image."""

    rates: dict[str, float] = field(default_factory=dict)

    def heatmaps(self, crops: np.ndarray, *, mirrored: bool = False) -> np.ndarray:
        """As the sound teacher's, spoilt."""
        maps = super().heatmaps(crops, mirrored=mirrored)
        key = hashlib.sha256(self.name.encode() + crops.tobytes()).digest()
        rng = np.random.default_rng(list(key))
        return plant_errors(maps, self.skeleton, rng, **self.rates).heatmaps


def looked_at(job: TeachersJob, shards: PoseShards, rates: dict[str, float]) -> tuple[Instances, np.ndarray]:
    """Poses of the boxes by erring teachers, and (N, K) their agreement."""
    assert job.dataset
    sound = load_ensemble(job.members, job.common_stride, best_device())
    erring = [Erring(p.name, p.network, p.spec, p.device, rates=rates) for p in sound.predictors]
    loaded = load_dataset(job.dataset, check_pictures=False)
    found, agreed = [], []
    for shard in range(len(shards)):
        boxes = shards.boxes_of(shard)
        paths = picture_paths(boxes, loaded.images, loaded.folder)
        crops = CropDataset(boxes, paths, sound.codec.geometry)
        blend, members = predict_poses(
            erring, sound.weights, sound.codec, crops, job.decode, keep_members=True
        )
        area = AREA_OF_BOX * boxes.box[:, 2] * boxes.box[:, 3]
        own = [poses.keypoints for poses in members.values()]
        agreed.append(agreement(blend.keypoints, own, area, boxes.skeleton.oks_sigmas))
        found.append(blend)
    return Instances.concat(found), np.concatenate(agreed)


def right(poses: Instances, truth: Instances, least: float) -> np.ndarray:
    """(N, K) bool: points that are right, whatever their score."""
    labels = poses.keypoints.copy()
    labels[:, :, 2] = 2
    return judge(poses.with_(keypoints=labels), truth).right(least)


def solved_floors(labels: Node) -> np.ndarray:
    """(K,) least scores that the document's audit settled on."""
    manifest = read_json(labels.artefact.folder / "manifest.json")
    keypoints = manifest["metrics"]["audit"]["keypoints"]
    return np.array([np.inf if found["floor"] is None else found["floor"] for found in keypoints.values()])


def told(rule: str, effect: Effect) -> str:
    """One line of the output."""
    return (
        f"  {rule}: {effect.spoilt} spoilt, {effect.removed} removed "
        f"({effect.removed / max(effect.spoilt, 1):.0%}); "
        f"{effect.kept / max(effect.right, 1):.0%} of the {effect.right} right ones kept"
    )


def main() -> None:
    """Plant, select, count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("document")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--share", type=float, default=0.1)
    options = parser.parse_args()
    document = load(options.document, "pseudo_labels")
    spec = document.spec
    if not (spec.audit and spec.min_agreement):
        raise SystemExit("the document names no audit or no min_agreement")
    node = GraphBuilder(Context(options.data, options.runs)).pseudo_labels(document)
    audit = next(need for need in node.needs if need.job.dataset != need.job.images)
    if not audit.artefact.done:
        raise SystemExit(f"build it first: kpkit pseudo-label {options.document}")
    job, shards = audit.job, PoseShards(audit.artefact.folder / POSES)
    truth = load_dataset(job.dataset, check_pictures=False).people
    sound, members = shards.joined()
    own = [poses.keypoints for poses in members.values()]
    area = AREA_OF_BOX * sound.box[:, 2] * sound.box[:, 3]
    agreed = agreement(sound.keypoints, own, area, sound.skeleton.oks_sigmas) >= spec.min_agreement
    floors = solved_floors(node)
    before = right(sound, truth, spec.right_oks)
    labelled = agreed & (sound.keypoints[:, :, 2] >= floors)
    for error in ("swaps", "drifts"):
        rates = {"swaps": 0.0, "drifts": 0.0} | {error: options.share}
        poses, agreement_then = looked_at(job, shards, rates)
        after = right(poses, truth, spec.right_oks)
        agree = agreement_then >= spec.min_agreement
        print(f"{error} in {options.share:.0%} of each of {len(spec.teachers)} teachers' people")
        print(told("agreement alone, all points", Effect.of(before, after, agree)))
        rules = agree & (poses.keypoints[:, :, 2] >= floors)
        print(
            told(
                "all rules, what is labelled without errors",
                Effect.of(before & labelled, after & labelled, rules),
            )
        )


if __name__ == "__main__":
    main()
