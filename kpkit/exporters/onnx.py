"""Networks as ONNX files, compared with the network itself before they take their name."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from kpkit.core.errors import KpkitError
from kpkit.core.files import replacing
from kpkit.core.skeletons import SKELETONS
from kpkit.inference.network import make_codec
from kpkit.models.fuse import fuse_batch_norm
from kpkit.models.network import PoseNetwork
from kpkit.specs.recipe import CodecSpec, NetworkSpec

IMAGES, HEATMAPS = "images", "heatmaps"
"""Names of the graph's input and output."""

TOLERANCE = 1e-4
"""How far onnxruntime's heatmaps may be from torch's, as a share of their maximum."""

ONE_FILE = 2**31 - 2**26
"""Bytes of weights that go into the .onnx file itself: protobuf ends at 2 GiB."""

_OPSET = 18


class _Final(nn.Module):
    """The final output alone."""

    def __init__(self, net: PoseNetwork) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images, final_only=True)[-1]


def export_onnx(net: PoseNetwork, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write the final output of a network as an ONNX graph: images to heatmaps, for any number of images.

    The graph takes ``images`` (N, input_channels, H, W) float32 of the network's input size, normalised as in
    training, and gives ``heatmaps`` (N, K, H/s, W/s) float32. Batch norms are folded into convolutions.
    onnxruntime then runs the file on random images in batches of another size than the traced one; only if
    its heatmaps are within ``TOLERANCE`` of the network's does the file take its name.

    Args:
        net: any network of the catalogue; not changed.
        path: the ``.onnx`` file, replaced when the new one is complete. Weights beyond ``ONE_FILE`` (ViT-H)
            go to a file of the same name and ``.data`` beside it.
        metadata: texts by name, kept in the file's ``metadata_props``.

    Raises:
        KpkitError: onnx, onnxscript or onnxruntime are not installed, or the heatmaps differ.
    """
    _require_packages()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = _Final(copy.deepcopy(net).to("cpu", torch.float32)).eval()
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        _write(plain.net, draft, metadata or {})
        _check(plain, draft)
        data = draft.with_name(f"{path.name}.data")
        for part in (data, draft) if data.exists() else (draft,):
            with replacing(path.with_name(part.name)) as temporary:
                os.replace(part, temporary)


def describe(net: PoseNetwork, network: NetworkSpec, codec: CodecSpec | None) -> dict[str, str]:
    """What a reader of the file must know to feed it and to read its heatmaps, as ONNX metadata.

    Args:
        net: the network.
        network: its ``[network]`` table.
        codec: its ``[codec]`` table; without one only the network itself is described, since nobody said
            what its input is normalised by and where its heatmap pixels lie.

    Returns:
        Texts by name, numbers and lists as JSON: ``network``, ``input_size`` (height, width), ``stride``
        (input pixels per heatmap pixel), ``keypoints`` (names, in the heatmaps' order). Of the codec:
        ``codec`` (its id), ``peak`` (the heatmaps' value at a keypoint), ``mean`` and ``std`` (of pictures
        scaled to 0..1) and ``channel_order``.
    """
    known: dict[str, object] = {
        "network": network.name,
        "input_size": net.input_size,
        "stride": net.stride,
        "keypoints": SKELETONS[network.skeleton].keypoints,
    }
    if codec is not None:
        known |= {
            "codec": make_codec(codec, net.input_size, net.stride).id,
            "peak": codec.peak,
            "mean": network.mean,
            "std": network.std,
            "channel_order": network.channel_order,
        }
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in known.items()}


def _require_packages() -> None:
    missing = [n for n in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(n) is None]
    if missing:
        raise KpkitError(
            f"writing and checking ONNX files needs {', '.join(missing)}: pip install 'kpkit[onnx]'"
        )


def _write(net: PoseNetwork, path: Path, metadata: Mapping[str, str]) -> None:
    graph = _Final(fuse_batch_norm(net)).eval()
    size = sum(p.numel() * p.element_size() for p in graph.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own internals
        program = torch.onnx.export(
            graph,
            (torch.zeros(2, net.input_channels, *net.input_size),),
            input_names=[IMAGES],
            output_names=[HEATMAPS],
            dynamic_shapes={IMAGES: {0: torch.export.Dim("batch")}},
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(path, external_data=size > ONE_FILE)


def _check(plain: _Final, path: Path) -> None:
    """Run the file beside the network it came from."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    source = torch.Generator().manual_seed(0)
    for batch in (1, 3):
        images = torch.randn(batch, plain.net.input_channels, *plain.net.input_size, generator=source)
        found = torch.from_numpy(session.run([HEATMAPS], {IMAGES: images.numpy()})[0])
        with torch.no_grad():
            wanted = plain(images)
        error = ((found - wanted).abs().max() / wanted.abs().max()).item()
        if not error <= TOLERANCE:
            raise KpkitError(
                f"onnxruntime's heatmaps differ from torch's by {error:.1e} of their maximum, more than "
                f"{TOLERANCE:.0e}: {path.name} was not written"
            )
