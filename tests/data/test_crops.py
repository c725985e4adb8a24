"""Crops: geometry against the peers' numbers, flipping, weights, repeatability."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.crops import CropGeometry, crop_matrices, fit_boxes, invert, transform
from kpkit.core.errors import InputError, KpkitError
from kpkit.core.instances import ImageTable, Instances
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.data import images as images_module
from kpkit.data.augment import Augmentation
from kpkit.data.crops import CropDataset, crop_batch, picture_paths, warp

SIZE = (128, 96)
PLAIN = CropGeometry(SIZE)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("convention", "name", "less"), [("classic", "hrnet", 0), ("unbiased", "unbiased", 1)]
)
def test_matrices_and_crops_equal_the_peers(shared: Path, convention: str, name: str, less: int) -> None:
    golden = np.load(shared / "golden/affine_crop.npz")
    centre, size = fit_boxes(golden["boxes_xywh"], SIZE)
    # DARK, which printed the unbiased numbers, counts the box's width in pixels less one too; UDP does not.
    matrices = crop_matrices(
        centre, size - less, SIZE, rotation=golden["rotation_deg"], convention=convention
    )
    np.testing.assert_allclose(matrices, golden[f"{name}_matrix"], atol=1e-4)
    crops = np.empty((len(matrices), *SIZE, 3), np.uint8)
    warp(golden["image"], matrices, crops)
    difference = np.abs(crops.astype(int) - golden[f"{name}_crop"])
    assert (difference <= 1).mean() > 0.999
    upright = golden["rotation_deg"] == 0
    if convention == "classic":
        plain, _ = crop_batch(golden["image"], golden["boxes_xywh"], PLAIN)
        assert (np.abs(plain[upright].astype(int) - golden["hrnet_crop"][upright]) <= 1).mean() > 0.999


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures: bright dots of 3 x 3 at the 17 keypoints of one person each."""
    for k in range(2):
        image = np.zeros((200, 180, 3), np.uint8)
        for x, y in points(k).round().astype(int):
            image[y - 1 : y + 2, x - 1 : x + 2] = 255
        cv2.imwrite(str(tmp_path / f"{k}.png"), image)
    return tmp_path


def points(k: int) -> np.ndarray:
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(4)), axis=-1).reshape(-1, 2)[:17]
    return grid * [18.0, 30.0] + [40 + 3 * k, 45 + 2 * k]


def dataset(folder: Path, **options: object) -> CropDataset:
    keypoints = np.concatenate([np.stack([points(0), points(1)]), np.full((2, 17, 1), 2.0)], axis=2)
    keypoints = keypoints[[0, 1, 0, 1]]
    keypoints[1, 0] = 0  # unlabelled
    keypoints[1, 1, 2] = 1
    people = Instances.of([7, 8, 7, 8], [[30, 30, 100, 130]] * 3 + [[90, 30, 40, 60]], keypoints)
    images = ImageTable.of([8, 7], ["1.png", "0.png"])
    options = {"geometry": PLAIN} | options
    return CropDataset(people, picture_paths(people, images, folder), **options)  # type: ignore[arg-type]


def brightness(batch_images: np.ndarray, keypoints: np.ndarray, b: int) -> np.ndarray:
    x, y = np.clip(keypoints[b].round().astype(int), 0, [SIZE[1] - 1, SIZE[0] - 1]).T
    return batch_images[b, y, x, 0]


@pytest.mark.parametrize("convention", ["classic", "unbiased"])
def test_keypoints_follow_the_pixels(folder: Path, convention: str) -> None:
    settings_ = Augmentation(flip=0.5, rotation_probability=1)
    data = dataset(folder, geometry=CropGeometry(SIZE, convention), augmentation=settings_, seed=3)
    rows = np.array([0, 1, 2] * 8)
    for epoch in range(6):
        batch = data.batch(rows, epoch)
        for b in range(len(batch)):
            seen = (batch.visibility[b] > 0) & batch.inside[b]
            assert (brightness(batch.images, batch.keypoints, b)[seen] > 100).all()


def test_flip_mirrors_pixels_and_swaps_sides(folder: Path) -> None:
    plain = dataset(folder, augmentation=Augmentation(flip=0, scale=0, rotation=0, half_body=0)).batch([1])
    other = dataset(folder, augmentation=Augmentation(flip=1, scale=0, rotation=0, half_body=0)).batch([1])
    difference = np.abs(plain.images[0, :, ::-1].astype(int) - other.images[0])
    assert difference.max() <= 2
    order = COCO17.flip_order
    expected = plain.keypoints[0][order] * [-1, 1] + [SIZE[1] - 1, 0]
    np.testing.assert_allclose(other.keypoints[0], expected)
    np.testing.assert_array_equal(other.visibility[0], plain.visibility[0][order])
    assert other.flipped.all()
    assert not plain.flipped.any()


