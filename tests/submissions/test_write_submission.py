"""What is written is what was given, passes the check, loads in pycocotools; failures leave nothing."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from kpkit.core.errors import InputError
from kpkit.core.instances import Instances
from kpkit.core.skeletons import AIC14
from kpkit.submissions.profiles import PROFILES, profile_named
from kpkit.submissions.validate import check_submission
from kpkit.submissions.write import SubmissionFiles, write_submission

from .good_submissions import NAME, instances, pictures

TABLE = pictures(21)
POSES = instances(21, TABLE)


def write(folder: Path, poses: Instances = POSES, profile: str = "test-dev2017") -> SubmissionFiles:
    return write_submission(poses, folder, profile=profile, algorithm="kpkit", images=TABLE)


def test_write_check_load(tmp_path: Path) -> None:
    files = write(tmp_path / "new" / "folder")
    assert (files.json.name, files.zip.name) == (f"{NAME}.json", f"{NAME}.zip")
    assert sorted(p.name for p in files.json.parent.iterdir()) == [f"{NAME}.json", f"{NAME}.zip"]
    assert (files.poses, files.dropped, files.images, files.warnings) == (len(POSES), 0, len(TABLE), ())
    assert check_submission(files.json, TABLE, profile="test-dev2017") == []
    assert check_submission(files.zip, TABLE, profile="test-dev2017") == []
    with zipfile.ZipFile(files.zip) as archive:
        assert archive.namelist() == [f"{NAME}.json"]
        data = archive.read(f"{NAME}.json")
    assert data == files.json.read_bytes()
    made = json.loads(data)
    assert all(set(row) == {"image_id", "category_id", "keypoints", "score"} for row in made)
    order = np.lexsort((-POSES.score, POSES.image_id))
    assert [r["image_id"] for r in made] == POSES.image_id[order].tolist()
    written = np.array([r["keypoints"] for r in made]).reshape(-1, 17, 3)
    np.testing.assert_allclose(written[:, :, :2], POSES.keypoints[order, :, :2], atol=0.005 + 1e-9)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": int(i)} for i in TABLE.id],
            "categories": [{"id": 1}],
            "annotations": [],
        }
        truth.createIndex()
        assert len(truth.loadRes(made).anns) == len(POSES)


def test_equal_poses_equal_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "a")
    shuffled = POSES[np.random.default_rng(0).permutation(len(POSES))]
    os.utime(first.json, (1, 1))
    second = write(tmp_path / "b", shuffled)
    assert first.zip.read_bytes() == second.zip.read_bytes()
    assert first.json.read_bytes() == second.json.read_bytes()


def test_only_the_best_twenty_of_a_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 200, (30, 17, 3))
    crowd = Instances.of(np.full(30, TABLE.id[0]), np.zeros((30, 4)), points, score=rng.random(30))
    files = write(tmp_path, Instances.concat([POSES[POSES.image_id != TABLE.id[0]], crowd]))
    assert files.dropped == 10
    kept = [r["score"] for r in json.loads(files.json.read_bytes()) if r["image_id"] == TABLE.id[0]]
    assert kept == sorted(crowd.score, reverse=True)[:20]


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (lambda p: p.with_(image_id=p.image_id + 10**6), "not in the image list"),
        (lambda p: Instances.concat([p, p[:1]]), "same pose, same score"),
        (lambda p: p[:0], "holds no pose"),
        (lambda p: p.with_(score=np.where(np.arange(len(p)) == 3, np.nan, p.score)), "NaN"),
        (lambda p: p.speaking(AIC14), "aic14 cannot be sent"),
    ],
)
def test_what_cannot_be_sent_leaves_the_old_files(bend, words: str, tmp_path: Path) -> None:
    old = write(tmp_path).zip.read_bytes()
    with pytest.raises(InputError, match=words):
        write(tmp_path, bend(POSES))
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{NAME}.json", f"{NAME}.zip"]
    assert (tmp_path / f"{NAME}.zip").read_bytes() == old


def test_warnings_are_handed_over(tmp_path: Path) -> None:
    files = write(tmp_path, POSES.with_(score=np.full(len(POSES), 0.5)))
    assert [p.code for p in files.warnings] == ["score_constant"]


def test_profiles() -> None:
    assert profile_named("test-challenge2017").stem("a.b-c") == "person_keypoints_test2017_a.b-c_results"
    assert set(PROFILES) == {"val2017", "test-dev2017", "test-challenge2017", "local"}
    for bad in ("", "a b", "a/b", "../x"):
        with pytest.raises(InputError, match="cannot be part of a file name"):
            profile_named("val2017").stem(bad)
    with pytest.raises(InputError, match="use one of local, test-challenge2017"):
        profile_named("test2017")


def test_every_profile_names_what_it_writes(tmp_path: Path) -> None:
    for name, profile in PROFILES.items():
        files = write(tmp_path / name, profile=name)
        assert profile.names(files.zip.stem)
        assert check_submission(files.zip, TABLE, profile=name) == []
