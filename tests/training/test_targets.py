"""Targets of every output: level, stride, peak, kind, and which keypoints a crop shows."""

from __future__ import annotations

import pytest
import torch

from kpkit.core.errors import KpkitError
from kpkit.heatmaps.codecs import Codec
from kpkit.heatmaps.encode import gaussian_targets, kernel_targets, patch_targets
from kpkit.models.network import Output
from kpkit.specs.recipe import CodecSpec
from kpkit.training.targets import draw_targets, shown_keypoints

POINTS = torch.tensor([[[10.0, 20.0], [30.0, 40.0], [5.0, 60.0]], [[21.0, 33.0], [8.0, 9.0], [40.0, 3.0]]])
EVERYONE = torch.ones(2, 3).bool()
SIZE = (64, 48)


@pytest.mark.parametrize("convention", ["classic", "megvii", "unbiased"])
@pytest.mark.parametrize("stride", [2, 4, 8])
def test_a_level_s_gaussian_is_scaled_to_the_output_s_stride(convention: str, stride: int) -> None:
    """Sigmas are given in the final map's pixels; more levels than widths: the last one stays."""
    codec = Codec(convention, SIZE, 4, 1.25)
    grid = codec.at_stride(stride)
    points = torch.from_numpy(grid.to_heatmap(POINTS.double().numpy()))
    outputs = [Output(stride=stride, level=level) for level in range(4)]
    spec = CodecSpec(convention=convention, sigmas=(3.0, 2.0, 1.5), peak=7.0)
    targets = draw_targets(spec, codec, outputs, POINTS, EVERYONE)
    for target, sigma in zip(targets, (3.0, 2.0, 1.5, 1.5), strict=True):
        expected = 7 * gaussian_targets(points, EVERYONE, grid.shape, sigma * 4 / stride)
        torch.testing.assert_close(target, expected, rtol=1e-4, atol=1e-4)
    assert targets[2] is targets[3]


def test_coarse_to_fine_kernels() -> None:
    codec = Codec("megvii", SIZE, 4, 1.0)
    spec = CodecSpec(convention="megvii", target="kernel", kernels=(15, 11, 9, 7, 5), peak=255.0)
    outputs = [Output(stride=4, level=level) for level in (0, 1, 2, 3, 1, 2, 3, 4)]  # MSPN's, of two stages
    targets = draw_targets(spec, codec, outputs, POINTS, EVERYONE)
    points = (POINTS - 2) / 4
    for target, size in zip(targets, (15, 11, 9, 7, 11, 9, 7, 5), strict=True):
        torch.testing.assert_close(target, 255 * kernel_targets(points, EVERYONE, (16, 12), size))
    assert targets[1] is targets[4]
    with pytest.raises(KpkitError, match=r'target = "kernel" is for networks whose outputs share one stride'):
        draw_targets(spec, codec, [Output(stride=8), *outputs], POINTS, EVERYONE)


def test_patches_stand_on_pixels_but_for_the_unbiased_convention() -> None:
    for convention, exact in (("classic", False), ("megvii", False), ("unbiased", True)):
        codec = Codec(convention, SIZE, 4, 1.25)
        spec = CodecSpec(convention=convention, target="patch")
        (target,) = draw_targets(spec, codec, [Output(stride=4)], POINTS, EVERYONE)
        points = torch.from_numpy(codec.to_heatmap(POINTS.double().numpy()))
        torch.testing.assert_close(target, patch_targets(points, EVERYONE, (16, 12), 2.0, exact=exact))


def test_a_patch_shows_a_keypoint_outside_the_crop() -> None:
    """Patches of sigma 1 reach 3 heatmap pixels, 12 of the crop, from where their middle is rounded to
    (below 0 towards 0, as the peers do); other targets end at the crop's edge."""
    codec = Codec("classic", SIZE, 4, 1.25)
    points = torch.tensor([[[10.0, 20.0], [-17.9, 20.0], [-18.1, 20.0], [57.9, 20.0], [58.1, 20.0]]])
    inside = torch.tensor([[True, False, False, False, False]])
    patch, whole = CodecSpec(target="patch", sigmas=(1.0,)), CodecSpec(sigmas=(1.0,))
    assert shown_keypoints(whole, codec, points, inside) is inside
    shown = shown_keypoints(patch, codec, points, inside)
    assert shown.tolist() == [[True, True, False, True, False]]
    (maps,) = draw_targets(patch, codec, [Output(stride=4)], points, shown)
    assert (maps.amax(dim=(2, 3)) > 0).tolist() == shown.tolist()
