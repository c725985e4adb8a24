"""Weights by keypoint and test-time views in documents: what they mean, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpkit.core.errors import InputError
from kpkit.core.skeletons import COCO17
from kpkit.specs.ensemble import EnsembleSpec, MemberSpec
from kpkit.specs.loader import load
from kpkit.specs.member import keypoint_weights


def document(folder: Path, *members: str) -> Path:
    path = folder / "ensembles/e.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text('kind = "ensemble"\nmembers = [\n' + ",\n".join(members) + "\n]\n")
    return path


def member(folder: Path, text: str) -> MemberSpec:
    spec = load(str(document(folder, text)), "ensemble").spec
    assert isinstance(spec, EnsembleSpec)
    return spec.members[0]


def named(weights: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(COCO17.keypoints, weights, strict=True))


def test_the_nearest_name_counts_whatever_the_order() -> None:
    table = {"left_wrist": 4.0, "arms": 2.0, "all": 0.5, "wrist": 3.0, "head": 0.0}
    for order in (1, -1):
        weights = named(keypoint_weights(dict(list(table.items())[::order])))
        assert weights["left_wrist"] == 4 and weights["right_wrist"] == 3
        assert weights["left_elbow"] == weights["right_shoulder"] == 2
        assert weights["nose"] == weights["left_eye"] == weights["right_ear"] == 0
        assert weights["left_hip"] == weights["right_knee"] == weights["left_ankle"] == 0.5


def test_what_is_not_named_weighs_one() -> None:
    assert keypoint_weights(2.5) == (2.5,) * 17
    assert named(keypoint_weights({"legs": 0.0})) == {
        name: float(not name.endswith(("hip", "knee", "ankle"))) for name in COCO17.keypoints
    }


def test_members_in_documents(tmp_path: Path) -> None:
    plain = member(tmp_path, '{ recipe = "a" }')
    assert plain.weight == 1.0 and plain.views == ((1.0, 0.0),)
    assert member(tmp_path, '{ recipe = "a", weight = 2 }').weight == 2.0
    rich = member(
        tmp_path,
        '{ recipe = "a", weight = { wrist = 2, legs = 0.5 }, scales = [1, 1.2], rotations = [0, -20] }',
    )
    assert rich.weight == {"wrist": 2.0, "legs": 0.5}
    assert rich.views == ((1.0, 0.0), (1.0, -20.0), (1.2, 0.0), (1.2, -20.0))
    assert MemberSpec.model_validate(rich.model_dump(mode="json")) == rich


REFUSED = {
    "weight = 0": "a number above 0",
    "weight = -1.0": "a number above 0",
    'weight = "2"': "a number above 0",
    "weight = true": "a number above 0",
    "weight = [1, 2]": "a number above 0",
    "weight = { nose = -1 }": "numbers of 0 and more",
    'weight = { nose = "1" }': "numbers of 0 and more",
    "weight = { left_wirst = 2 }": "'left_wirst' is no keypoint of coco17; did you mean 'left_wrist'?",
    "weight = { leg = 2 }": "did you mean 'legs'?",
    "weight = { all = 0 }": "adds to no keypoint",
    "scales = []": "at least 1 item",
    "scales = [0.2]": "greater than or equal to 0.5",
    "scales = [3]": "less than or equal to 2",
    "scales = [1, 1]": "each value once",
    "rotations = [270]": "less than or equal to 180",
    "rotations = [5, 5.0]": "each value once",
    'rotations = "5"': "valid",
    "rotation = [5]": "did you mean 'rotations'?",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        member(tmp_path, f'{{ recipe = "a", {text} }}')
    assert REFUSED[text] in str(caught.value)
    assert "members.0" in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "ensembles/e.toml"))


@pytest.mark.parametrize("text", ["weight = { nose = 2 }", "scales = [0.9]", "rotations = [5]"])
def test_results_have_one_weight_and_no_views(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="results have one weight"):
        member(tmp_path, f'{{ results = "r.json", {text} }}')
