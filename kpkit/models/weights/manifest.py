"""What is known of imported weights, as a JSON file beside them. Read without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from kpkit.core.errors import InputError
from kpkit.core.files import file_hash, read_json
from kpkit.specs.base import Spec, parse
from kpkit.specs.datasets import SkeletonName

FORMAT: Final = "kpkit weights 1"
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class WeightsManifest(Spec):
    """Where a safetensors file comes from, and what its network must be fed and read with.

    Attributes:
        weights: name of the safetensors file, which stands beside the manifest.
        sha256: of that file.
        source: who named and trained the tensors, a key of ``SOURCES``.
        source_file: name of the file they were imported from.
        source_sha256: of that file.
        part: ``"network"`` fills all of it, ``"backbone"`` only the encoder; the rest must be trained.
        network: catalogue name.
        options: the catalogue's builder parameters that were overridden.
        input_size: (height, width) of the crop in pixels.
        skeleton: the keypoints of its heatmaps, by name.
        codec: the recipe's ``[codec]`` table: crop convention, target, margins. Empty for a backbone.
        mean, std: of the pictures scaled to 0..1, in ``channel_order``.
        channel_order: ``"rgb"`` or ``"bgr"``.
        peak: the heatmaps' value at a keypoint (1 HRNet, 255 MSPN); None for a backbone, which has none.
        dropped: names in the source's file that the network has no place for.
        fresh: tensors of the network that the file does not hold.
    """

    format: Literal["kpkit weights 1"] = FORMAT
    weights: Annotated[str, Field(pattern=r"^[^/\\]+\.safetensors$")]
    sha256: Hash
    source: str
    source_file: str
    source_sha256: Hash
    part: Literal["network", "backbone"]
    network: str
    options: dict[str, Any]
    input_size: tuple[PositiveInt, PositiveInt]
    skeleton: SkeletonName
    codec: dict[str, Any]
    mean: tuple[float, float, float]
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    channel_order: Literal["rgb", "bgr"]
    peak: PositiveFloat | None
    dropped: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()


def manifest_path(weights: str | Path) -> Path:
    """The manifest of a safetensors file: the same name, ending in ``.json``."""
    return Path(weights).with_suffix(".json")


def read_manifest(path: str | Path, *, verify: bool = False) -> WeightsManifest:
    """Read the manifest of imported weights.

    Args:
        path: the safetensors file or its manifest.
        verify: hash the safetensors file and compare; without it only the manifest is read.

    Raises:
        InputError: no such file, not a weights manifest, or weights that are not the ones it describes.
    """
    file = manifest_path(path)
    data = read_json(file)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError("not a manifest of weights", file=file, remedy="kpkit import-weights writes one")
    manifest = parse(WeightsManifest, data, file)
    if verify:
        weights = file.with_name(manifest.weights)
        if not weights.is_file():
            raise InputError("no such file, though its manifest stands there", file=weights)
        if (found := file_hash(weights)) != manifest.sha256:
            raise InputError(
                f"not the weights of its manifest (SHA-256 {found[:12]}..., not {manifest.sha256[:12]}...)",
                file=weights,
                remedy="import them again",
            )
    return manifest
