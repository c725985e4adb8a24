"""Label sets for round trips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14, COCO17, Skeleton
from kpkit.exporters.corrected import Corrected

IMAGES = ImageTable.of(
    [2**40, 7, 12, 3], ["b/ü <&>\".jpg", "a 1.jpg", "b/c.d.png", "empty.jpg"],
    [640, 333, 1920, 10], [427, 500, 1079, 10],
)  # fmt: skip


@st.composite
def label_sets(draw: st.DrawFn) -> Instances:
    """People and crowds in all but the last of IMAGES; coordinates of 0 to 3 decimals inside the pictures."""
    skeleton: Skeleton = draw(st.sampled_from([COCO17, AIC14]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, decimals = draw(st.integers(0, 6)), draw(st.integers(0, 3))
    rows = rng.integers(0, 3, n)
    size = np.stack([IMAGES.width, IMAGES.height], axis=1)[rows].astype(float)
    keypoints = np.round(rng.random((n, len(skeleton), 3)) * 1.0, 9)
    keypoints[:, :, :2] = np.round(keypoints[:, :, :2] * (size[:, None] - 1), decimals)
    keypoints[:, :, 2] = rng.integers(0, 3, (n, len(skeleton)))
    crowd = rng.random(n) < 0.2
    keypoints[crowd | (rng.random(n) < 0.2)] = 0
    keypoints[keypoints[:, :, 2] == 0] = 0
    low = np.round(rng.random((n, 2)) * size / 2, decimals)
    box = np.concatenate([low, np.round(rng.random((n, 2)) * size / 2, decimals)], axis=1)
    box[:, 2:] = np.maximum(box[:, 2:], 1)
    return Instances.of(
        IMAGES.id[rows], box, keypoints, score=rng.random(n), area=rng.random(n) * 1e4, crowd=crowd,
        source=rng.choice(["U", "C"], n), id=rng.permutation(np.array([5, 9, 10**12, 1, 77, 78]))[:n],
        skeleton=skeleton,
    )  # fmt: skip


def by_id(people: Instances) -> Instances:
    """In the order of their ids."""
    return people[np.argsort(people.id)]


def assert_equal(back: Instances, people: Instances, *fields: str, within: float = 0.0) -> None:
    """Equal fields, people taken by id; boxes, areas and keypoints within so many pixels."""
    assert sorted(back.id.tolist()) == sorted(people.id.tolist())
    back, people = by_id(back), by_id(people)
    for field in fields:
        a, b = getattr(back, field), getattr(people, field)
        if field in ("box", "keypoints"):
            np.testing.assert_allclose(a, b, rtol=0, atol=within, err_msg=field)
        elif field == "area":
            np.testing.assert_allclose(a, b, rtol=1e-3 if within else 1e-12, err_msg=field)
        else:
            np.testing.assert_array_equal(a, b, field)


def one_person(skeleton: Skeleton = COCO17, id: int = 8) -> tuple[ImageTable, Instances]:
    """A person with visibilities 0, 1, 2 in turn, in the first of two pictures of 200 x 100."""
    images = ImageTable.of([785, 9], ["one.jpg", "sub/two.jpg"], [200, 200], [100, 100])
    points = [[10.0 + 5 * k, 20.0 + 3 * k, k % 3] for k in range(len(skeleton))]
    points = [[x, y, v] if v else [0, 0, 0] for x, y, v in points]
    people = Instances.of(
        [785], [[8.5, 15.25, 100.5, 70]], [points], score=[0.75], area=[3000.0], source="U", id=[id],
        skeleton=skeleton,
    )  # fmt: skip
    return images, people


def file_names(corrected: Corrected) -> tuple[str, ...]:
    return corrected.images.file_name


def replace(path: Path, *pairs: tuple[str, str]) -> None:
    """Edit a text file as an annotator's tool would; every old text must be there."""
    text = path.read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)
