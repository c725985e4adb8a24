"""MultiPoseNet's subnets: the public port's numbers and sizes, its anchors and boxes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kpkit.models.catalogue import create_model
from kpkit.models.count import count_cost
from kpkit.models.multiposenet import KeypointSubnet, MultiPoseNet
from kpkit.models.prn import PRN
from kpkit.models.retinanet import PersonPyramid, PersonSubnet, anchors, decode_boxes, select_persons
from kpkit.models.shapes import blueprint
from kpkit.models.weights import load_weights
from tests.models.peers import peer_state

FIXTURE = "multiposenet_port_resnet50_128x96"
COCO_OF_PORT = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]


def same(ours: Tensor, theirs: np.ndarray) -> bool:
    assert tuple(ours.shape) == theirs.shape
    return bool(np.abs(ours.numpy() - theirs).max() <= 2e-5 * np.abs(theirs).max())


@pytest.fixture(scope="module")
def port(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The port's file, with a PRN as its full checkpoints have."""
    path = tmp_path_factory.mktemp("port") / "port.pth"
    state = peer_state(shared / "golden" / f"{FIXTURE}.keys.json")
    torch.save({**state, "prn.dens1.bias": torch.zeros(1024)}, path)
    return path


def keypoint_subnet(keypoints: int) -> KeypointSubnet:
    with blueprint():
        net = create_model("multiposenet_resnet50", input_size=(128, 96), keypoints=keypoints)
    assert isinstance(net, KeypointSubnet)
    return net.to_empty(device="cpu").eval()


@pytest.mark.shared
def test_every_output_equals_the_port(shared: Path, port: Path) -> None:
    golden = np.load(shared / "golden" / f"{FIXTURE}.npz")
    images = torch.from_numpy(golden["input"])
    net = MultiPoseNet(keypoint_subnet(keypoints=18)).eval()
    for part in (net.keypoint_subnet, net.person_subnet):
        loaded = load_weights(part, port, source="multiposenet-port")
        assert len(loaded.loaded) == len(part.state_dict())
    with torch.no_grad():
        maps = net.keypoint_subnet(images)
        logits, regressions = net.person_subnet(net.keypoint_subnet.encoder(images)[1:])
        heatmaps, scores, boxes = net(images)
    assert same(maps[-1], golden["output"])
    for ours, level in zip(maps, (5, 4, 3, 2), strict=False):
        assert same(ours, golden[f"inter_k{level}"][:, :18])  # the 19th is a mask that nothing trains
    assert same(regressions, golden["regression"])
    assert same(logits.sigmoid()[..., None], golden["classification"])
    assert same(anchors(128, 96)[None], golden["anchors"])
    assert torch.equal(heatmaps, maps[-1]) and torch.equal(scores, logits.sigmoid())
    assert boxes.shape == (1, 2313, 4)


@pytest.mark.shared
def test_the_ports_keypoints_become_cocos(shared: Path, port: Path) -> None:
    golden = np.load(shared / "golden" / f"{FIXTURE}.npz")
    net = keypoint_subnet(keypoints=17)
    load_weights(net, port, source="multiposenet-port")
    with torch.no_grad():
        maps = net(torch.from_numpy(golden["input"]))
    assert same(maps[-1], golden["output"][:, COCO_OF_PORT])
    assert same(maps[0], golden["inter_k5"][:, COCO_OF_PORT])


@pytest.mark.shared
def test_anchors_equal_the_ports(shared: Path) -> None:
    golden = np.load(shared / "golden" / "retinanet_anchors.npz")
    height, width = golden["image_hw"]
    ours = anchors(int(height), int(width)).numpy()
    assert ours.shape == golden["anchors_xyxy"].shape
    assert np.abs(ours - golden["anchors_xyxy"]).max() <= 1e-4


