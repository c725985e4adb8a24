"""Boxes to poses: an all-knowing network's points come back to their places in the picture."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from kpkit.core.crops import CropGeometry, transform
from kpkit.core.instances import Instances
from kpkit.core.skeletons import COCO17
from kpkit.data import images
from kpkit.data.crops import CropDataset
from kpkit.heatmaps.blend import common_codec
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.encode import gaussian_targets
from kpkit.heatmaps.flip import unflip
from kpkit.inference import predict
from kpkit.inference.network import CPU_SLICE, Predictor, codec_of, crop_geometry, normaliser
from kpkit.inference.predict import predict_poses
from kpkit.models.network import Output, PoseNetwork
from kpkit.specs.poses import DecodeSpec
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.loop import build_network

CPU = torch.device("cpu")
SIZE = (64, 64)
EXACT = DecodeSpec(refine="parabola")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def recipe(
    convention: str = "classic",
    size: tuple[int, int] = SIZE,
    seed: int = 0,
    codec: dict[str, Any] | None = None,
    **network: Any,
) -> RecipeSpec:
    return RecipeSpec.model_validate(
        {
            "kind": "recipe",
            "network": {
                "name": "cpn_resnet50",
                "input_size": size,
                "precision": "fp32",
                "options": {"depths": [1, 1, 1, 1], "width": 8, "channels": 16},
            }
            | network,
            "codec": {"convention": convention} | (codec or {}),
            "data": {"C": "x"},
            "training": {"phases": ["C"], "epochs": [1], "seed": seed},
        }
    )


def scene(folder: Path, count: int = 5, seed: int = 0) -> tuple[CropDataset, np.ndarray]:
    """One person a picture, who is known by the picture's red; its right half is green."""
    rng = np.random.default_rng(seed)
    box = np.concatenate([rng.uniform(40, 60, (count, 2)), rng.uniform(60, 120, (count, 2))], axis=1)
    points = box[:, None, :2] + rng.uniform(0.1, 0.9, (count, 17, 2)) * box[:, None, 2:]
    paths = []
    for k in range(count):
        image = np.zeros((240, 240, 3), np.uint8)
        image[:, :, 2] = 10 * (k + 1)
        image[:, round(box[k, 0] + box[k, 2] / 2) :, 1] = 255
        paths.append(str(folder / f"{k}.png"))
        cv2.imwrite(paths[-1], image)
    people = Instances.of(np.arange(count), box, score=rng.random(count), source="D")
    return CropDataset(people, paths, CropGeometry(SIZE)), points


