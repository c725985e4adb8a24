"""A runs folder as a pipeline leaves it, and the data it was made from, without any training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kpkit.core.files import file_hash, write_bytes, write_json
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17
from kpkit.data.coco import read_annotations, write_annotations
from kpkit.data.results import write_poses
from kpkit.evaluation.ap import evaluate
from kpkit.inference.finish import finish_poses
from kpkit.pipeline.artefacts import Artefact
from kpkit.specs.poses import PosesSpec
from kpkit.training.log import write_log

NAMES = ("tiny_cpn", "tiny_mspn", "tiny_ccm")
ERRORS = (4.0, 3.0, 5.0)
"""Pixels by which each member's keypoints miss the truth."""

STANDING = np.array(
    [
        [50, 12], [54, 9], [46, 9], [59, 11], [41, 11], [66, 32], [34, 32], [72, 55], [28, 55], [74, 76],
        [26, 76], [60, 80], [40, 80], [62, 115], [38, 115], [63, 148], [37, 148],
    ],
    np.float64,
)  # fmt: skip
"""COCO's keypoints of a person seen from the front, 100 x 160 pixels."""


@dataclass(frozen=True)
class FakeRuns:
    """Where things are: the runs folder, the data folder, and each artefact's folder by name."""

    runs: Path
    data: Path
    folders: dict[str, Path]


def make_data(data: Path, *, pictures: int = 6, names: tuple[str, ...] = ()) -> None:
    """``coco/val2017`` with small pictures of stick people, their annotations, and ``world.json``."""
    rng = np.random.default_rng(5)
    size = (240, 200)
    table = ImageTable.of(
        np.arange(1, pictures + 1),
        names or [f"{i:012d}.jpg" for i in range(1, pictures + 1)],
        [size[0]] * pictures,
        [size[1]] * pictures,
    )
    ids = np.repeat(table.id, 2)
    points = np.concatenate([np.tile(STANDING, (2 * pictures, 1, 1)), np.full((2 * pictures, 17, 1), 2.0)], 2)
    points[:, :, 0] += np.tile([5, 125], pictures)[:, None] + rng.uniform(-4, 4, (2 * pictures, 1))
    points[:, :, 1] += 20
    low, high = points[:, :, :2].min(axis=1), points[:, :, :2].max(axis=1)
    box = np.concatenate([low - 8, high - low + 16], axis=1)
    write_annotations(
        data / "coco/annotations/person_keypoints_val2017.json", table, Instances.of(ids, box, points)
    )
    for i, name in zip(table.id, table.file_name, strict=True):
        picture = np.full((size[1], size[0], 3), 200, np.uint8)
        for person in points[ids == i, :, :2].round().astype(int):
            cv2.polylines(
                picture, [person[list(limb)] for limb in COCO17.limb_indices], False, (90, 90, 90), 7
            )
        write_bytes(data / "coco/val2017" / name, cv2.imencode(".jpg", picture)[1].tobytes())
    splits = {"train2017": 40, "val2017": pictures}
    write_json(data / "world.json", {"size": "tiny", "seed": 3, "poses": None, "pictures": splits,
                                     "people": {"train2017": 80, "val2017": 2 * pictures}})  # fmt: skip


