"""The mobile encoders against timm's and torchvision's, tensor for tensor."""

from __future__ import annotations

import pytest
import torch

from kpkit.models.mobile import MobileNetV2, ShuffleNetV2


@pytest.mark.parametrize("dilated", [False, True])
@pytest.mark.parametrize(("width", "name"), [(32, "mobilenetv2_100"), (16, "mobilenetv2_050")])
def test_mobilenet_equals_timm(width: int, name: str, dilated: bool) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = timm.create_model(
        name, features_only=True, out_indices=(3, 4), output_stride=16 if dilated else 32
    ).eval()
    ours = MobileNetV2(width=width, dilated=dilated).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for a, b, channels, stride in zip(
            ours(images), theirs(images), ours.channels, ours.strides, strict=True
        ):
            assert a.shape == (1, channels, 64 // stride, 96 // stride)
            assert torch.allclose(a, b, rtol=1e-5, atol=1e-6 * float(b.abs().max()))


def test_shufflenet_equals_torchvision() -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    theirs = models.shufflenet_v2_x1_0().eval()
    ours = ShuffleNetV2().eval()
    missing, unexpected = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert not missing
    assert {name.split(".")[0] for name in unexpected} == {"conv5", "fc"}
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        c4 = theirs.stage3(theirs.stage2(theirs.maxpool(theirs.conv1(images))))
        for a, b in zip(ours(images), (c4, theirs.stage4(c4)), strict=True):
            assert torch.allclose(a, b, rtol=1e-5, atol=1e-6 * float(b.abs().max()))


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"])
def test_shufflenet_widths_are_the_published_ones(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    width = {"shufflenet_v2_x0_5": 48, "shufflenet_v2_x1_5": 176, "shufflenet_v2_x2_0": 244}[name]
    with torch.device("meta"):
        theirs, ours = getattr(models, name)(), ShuffleNetV2(width=width)
    shapes = {k: v.shape for k, v in theirs.state_dict().items() if not k.startswith(("conv5.", "fc."))}
    assert {k: v.shape for k, v in ours.state_dict().items()} == shapes


def test_dilated_shufflenet_keeps_its_tensors_and_its_size() -> None:
    torch.manual_seed(0)
    plain, dilated = ShuffleNetV2(width=8).eval(), ShuffleNetV2(width=8, dilated=True).eval()
    dilated.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        (c4, c5), (same, large) = plain(images), dilated(images)
    assert torch.equal(c4, same)
    assert [tuple(m.shape[-2:]) for m in (c4, c5, large)] == [(4, 6), (2, 3), (4, 6)]
    assert (plain.strides, dilated.strides) == ((16, 32), (16, 16))
    depthwise = [
        m for m in dilated.stage4.modules() if getattr(m, "groups", 1) > 1 and hasattr(m, "dilation")
    ]
    assert [m.dilation for m in depthwise] == [(1, 1), (1, 1), (2, 2), (2, 2), (2, 2)]


@pytest.mark.parametrize(("kind", "width"), [(MobileNetV2, 0), (ShuffleNetV2, 0), (ShuffleNetV2, 15)])
def test_widths_that_do_not_exist_are_refused(kind: type, width: int) -> None:
    with pytest.raises(ValueError, match=f"width is {width}"):
        kind(width=width)
