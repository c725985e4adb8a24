"""ImageNet and MAE weights by timm's names into the encoders alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from timm.models.hrnet import HighResolutionNet
from timm.models.resnet import Bottleneck, ResNet
from torch import Tensor, nn

from kpkit.core.errors import InputError
from kpkit.models.catalogue import create_model
from kpkit.models.hrnet import _stage
from kpkit.models.network import PoseNetwork
from kpkit.models.weights import load_weights
from kpkit.models.weights.load import Loaded

IMAGES = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def moved(net: nn.Module) -> nn.Module:
    """Batch norms as after some training; at their start they hide faults."""
    generator = torch.Generator().manual_seed(1)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1, generator=generator)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5, generator=generator)
    return net.eval()


def load(net: PoseNetwork, state: Mapping[str, Tensor], tmp_path: Path) -> Loaded:
    """Load as the backbone, and see that nothing but the encoder has changed."""
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    torch.save(dict(state), tmp_path / "timm.pth")
    loaded = load_weights(net, tmp_path / "timm.pth", source="timm")
    assert loaded.part == "backbone"
    after = net.state_dict()
    assert {*loaded.loaded, *loaded.zeroed, *loaded.fresh} == set(after)
    assert all(torch.equal(before[name], after[name]) for name in loaded.fresh)
    net.eval()
    return loaded


def outside(net: PoseNetwork) -> set[str]:
    return {name for name in net.state_dict() if not name.startswith("encoder.")}


def test_resnet_gives_timms_features(tmp_path: Path) -> None:
    theirs = moved(timm.create_model("resnet18"))
    net = create_model(
        "simplebaseline_resnet50",
        input_size=(64, 96),
        depths=(2, 2, 2, 2),
        block="basic",
        deconvolutions=(8,),
    )
    loaded = load(net, theirs.state_dict(), tmp_path)
    assert set(loaded.dropped) == {"fc.weight", "fc.bias"} and set(loaded.fresh) == outside(net)
    with torch.no_grad():
        assert torch.allclose(net.encoder(IMAGES)[-1], theirs.forward_features(IMAGES), atol=1e-5)


def test_torchvisions_old_files_have_no_counters(tmp_path: Path) -> None:
    theirs = moved(torchvision.models.resnet18())
    state = {k: v for k, v in theirs.state_dict().items() if not k.endswith("num_batches_tracked")}
    net = create_model("cpn_resnet50", depths=(2, 2, 2, 2), block="basic", channels=8)
    loaded = load(net, state, tmp_path)
    assert len(loaded.zeroed) == 20 and set(loaded.fresh) == outside(net)


def test_hrnet_gives_timms_finest_branch(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "stem_width": 64,
        "stage1": {**_stage(1, 1, 64), "block_type": "BOTTLENECK"},
        **{f"stage{i}": _stage(count, i, 8) for i, count in ((2, 1), (3, 1), (4, 3))},
    }
    theirs = moved(HighResolutionNet(config, num_classes=3, head="classification"))
    net = create_model("hrnet_w32", input_size=(64, 96), width=8, modules=(1, 1, 3))
    loaded = load(net, theirs.state_dict(), tmp_path)
    tops = {name.split(".")[0] for name in loaded.dropped}
    assert tops == {"incre_modules", "downsamp_modules", "final_layer", "classifier", "stage4"}
    stage4 = [name for name in loaded.dropped if name.startswith("stage4")]
    assert all(name.startswith("stage4.2.fuse_layers.") for name in stage4)
    assert set(loaded.fresh) == {"head.weight", "head.bias"}
    with torch.no_grad():
        finest = theirs.stages(
            theirs.act2(theirs.bn2(theirs.conv2(theirs.act1(theirs.bn1(theirs.conv1(IMAGES))))))
        )
        assert torch.allclose(net.encoder(IMAGES)[-1], finest[0], atol=1e-5)


def test_mspn_begins_with_one_resnet_in_every_stage(tmp_path: Path) -> None:
    theirs = moved(ResNet(Bottleneck, [1, 2, 1, 1], num_classes=3))
    net = create_model("mspn_resnet50_x2", input_size=(64, 96), depths=(1, 2, 1, 1), channels=8)
    loaded = load(net, theirs.state_dict(), tmp_path)
    assert loaded.dropped == ("fc.weight", "fc.bias")
    assert all(not name.endswith("bias") or not net.state_dict()[name].any() for name in loaded.zeroed)
    assert all(".down." not in name and not name.startswith("stem.") for name in loaded.fresh)
    with torch.no_grad():
        wanted = theirs.forward_features(IMAGES)
        for stage in net.stages:
            assert torch.allclose(stage.down(net.stem(IMAGES))[-1], wanted, atol=1e-5)


def test_refine50_takes_res2net(tmp_path: Path) -> None:
    with torch.device("meta"):
        names = timm.create_model("res2net50_26w_4s").state_dict()
        net = create_model("mspn_refine50_x4")
    net = net.to_empty(device="cpu")
    torch.save(
        {k: torch.ones(()).expand(v.shape).to(v.dtype) for k, v in names.items()}, tmp_path / "timm.pth"
    )
    loaded = load_weights(net, tmp_path / "timm.pth", source="timm")
    assert loaded.part == "backbone" and set(loaded.dropped) == {"fc.weight", "fc.bias"}
    body = {k for k in net.state_dict() if k.startswith("stem.") or ".down." in k}
    assert {*loaded.loaded, *loaded.zeroed} == body
    assert sum(name.endswith("bns.0.bias") for name in loaded.loaded) == 4 * 16


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.parametrize(
    ("theirs", "name", "heads"),
    [
        ("inception_resnet_v2", "cpn_inception_resnet_v2", {"classif"}),
        ("resnext50_32x4d", "ccm_resnext50", {"fc"}),
        ("mobilenetv2_100", "ccm_mobilenet_v2", {"conv_head", "bn2", "classifier"}),
        ("torchvision", "ccm_shufflenet_v2", {"conv5", "fc"}),
        (
            "hrnet_w32",
            "ccm_hrnet_w32",
            {"incre_modules", "downsamp_modules", "final_layer", "classifier", "stage4"},
        ),
        ("vit_base_patch16_224.mae", "vitpose_b", {"cls_token"}),
        ("vit_huge_patch14_224.mae", "vitpose_h", {"cls_token"}),
    ],
)
def test_published_encoders_fit(tmp_path: Path, theirs: str, name: str, heads: set[str]) -> None:
    with torch.device("meta"):
        made = (
            torchvision.models.shufflenet_v2_x1_0() if theirs == "torchvision" else timm.create_model(theirs)
        )
        net = create_model(name)
    # one number seen in every place: files of kilobytes, and networks that hold nothing
    state = {k: torch.ones(()).to(v.dtype).expand(v.shape) for k, v in made.state_dict().items()}
    torch.save(state, tmp_path / "timm.pth")
    loaded = load_weights(net, tmp_path / "timm.pth", source="timm")
    assert {name.split(".")[0] for name in loaded.dropped} == heads
    assert loaded.part == "backbone" and set(loaded.fresh) == outside(net) and not loaded.zeroed


def test_positions_are_resampled_and_patches_of_14_padded(tmp_path: Path) -> None:
    net = create_model("vitpose_b", input_size=(64, 96), width=32, depth=1, heads=4)
    state = timm.models.VisionTransformer(
        img_size=70, patch_size=14, embed_dim=32, depth=1, num_heads=4, num_classes=0
    ).state_dict()
    load(net, state, tmp_path)
    square = state["pos_embed"][:, 1:].unflatten(1, (5, 5)).permute(0, 3, 1, 2)
    wanted = nn.functional.interpolate(square, (4, 6), mode="bicubic", align_corners=False)
    assert torch.allclose(net.encoder.pos_embed, wanted.flatten(2).transpose(1, 2), atol=1e-6)
    kernels = net.encoder.patch_embed.proj.weight
    assert torch.equal(kernels[..., 1:-1, 1:-1], state["patch_embed.proj.weight"])
    assert not kernels[..., 0, :].any() and not kernels[..., -1].any()


def test_positions_of_the_same_grid_stay(tmp_path: Path) -> None:
    net = create_model("vitpose_b", input_size=(64, 64), width=32, depth=1, heads=4)
    state = timm.models.VisionTransformer(
        img_size=64, embed_dim=32, depth=1, num_heads=4, num_classes=0
    ).state_dict()
    load(net, state, tmp_path)
    assert torch.equal(net.encoder.pos_embed, state["pos_embed"][:, 1:])


def test_another_architecture_is_refused_and_nothing_loaded(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "timm.pth")
    net = create_model("simplebaseline_resnet50", width=8, deconvolutions=(8,))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(InputError, match=r"missing \(encoder.layer1.0.conv3.weight.*of another shape \(enc"):
        load_weights(net, tmp_path / "timm.pth", source="timm")
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
