"""What comes back: ids, changes, pictures by the names tools give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import COCO17
from kpkit.exporters.corrected import (
    Changes,
    Corrected,
    Person,
    changes,
    gather,
    number_new,
    numbers,
    recognise,
)
from kpkit.exporters.pictures import Pictures
from kpkit.exporters.sent import making, with_sizes

IMAGES = ImageTable.of([4, 5], ["a.jpg", "b.jpg"], [100, 100], [50, 50])


def people(*rows: tuple[int, int, float]) -> Instances:
    """(id, image, x of a box of 10 x 20 with a nose and an eye in it)."""
    keypoints = np.zeros((len(rows), 17, 3))
    keypoints[:, 0] = [(x + 5, 8, 2) for _, _, x in rows]
    keypoints[:, 1] = [(x + 6, 7, 1) for _, _, x in rows]
    boxes = [[x, 5, 10, 20] for _, _, x in rows]
    return Instances.of([image for _, image, _ in rows], boxes, keypoints, id=[key for key, _, _ in rows])


def test_changes_are_counted_by_id_in_the_pictures_that_came_back() -> None:
    before = people((1, 4, 0), (2, 4, 20), (3, 4, 40), (4, 4, 60), (9, 5, 0))
    after = people((1, 4, 0), (2, 4, 20), (3, 4, 40), (10, 4, 80))
    after.box[0] += 0.011  # CVAT's rounding is no change
    after.keypoints[1, 1, 2] = 2
    after.keypoints[2, 3, :2] = 7  # not labelled
    corrected = Corrected(IMAGES[:1], after)
    assert changes(before, corrected) == Changes(kept=2, changed=1, added=1, deleted=1)
    assert str(changes(before, corrected)) == "2 kept, 1 changed, 1 added, 1 deleted"
    after.box[2, 3] += 1
    assert changes(before, corrected) == Changes(kept=1, changed=2, added=1, deleted=1)


def test_new_people_never_take_a_deleted_ones_id() -> None:
    assert number_new(people((0, 4, 0), (7, 4, 20), (0, 5, 0)), taken=30).id.tolist() == [31, 7, 32]
    assert number_new(people((0, 4, 0), (7, 4, 20)), taken=0).id.tolist() == [8, 7]
    assert number_new(Instances.empty(), taken=3).id.tolist() == []


def test_people_without_ids_are_recognised_by_their_boxes() -> None:
    before = people((1, 4, 0), (2, 4, 6), (3, 5, 0)).with_(
        score=np.array([0.1, 0.2, 0.3]), area=np.array([20.0, 40, 60]), source=np.array(["C", "U", "U"])
    )
    back = people((0, 4, 5), (0, 4, 1), (0, 4, 70))
    found = recognise(Corrected(IMAGES[:1], back), before).people
    assert found.id.tolist() == [2, 1, 0]
    assert found.score.tolist() == [0.2, 0.1, 1]
    assert found.source.tolist() == ["U", "C", "C"]
    np.testing.assert_allclose(found.area, [40, 20, 200])


def test_crowds_come_back_in_the_pictures_that_did() -> None:
    before = people((1, 4, 0), (2, 4, 20), (3, 5, 20)).with_(crowd=np.array([False, True, True]))
    found = recognise(Corrected(IMAGES[:1], people((0, 4, 20))), before).people
    assert (found.id.tolist(), found.crowd.tolist()) == ([0, 2], [False, True])


def test_gathered_people() -> None:
    keypoints = np.zeros((17, 3))
    keypoints[0], keypoints[1], keypoints[2] = (10, 20, 2), (14, 26, 1), (99, 99, 0)
    found = gather([Person(4, keypoints, None, id=3), Person(4, keypoints, (1, 2, 3, 4), id=3)], COCO17)
    assert found.box.tolist() == [[10, 20, 5, 7], [1, 2, 3, 4]]
    assert found.id.tolist() == [3, 0]
    assert found.keypoints[0, 2].tolist() == [0, 0, 0]
    np.testing.assert_allclose(found.area, [0.53 * 35, 0.53 * 12])
    assert len(gather([], COCO17)) == 0


def test_pictures_by_the_names_tools_give_them() -> None:
    names = ["train/a.jpg", "val/a.jpg", "b.x.png", "deep/er/c.jpg", "a.jpg"]
    pictures = Pictures(ImageTable.of(range(5), names), Path("tool.xml"))
    found = {name: [names[row] for row in pictures.look_for(name)] for name in (
        "val/a.jpg", "val/a", "a.jpg", "/srv/images/val/a.jpg", "b.x", "x/b.x.txt", "c.jpg", "er\\c.jpg",
        "other/c.jpg", "", "..", "/",
    )}  # fmt: skip
    assert found == {
        "val/a.jpg": ["val/a.jpg"], "val/a": ["val/a.jpg"], "a.jpg": ["a.jpg"],
        "/srv/images/val/a.jpg": ["val/a.jpg"], "b.x": [], "x/b.x.txt": ["b.x.png"],
        "c.jpg": ["deep/er/c.jpg"], "er\\c.jpg": ["deep/er/c.jpg"], "other/c.jpg": [], "": [], "..": [],
        "/": [],
    }  # fmt: skip
    with pytest.raises(
        InputError, match=r"tool\.xml: here: picture 'a\.png' could be t/a.jpg or v/a.jpg; name"
    ):
        Pictures(ImageTable.of([1, 2], ["t/a.jpg", "v/a.jpg"]), Path("tool.xml")).find("a.png", "here")


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "-2.5", " .5 ", "1e-3", "+3."], [1, -2.5, 0.5, 0.001, 3]),
        (["nan"], None),
        (["inf"], None),
        (["1_000"], None),
        (["1e999"], None),
        ([""], None),
        (["٣"], None),
    ],
)
def test_numbers(texts: list[str], values: list[float] | None) -> None:
    assert numbers(texts) == values


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail() -> None:
        with making(tmp_path / "out") as work:
            (work / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with making(tmp_path / "out") as work:
        (work / "whole").write_text("x")
    assert (tmp_path / "out/whole").read_text() == "x"
    with pytest.raises(InputError, match="out: is there already; give another folder"):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_sizes_are_read_where_the_list_lacks_them(tmp_path: Path) -> None:
    from kpkit.data.images import write_image

    write_image(tmp_path / "b.png", np.zeros((7, 9, 3), np.uint8))
    images = ImageTable.of([1, 2], ["a.jpg", "b.png"], [100, 0], [50, 0])
    sized = with_sizes(images, tmp_path)
    assert (sized.width.tolist(), sized.height.tolist()) == ([100, 9], [50, 7])
    with pytest.raises(InputError, match=r"size of picture 'b\.png' is not given; .* --images"):
        with_sizes(images, None)
    assert with_sizes(IMAGES, None) is IMAGES
