"""Heads that go from one skeleton to another by keypoint name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kpkit.core.errors import InputError
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.models.catalogue import CATALOGUE
from kpkit.models.network import PoseNetwork
from kpkit.models.weights import load_weights, save_weights
from kpkit.models.weights.carry import carried_heads, skeleton_of
from tests.models.reduced import distinct_names, reduced

SHARED = {name for name in COCO17.keypoints if name in AIC14.keypoints}
FACE = [COCO17.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]


def drawn(name: str, keypoints: int, seed: int) -> PoseNetwork:
    """A small network whose every tensor is its own: statistics of batch norms, too."""
    torch.manual_seed(seed)
    net = reduced(name, keypoints=keypoints).eval()
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) * 0.2 + 0.1)
    return net


# a refiner's first filters speak of keypoints too: it starts from one of its own skeleton
@pytest.mark.parametrize("name", [name for name in distinct_names() if not CATALOGUE[name].refines])
def test_heads_are_all_that_a_skeleton_changes(name: str) -> None:
    with torch.device("meta"):
        theirs, ours = (reduced(name, keypoints=k).state_dict() for k in (14, 17))
    assert theirs.keys() == ours.keys()
    carried = carried_heads(theirs, ours, AIC14, COCO17)
    assert set(carried) == {n for n in ours if ours[n].shape != theirs[n].shape} != set()
    assert all(carried[n].shape == ours[n].shape for n in carried)
    assert carried_heads(ours, ours, COCO17, COCO17) == {}


@pytest.mark.parametrize(
    "name", ["cpn_resnet50", "mspn_resnet50_x2", "ccm_resnet50", "hrnet_w32", "vitpose_s"]
)
def test_shared_keypoints_keep_their_heatmaps_and_the_face_is_fresh(tmp_path: Path, name: str) -> None:
    theirs, ours, untouched = drawn(name, 14, 0), drawn(name, 17, 1), drawn(name, 17, 1)
    save_weights(theirs, tmp_path / "a14.safetensors", AIC14)
    loaded = load_weights(ours, tmp_path / "a14.safetensors", skeleton=COCO17)
    assert loaded.fresh == () and loaded.part == "network"
    images = torch.randn(2, 3, *ours.input_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for before, after in zip(theirs(images), ours(images), strict=True):
            for keypoint in SHARED:
                expected = before[:, AIC14.index(keypoint)]
                torch.testing.assert_close(after[:, COCO17.index(keypoint)], expected)
    state, initial, source = ours.state_dict(), untouched.state_dict(), theirs.state_dict()
    for head in (n for n in state if state[n].shape != source[n].shape):
        assert torch.equal(state[head][FACE], initial[head][FACE])
        assert torch.equal(state[head][COCO17.index("left_wrist")], source[head][AIC14.index("left_wrist")])


def test_the_other_way_keeps_head_top_and_neck(tmp_path: Path) -> None:
    theirs, ours = drawn("hrnet_w32", 17, 0), drawn("hrnet_w32", 14, 1)
    fresh = ours.state_dict()["head.weight"][12:].clone()
    save_weights(theirs, tmp_path / "c17.safetensors", COCO17)
    load_weights(ours, tmp_path / "c17.safetensors", skeleton=AIC14)
    assert torch.equal(ours.state_dict()["head.weight"][12:], fresh)
    assert torch.equal(
        ours.state_dict()["head.bias"][0], theirs.state_dict()["head.bias"][COCO17.index("right_shoulder")]
    )


def test_nothing_is_carried_unasked(tmp_path: Path) -> None:
    save_weights(drawn("hrnet_w32", 14, 0), tmp_path / "a14.safetensors", AIC14)
    with pytest.raises(InputError, match="2 of another shape"):
        load_weights(drawn("hrnet_w32", 17, 1), tmp_path / "a14.safetensors")


def test_another_network_is_refused_whole(tmp_path: Path) -> None:
    save_weights(drawn("simplebaseline_resnet50", 14, 0), tmp_path / "a14.safetensors", AIC14)
    net = drawn("hrnet_w32", 17, 1)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(InputError, match="do not fit the network"):
        load_weights(net, tmp_path / "a14.safetensors", skeleton=COCO17)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_what_a_file_tells_of_its_skeleton(tmp_path: Path) -> None:
    net = drawn("hrnet_w32", 14, 0)
    save_weights(net, tmp_path / "a.safetensors", AIC14)
    save_weights(net, tmp_path / "same.safetensors", AIC14)
    assert skeleton_of(tmp_path / "a.safetensors") is AIC14
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "same.safetensors").read_bytes()
    save_weights(net, tmp_path / "plain.safetensors")
    assert skeleton_of(tmp_path / "plain.safetensors") is COCO17
    torch.save(net.state_dict(), tmp_path / "a.pth")
    assert skeleton_of(tmp_path / "a.pth") is COCO17
    save_file({"x": torch.zeros(1)}, tmp_path / "odd.safetensors", {"skeleton": "mpii16"})
    with pytest.raises(InputError, match="unknown skeleton 'mpii16'"):
        skeleton_of(tmp_path / "odd.safetensors")