def make_runs(
    root: Path,
    *,
    data: Path | None = None,
    names: tuple[str, str, str] = NAMES,
    errors: tuple[float, float, float] = ERRORS,
    blend_error: float = 2.0,
    ensemble: str = "tiny",
) -> FakeRuns:
    """Publish three recipes, hard negatives, pseudo labels, an ensemble on val and test, two submissions."""
    if data is None:
        data = root / "data"
        make_data(data)
    runs = root / "runs"
    made = [recipe(runs, name, seed) for seed, name in enumerate(names)]
    negatives = _negatives(runs)
    labels = _labels(runs, made)
    on_val = _ensemble_on_val(runs, data, ensemble, made, errors, blend_error)
    on_test = publish(
        Artefact("ensembles", f"{ensemble}-on-test-dev2017", {"split": "coco_test-dev2017", **_blend(made)},
                 {"boxes_annotations": "a" * 64, **{a.name: a.key for a in made}}, runs),
        {"boxes": 40, "boxes_hash": "b" * 64, "pictures": 12}, {"ensemble.npz": b"poses"},
    )  # fmt: skip
    sent = [
        _submission(runs, ensemble, profile, on_test, judged)
        for profile, judged in (("test-dev2017", 0.61), ("test-challenge2017", 0.584))
    ]
    unfinished = runs / "recipes" / ".half-12345678.work"
    unfinished.mkdir(exist_ok=True)
    (unfinished / "manifest.json").write_text("{broken")
    everything = [*made, negatives, labels, on_val, on_test, *sent]
    return FakeRuns(runs, data, {artefact.name: artefact.folder for artefact in everything})


def publish(
    artefact: Artefact, metrics: dict[str, Any], files: dict[str, bytes], seconds: float = 12.5
) -> Artefact:
    """Finish an artefact."""
    with artefact.working() as work:
        for name, content in files.items():
            write_bytes(work / name, content)
        artefact.publish(metrics, seconds, 0)
    return artefact


def recipe(runs: Path, name: str, seed: int) -> Artefact:
    """A trained network; the seed shapes its cost."""
    document = {"data": {"val": "coco_val2017"}, "training": {"phases": ["ACHU", "CH"], "seed": seed}}
    artefact = Artefact("recipes", name, document, {"C": "c" * 64}, runs)
    log: list[dict[str, Any]] = []
    for epoch in range(1, 10):
        row = {
            "epoch": epoch,
            "phase": "ACHU" if epoch < 7 else "CH",
            "step": 20 * epoch,
            "crops": 640 * epoch,
        }
        row |= {"learning_rate": 1e-3, "loss": 0.01 * 0.8**epoch * (1 + seed / 5)}
        if epoch % 3 == 0:
            row |= {"val_AP": 0.08 * epoch, "val_AP50": 0.1 * epoch, "val_AR": 0.09 * epoch}
        log.append(row)
    with artefact.working() as work:
        write_log(work, log)
    metrics = {
        "steps": 180, "crops": 5760, "people": {"A": 51, "C": 80, "H": 12, "U": 30}, "pictures_skipped": 0,
        "parameters": 800_000 + 100_000 * seed, "parameters_training": 900_000, "gmacs": 0.25 * (seed + 1),
        "loss": log[-1]["loss"], "val": {"AP": 0.72, "AP50": 0.9, "AR": 0.81},
        **({"false_detections": {"boxes": 40, "mean_keypoint_score": 0.1 * seed}} if seed else {}),
    }  # fmt: skip
    return publish(artefact, metrics, {"weights.safetensors": b"w" * (seed + 1)}, 60.0 + seed)


def _negatives(runs: Path) -> Artefact:
    artefact = Artefact("hard_negatives", "coco_train2017", {"boxes": "coco_train2017"}, {}, runs)
    metrics = {"detections": 1234, "negatives": 57, "by_score": {"0.5": 57, "0.9": 8}, "pictures": 40}
    return publish(artefact, metrics, {"hard_negatives.json": b"[]"})


def _labels(runs: Path, made: list[Artefact]) -> Artefact:
    document = {
        "images": "coco_unlabeled2017",
        "teachers": [{"recipe": a.name, "weight": 1.0} for a in made[:2]],
    }
    inputs = {"images_annotations": "d" * 64, **{a.name: a.key for a in made[:2]}}
    metrics = {
        "box_threshold": 0.4375, "persons_per_picture_labelled": 2.0, "persons_per_picture": 1.98,
        "pictures": 16, "boxes": 32, "people": 27, "keypoints": 300, "keypoints_per_person": 11.11,
    }  # fmt: skip
    return publish(
        Artefact("pseudo_labels", "tiny_labels", document, inputs, runs), metrics, {"annotations.json": b"{}"}
    )


