"""Poses to the two files a server wants, the results JSON and the zip of it, checked before they appear."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.files import sync_folder
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17
from kpkit.data.results import write_results
from kpkit.inference.nms import top_per_image
from kpkit.submissions.problems import Problem
from kpkit.submissions.profiles import ServerProfile, profile_named
from kpkit.submissions.validate import check_submission

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SubmissionFiles:
    """A written submission.

    Attributes:
        json, zip: the two files.
        poses: rows written.
        dropped: poses that fell off because their picture had more than the server looks at.
        images: pictures with at least one pose.
        warnings: what the check has to say all the same.
    """

    json: Path
    zip: Path
    poses: int
    dropped: int
    images: int
    warnings: tuple[Problem, ...]


def write_submission(
    instances: Instances,
    folder: str | Path,
    *,
    profile: str | ServerProfile,
    algorithm: str,
    images: ImageTable,
) -> SubmissionFiles:
    """Write, pack and check a submission; equal poses give equal bytes.

    Args:
        instances: finished poses of COCO's 17 keypoints, their ``score`` the one that ranks.
        folder: where the two files go; older ones of the same name are replaced.
        profile: a server's rules (a name of PROFILES).
        algorithm: the method's name inside the file name.
        images: the split's pictures.

    Raises:
        InputError: the poses cannot be sent (another skeleton, NaN, a picture of another split, none at
            all ...); nothing is left behind and older files stay.
    """
    rules = profile_named(profile) if isinstance(profile, str) else profile
    stem = rules.stem(algorithm)
    if instances.skeleton != COCO17:
        raise InputError(
            f"poses of skeleton {instances.skeleton.name} cannot be sent, the server judges coco17",
            remedy="convert them by keypoint name: instances.speaking(COCO17)",
        )
    kept = top_per_image(instances, rules.max_poses)
    kept = kept[np.lexsort((-kept.score, kept.image_id))]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / f".{stem}.{os.getpid()}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        results, packed = work / f"{stem}.json", work / f"{stem}.zip"
        write_results(results, kept, decimals=rules.decimals)
        _pack(results, packed)
        problems = check_submission(packed, images, profile=rules)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise InputError(
                f"the poses make no valid submission: {errors[0].message}"
                + (f" (and {len(errors) - 1} more problems)" if len(errors) > 1 else ""),
                file=folder / packed.name,
            )
        for file in (results, packed):
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sync_folder(folder)
    return SubmissionFiles(
        json=folder / results.name,
        zip=folder / packed.name,
        poses=len(kept),
        dropped=len(instances) - len(kept),
        images=len(np.unique(kept.image_id)),
        warnings=tuple(problems),
    )


def _pack(results: Path, packed: Path) -> None:
    """A zip with the one file at its root; a fixed time and system make its bytes depend on it alone."""
    entry = zipfile.ZipInfo(results.name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    data = results.read_bytes()
    with open(packed, "wb") as handle:
        with zipfile.ZipFile(handle, "w") as archive:
            archive.writestr(entry, data, compresslevel=6)
        handle.flush()
        os.fsync(handle.fileno())
    with zipfile.ZipFile(packed) as archive:
        if archive.read(results.name) != data:
            raise KpkitError(f"{packed.name} does not give back what was packed; the disk may be failing")
