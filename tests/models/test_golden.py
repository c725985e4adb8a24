"""CPN and MSPN with the peers' weights give the peers' outputs, every supervised one of them."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from kpkit.models.catalogue import create_model
from kpkit.models.network import PoseNetwork

CPN_NAMES = (
    (r"^resnet\.", "encoder."),
    (r"upsamples\.(\d)\.1\.", r"upsamples.\1.0."),
    (r"upsamples\.(\d)\.2\.", r"upsamples.\1.1."),
    (r"predict\.(\d)\.([01])\.", r"heads.\1.0.\2."),
    (r"global_net\.predict\.(\d)\.3\.", r"global_net.heads.\1.1."),
    (r"predict\.(\d)\.5\.", r"head_norms.\1."),
    (r"final_predict\.0\.", "fuse."),
    (r"final_predict\.1\.", "head.0."),
    (r"final_predict\.2\.", "head.1."),
)
MSPN_NAMES = (
    (r"^top\.conv\.conv\.", "stem.0."),
    (r"^top\.conv\.bn\.", "stem.1."),
    (r"^stage(\d)\.downsample\.", r"stages.\1.down."),
    (r"conv_bn_relu(\d)\.(conv|bn)\.", r"\2\1."),
    (r"^stage(\d)\.upsample\.up4\.cross_conv\.", r"stages.\1.cross."),
    (r"^stage(\d)\.upsample\.up(\d)\.", lambda m: f"stages.{m[1]}.up.{int(m[2]) - 1}."),
    (r"u_skip\.", "lateral."),
    (r"up_conv\.", "upsample."),
    (r"skip1\.", "encoder_skip."),
    (r"skip2\.", "decoder_skip."),
    (r"res_conv1\.", "head.0."),
    (r"res_conv2\.", "head.1."),
    (r"\.conv\.(weight|bias)$", r".0.\1"),
    (r"\.bn\.(weight|bias|running_mean|running_var|num_batches_tracked)$", r".1.\1"),
)


def draw(name: str, shape: Sequence[int]) -> Tensor:
    """One tensor by the recipe of golden/README.md."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(tuple(shape), dtype=torch.int64)
    normal = np.random.Generator(np.random.Philox(key=zlib.crc32(name.encode()))).standard_normal(
        tuple(shape)
    )
    n = np.asarray(normal).astype(np.float32)
    tenth = np.float32(0.1)
    if name.endswith("running_var"):
        n = 1 + tenth * np.abs(n)
    elif len(shape) >= 2:
        n = n / np.float32(np.sqrt(np.prod(shape[1:])))
    elif name.endswith("weight"):
        n = 1 + tenth * n
    else:
        n = tenth * n
    return torch.from_numpy(np.asarray(n, np.float32))


def peer_weights(net: PoseNetwork, keys: Path, renames: Sequence[tuple]) -> None:
    """Fill ``net`` with the peer's weights under our names; every tensor must be met exactly once."""
    state = {}
    for name, shape in json.loads(keys.read_text())["tensors"]:
        ours = name
        for pattern, replacement in renames:
            ours = re.sub(pattern, replacement, ours)
        state[ours] = draw(name, shape)
    net.load_state_dict(state)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("fixture", "name", "renames", "outputs"),
    [
        (
            "cpn_resnet50_256x192",
            "cpn_resnet50",
            CPN_NAMES,
            [f"global{j}_stride4" for j in range(4)],
        ),
        (
            "mspn_2stage_256x192",
            "mspn_resnet50_x2",
            MSPN_NAMES,
            [f"stage{i}_level{j}_stride4" for i in range(2) for j in range(4)],
        ),
    ],
)
def test_outputs_equal_the_peer(
    shared: Path, fixture: str, name: str, renames: Sequence[tuple], outputs: list[str]
) -> None:
    golden = np.load(shared / "golden" / f"{fixture}.npz")
    with torch.device("meta"):
        net = create_model(name)
    net = net.to_empty(device="cpu").eval()
    peer_weights(net, shared / "golden" / f"{fixture}.keys.json", renames)
    with torch.no_grad():
        maps = net(torch.from_numpy(golden["input"]))
    assert len(maps) == len(net.outputs)
    for key, ours in [*zip(outputs, maps, strict=False), ("output", maps[-1])]:
        theirs = golden[key]
        ours = ours[:, :, ::4, ::4] if key.endswith("stride4") else ours
        assert ours.shape == theirs.shape
        assert np.abs(ours.numpy() - theirs).max() <= 2e-5 * np.abs(theirs).max(), key
