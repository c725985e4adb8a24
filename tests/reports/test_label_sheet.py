"""The contact sheet of labelled people: who is shown, in which order, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError, KpkitError
from kpkit.core.instances import ImageTable, Instances
from kpkit.data.images import write_image
from kpkit.reports.drawing import LEFT
from kpkit.reports.label_sheet import label_sheet

IMAGES = ImageTable.of([4, 5], ["a.png", "b.png"], [120, 120], [90, 90])
CELL = (80, 60)
STEP = (CELL[0] + 6, CELL[1] + 36)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures: red with a blue square where the first person is, and green."""
    red, green = (np.full((90, 120, 3), c, np.uint8) for c in ((200, 0, 0), (0, 120, 0)))
    red[20:50, 30:60] = (0, 0, 200)
    write_image(tmp_path / "a.png", red)
    write_image(tmp_path / "b.png", green)
    return tmp_path


def people(n: int = 3) -> Instances:
    return Instances.of([4, 5, 5][:n], [[30, 20, 30, 30]] * n, id=[1, 2, 3][:n])


def cell(sheet: np.ndarray, k: int, top: int = 6) -> np.ndarray:
    """The picture of a cell, in a sheet of two columns."""
    y, x = top + k // 2 * STEP[1], 6 + k % 2 * STEP[0]
    return sheet[y : y + CELL[1], x : x + CELL[0]]


def colour(sheet: np.ndarray, k: int) -> list[int]:
    """Of a cell's centre."""
    return cell(sheet, k)[CELL[1] // 2, CELL[0] // 2].tolist()


def test_largest_keys_come_first(folder: Path) -> None:
    key = np.array([0.5, 0.1, 0.9])
    sheet = label_sheet(folder, IMAGES, people(), key, columns=2, cell=CELL)
    assert sheet.shape == (2 * STEP[1] + 6, 2 * STEP[0] + 6, 3)
    assert [colour(sheet, k) for k in range(3)] == [[0, 120, 0], [0, 0, 200], [0, 120, 0]]
    assert (cell(sheet, 3) == 255).all()
    first = label_sheet(folder, IMAGES, people(), key, columns=2, count=1, cell=CELL)
    assert first.shape == (STEP[1] + 6, STEP[0] + 6, 3)
    np.testing.assert_array_equal(cell(first, 0), cell(sheet, 0))


def test_equal_keys_go_by_id_and_crowds_and_nan_are_not_shown(folder: Path) -> None:
    everyone = people().with_(id=np.array([9, 7, 8]))
    sheet = label_sheet(folder, IMAGES, everyone, np.ones(3), columns=2, cell=CELL)
    assert colour(sheet, 2) == [0, 0, 200]
    hidden = everyone.with_(crowd=np.array([False, True, False]))
    sheet = label_sheet(folder, IMAGES, hidden, np.array([1, 1, np.nan]), columns=2, cell=CELL)
    assert sheet.shape[1] == STEP[0] + 6
    assert colour(sheet, 0) == [0, 0, 200]
    nobody = label_sheet(folder, IMAGES, everyone, np.full(3, np.nan), title="t")
    assert (nobody < 100).any()


@pytest.mark.parametrize("size", [30.0, 45.0, 90.0])
def test_the_person_fills_the_cell_and_keypoints_lie_on_what_they_mark(folder: Path, size: float) -> None:
    one = people(1).with_(box=np.array([[45 - size / 2, 35 - size / 2, size, size]]))
    plain = cell(label_sheet(folder, IMAGES, one, np.ones(1), columns=2, cell=CELL), 0)
    scale = CELL[1] / 1.24 / size  # the box takes the cell's height, less the margins
    blue = ((plain[..., 2] > 120) & (plain[..., 0] < 80)).any(axis=0).nonzero()[0]
    middle = (CELL[0] - 1) / 2
    np.testing.assert_allclose(blue[[0, -1]], middle + np.array([-15, 15]) * scale + [0.5, -0.5], atol=1.5)
    # a left eye on the blue square's last pixel, which is half a pixel inside its lower right corner
    one.keypoints[0, 1] = (59, 49, 2)
    drawn = cell(label_sheet(folder, IMAGES, one, np.ones(1), columns=2, cell=CELL), 0)
    changed = np.array((drawn != plain).any(axis=2).nonzero()).mean(axis=1)[::-1]
    np.testing.assert_allclose(changed, (np.array(CELL) - 1) / 2 + 14.5 * scale, atol=1)
    assert (np.abs(drawn.astype(int) - LEFT).sum(axis=2) < 60).any()


def test_hidden_keypoints_are_pale_inside(folder: Path) -> None:
    one = people(1)
    one.keypoints[0, 1] = (45, 35, 2)
    seen = colour(label_sheet(folder, IMAGES, one, np.ones(1), columns=2, cell=CELL), 0)
    one.keypoints[0, 1, 2] = 1
    hidden = colour(label_sheet(folder, IMAGES, one, np.ones(1), columns=2, cell=CELL), 0)
    assert sum(hidden) > sum(seen) + 200


def test_people_beyond_the_pictures_edge_are_shown_on_grey(folder: Path) -> None:
    one = people(1).with_(box=np.array([[-40.0, 20, 60, 30]]))
    shown = cell(label_sheet(folder, IMAGES, one, np.ones(1), columns=2, cell=CELL), 0)
    assert shown[30, 5].tolist() == [235, 235, 235]
    assert shown[30, 70].tolist() == [200, 0, 0]


def test_refusals(folder: Path) -> None:
    with pytest.raises(KpkitError, match="3 people have keys of shape"):
        label_sheet(folder, IMAGES, people(), np.ones(2))
    with pytest.raises(InputError, match="image 5 of person 2 is not in the table"):
        label_sheet(folder, IMAGES[:1], people(), np.ones(3))
    (folder / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png: missing picture"):
        label_sheet(folder, IMAGES, people(), np.ones(3))


@pytest.mark.shared
def test_a_sheet_of_real_people(shared: Path) -> None:
    from kpkit.data.coco import read_annotations

    real = shared / "real/coco"
    images, everyone = read_annotations(real / "annotations/person_keypoints_val2017.json")
    sheet = label_sheet(
        real / "val2017", images, everyone, -everyone.area, count=12, columns=4, title="small"
    )
    assert sheet.shape == (30 + 3 * 276 + 6, 4 * 196 + 6, 3)