class Oracle(PoseNetwork):
    """Knows everybody's keypoints, looks up who is shown and whether mirrored, draws the maps."""

    def __init__(self, spec: RecipeSpec, crops: CropDataset, points: np.ndarray, stride: int) -> None:
        super().__init__(keypoints=17, input_size=spec.network.input_size)
        self.outputs = (Output(stride=stride),)
        self.codec = codec_of(spec, self)
        self.points = transform(self.codec.matrices(crops.instances.box), points)
        self.spec, self.calls = spec, 0

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        assert final_only
        assert not self.training
        self.calls += 1
        height, width = self.input_size
        std, mean = (torch.tensor(v) for v in (self.spec.network.std, self.spec.network.mean))
        row = images[:, :, height // 2]
        rgb = (row * std[:, None] + mean[:, None]) * 255
        if self.spec.network.channel_order == "bgr":
            rgb = rgb.flip(1)
        who = (rgb[:, 0, width // 2] / 10).round().long() - 1
        mirrored = (rgb[:, 1, width // 4] > 128).numpy()
        points = self.points[who.numpy()]
        reflected = (points * [-1, 1] + [width - 1, 0])[:, COCO17.flip_order]
        points = np.where(mirrored[:, None, None], reflected, points)
        on_map = torch.from_numpy(self.codec.to_heatmap(points))
        maps = gaussian_targets(on_map, torch.ones(on_map.shape[:2]).bool(), self.codec.shape, 2.0)
        yield maps * self.spec.codec.peak


def oracle(
    crops: CropDataset,
    points: np.ndarray,
    convention: str = "classic",
    stride: int = 4,
    name: str = "a",
    **changes: Any,
) -> Predictor:
    spec = recipe(convention, **changes)
    return Predictor(name, Oracle(spec, crops, points, stride), spec, CPU)


def looked_at(folder: Path, convention: str, stride: int, decoding: DecodeSpec) -> tuple[np.ndarray, Any]:
    """Errors in heatmap pixels (N, K, 2), and the poses."""
    crops, points = scene(folder)
    one = oracle(crops, points, convention, stride)
    poses, _ = predict_poses([one], [1.0], one.codec, crops, decoding)
    a_pixel = np.diff(one.codec.to_image(np.tile([[[0.0, 0.0], [1.0, 1.0]]], (5, 1, 1)), poses.box), axis=1)
    return (poses.keypoints[:, :, :2] - points) / a_pixel, poses


@pytest.mark.parametrize("convention", ["classic", "megvii", "unbiased"])
@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize("flip_test", [True, False])
def test_points_come_back(tmp_path: Path, convention: str, stride: int, flip_test: bool) -> None:
    decoding = DecodeSpec(flip_test=flip_test)
    error, poses = looked_at(tmp_path, convention, stride, decoding)
    assert np.abs(error).max() < 0.05
    crops, _ = scene(tmp_path)
    np.testing.assert_array_equal(poses.box, crops.instances.box)
    np.testing.assert_array_equal(poses.score, crops.instances.score)
    assert set(poses.source) == {"P"}
    assert (poses.keypoints[:, :, 2] > 0.9).all()
    assert (poses.keypoints[:, :, 2] <= 1).all()


def test_a_wrong_flip_shift_is_seen(tmp_path: Path) -> None:
    """The classic maps must move by (stride - 1) / stride; without it points go 3/8 px to the left. Megvii's
    must move by a quarter to the left; without it, as in their code, points go 1/8 px to the right."""
    for convention, off in (("classic", -0.375), ("megvii", 0.125)):
        (tmp_path / convention).mkdir()
        error, _ = looked_at(tmp_path / convention, convention, 4, DecodeSpec(flip_shift=0.0))
        np.testing.assert_allclose(error[..., 0], off, atol=0.03)
        assert np.abs(error[..., 1]).max() < 0.05


def test_blur_and_rule_are_the_document_s(tmp_path: Path) -> None:
    rough, _ = looked_at(tmp_path, "classic", 4, DecodeSpec(refine="argmax", flip_test=False))
    assert 0.4 < np.abs(rough).max() <= 0.5 + 1e-6
    (tmp_path / "again").mkdir()
    blurred, poses = looked_at(tmp_path / "again", "classic", 4, DecodeSpec(blur=5))
    assert np.abs(blurred).max() < 0.1  # near an edge the blur sees outside zeros
    assert (poses.keypoints[:, :, 2] > 0.9).all()  # scores are those before the blur


def test_a_flip_test_is_a_second_pass(tmp_path: Path) -> None:
    crops, points = scene(tmp_path)
    for flip_test, calls in ((False, 1), (True, 2)):
        one = oracle(crops, points)
        predict_poses([one], [1.0], one.codec, crops, DecodeSpec(flip_test=flip_test))
        assert one.network.calls == calls  # type: ignore[attr-defined]


# --- several members


def members(crops: CropDataset, points: np.ndarray) -> list[Predictor]:
    """Of strides 4, 2 and 4; the second and third are off by some pixels."""
    return [
        oracle(crops, points, stride=4, name="a"),
        oracle(crops, points + np.array([3.0, -2.0]), stride=2, name="b"),
        oracle(crops, points - 1.0, stride=4, name="c"),
    ]


def test_the_order_of_members_does_not_matter(tmp_path: Path) -> None:
    crops, points = scene(tmp_path)
    three, weights = members(crops, points), [1.0, 2.0, 0.5]
    codec = common_codec([p.codec for p in three], ["a", "b", "c"], 4)
    poses, alone = predict_poses(three, weights, codec, crops, EXACT, keep_members=True)
    assert list(alone) == ["a", "b", "c"]
    for order in ([2, 1, 0], [1, 2, 0]):
        other, other_alone = predict_poses(
            [three[i] for i in order], [weights[i] for i in order], codec, crops, EXACT, keep_members=True
        )
        np.testing.assert_allclose(other.keypoints, poses.keypoints, atol=1e-4)
        np.testing.assert_allclose(other.keypoints[..., 2], poses.keypoints[..., 2], atol=1e-6)
        for name, own in alone.items():
            np.testing.assert_array_equal(other_alone[name].keypoints, own.keypoints)


@pytest.mark.parametrize("common", [2, 4])
@pytest.mark.parametrize("convention", ["classic", "unbiased"])
def test_members_of_two_strides_meet_at_the_point(tmp_path: Path, convention: str, common: int) -> None:
    crops, points = scene(tmp_path)
    two = [oracle(crops, points, convention, stride, name=str(stride)) for stride in (4, 2)]
    codec = common_codec([p.codec for p in two], ["4", "2"], common)
    poses, _ = predict_poses(two, [1.0, 1.0], codec, crops, EXACT)
    # a pixel of the coarser heatmap is up to ten of the picture's here
    assert np.abs(poses.keypoints[..., :2] - points).max() < 1.0
    coarse, _ = predict_poses(two[:1], [1.0], codec, crops, EXACT)
    assert np.abs(coarse.keypoints[..., :2] - points).max() < 1.0


# HRNet's crop, RGB and peak 1; Megvii's larger crop with margins, BGR and peak 255
BOTH = (
    {"convention": "classic", "size": (64, 64)},
    {
        "convention": "megvii",
        "size": (96, 96),
        "codec": {"margins": [1.09, 1.135], "peak": 255.0},
        "channel_order": "bgr",
        "mean": [0.406, 0.456, 0.485],
        "std": [0.225, 0.224, 0.229],
    },
)


def in_heatmap_pixels(difference: np.ndarray, codec: Codec, box: np.ndarray) -> np.ndarray:
    """(N, K, 2) image pixels -> the codec's heatmap pixels."""
    ends = np.tile([[[0.0, 0.0], [1.0, 1.0]]], (len(box), 1, 1))
    return difference / np.diff(codec.to_image(ends, box), axis=1)


@pytest.mark.parametrize("first", [0, 1], ids=["on HRNet's crop", "on Megvii's crop"])
@pytest.mark.parametrize("flip_test", [True, False])
def test_hrnet_and_megvii_members_meet_at_the_point(tmp_path: Path, first: int, flip_test: bool) -> None:
    crops, points = scene(tmp_path)
    two = [oracle(crops, points, name=str(k), **BOTH[k]) for k in (first, 1 - first)]
    codec = common_codec([p.codec for p in two], ["a", "b"], 4)
    assert codec == two[0].codec
    decoding = DecodeSpec(flip_test=flip_test)
    poses, alone = predict_poses(two, [1.0, 1.0], codec, crops, decoding, keep_members=True)
    error = in_heatmap_pixels(poses.keypoints[..., :2] - points, codec, poses.box)
    assert np.abs(error).max() < 0.1
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.01
    assert (poses.keypoints[..., 2] > 0.85).all()
    for member in alone.values():  # scores of one scale: neither drowns the other
        assert member.keypoints[..., 2].min() > 0.9 and member.keypoints[..., 2].max() <= 1


def test_a_member_taken_for_the_wrong_convention_is_two_pixels_off(tmp_path: Path) -> None:
    """What the blend would do without codecs: the same crop, read at 4x instead of 4x + 2."""
    crops, points = scene(tmp_path)
    decoding = DecodeSpec(flip_test=False)
    two = [oracle(crops, points, convention, name=convention) for convention in ("classic", "megvii")]
    two[1].codec = two[0].codec
    poses, alone = predict_poses(two, [1.0, 1.0], two[0].codec, crops, decoding, keep_members=True)
    for found, off in ((alone["megvii"], -2.0), (poses, -1.0)):
        error = 4 * in_heatmap_pixels(found.keypoints[..., :2] - points, two[0].codec, found.box)
        np.testing.assert_allclose(error, off, atol=0.25)


def test_pictures_are_decoded_once_for_all_geometries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops, points = scene(tmp_path)
    read: list[str] = []
    original = images.read_image
    monkeypatch.setattr(images, "read_image", lambda path, **o: (read.append(path), original(path, **o))[1])
    two = [oracle(crops, points, name=str(k), **BOTH[k]) for k in (0, 1)]
    predict_poses(two, [1.0, 1.0], two[0].codec, crops, EXACT)
    assert sorted(read) == sorted(crops.pictures)


def test_members_alone_are_what_each_finds_by_itself(tmp_path: Path) -> None:
    crops, points = scene(tmp_path)
    three = members(crops, points)
    _, alone = predict_poses(three, [1.0, 1.0, 1.0], three[0].codec, crops, EXACT, keep_members=True)
    for predictor, shift in zip(three, ([0, 0], [3, -2], [-1, -1]), strict=True):
        own, nothing = predict_poses([predictor], [7.0], predictor.codec, crops, EXACT)
        assert nothing == {}
        np.testing.assert_array_equal(alone[predictor.name].keypoints, own.keypoints)
        found = (own.keypoints[..., :2] - points).mean(axis=(0, 1))
        np.testing.assert_allclose(found, shift, atol=0.1)


def test_a_heavy_member_pulls_the_blend(tmp_path: Path) -> None:
    crops, points = scene(tmp_path)
    one, other = members(crops, points)[::2]
    codec = one.codec
    found = []
    for weight in (1e-6, 0.5, 1.0, 2.0, 1e6):
        poses, _ = predict_poses([one, other], [1.0, weight], codec, crops, EXACT)
        found.append(float((poses.keypoints[..., :2] - points).mean()))
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(0, abs=0.05)
    assert found[2] == pytest.approx(-0.5, abs=0.1)
    assert found[-1] == pytest.approx(-1, abs=0.05)


# --- a real network


def network(spec: RecipeSpec, name: str = "a") -> Predictor:
    net = build_network(spec)
    return Predictor(name, net.eval(), spec, CPU)


def test_slices_of_a_batch_change_nothing() -> None:
    predictor = network(recipe())
    crops = np.random.default_rng(0).integers(0, 256, (2 * CPU_SLICE + 3, *SIZE, 3), dtype=np.uint8)
    with torch.inference_mode():
        images = predictor._normalise(crops)
        wanted = predictor.network(images, final_only=True)[-1].numpy()
    found = predictor.heatmaps(crops)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * abs(wanted).max())


def test_splitting_boxes_at_pictures_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But float noise, which the flat maps of an untrained network magnify to hundredths of a pixel."""
    crops, _ = scene(tmp_path, count=7)
    two = [network(recipe(seed=1), "a"), network(recipe(seed=2), "b")]
    codec = two[0].codec
    whole, _ = predict_poses(two, [1.0, 1.0], codec, crops, EXACT)
    for cuts in ([0, 3, 7], [0, 1, 2, 7]):
        parts = []
        for begin, end in itertools.pairwise(cuts):
            part = CropDataset(crops.instances[begin:end], crops.pictures[begin:end], crops.geometry)
            parts.append(predict_poses(two, [1.0, 1.0], codec, part, EXACT)[0])
        np.testing.assert_allclose(Instances.concat(parts).keypoints, whole.keypoints, atol=0.02)
    monkeypatch.setattr(predict, "BATCH", 2)
    told: list[tuple[int, int]] = []
    again, _ = predict_poses(
        two, [1.0, 1.0], codec, crops, EXACT,
        progress=lambda done, total, unit="", note="": told.append((done, total)),
    )  # fmt: skip
    np.testing.assert_allclose(again.keypoints, whole.keypoints, atol=0.02)
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]


def test_no_boxes_no_poses() -> None:
    crops = CropDataset(Instances.empty(), [], CropGeometry(SIZE))
    one = network(recipe())
    poses, alone = predict_poses([one], [1.0], one.codec, crops, EXACT, keep_members=True)
    assert len(poses) == 0
    assert len(alone["a"]) == 0


def test_the_mirrored_pass_is_the_network_on_the_mirrored_crop() -> None:
    one = network(recipe())
    crops = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        one.heatmaps(crops, mirrored=True),
        unflip(one.heatmaps(np.ascontiguousarray(crops[:, :, ::-1])), COCO17),
        atol=1e-6,
    )
    assert one.heatmaps(crops).shape == (2, 17, 16, 16)
    assert one.heatmaps(crops).dtype == np.float32


def test_a_network_in_training_stays_so() -> None:
    """Validation in the middle of training: batch statistics are neither used nor moved."""
    one = network(recipe())
    crops = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    expected = one.heatmaps(crops)
    one.network.train()
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    np.testing.assert_array_equal(one.heatmaps(crops), expected)
    assert one.network.training
    assert all(torch.equal(before[name], value) for name, value in one.network.state_dict().items())


def test_colours_are_normalised_as_the_recipe_says() -> None:
    spec = recipe().network.model_copy(update={"mean": (0.5, 0.25, 0.0), "std": (0.5, 0.25, 1.0)})
    crops = np.zeros((1, 2, 3, 3), np.uint8)
    crops[0, 1, 2] = [255, 127, 51]
    given = normaliser(spec, CPU)(crops)
    assert given.shape == (1, 3, 2, 3)
    torch.testing.assert_close(given[0, :, 0, 0], torch.tensor([-1.0, -1.0, 0.0]))
    expected = torch.tensor([1.0, 4 * 127 / 255 - 1, 0.2])
    torch.testing.assert_close(given[0, :, 1, 2], expected, atol=1e-6, rtol=0)
    blue_first = normaliser(spec.model_copy(update={"channel_order": "bgr"}), CPU)(crops)
    expected = torch.tensor([2 * 0.2 - 1, 4 * 127 / 255 - 1, 1.0])
    torch.testing.assert_close(blue_first[0, :, 1, 2], expected, atol=1e-6, rtol=0)


def test_heatmaps_come_divided_by_the_peak() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    plain = network(recipe())
    high = Predictor("a", plain.network, recipe(codec={"peak": 255.0}), CPU)
    np.testing.assert_allclose(high.heatmaps(crops), plain.heatmaps(crops) / 255, rtol=1e-6)


def test_the_codec_is_the_recipe_s_crop_and_the_network_s_stride() -> None:
    spec = recipe("unbiased")
    assert codec_of(spec, build_network(spec)) == Codec("unbiased", SIZE, 4, 1.25)
    spec = recipe("megvii", codec={"margins": [1.2, 1.3]})
    assert codec_of(spec, build_network(spec)) == Codec("megvii", SIZE, 4, 1.0, (1.2, 1.3))
    assert crop_geometry(spec) == CropGeometry(SIZE, "classic", 1.0, (1.2, 1.3))


# --- test-time views


class Brightness(PoseNetwork):
    """Every keypoint's map is how red the crop is where the map's pixels lie."""

    def __init__(self, spec: RecipeSpec) -> None:
        super().__init__(keypoints=17, input_size=spec.network.input_size)
        self.outputs = (Output(stride=4),)
        self.spec, self.calls = spec, 0

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        self.calls += 1
        red = images[:, :1, ::4, ::4] * self.spec.network.std[0] + self.spec.network.mean[0]
        yield red.expand(-1, 17, -1, -1)


def glowing(folder: Path, count: int = 4) -> tuple[CropDataset, np.ndarray]:
    """Pictures with one red glow each, and its place (N, 2)."""
    rng = np.random.default_rng(3)
    box = np.concatenate([rng.uniform(60, 80, (count, 2)), rng.uniform(70, 110, (count, 2))], axis=1)
    place = box[:, :2] + rng.uniform(0.25, 0.75, (count, 2)) * box[:, 2:]
    y, x = np.indices((240, 240))
    paths = []
    for k, (px, py) in enumerate(place):
        image = np.zeros((240, 240, 3), np.uint8)
        image[:, :, 2] = np.rint(250 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 12.0**2)))
        paths.append(str(folder / f"{k}.png"))
        cv2.imwrite(paths[-1], image)
    people = Instances.of(np.arange(count), box, score=np.ones(count), source="D")
    return CropDataset(people, paths, CropGeometry(SIZE)), place


LOOKS = ((1.0, 0.0), (1.2, 0.0), (1.0, 25.0), (0.9, -40.0), (1.1, 180.0))


@pytest.mark.parametrize("looks", [LOOKS, LOOKS[1:2], LOOKS[2:3], LOOKS[4:]], ids=str)
@pytest.mark.parametrize("flip_test", [True, False])
def test_views_agree_on_the_place(tmp_path: Path, looks: tuple, flip_test: bool) -> None:
    """A turned and scaled crop, its mirror and the way back: all land on what the picture shows."""
    crops, place = glowing(tmp_path)
    spec = recipe(size=(96, 96))
    net = Brightness(spec)
    one = Predictor("a", net, spec, CPU, looks)
    poses, alone = predict_poses(
        [one], [1.0], one.codec, crops, DecodeSpec(flip_test=flip_test), keep_members=True
    )
    assert net.calls == len(looks) * (1 + flip_test)
    error = in_heatmap_pixels(poses.keypoints[..., :2] - place[:, None], one.codec, poses.box)
    assert np.abs(error).max() < 0.08
    assert poses.keypoints[..., 2].min() > 0.9
    np.testing.assert_allclose(alone["a"].keypoints, poses.keypoints, atol=1e-4)


def test_views_are_equal_terms_of_a_member(tmp_path: Path) -> None:
    """Two views of a member of weight 2 are two members of weight 1 with one view each."""
    crops, points = scene(tmp_path)
    plain = oracle(crops, points + 5.0, name="b")
    spec = recipe(size=(96, 96))
    codec = common_codec([plain.codec], ["b"], 4)
    views = [Predictor(f"a{k}", Brightness(spec), spec, CPU, (look,)) for k, look in enumerate(LOOKS[1:3])]
    both = Predictor("a", Brightness(spec), spec, CPU, LOOKS[1:3])
    together, _ = predict_poses([plain, both], [1.0, 2.0], codec, crops, EXACT)
    apart, _ = predict_poses([plain, *views], [1.0, 1.0, 1.0], codec, crops, EXACT)
    np.testing.assert_allclose(together.keypoints, apart.keypoints, atol=1e-4)


def test_weights_per_keypoint_choose_between_members(tmp_path: Path) -> None:
    crops, points = scene(tmp_path)
    one, _, other = members(crops, points)
    weights = np.ones((2, 17))
    weights[0, :5], weights[1, 5:9] = 0, 0
    poses, alone = predict_poses([one, other], weights, one.codec, crops, EXACT, keep_members=True)
    np.testing.assert_array_equal(poses.keypoints[:, :5], alone["c"].keypoints[:, :5])
    np.testing.assert_array_equal(poses.keypoints[:, 5:9], alone["a"].keypoints[:, 5:9])
    even, _ = predict_poses([one, other], [1.0, 1.0], one.codec, crops, EXACT)
    np.testing.assert_array_equal(poses.keypoints[:, 9:], even.keypoints[:, 9:])


@pytest.mark.parametrize("count", [3, 12])
def test_two_batches_of_maps_are_alive(tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean and one pass's slice of maps, whatever the number of members, views and mirrors."""
    monkeypatch.setattr(predict, "BATCH", 64)
    crops, _ = glowing(tmp_path, 64)
    spec = recipe(size=(96, 96))
    net = Brightness(spec)
    several = [Predictor(str(k), net, spec, CPU, LOOKS[:2]) for k in range(count)]
    batch = 64 * 17 * 24 * 24 * 4
    predict_poses(several[:1], [1.0], several[0].codec, crops, EXACT)  # imports, kernels, caches
    tracemalloc.start()
    predict_poses(several, [1.0] * count, several[0].codec, crops, EXACT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    crops_of_two_views = 2 * 64 * 96 * 96 * 3
    assert peak - crops_of_two_views < 2.6 * batch