def _blend(made: list[Artefact]) -> dict[str, Any]:
    members = [{"recipe": f"../recipes/{a.name}.toml", "weight": 1.0} for a in made]
    return {"members": members, "poses": PosesSpec().model_dump(mode="json")}


def _ensemble_on_val(
    runs: Path, data: Path, name: str, made: list[Artefact], errors: tuple[float, ...], blend_error: float
) -> Artefact:
    annotations = data / "coco/annotations/person_keypoints_val2017.json"
    images, truth = read_annotations(annotations)
    poses = {a.name: _poses(truth, e, i) for i, (a, e) in enumerate(zip(made, errors, strict=True))}
    blend = _poses(truth, blend_error, 9)

    def judged(found: Instances) -> dict[str, float]:
        return evaluate(truth, finish_poses(found, PosesSpec()), images=images)

    document = {"split": "coco_val2017", "keep_members": True, **_blend(made)}
    inputs = {"boxes_annotations": file_hash(annotations), **{a.name: a.key for a in made}}
    artefact = Artefact("ensembles", f"{name}-on-val2017", document, inputs, runs)
    with artefact.working() as work:
        write_poses(work / "ensemble.npz", blend)
        for member, found in poses.items():
            write_poses(work / "members" / f"{member}.npz", found)
    metrics = {
        "boxes": len(truth), "boxes_hash": truth.boxes_hash(), "pictures": len(images),
        "ensemble": judged(blend), "members": {member: judged(found) for member, found in poses.items()},
    }  # fmt: skip
    return publish(artefact, metrics, {})


def _poses(truth: Instances, error: float, seed: int) -> Instances:
    """The truth missed by some pixels: more in later pictures, so that best and worst are known."""
    rng = np.random.default_rng(seed)
    people = truth[~truth.crowd & (truth.num_labelled > 0)]
    points = people.keypoints.copy()
    rank = np.unique(people.image_id, return_inverse=True)[1] / max(len(np.unique(people.image_id)) - 1, 1)
    size = np.sqrt(people.box[:, 2] * people.box[:, 3]) / 110
    points[:, :, :2] += (
        rng.normal(0, 1, points[:, :, :2].shape) * (error * size * (0.3 + 2 * rank))[:, None, None]
    )
    points[:, :, 2] = np.where(points[:, :, 2] > 0, rng.uniform(0.6, 0.95, points.shape[:2]), 0.1)
    score = rng.uniform(0.7, 1, len(people))
    return people.with_(keypoints=points, score=score, source=np.full(len(people), "P"))


def _submission(runs: Path, ensemble: str, profile: str, poses: Artefact, ap: float) -> Artefact:
    stem = f"person_keypoints_{profile}_kpkit_results"
    figures = dict.fromkeys(("AP", "AP50", "AP75", "APM", "AR", "AR50", "AR75", "ARM"), ap) | {
        "APL": -1.0,
        "ARL": -1.0,
    }
    warnings = [
        {"code": "score_equal", "row": None, "message": "all scores are <b>equal</b>", "severity": "warning"}
    ]
    metrics = {
        "json": f"{stem}.json", "zip": f"{stem}.zip", "poses": 38, "dropped": 2, "pictures": 12,
        "warnings": warnings if profile == "test-dev2017" else [], "judged": figures, "judged_pictures": 12,
    }  # fmt: skip
    document = {"algorithm": "kpkit", "entries": {"profile": profile, "images": "coco_test2017"}}
    artefact = Artefact("submissions", f"{ensemble}-{profile}", document, {"poses": poses.key}, runs)
    return publish(artefact, metrics, {f"{stem}.zip": b"zip", f"{stem}.json": b"[]"})
