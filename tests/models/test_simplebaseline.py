"""SimpleBaseline: how far the deconvolutions enlarge, what they read, how it starts and is supervised."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from kpkit.core.errors import InputError
from kpkit.models.catalogue import CATALOGUE, create_model
from kpkit.models.network import Output
from kpkit.models.simplebaseline import Deconvolutions, SimpleBaseline


def narrow(**options: Any) -> SimpleBaseline:
    return SimpleBaseline(
        **{
            "width": 8,
            "depths": (1, 1, 1, 1),
            "deconvolutions": (16, 12, 8),
            "input_size": (64, 96),
            **options,
        }
    )


def test_a_deconvolution_is_bias_free_and_doubles_exactly_between_pixels() -> None:
    net = Deconvolutions(1, (1,)).eval()
    assert [tuple(t.shape) for t in net[0].state_dict().values()] == [(1, 1, 4, 4)]  # no bias
    nn.init.zeros_(net[0].weight)
    net[0].weight.data[:, :, 1:3, 1:3] = 1.0  # the kernel's middle: input pixel i covers 2i and 2i + 1
    maps = torch.arange(6.0).reshape(1, 1, 2, 3)
    doubled = net(maps)
    assert torch.allclose(doubled, maps.repeat_interleave(2, 2).repeat_interleave(2, 3), atol=1e-4)


@pytest.mark.parametrize(("channels", "stride"), [((8,), 16), ((8, 8), 8), ((8, 8, 8), 4), ((8,) * 5, 1)])
def test_each_deconvolution_halves_the_stride(channels: tuple[int, ...], stride: int) -> None:
    net = narrow(deconvolutions=channels).eval()
    (maps,) = net(torch.zeros(1, 3, 64, 96))
    assert net.stride == stride
    assert maps.shape == (1, 17, 64 // stride, 96 // stride)


def test_only_the_last_map_of_the_encoder_is_read() -> None:
    net = narrow().eval()

    class Last(nn.Module):
        def forward(self, images: Tensor) -> list[Tensor]:
            return [torch.full((), torch.nan)] * 3 + [torch.zeros(len(images), 256, 2, 3)]

    net.encoder = Last()
    (maps,) = net(torch.zeros(2, 3, 64, 96))
    assert maps.shape == (2, 17, 16, 24)
    assert maps.isfinite().all()


def test_half_the_squared_error_at_one_output() -> None:
    assert narrow().outputs == (Output(stride=4, weight=0.5),)


def test_fresh_kernels_are_the_public_codes() -> None:
    torch.manual_seed(0)
    net = narrow(width=16)
    for name in ("encoder.layer4.0.conv2.weight", "deconvolutions.0.weight", "head.weight"):
        assert net.get_parameter(name).std().item() == pytest.approx(0.001, rel=0.1), name
    assert not net.head.bias.any()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"deconvolutions": ()}, "not one or more channel counts"),
        ({"deconvolutions": (8, 0, 8)}, "not one or more channel counts"),
        ({"deconvolutions": (8,) * 6}, "6 deconvolutions cannot each halve the encoder's stride 32"),
        ({"block": "plain"}, "block is 'plain'"),
    ],
)
def test_what_is_no_simplebaseline_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        create_model("simplebaseline_resnet50", **options)


@pytest.mark.parametrize("name", [n for n in CATALOGUE if n.startswith("simplebaseline")])
def test_pretrained_weights_fit_the_encoder(name: str) -> None:
    tag = CATALOGUE[name].pretrained
    assert tag in timm.list_pretrained(tag)
    with torch.device("meta"):
        theirs = timm.create_model(tag.split(".")[0]).state_dict()
        ours = create_model(name).get_submodule("encoder").state_dict()
    assert {n: t.shape for n, t in ours.items()} == {
        n: t.shape for n, t in theirs.items() if not n.startswith("fc.")
    }