@given(st.integers(0, 2**32), st.sampled_from([COCO17, AIC14]))
@settings(max_examples=50, deadline=None)
def test_flip_twice_is_identity(seed: int, skeleton: object) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(50, 30, (3, len(skeleton), 2))  # type: ignore[arg-type]
    once = values[:, skeleton.flip_order] * [-1, 1] + [95, 0]  # type: ignore[attr-defined]
    twice = once[:, skeleton.flip_order] * [-1, 1] + [95, 0]  # type: ignore[attr-defined]
    np.testing.assert_allclose(twice, values, atol=1e-12)


def test_visibility_is_as_labelled_and_what_falls_outside_is_told(folder: Path) -> None:
    batch = dataset(folder).batch(np.arange(4))
    assert batch.visibility[0].tolist() == [2] * 17
    assert batch.inside[0].all()
    assert batch.visibility[1, :3].tolist() == [0, 1, 2]
    outside = (batch.keypoints[3] < -0.5).any(axis=1) | (batch.keypoints[3] >= [95.5, 127.5]).any(axis=1)
    assert 0 < outside.sum() < 17
    np.testing.assert_array_equal(~batch.inside[3], outside)
    assert batch.visibility[3].tolist() == [2] * 17
    assert not batch.negative.any()


def test_hard_negatives_are_told_and_have_no_keypoints(folder: Path) -> None:
    data = dataset(folder)
    people = data.instances[np.array([0])].with_(source=np.array(["H"]), keypoints=np.zeros((1, 17, 3)))
    batch = CropDataset(people, data.pictures[:1], PLAIN, augmentation=Augmentation()).batch([0])
    assert batch.negative.tolist() == [True]
    assert not batch.visibility.any()


def test_equal_for_equal_seed_epoch_and_row(folder: Path) -> None:
    data = dataset(folder, augmentation=Augmentation(), seed=5)
    whole = data.batch([3, 0, 1, 2], epoch=4)
    again = dataset(folder, augmentation=Augmentation(), seed=5, cache_bytes=10**7)
    for place, row in enumerate([3, 0, 1, 2]):
        one = again.sample(row, epoch=4)
        np.testing.assert_array_equal(one.images[0], whole.images[place])
        np.testing.assert_array_equal(one.keypoints[0], whole.keypoints[place])
        np.testing.assert_array_equal(one.matrix[0], whole.matrix[place])
    assert (data.batch([0], epoch=5).matrix != whole.matrix[1]).any()


def test_each_picture_is_decoded_once_a_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = images_module.read_image

    def counting(path: str, **options: int) -> np.ndarray:
        read.append(path)
        return original(path, **options)

    monkeypatch.setattr(images_module, "read_image", counting)
    dataset(folder).batch([0, 1, 2, 3, 0, 2])
    assert sorted(Path(p).name for p in read) == ["0.png", "1.png"]
    read.clear()
    cached = dataset(folder, cache_bytes=10**7)
    cached.batch([0, 1])
    cached.batch([2, 3])
    assert len(read) == 2


def test_test_time_crops_equal_the_dataset_without_augmentation(folder: Path) -> None:
    geometry = CropGeometry(SIZE, "unbiased", 1.1, (1.0, 1.3))
    data = dataset(folder, geometry=geometry)
    batch = data.batch([0, 2])
    image = images_module.read_image(folder / "0.png")
    crops, matrices = crop_batch(image, data.instances.box[[0, 2]], geometry)
    np.testing.assert_array_equal(crops, batch.images)
    np.testing.assert_array_equal(matrices, batch.matrix)
    empty, none = crop_batch(image, np.zeros((0, 4)), PLAIN)
    assert empty.shape == (0, 128, 96, 3)
    assert none.shape == (0, 2, 3)


