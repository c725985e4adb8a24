"""Poses of several tools merged by OKS, against a plain loop and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kpkit.core.errors import KpkitError
from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.ensembles.oks_merge import extent, oks_merge
from kpkit.evaluation.oks import pose_oks


def seen(seed: int, *, people: int = 5, pictures: int = 3, spread: float = 3.0) -> Instances:
    """A tool's poses: the same people for every tool, some missed, with errors."""
    base = np.random.default_rng(0).uniform(0, 150, (pictures, people, 17, 2))
    rng = np.random.default_rng(seed)
    picture, person = np.nonzero(rng.random((pictures, people)) < 0.8)
    points = base[picture, person] + rng.normal(0, spread, (len(picture), 17, 2))
    scores = rng.uniform(0, 1, (len(picture), 17, 1))
    return Instances.of(
        picture, np.zeros((len(picture), 4)), np.concatenate([points, scores], axis=2),
        score=rng.uniform(0.1, 1, len(picture)), source="P",
    )  # fmt: skip


def plain_merge(members: list[Instances], weights: list[float], threshold: float) -> list[np.ndarray]:
    """Picture by picture, pose by pose: picture, score, keypoints of each person."""
    found = []
    for picture in range(3):
        rows = [
            (weight * part.score[row], number, weight, part.keypoints[row])
            for number, (part, weight) in enumerate(zip(members, weights, strict=True))
            for row in np.flatnonzero(part.image_id == picture)
        ]
        people: list[list[tuple[float, int, float, np.ndarray]]] = []
        for row in sorted(rows, key=lambda row: -row[0]):
            alike = []
            for person in people:
                pose, area = mean_pose(person)
                mine, own = mean_pose([row])
                same = pose_oks(pose[None], np.array([area]), mine[None], np.array([own]), COCO17.oks_sigmas)
                alike.append(-1.0 if row[1] in {other[1] for other in person} else float(same[0]))
            if alike and max(alike) > threshold:
                people[int(np.argmax(alike))].append(row)
            else:
                people.append([row])
        for person in people:
            score = sum(row[0] for row in person) / sum(weights)
            found.append(np.concatenate([[picture, score], mean_pose(person)[0].ravel()]))
    return sorted(found, key=lambda row: (row[0], -row[1]))


def mean_pose(rows: list[tuple[float, int, float, np.ndarray]]) -> tuple[np.ndarray, float]:
    """Keypoints (17, 3) and area of a person."""
    weights = np.array([row[2] for row in rows])
    points = np.stack([row[3] for row in rows])
    share = weights[:, None] * points[:, :, 2].clip(1e-3)
    xy = (points[:, :, :2] * share[..., None]).sum(axis=0) / share.sum(axis=0)[:, None]
    area = extent(points)[:, 2:].prod(axis=1)
    sure = np.average(points[:, :, 2], axis=0, weights=weights)
    return np.concatenate([xy, sure[:, None]], axis=1), float(np.average(area, weights=weights))


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [3.0, 0.5, 1.0]])
def test_equals_a_plain_loop(weights: list[float]) -> None:
    members = [seen(1), seen(2, spread=8.0), Instances.concat([seen(3), seen(4)])]
    merged = oks_merge(members, 0.5, weights)
    table = np.column_stack([merged.image_id, merged.score, merged.keypoints.reshape(len(merged), -1)])
    wanted = np.stack(plain_merge(members, weights, 0.5))
    assert 15 < len(wanted) < sum(map(len, members))
    np.testing.assert_allclose(table, wanted, rtol=1e-9)
    assert set(merged.source.tolist()) == {"M"}
    np.testing.assert_array_equal(merged.box, extent(merged.keypoints))


def test_a_joint_is_told_by_who_is_sure_of_it() -> None:
    one = seen(1, people=1, pictures=1)[:1]
    points = one.keypoints.copy()
    points[:, :, :2] += 2.0
    points[:, :, 2] = 0.0
    points[:, 5, 2] = 1.0
    one = one.with_(keypoints=np.concatenate([one.keypoints[:, :, :2], np.full((1, 17, 1), 0.5)], axis=2))
    merged = oks_merge([one, one.with_(keypoints=points)], 0.5)
    assert len(merged) == 1
    moved = merged.keypoints[0, :, 0] - one.keypoints[0, :, 0]
    assert moved[5] == pytest.approx(2 / 1.5)
    assert np.delete(moved, 5).max() < 0.01


def test_seen_by_one_of_two_is_worth_half_and_a_members_copy_stays_apart() -> None:
    one = seen(1, people=2, pictures=1)[:1]
    alone = oks_merge([one, Instances.empty()], 0.5)
    assert alone.score[0] == pytest.approx(one.score[0] / 2)
    twice = oks_merge([Instances.concat([one, one])], 0.5)
    assert len(twice) == 2


def test_what_cannot_be_merged_is_refused() -> None:
    one = seen(1)
    with pytest.raises(KpkitError, match=r"0\.\.1"):
        oks_merge([one.with_(score=one.score * 10)])
    with pytest.raises(KpkitError, match="1 members need as many positive weights"):
        oks_merge([one], 0.5, [0.0])
    assert len(oks_merge([Instances.empty()])) == 0
