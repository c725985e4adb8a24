"""The world on disk: COCO's and AI Challenger's own layout, the sealed truth, the manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kpkit.core import files
from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.progress import Progress, silent
from kpkit.core.seeds import generator
from kpkit.core.skeletons import COCO17
from kpkit.data.aic import write_aic
from kpkit.data.coco import write_annotations
from kpkit.data.image_lists import write_image_list
from kpkit.data.results import write_detections
from kpkit.data.world.drawing import Drawn, DrawOne, Spread
from kpkit.data.world.from_annotations import Layouts, read_layouts
from kpkit.data.world.splits import FOLDERS, SPLITS, VERSION, WORLD_SIZES

INFO: dict[str, object] = {
    "description": "kpkit generated world: drawn pictures, not COCO", "version": str(VERSION), "year": 2017,
}  # fmt: skip


def draw_world(
    directory: Path,
    *,
    size: str = "small",
    seed: int = 0,
    poses: Path | None = None,
    workers: int = 1,
    progress: Progress = silent,
    counts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Draw a world into a directory that must be new, empty, or hold the very same world.

    Args:
        directory: gets ``coco/``, ``aic/``, ``sealed/`` and ``world.json``.
        size: ``"tiny"``, ``"small"``, ``"scarce"`` or ``"medium"``.
        seed: equal seeds give equal bytes, with any number of workers.
        poses: a COCO keypoint annotation file (``.gz`` too) whose people, sizes and layouts are drawn
            instead of sampled ones.
        workers: processes that draw.
        progress: told how many pictures are finished.
        counts: pictures per split (names of SPLITS) instead of the size's.

    Returns:
        the manifest: size, seed, counts, people, versions.

    Raises:
        InputError: an unknown size or split; a directory that holds something else; a bad poses file.
    """
    directory = Path(directory)
    plan = _plan(size, seed, poses, counts)
    if _already_there(directory, plan):
        return dict(files.read_json(directory / "world.json"))
    layouts = read_layouts(poses) if poses is not None else None
    _sweep(directory)
    work = directory.with_name(f".{directory.name}.{os.getpid()}.drawing")
    try:
        _draw(work, plan, layouts, workers, progress)
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()  # a rename needs the place free
        files.publish_folder(work, directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _already_there(directory, plan)  # another process may have been quicker with another world
    return dict(files.read_json(directory / "world.json"))


def _sweep(directory: Path) -> None:
    """Remove what killed drawings of the same world left beside it."""
    for left in directory.parent.glob(f".{directory.name}.*.drawing"):
        pid = left.name.split(".")[-2]
        if not pid.isdigit() or int(pid) == os.getpid() or not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _plan(size: str, seed: int, poses: Path | None, counts: Mapping[str, int] | None) -> dict[str, Any]:
    """What makes one world equal to another."""
    if size not in WORLD_SIZES:
        raise InputError(f"unknown world size {size!r}", remedy=f"choose one of {', '.join(WORLD_SIZES)}")
    pictures = dict(zip(SPLITS, WORLD_SIZES[size], strict=True))
    for split, number in (counts or {}).items():
        if split not in pictures or number < 1:
            raise InputError(
                f"split {split!r} cannot have {number} pictures",
                remedy=f"give 1 or more for any of {', '.join(SPLITS)}",
            )
        pictures[split] = int(number)
    if poses is not None and not Path(poses).is_file():
        raise InputError("no such file", file=poses)
    return {
        "what": "kpkit generated world", "version": VERSION, "size": size, "seed": int(seed),
        "pictures": pictures, "poses": files.file_hash(poses) if poses is not None else None,
    }  # fmt: skip


def _already_there(directory: Path, plan: dict[str, Any]) -> bool:
    """True for the very same world; an InputError for anything else in the directory."""
    if not directory.exists():
        return False
    if not directory.is_dir():
        raise InputError(
            "is a file, not a folder", file=directory, remedy="name another folder for the world"
        )
    if not any(directory.iterdir()):
        return False
    manifest = directory / "world.json"
    if not manifest.is_file():
        raise InputError("the folder holds other files", file=directory, remedy="name a new or empty folder")
    found = files.read_json(manifest)
    if not isinstance(found, dict):
        raise InputError("not a world's manifest", file=manifest, remedy="name a new or empty folder")
    differ = [key for key in plan if found.get(key) != plan[key]]
    if differ:
        key = differ[0]
        raise InputError(
            f"the folder holds another world ({key} {found.get(key)!r}, asked for {plan[key]!r})",
            file=directory,
            remedy="name another folder, or remove this one",
        )
    return True


def _draw(
    work: Path, plan: dict[str, Any], layouts: Layouts | None, workers: int, progress: Progress
) -> None:
    for folder in sorted({*FOLDERS.values(), "coco/annotations", "coco/person_detection_results", "sealed"}):
        (work / folder).mkdir(parents=True)
    jobs = [(split, index) for split in SPLITS for index in range(plan["pictures"][split])]
    ids = _image_ids(plan["seed"], len(jobs))
    one = DrawOne(work, plan["seed"], layouts)
    drawn: dict[str, list[Drawn]] = {split: [] for split in SPLITS}
    numbered = [(split, index, int(i)) for (split, index), i in zip(jobs, ids, strict=True)]
    with Spread(one, numbered, workers) as rows:
        for done, ((split, _), row) in enumerate(zip(jobs, rows, strict=True), start=1):
            drawn[split].append(row)
            progress(done, len(jobs), "pictures", split)
    people = {split: _write_split(work, split, rows) for split, rows in drawn.items()}
    _write_test(work, drawn)
    summary = {**plan, "people": people, "results": "on the generated world"}
    files.write_json(work / "world.json", summary)


def _image_ids(seed: int, count: int) -> np.ndarray:
    """Unique increasing-in-no-order ids like COCO's: below 600,000 (more when the world is larger)."""
    return generator(seed, "image ids").permutation(max(600_000, 4 * count))[:count] + 1


def _tables(rows: list[Drawn]) -> tuple[ImageTable, Instances, list[object]]:
    rows = sorted(rows, key=lambda row: row.image_id)
    images = ImageTable.of(
        [row.image_id for row in rows], [row.file_name for row in rows],
        [row.width for row in rows], [row.height for row in rows],
    )  # fmt: skip
    people = Instances.concat([row.people for row in rows])
    return images, people, [segment for row in rows for segment in row.segmentation]


def _write_split(work: Path, split: str, rows: list[Drawn]) -> int:
    """Annotations, detections or sealed truth of one split; returns its number of annotated people."""
    images, people, segments = _tables(rows)
    if split == "aic":
        some = (people.num_labelled > 0) & ~people.crowd
        write_aic(work / "aic/keypoint_train_annotations_20170909.json", images, people[some])
        return int(some.sum())
    people = people.speaking(COCO17)
    people = replace(people, id=_annotation_ids(split, len(people)))
    notes = work / "coco/annotations"
    public = split in ("train2017", "val2017")
    truth = (notes if public else work / "sealed") / f"person_keypoints_{split}.json"
    write_annotations(truth, images, people, segmentation=segments, info=INFO)
    if split in ("unlabeled2017", "test-dev2017"):
        write_image_list(notes / f"image_info_{split}.json", images, info=INFO)
    if split != "test-challenge2017":
        _write_detections(work, split, rows)
    return len(people)


def _write_test(work: Path, drawn: dict[str, list[Drawn]]) -> None:
    """test2017 is test-dev and test-challenge together, as the server's is."""
    rows = drawn["test-dev2017"] + drawn["test-challenge2017"]
    write_image_list(work / "coco/annotations/image_info_test2017.json", _tables(rows)[0], info=INFO)
    _write_detections(work, "test2017", rows)


def _write_detections(work: Path, split: str, rows: list[Drawn]) -> None:
    found = Instances.concat([row.detections for row in sorted(rows, key=lambda row: row.image_id)])
    write_detections(work / f"coco/person_detection_results/COCO_{split}_detections_person.json", found)


def _annotation_ids(split: str, count: int) -> np.ndarray:
    """Ids unique over all splits."""
    return np.arange(count) + 1 + SPLITS.index(split) * 1_000_000