def test_several_geometries_show_the_same_people(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = CropGeometry((96, 128), "unbiased", 1.0, (1.2, 1.3))
    data = dataset(folder, augmentation=Augmentation(), seed=3)
    together = data.batches([PLAIN, wide], [0, 1, 3], epoch=2)
    for batch, geometry in zip(together, (PLAIN, wide), strict=True):
        alone = dataset(folder, geometry=geometry, augmentation=Augmentation(), seed=3).batch(
            [0, 1, 3], epoch=2
        )
        for field in ("images", "keypoints", "visibility", "inside", "matrix", "flipped"):
            np.testing.assert_array_equal(getattr(batch, field), getattr(alone, field))
    np.testing.assert_array_equal(together[0].flipped, together[1].flipped)
    assert together[1].images.shape == (3, 96, 128, 3)


def test_weights_follow_their_keypoints_through_a_mirror(folder: Path) -> None:
    data = dataset(folder, augmentation=Augmentation(flip=0.5))
    assert (data.batch([0]).keypoint_weight == 1).all()
    weight = np.random.default_rng(0).random((len(data), 17))
    data.instances = data.instances.with_(keypoint_weight=weight)
    batches = [data.batch(np.arange(len(data)), epoch) for epoch in range(4)]
    assert {flipped for batch in batches for flipped in batch.flipped} == {False, True}
    for batch in batches:
        for row, flipped in enumerate(batch.flipped):
            wanted = weight[row, COCO17.flip_order] if flipped else weight[row]
            np.testing.assert_array_equal(batch.keypoint_weight[row], wanted)


@given(
    st.lists(st.floats(-500, 3000), min_size=2, max_size=2),
    st.lists(st.floats(0.5, 2000), min_size=2, max_size=2),
    st.floats(-180, 180), st.sampled_from(["classic", "unbiased"]), st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_crop_then_back_is_identity(
    corner: list[float], extent: list[float], rotation: float, convention: str, seed: int
) -> None:
    centre, size = fit_boxes(np.array([corner + extent]), SIZE)
    matrix = crop_matrices(centre, size, SIZE, rotation=rotation, convention=convention)
    where = np.random.default_rng(seed).normal(centre, size, (1, 17, 2))
    back = transform(invert(matrix), transform(matrix, where))
    assert np.abs(back - where).max() < 1e-4


def test_faults_are_named(folder: Path) -> None:
    data = dataset(folder)
    (folder / "1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"1\.png: not an image"):
        data.batch([0, 1])
    (folder / "1.png").unlink()
    with pytest.raises(InputError, match=r"1\.png: missing picture"):
        data.batch([0, 1])
    people = data.instances
    with pytest.raises(InputError, match="image 8 is not in the image table"):
        picture_paths(people, ImageTable.of([7], ["0.png"]), folder)
    with pytest.raises(InputError, match="leaves its folder"):
        picture_paths(people, ImageTable.of([7, 8], ["0.png", "../1.png"]), folder)
    box = people.box.copy()
    box[2, 3] = 0
    with pytest.raises(InputError, match="row 2: the box of image 7 has no positive size"):
        CropDataset(people.with_(box=box), data.pictures, PLAIN)
    with pytest.raises(KpkitError, match="4 instances but 1 pictures"):
        CropDataset(people, data.pictures[:1], PLAIN)
    with pytest.raises(KpkitError, match="none of classic, unbiased"):
        CropGeometry(SIZE, "udp")


@pytest.mark.shared
def test_real_people_of_three_sources_in_one_batch(shared: Path) -> None:
    from kpkit.data.aic import read_aic
    from kpkit.data.coco import read_annotations

    coco = shared / "real/coco"
    images, people = read_annotations(coco / "annotations/person_keypoints_train2017.json")
    people = people[people.num_labelled > 0][:20]
    aic_images, aic = read_aic(shared / "real/aic/keypoint_annotations_example.json")
    there = np.array([(shared / "real/aic/images" / name).exists() for name in aic_images.file_name])
    aic = aic[np.isin(aic.image_id, aic_images.id[there])].speaking(COCO17)
    negatives = people[:2].with_(source=np.array(["H", "H"]), keypoints=np.zeros((2, 17, 3)))
    paths = picture_paths(people, images, coco / "train2017")
    paths = paths + picture_paths(aic, aic_images, shared / "real/aic/images") + paths[:2]
    everyone = Instances.concat([people, aic, negatives])
    batch = CropDataset(everyone, paths, CropGeometry((64, 48)), augmentation=Augmentation()).batch(
        np.arange(len(everyone))
    )
    assert batch.images.reshape(len(batch), -1).max(axis=1).min() > 0
    assert not batch.visibility[everyone.source == "A", :5].any()
    assert batch.negative.sum() == 2