class KeypointPath(nn.Module):
    """What the port runs for keypoints: every supervised output, and the person pyramid for nothing."""

    def __init__(self, keypoints: KeypointSubnet, persons: PersonPyramid) -> None:
        super().__init__()
        self.keypoints, self.persons = keypoints, persons

    def forward(self, images: Tensor) -> list[Tensor]:
        encoded = self.keypoints.encoder(images)
        self.persons(encoded[1:])
        return list(self.keypoints.decode(encoded, final_only=False))


def test_sizes_are_those_measured_of_the_port() -> None:
    def millions(*parts: nn.Module) -> float:
        return sum(p.numel() for part in parts for p in part.parameters()) / 1e6

    with blueprint():
        net = create_model("multiposenet_resnet101", input_size=(480, 480), keypoints=18)
        small = create_model("multiposenet_resnet50", input_size=(480, 480), keypoints=18)
        assert isinstance(net, KeypointSubnet)
        persons = MultiPoseNet(net).person_subnet
        prn = PRN(bottleneck=True)
    head = (net.level_heads, net.branches, net.fuse, net.head)
    found = [millions(net.encoder), millions(net.pyramid), millions(*head), millions(persons.pyramid),
             millions(persons.boxes), millions(persons.scores), millions(prn)]  # fmt: skip
    assert found == pytest.approx([42.50, 2.75, 2.97, 8.00, 2.44, 2.38, 71.27], abs=0.006)
    assert millions(net, persons, prn) == pytest.approx(132.3, abs=0.05)
    for subnet, gmacs in ((net, 78.3), (small, 61.2)):
        with blueprint():
            pyramid = MultiPoseNet(subnet).person_subnet.pyramid
        assert count_cost(KeypointPath(subnet, pyramid), (3, 480, 480)).gmacs == pytest.approx(
            gmacs, rel=1e-3
        )


def test_dilation_keeps_the_heatmaps_and_is_nothing_for_the_person_subnet() -> None:
    net = create_model(
        "multiposenet_resnet50", width=4, channels=8, depths=(1, 1, 1, 2), dilated=True, input_size=(64, 96)
    ).eval()
    assert isinstance(net, KeypointSubnet)
    assert [tuple(m.shape) for m in net(torch.zeros(1, 3, 64, 96))] == [(1, 17, 16, 24)] * 5
    with pytest.raises(ValueError, match="strides 8, 16 and 32"):
        MultiPoseNet(net)


def test_a_fresh_person_subnet_finds_every_anchor_a_hundredth_likely() -> None:
    subnet = PersonSubnet((8, 16, 32), channels=8)
    maps = [torch.randn(2, c, 64 // s, 64 // s) for c, s in ((8, 8), (16, 16), (32, 32))]
    logits, regressions = subnet(maps)
    boxes = anchors(64, 64)
    assert logits.shape == (2, len(boxes)) and regressions.shape == (2, len(boxes), 4)
    assert torch.allclose(logits.sigmoid(), torch.tensor(0.01))
    assert torch.allclose(decode_boxes(regressions, boxes, (640, 640))[0], boxes.clamp(0, 640))


def test_boxes_are_moved_in_anchor_sides_and_cut_at_the_image() -> None:
    anchor = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    moved = decode_boxes(torch.tensor([[[5.0, -5.0, 0.0, 0.0]]]), anchor, (100, 100))
    assert torch.allclose(moved, torch.tensor([[[20.0, 0.0, 40.0, 40.0]]]))
    doubled = decode_boxes(torch.tensor([[0.0, 0.0, 5 * math.log(2), 5 * math.log(2)]]), anchor, (70, 35))
    assert torch.allclose(doubled, torch.tensor([[0.0, 0.0, 35.0, 70.0]]))


def test_the_best_boxes_are_kept() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10], [40, 0, 50, 10]])
    scores = torch.tensor([0.6, 0.9, 0.7, 0.05])
    assert select_persons(scores, boxes).tolist() == [1, 2]
    assert select_persons(scores, boxes, overlap=0.95).tolist() == [1, 2, 0]
    assert select_persons(scores, boxes, min_score=0.95).tolist() == []
