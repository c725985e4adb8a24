"""Names, options, and costs equal to those measured on the peers' code (or computed from CCM's text)."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from kpkit.core.errors import InputError
from kpkit.models.catalogue import CATALOGUE, create_model, find_model, model_options
from kpkit.models.count import Cost, count_cost

# name, input size, parameters in M with and without auxiliary decoder, GMACs likewise (None: not measured)
MEASURED = [
    ("simplebaseline_resnet50", (256, 192), 34.000, None, 5.43, None),
    ("simplebaseline_resnet50", (384, 288), 34.000, None, 12.21, None),
    ("simplebaseline_resnet101", (256, 192), 52.992, None, 9.06, None),
    ("simplebaseline_resnet152", (256, 192), 68.635, None, 12.70, None),
    ("simplebaseline_resnet152", (384, 288), 68.635, None, 28.57, None),
    ("hrnet_w32", (256, 192), 28.536, None, 7.65, None),
    ("hrnet_w32", (384, 288), 28.536, None, 17.20, None),
    ("hrnet_w48", (256, 192), 63.596, None, 15.69, None),
    ("hrnet_w48", (384, 288), 63.596, None, 35.31, None),
    ("vitpose_s", (256, 192), 21.722, None, 4.654, None),
    ("vitpose_s_classic", (256, 192), 24.290, None, 5.594, None),
    ("vitpose_b", (256, 192), 85.912, None, 17.461, None),
    ("vitpose_b", (384, 288), 86.096, None, 41.199, None),
    ("vitpose_b_classic", (256, 192), 89.994, None, 18.523, None),
    ("vitpose_l", (256, 192), 303.452, None, 60.426, None),
    ("vitpose_l_classic", (256, 192), 308.544, None, 61.569, None),
    ("vitpose_h", (256, 192), 631.107, None, 124.606, None),
    ("vitpose_h_classic", (256, 192), 637.208, None, 125.830, None),
    ("cpn_resnet50", (256, 192), 27.407, None, 7.32, None),
    ("cpn_resnet50", (384, 288), 27.407, None, 16.46, None),
    ("cpn_resnet101", (384, 288), 46.399, None, 24.64, None),
    ("cpn_inception_resnet_v2", (256, 192), 58.025, None, 11.90, None),  # timm's 54.306 and the pyramid
    ("mspn_resnet50_x1", (256, 192), 25.142, None, 5.07, None),
    ("mspn_resnet50_x2", (256, 192), 56.867, None, 11.26, None),
    ("mspn_resnet50_x3", (256, 192), 88.592, None, 17.45, None),
    ("mspn_resnet50_x4", (256, 192), 120.318, None, 23.64, None),
    ("mspn_resnet50_x4", (384, 288), 120.318, None, 53.20, None),
    ("rsn18_x1", (256, 192), 9.159, None, 2.25, None),
    ("rsn18_x4", (256, 192), 38.456, None, 9.22, None),
    ("rsn50_x1", (256, 192), 19.33, None, 4.07, None),
    ("rsn50_x2", (256, 192), 39.26, None, 8.22, None),
    ("rsn50_x3", (256, 192), 59.20, None, 12.36, None),
    ("rsn50_x4", (256, 192), 79.13, None, 16.51, None),
    # Nobody's code exists; computed from timm's stages (test_multiscale.py), Inception's from its branches.
    ("mspn_refine50_x1", (256, 192), 25.287, None, None, None),
    ("mspn_refine50_x2", (256, 192), 57.158, None, None, None),
    ("mspn_refine50_x3", (256, 192), 89.028, None, None, None),
    ("mspn_refine50_x4", (256, 192), 120.899, None, None, None),
    ("mspn_resnet101_x1", (256, 192), 46.118, None, None, None),
    ("mspn_resnet101_x2", (256, 192), 98.819, None, None, None),
    ("mspn_resnet101v_x1", (256, 192), 39.481, None, None, None),
    ("mspn_resnet101v_x2", (256, 192), 85.545, None, None, None),
    ("mspn_resnet152_x1", (256, 192), 61.785, None, None, None),
    ("mspn_inception_resnet101_x1", (256, 192), 57.753, None, None, None),
    ("mspn_inception_resnet101_x2", (256, 192), 122.089, None, None, None),
    ("ccm_resnet50", (256, 192), 40.67, 33.43, 23.15, 14.94),
    # The encoders below are measured against timm's and torchvision's; their decoders are ccm_resnet50's.
    ("ccm_resnet101", (256, 192), 59.660, 52.423, 26.79, 18.58),
    ("ccm_resnext50", (256, 192), 40.139, 32.903, 23.15, 14.94),
    ("ccm_mobilenet_v2", (256, 192), 12.002, 7.201, 15.82, 8.20),
    ("ccm_shufflenet_v2", (256, 192), 11.701, 6.543, 15.73, 8.03),
    ("ccm_resnet152", (384, 288), 63.52, 61.51, 35.61, 33.20),
    ("ccm_hrnet_w32", (256, 192), 28.591, 28.563, None, 7.74),
    ("ccm_hrnet_w48", (384, 288), 63.720, 63.657, None, 35.79),
]


def cost(name: str, **options: object) -> Cost:
    with torch.device("meta"):
        return count_cost(create_model(name, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row[0]}-{row[1][0]}")
def test_cost_equals_the_measured_one(row: tuple) -> None:
    name, input_size, params, inference_params, gmacs, inference_gmacs = row
    ours = cost(name, input_size=input_size)
    assert ours.params / 1e6 == pytest.approx(params, rel=1e-3)
    if inference_params:
        assert ours.inference_params / 1e6 == pytest.approx(inference_params, rel=1e-3)
    if gmacs:
        assert ours.gmacs == pytest.approx(gmacs, rel=0.01)
    if inference_gmacs:
        assert ours.inference_gmacs == pytest.approx(inference_gmacs, rel=0.01)


def test_every_name_is_measured() -> None:
    assert {row[0] for row in MEASURED} == set(CATALOGUE)


def test_without_auxiliary_decoder_training_costs_what_inference_does() -> None:
    whole, plain = cost("ccm_resnet50"), cost("ccm_resnet50", auxiliary=False)
    assert plain.params == plain.inference_params == whole.inference_params
    assert plain.gmacs == plain.inference_gmacs == whole.inference_gmacs


def test_identity_refine_skips_are_the_papers_own_size() -> None:
    assert cost("cpn_resnet50", refine_projection=False).params / 1e6 == pytest.approx(27.011, rel=1e-4)


def test_further_hrnet_mixers_cost_what_the_paper_says() -> None:
    one, two = (cost("ccm_hrnet_w32", modules=(1, 1, 1), channels=(32,) * k) for k in (1, 2))
    assert two.inference_gmacs - one.inference_gmacs == pytest.approx(0.24, abs=0.005)


def test_counting_leaves_the_network_as_it_was() -> None:
    net = create_model("cpn_resnet50", width=4, channels=8, depths=(1, 1, 1, 1), input_size=(64, 64))
    count_cost(net)
    assert net.training
    assert not any(layer._forward_pre_hooks for layer in net.modules())


def test_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(InputError, match="'cpn_resnet50'"):
        find_model("cpn_resnet_50")


def test_unknown_option_tells_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no option 'chanels'; it takes .*channels.*width"):
        create_model("cpn_resnet50", chanels=3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cpn_resnet50", {"width": "wide"}),
        ("cpn_resnet50", {"width": 16.0}),
        ("cpn_resnet50", {"width": True}),
        ("cpn_resnet50", {"width": 0}),
        ("cpn_resnet50", {"depths": (1, 1, 1)}),
        ("cpn_resnet50", {"depths": "1111"}),
        ("cpn_resnet50", {"channels": 33}),
        ("cpn_resnet50", {"block": "dense"}),
        ("cpn_resnet50", {"init": "zeros", "width": 4, "channels": 8}),
        ("cpn_resnet50", {"input_size": (250, 192)}),
        ("cpn_resnet50", {"keypoints": 0}),
        ("mspn_resnet50_x2", {"stages": 0}),
        ("ccm_resnet50", {"channels": (64, 30)}),
        ("ccm_resnet50", {"channels": ()}),
        ("ccm_hrnet_w32", {"modules": (1, 2)}),
    ],
)
def test_wrong_values_are_refused_in_one_sentence(name: str, options: dict) -> None:
    with pytest.raises(InputError, match=name), torch.device("meta"):
        create_model(name, **options)


def test_options_take_lists_and_whole_numbers_as_toml_gives_them() -> None:
    net = create_model(
        "cpn_resnet50", width=4, depths=[1, 1, 1, 1], channels=8, global_weight=1, input_size=[64, 64]
    )
    assert net.outputs[0].weight == 1.0
    assert net.input_size == (64, 64)


def test_model_options_are_the_values_a_name_stands_for() -> None:
    options = model_options("mspn_resnet50_x3")
    assert options["stages"] == 3
    assert options["channels"] == 256
    assert not {"keypoints", "input_size"} & set(options)


def test_catalogue_reads_without_torch() -> None:
    code = "import sys, kpkit.models.catalogue as c; assert c.CATALOGUE; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
