"""What a refiner is shown and taught: scenes in crops, drawn and real poses, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from kpkit.core.instances import Instances
from kpkit.data.crops import CropBatch
from kpkit.evaluation.errors import MISS
from kpkit.refinement.errors import ErrorModel, published_errors
from kpkit.refinement.lesson import RefinerLesson, refined_errors, refiner_lesson
from kpkit.refinement.refiner import Refiner
from kpkit.refinement.scenes import Surroundings, poses_of
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.loop import build_network, train
from kpkit.training.phases import PhasePlan
from tests.training.dots import SIDE, draw, recipe, training_data

CPU = torch.device("cpu")
ERRORS = published_errors()


def refiner(refinement: dict[str, Any] | None = None, **training: Any) -> RecipeSpec:
    """A PoseFix of a few thousand parameters on 64 x 64 crops."""
    document = recipe(**training).model_dump(mode="json")
    options = {"depths": [1, 1, 1, 1], "width": 16, "block": "basic", "deconvolutions": [16, 16, 16]}
    document["network"] |= {"name": "posefix_resnet50", "options": options}
    document["refinement"] = {"sigma": 2.0} | (refinement or {})
    return RecipeSpec.model_validate(document)


def lesson_of(spec: RecipeSpec, people: Instances, poses: Instances | None) -> RefinerLesson:
    plan = PhasePlan(spec.training, {"C": len(people)}, {})
    lesson = refiner_lesson(spec, people, poses)(spec, plan, build_network(spec), CPU)
    assert isinstance(lesson, RefinerLesson)
    return lesson


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_scenes_in_crops_are_the_pictures_turned_and_mirrored(tmp_path: Path) -> None:
    loaded = draw(tmp_path, people=3)
    people = loaded.people.with_(image_id=np.ones(3, np.int64))  # now all stand on each other
    spec = refiner()
    plain = training_data(spec, replace(loaded, people=people)).crops.batch([0, 1])
    turn = np.array([[-2.0, 0, 63], [0, 2, -5]])
    mirrored = replace(
        plain,
        matrix=np.stack([plain.matrix[0], turn]),
        flipped=np.array([False, True]),
        keypoints=np.stack([plain.keypoints[0], plain.keypoints[1] * [-2, 2] + [63, -5]]),
    )
    scenes = Surroundings(people, ERRORS).cropped(mirrored)
    assert scenes.overlap.tolist() == [2, 2] and scenes.near.shape == (2, 2, 17, 3)
    assert scenes.area.tolist() == [SIDE**2, 4 * SIDE**2]
    left = people.skeleton.index("left_wrist")
    right = people.skeleton.index("right_wrist")
    assert np.allclose(scenes.near[0, 0, left, :2], people.keypoints[1, left, :2])
    assert np.allclose(scenes.near[1, 0, left, :2], people.keypoints[0, right, :2] * [-2, 2] + [63, -5])
    outside = (scenes.near[..., :2] < -0.5).any(axis=3) | (scenes.near[..., :2] >= SIDE - 0.5).any(axis=3)
    assert outside.any() and not scenes.near[outside][:, 2].any() and scenes.near[~outside][:, 2].all()


def test_poses_go_to_the_people_they_reach(tmp_path: Path) -> None:
    people = draw(tmp_path, people=3).people
    moved = people.keypoints + np.array([1.0, 0, 0])
    far = people.keypoints[:1] + np.array([500.0, 0, 0])
    poses = Instances.of([3, 1, 2], people.box, np.concatenate([moved[[2, 0]], far]), score=[0.5, 0.4, 0.9])
    found = poses_of(people, poses)
    assert np.allclose(found[[0, 2], :, :2], moved[[0, 2], :, :2]) and (found[[0, 2], :, 2] == 1).all()
    assert not found[1].any()


def test_real_poses_stand_in_for_drawn_ones_and_for_labels(tmp_path: Path) -> None:
    loaded = draw(tmp_path, people=6)
    keypoints = loaded.people.keypoints.copy()
    keypoints[:, 3] = 0  # nobody labelled an ear
    people = loaded.people.with_(keypoints=keypoints)
    spec = refiner({"poses": "theirs.json", "real": 1.0})
    batch = training_data(spec, replace(loaded, people=people)).crops.batch(np.arange(6))
    theirs = loaded.people.with_(keypoints=loaded.people.keypoints + np.array([0.5, 0, 0]))[:5]
    points, present = lesson_of(spec, people, theirs).shown_poses(0, batch)
    assert np.allclose(points[:5], theirs.keypoints[..., :2]) and present[:5].all()
    assert not present[5, 3] and present[5, [0, 1, 2, 4]].all()  # nobody's pose, and no label: not shown
    drawn, there = lesson_of(refiner({"poses": "theirs.json"}), people, theirs).shown_poses(0, batch)
    assert there[:5].all() and not np.allclose(drawn[:5], points[:5])


def test_draws_hang_on_the_step_alone(tmp_path: Path) -> None:
    loaded = draw(tmp_path, people=4)
    spec = refiner()
    batch = training_data(spec, loaded).crops.batch(np.arange(4))
    one, two = (lesson_of(spec, loaded.people, None).shown_poses(3, batch)[0] for _ in range(2))
    other = lesson_of(spec, loaded.people, None).shown_poses(4, batch)[0]
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_it_learns_to_mend_poses(tmp_path: Path) -> None:
    """Every keypoint is missed; only the picture tells where it is."""
    frequency = np.zeros_like(ERRORS.frequency)
    frequency[..., MISS] = 1
    errors = ErrorModel(ERRORS.skeleton, frequency, ERRORS.radius, "box")
    loaded = draw(tmp_path, people=8)
    spec = refiner(epochs=[100], batch_size=8, learning_rate=2e-2)
    data = training_data(spec, loaded, val=True)
    assert data.val
    teach = partial(RefinerLesson, surroundings=Surroundings(loaded.people, errors), errors=errors)
    state = train(spec, data, tmp_path / "work", device=CPU, teach=teach)
    assert state.log[-1]["loss"] < 0.3 * state.log[0]["loss"]
    before, after = refined_errors(Refiner(state.judged, spec, CPU), data.val, errors)
    assert after.figures["AP"] == pytest.approx(state.log[-1]["val_AP"])
    assert before.errors["miss"] == 8 * 17 and sum(after.errors.values()) >= 7 * 17
    assert after.errors["miss"] < 0.6 * before.errors["miss"]
    assert after.errors["good"] > 30


def test_keypoints_that_are_not_labelled_teach_nothing(tmp_path: Path) -> None:
    loaded = draw(tmp_path, people=2)
    spec = refiner()
    batch: CropBatch = training_data(spec, loaded).crops.batch([0, 1])
    lesson, network = lesson_of(spec, loaded.people, None), build_network(spec)
    nothing = replace(batch, visibility=np.zeros_like(batch.visibility))
    assert lesson.loss(0, nothing, network, None).item() == 0
    assert lesson.loss(0, batch, network, None).item() > 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"refinement": {"sigma": 2.0, "errors": "measured"}}, "need poses to take them from"),
        ({"refinement": {"sigma": 2.0, "real": 0.5}}, "need poses to take them from"),
        ({"network": {"name": "posefix_resnet50", "skeleton": "aic14"}}, "on the skeleton coco17"),
    ],
)
def test_what_is_no_refiner_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        RecipeSpec.model_validate(refiner().model_dump(mode="json") | changes)
