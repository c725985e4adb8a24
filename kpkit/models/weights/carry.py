"""Weights of a network of one skeleton for the same network of another: heads go over by keypoint name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from kpkit.core.errors import InputError
from kpkit.core.skeletons import COCO17, SKELETONS, Skeleton

SKELETON = "skeleton"
"""Key of a safetensors file's metadata."""


def skeleton_of(path: str | Path) -> Skeleton:
    """The skeleton whose keypoints a file's heads find; COCO's where it names none, as foreign files do."""
    try:
        with safe_open(path, framework="pt") as file:
            name = (file.metadata() or {}).get(SKELETON, COCO17.name)
    except SafetensorError:  # what torch.save wrote
        return COCO17
    if name not in SKELETONS:
        raise InputError(f"its heads are of an unknown skeleton {name!r}", file=path)
    return SKELETONS[name]


def carried_heads(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], theirs: Skeleton, ours: Skeleton
) -> dict[str, Tensor]:
    """The heads of ``tensors`` with the rows of another skeleton.

    A head is a tensor with one row for each keypoint: weights (K, C, k, k) and biases (K,) of convolutions to
    heatmaps, scales, shifts and statistics (K,) of batch norms on them. All else of a network is the same for
    every skeleton, so heads are what differs in the number of rows, and in nothing else.

    Args:
        tensors: of a network for ``theirs``.
        wanted: of the same network for ``ours``, with the values that new keypoints start from.
        theirs, ours: skeletons of different numbers of keypoints; of equal ones there is nothing to carry.

    Returns:
        By name: rows of keypoints that both have from ``tensors``, the others from ``wanted``.
    """
    if theirs == ours:
        return {}
    position = ours.positions_in(theirs)
    shared = position >= 0
    carried = {}
    for name, tensor in tensors.items():
        fits = name in wanted and wanted[name].shape == (len(ours), *tensor.shape[1:])
        if fits and tensor.shape[:1] == (len(theirs),):
            carried[name] = wanted[name].clone()
            carried[name][shared] = tensor[position[shared]].to(wanted[name])
    return carried
