"""An audit foretells how good labels will be on pictures nobody has labelled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.pseudo_labels.audit import audit, given_rules
from kpkit.pseudo_labels.candidates import Candidates, candidates
from kpkit.pseudo_labels.judging import counts, judge
from kpkit.pseudo_labels.labelling import label_block
from kpkit.specs.pseudo_labels import PseudoLabelsSpec

from .scenes import crowd, seen


def document(teachers: int = 1, **rules: Any) -> PseudoLabelsSpec:
    return PseudoLabelsSpec.model_validate(
        {
            "kind": "pseudo_labels",
            "teachers": [{"recipe": f"teacher{k}"} for k in range(teachers)],
            "images": "coco_unlabeled2017",
            "labelled": "coco_train2017",
            "audit": "coco_val2017",
            "poses": {"oks_nms": 1.0},
        }
        | rules
    )


def found_in(truth: Instances, seed: int, spec: PseudoLabelsSpec) -> Candidates:
    """What the document's teachers see; the blend is the first one's."""
    teachers = [seen(truth, seed + k) for k in range(len(spec.teachers))]
    return candidates(teachers[0], [t.keypoints for t in teachers], spec.poses)


def test_candidates_keep_their_own_agreement_and_leave_the_rest_beyond() -> None:
    truth = crowd(40, seed=1, per_picture=4)
    spec = document(2, poses={"oks_nms": 0.9, "max_poses": 3, "score_floor": 0.2})
    first, second = seen(truth, 1), seen(truth, 2)
    doubled = Instances.concat([first, first[:2].with_(score=first.score[:2] / 2)])
    other = np.concatenate([second.keypoints, second.keypoints[:2]])
    found = candidates(doubled, [doubled.keypoints, other], spec.poses)
    assert len(found.people) == 30 and len(found.beyond) == 10
    assert (np.unique(found.people.image_id, return_counts=True)[1] == 3).all()
    everyone = candidates(first, [first.keypoints, second.keypoints], document(2).poses)
    for person, row in zip(found.people.keypoints, found.agreement, strict=True):
        (same,) = np.flatnonzero((everyone.people.keypoints == person).all(axis=(1, 2)))
        np.testing.assert_array_equal(everyone.agreement[same], row)
    joined = Candidates.joined([found, found])
    assert len(joined.people) == 60 and joined.agreement.shape == (60, 17) and len(joined.beyond) == 20


def test_plain_rules_are_counted_as_they_are() -> None:
    spec = document(2, min_keypoint_score=0.8, min_agreement=0.5, min_keypoints=3)
    truth = crowd(300, seed=5)
    found = found_in(truth, 10, spec)
    told = audit(spec, found, truth)
    assert told.calibration is None and (told.rules.floors == 0.8).all()
    kept = (found.people.keypoints[:, :, 2] >= 0.8) & (found.agreement >= 0.5)
    kept &= kept.sum(axis=1, keepdims=True) >= 3
    table = told.figures["keypoints"]
    assert [table[name]["kept"] for name in COCO17.keypoints] == kept.sum(axis=0).tolist()
    assert {row["floor"] for row in table.values()} == {0.8}
    assert told.figures["people"] == kept.any(axis=1).sum()


@pytest.mark.parametrize("rules", [{"precision": 0.9}, {"precision": 0.9, "min_agreement": 0.4}, {}])
def test_what_is_foretold_comes_true(rules: dict[str, Any]) -> None:
    """Within three points, keypoint by keypoint, on other people with the same teachers."""
    spec = document(2, **rules)
    known, sealed = crowd(4000, seed=1), crowd(4000, seed=2)
    told = audit(spec, found_in(known, 100, spec), known)
    labels = label_block(found_in(sealed, 200, spec), told, several=True)
    truth = counts(judge(labels.people, sealed), COCO17.keypoints)
    for name, row in told.figures["keypoints"].items():
        for key in ("right_50", "right_75"):
            foretold, true = row[key] / row["kept"], truth[name][key] / truth[name]["kept"]
            assert abs(foretold - true) < 0.03, (name, key)
        if spec.precision:
            assert row["right_50"] / row["kept"] > 0.87
            # agreement alone does better than that, and then no label is given away
            assert (row["floor"] < 0.4) if spec.min_agreement else (row["right_50"] / row["kept"] < 0.93)
        assert row["kept"] > 200


def test_floors_never_fall_below_the_document_s_and_some_are_not_to_be_had() -> None:
    truth = crowd(400, seed=1)
    spec = document(precision=0.6, min_keypoint_score=0.7)
    assert (audit(spec, found_in(truth, 3, spec), truth).rules.floors >= 0.7).all()
    wild = document(precision=0.999, right_oks=0.99999)
    told = audit(wild, found_in(truth, 3, wild), truth)
    assert np.isinf(told.rules.floors).all() and told.figures["people"] == 0
    assert told.figures["keypoints"]["nose"] == {
        "floor": None, "kept": 0, "right_50": 0, "right_75": 0, "unknown": 0,
    }  # fmt: skip


def test_too_few_pictures_solve_nothing() -> None:
    spec = document(precision=0.9)
    for people, pictures in ((27, 9), (30, 10)):
        truth = crowd(people, seed=0)
        if pictures < 10:
            with pytest.raises(KpkitError, match="found people on 9 of audit; name a larger data set"):
                audit(spec, found_in(truth, 1, spec), truth)
        else:
            assert len(audit(spec, found_in(truth, 1, spec), truth).rules.floors) == 17
    plain = document()
    nobody = candidates(truth[:0].with_(source=truth.source[:0]), [], plain.poses)
    assert audit(plain, nobody, truth).figures["people"] == 0


def test_soft_weights_are_the_probabilities_of_being_right() -> None:
    spec = document(soft_weights=True, min_keypoint_score=0.3)
    known, sealed = crowd(3000, seed=1), crowd(3000, seed=2)
    told = audit(spec, found_in(known, 100, spec), known)
    found = found_in(sealed, 200, spec)
    people = label_block(found, told, several=False).people
    weight, kept = people.keypoint_weight, people.keypoints[:, :, 2] > 0
    assert weight is not None
    assert (weight[~kept] == 0).all() and (weight >= 0).all() and (weight <= 1).all()
    right = judge(people, sealed).right(0.5)
    for low, high in ((0.5, 0.7), (0.7, 0.85), (0.85, 1.01)):
        rows = kept & (weight >= low) & (weight < high)
        assert rows.sum() > 500
        assert abs(right[rows].mean() - weight[rows].mean()) < 0.05


def test_labels_are_as_sure_as_the_teachers_agree() -> None:
    truth = crowd(30, seed=3)
    spec = document(2, min_keypoint_score=0.5)
    found = found_in(truth, 7, spec)
    told = audit(spec, found, truth)
    kept = found.people.keypoints[:, :, 2] >= 0.5
    several = label_block(found, told, several=True)
    single = label_block(found, told, several=False)
    assert len(several.people) == len(single.people) == 30 and len(several.ignored) == 0
    for sureness, values in (
        (several.sureness, found.agreement),
        (single.sureness, found.people.keypoints[:, :, 2]),
    ):
        np.testing.assert_allclose(sureness, [v[k].mean() for v, k in zip(values, kept, strict=True)])


def test_who_gets_no_label_is_ignored() -> None:
    truth = crowd(12, seed=3, per_picture=4)
    spec = document(min_keypoint_score=0.5, min_keypoints=3, poses={"oks_nms": 1.0, "max_poses": 3})
    poses = seen(truth, 1)
    dull = poses.keypoints.copy()
    dull[0, :, 2] = 0.3
    score = np.tile([0.9, 0.8, 0.7, 0.01], 3)
    found = candidates(poses.with_(keypoints=dull, score=score), [], spec.poses)
    rules = audit(spec, found, truth)
    aside = truth[:2].with_(
        image_id=np.array([1, 99]), box=np.array([[5000.0, 0, 50, 50], [0, 0, 50, 50]]),
        score=np.array([0.3, 0.2]), source=np.array(["D", "D"]),
    )  # fmt: skip
    again = truth[[1]].with_(box=truth.box[[1]] + 1, source=np.array(["D"]))  # a labelled person's other box
    twice = aside[:1].with_(box=aside.box[:1] + 2, score=np.array([0.25]))
    block = label_block(found, rules, several=False, left_over=Instances.concat([aside, again, twice]))
    assert len(block.people) == 8  # nine poses within the limit, one of them dull
    ignored = block.ignored
    assert ignored.crowd.all() and not ignored.keypoints.any() and set(ignored.source) == {"U"}
    boxes = {tuple(box) for box in ignored.box.round(3).tolist()}
    # the dull one, the fourth person of each picture, and the two that no teacher saw; each place once
    wanted = np.concatenate([poses.box[[0, 3, 7, 11]], aside.box]).round(3)
    assert boxes == {tuple(box) for box in wanted.tolist()} and len(ignored) == 6
    assert (np.diff(ignored.image_id) >= 0).all()
    assert label_block(found, rules, several=False).ignored.image_id.size == 0


def test_given_rules_are_the_document_s() -> None:
    rules = given_rules(document(2, min_keypoint_score=0.4, min_agreement=0.2, min_keypoints=4), 17)
    assert rules.floors.tolist() == [0.4] * 17 and (rules.min_agreement, rules.min_keypoints) == (0.2, 4)
    assert document(precision=0.9).min_keypoint_score == 0.0 and document().min_keypoint_score == 0.9
    assert document(boxes="truth").audit_boxes == "truth"


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"audit": "", "precision": 0.9}, "solved on audit"),
        ({"audit": "", "soft_weights": True}, "solved on audit"),
        ({"audit": "coco_unlabeled2017"}, "same data set"),
        ({"min_agreement": 0.5}, "two teachers or more"),
        ({"precision": 1.0}, "less than 1"),
    ],
)
def test_rules_that_cannot_be(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        document(**rules)
