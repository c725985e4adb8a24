"""ViTPose: the authors' own outputs, timm's transformer, both decoders, what does not fit refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import timm
import torch
from torch import nn

from kpkit.core.errors import InputError
from kpkit.models.catalogue import CATALOGUE, create_model, model_options
from kpkit.models.network import Output
from kpkit.models.vitpose import Enlarge, PatchEmbed, ViT, ViTPose
from tests.models.peers import draw

# What the authors' repository (mmpose/models/backbones/vit.py and its heads, width 32, depth 3, 4 heads, two
# deconvolutions of 8) gives for a 64x48 crop, all drawn by the recipe of golden/README.md.
PEER = {
    "simple": ([0.5507504, 0.5568153, -0.0769359, -0.7324988, -1.0771418], 1.9424319),
    "classic": ([-0.1809565, -0.2334276, 0.1810110, -0.1417055, 0.1644018], 0.7733060),
}
PEER_NAMES = (
    (r"^encoder\.norm\.", "backbone.last_norm."),
    (r"^encoder\.", "backbone."),
    (r"^decoder\.", "keypoint_head.deconv_layers."),
    (r"^head\.", "keypoint_head.final_layer."),
)


def narrow(**options: Any) -> ViTPose:
    small = {"width": 32, "depth": 3, "heads": 4, "deconvolutions": (8, 8), "input_size": (64, 48)}
    return ViTPose(**{**small, **options})


@pytest.mark.parametrize("decoder", PEER)
def test_outputs_equal_the_authors(decoder: str) -> None:
    net = narrow(decoder=decoder).eval()
    state = {}
    for name, tensor in net.state_dict().items():
        peer = name
        for pattern, replacement in PEER_NAMES:
            peer = re.sub(pattern, replacement, peer)
        if name == "encoder.pos_embed":
            positions = draw(peer, (1, 1 + tensor.shape[1], tensor.shape[2]))  # a class token's comes first
            state[name] = positions[:, 1:] + positions[:, :1]
        else:
            state[name] = draw(peer, tensor.shape)
    net.load_state_dict(state)
    with torch.no_grad():
        (maps,) = net(draw("input", (1, 3, 64, 48)))
    column, peak = PEER[decoder]
    assert maps.shape == (1, 17, 16, 12)
    assert maps.abs().max().item() == pytest.approx(peak, rel=2e-5)
    assert maps[0, ::4, 5, 3].tolist() == pytest.approx(column, abs=2e-5 * peak)


def test_encoder_equals_timm_tensor_for_tensor() -> None:
    theirs = timm.models.VisionTransformer(
        img_size=(64, 48),
        embed_dim=32,
        depth=3,
        num_heads=4,
        class_token=False,
        global_pool="",
        num_classes=0,
    ).eval()
    theirs.patch_embed.proj.padding = (2, 2)
    ours = ViT(input_size=(64, 48), width=32, depth=3, heads=4, drop_path=0.0).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        tokens = theirs.forward_features(images)
        (maps,) = ours(images)
    assert maps.shape == (2, 32, 4, 3)
    assert torch.allclose(maps.flatten(2).transpose(1, 2), tokens, atol=1e-5)


def test_patches_begin_two_pixels_early() -> None:
    patches = PatchEmbed(1)
    nn.init.ones_(patches.proj.weight)
    nn.init.zeros_(patches.proj.bias)
    images = torch.zeros(1, 3, 64, 64)
    images[:, :, :, 13:15] = torch.tensor([1.0, 10.0])  # columns 13 and 14
    sums = patches(images)[0, 0, 1] / (3 * 16)
    assert sums.tolist() == [1.0, 10.0, 0.0, 0.0]


def test_simple_decoder_clips_before_it_enlarges() -> None:
    maps = torch.tensor([[[[-4.0, 4.0]]]])
    assert torch.equal(
        Enlarge()(maps)[0, 0, 0], torch.tensor([0.0, 0.0, 0.5, 1.5, 2.5, 3.5, 4.0, 4.0])
    )  # without clipping first the third pixel would be -3


@pytest.mark.parametrize("decoder", ["simple", "classic"])
def test_one_output_with_the_whole_squared_error(decoder: str) -> None:
    net = narrow(decoder=decoder, keypoints=14).eval()
    assert net.outputs == (Output(stride=4),)
    assert net(torch.zeros(2, 3, 64, 48))[0].shape == (2, 14, 16, 12)


def test_blocks_are_skipped_the_more_the_later() -> None:
    net = narrow(depth=5, drop_path=0.4)
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in net.encoder.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert [getattr(block.drop_path2, "drop_prob", 0.0) for block in net.encoder.blocks] == rates
    torch.manual_seed(0)
    images = torch.randn(2, 3, 64, 48)
    assert not torch.equal(net.encoder(images)[0], net.encoder(images)[0])
    assert torch.equal(net.eval().encoder(images)[0], net.encoder(images)[0])


@pytest.mark.parametrize("size", [(48, 64), (64, 64), (128, 96)])
def test_positions_are_of_one_input_size(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"make .* patches, the positions are of \(4, 3\)"):
        narrow()(torch.zeros(1, 3, *size))


def test_sides_are_multiples_of_a_patch() -> None:
    assert narrow(input_size=(80, 48)).heatmap_size == (20, 12)
    with pytest.raises(InputError, match="multiples of 16 px"):
        create_model("vitpose_s", input_size=(72, 48))


def test_fresh_parameters_are_the_public_codes() -> None:
    torch.manual_seed(0)
    net = narrow(width=64, decoder="classic", deconvolutions=(64, 32))
    for name, std in {
        "encoder.pos_embed": 0.02,
        "encoder.blocks.2.attn.qkv.weight": 0.02,
        "encoder.blocks.0.mlp.fc1.weight": 0.02,
        "decoder.0.weight": 0.001,
        "head.weight": 0.001,
    }.items():
        assert net.get_parameter(name).std().item() == pytest.approx(std, rel=0.1), name
    assert not any(m.bias.any() for m in net.encoder.blocks.modules() if isinstance(m, nn.Linear))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"heads": 5}, "width is 384, not a multiple of 5 heads"),
        ({"width": 6}, "width is 6, not a multiple of 12 heads"),
        ({"depth": 0}, "depth is 0"),
        ({"drop_path": 1.0}, "drop_path is 1.0, not a probability below 1"),
        ({"decoder": "none"}, "decoder is 'none', not 'simple' or 'classic'"),
        ({"decoder": "classic", "deconvolutions": (8,)}, "not two channel counts"),
        ({"decoder": "classic", "deconvolutions": (8, 0)}, "not one or more channel counts"),
    ],
)
def test_what_is_no_vitpose_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        create_model("vitpose_s", **options)


@pytest.mark.parametrize("name", [n for n in CATALOGUE if n.startswith("vitpose")])
def test_both_decoders_share_a_size(name: str) -> None:
    simple = name.removesuffix("_classic")
    assert {**model_options(name), "decoder": ""} == {**model_options(simple), "decoder": ""}
    assert model_options(name)["decoder"] == ("simple" if name == simple else "classic")


@pytest.mark.parametrize(
    "name", [n for n in CATALOGUE if n.startswith("vitpose") and CATALOGUE[n].pretrained]
)
def test_pretrained_weights_fit_but_for_positions_and_the_patches_of_vit_h(name: str) -> None:
    tag = CATALOGUE[name].pretrained
    assert tag in timm.list_pretrained(tag)
    with torch.device("meta"):
        theirs = timm.create_model(tag.split(".")[0], num_classes=0).state_dict()
        ours = create_model(name).get_submodule("encoder").state_dict()
    assert set(theirs) - set(ours) == {"cls_token"}
    other = {n for n, t in ours.items() if theirs[n].shape != t.shape}
    assert other == {"pos_embed", *(["patch_embed.proj.weight"] if "_h" in name else [])}
