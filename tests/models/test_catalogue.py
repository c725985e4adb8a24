"""Names, options, and costs equal to those measured on the peers' code (or computed from CCM's text)."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from kpkit.core.errors import InputError
from kpkit.models.catalogue import CATALOGUE, COMPANIONS, create_model, find_model, model_options
from kpkit.models.count import Cost, count_cost
from kpkit.models.entries import LARGE, SMALL
from kpkit.models.shapes import blueprint

# name, input size, (parameters in M, GMACs, GFLOPs in the published convention) with auxiliary heads, and
# where it differs and is known, the same without. None: not measured.
MEASURED = [
    ("simplebaseline_resnet50", SMALL, (34.000, 5.43, 8.99)),
    ("simplebaseline_resnet50", LARGE, (34.000, 12.21, 20.23)),
    ("simplebaseline_resnet101", SMALL, (52.992, 9.06, 12.38)),
    ("simplebaseline_resnet152", SMALL, (68.635, 12.70, 15.77)),
    ("simplebaseline_resnet152", LARGE, (68.635, 28.57, 35.47)),
    ("hrnet_w32", SMALL, (28.536, 7.65, 7.12)),
    ("hrnet_w32", LARGE, (28.536, 17.20, 16.02)),
    ("hrnet_w48", SMALL, (63.596, 15.69, 14.61)),
    ("hrnet_w48", LARGE, (63.596, 35.31, 32.89)),
    ("cpn_resnet50", SMALL, (27.407, 7.32, 6.81)),
    ("cpn_resnet50", LARGE, (27.407, 16.46, 15.33)),
    ("cpn_resnet101", LARGE, (46.399, 24.64, 22.95)),
    ("mspn_resnet50_x1", SMALL, (25.142, 5.07, 4.72)),
    ("mspn_resnet50_x2", SMALL, (56.867, 11.26, 10.49)),
    ("mspn_resnet50_x3", SMALL, (88.592, 17.45, 16.25)),
    ("mspn_resnet50_x4", SMALL, (120.318, 23.64, 22.02)),
    ("mspn_resnet50_x4", LARGE, (120.318, 53.20, 49.55)),
    ("rsn18_x1", SMALL, (9.159, 2.25, 2.09)),
    ("rsn18_x4", SMALL, (38.456, 9.22, None)),
    ("rsn50_x1", SMALL, (19.33, 4.07, None)),
    ("rsn50_x2", SMALL, (39.26, 8.22, None)),
    ("rsn50_x3", SMALL, (59.20, 12.36, None)),
    ("rsn50_x4", SMALL, (79.13, 16.51, None)),
    ("ccm_resnet50", SMALL, (40.67, 23.15, 45.2), (33.43, 14.94, 25.7)),
    ("ccm_resnet152", LARGE, (63.52, 35.61, 37.8), (61.51, 33.20, None)),
    ("ccm_hrnet_w32", SMALL, (28.591, None, None), (28.563, 7.74, 7.89e9 / 2**30)),
    ("ccm_hrnet_w48", LARGE, (63.720, None, None), (63.657, 35.79, 36.55e9 / 2**30)),
]

# Likewise for networks without public code, or beyond what was measured of it: computed from the parts.
COMPUTED = [
    ("vitpose_s", SMALL, (21.722, 4.654, None)),
    ("vitpose_s_classic", SMALL, (24.290, 5.594, None)),
    ("vitpose_b", SMALL, (85.912, 17.461, None)),
    ("vitpose_b", LARGE, (86.096, 41.199, None)),
    ("vitpose_b_classic", SMALL, (89.994, 18.523, None)),
    ("vitpose_l", SMALL, (303.452, 60.426, None)),
    ("vitpose_l_classic", SMALL, (308.544, 61.569, None)),
    ("vitpose_h", SMALL, (631.107, 124.606, None)),
    ("vitpose_h_classic", SMALL, (637.208, 125.830, None)),
    ("cpn_inception_resnet_v2", SMALL, (58.025, 11.90, None)),  # timm's 54.306 and the pyramid
    # Nobody's code exists; computed from timm's stages (test_multiscale.py), Inception's from its branches.
    ("mspn_refine50_x1", SMALL, (25.287, None, None)),
    ("mspn_refine50_x2", SMALL, (57.158, None, None)),
    ("mspn_refine50_x3", SMALL, (89.028, None, None)),
    ("mspn_refine50_x4", SMALL, (120.899, None, None)),
    ("mspn_resnet101_x1", SMALL, (46.118, None, None)),
    ("mspn_resnet101_x2", SMALL, (98.819, None, None)),
    ("mspn_resnet101v_x1", SMALL, (39.481, None, None)),
    ("mspn_resnet101v_x2", SMALL, (85.545, None, None)),
    ("mspn_resnet152_x1", SMALL, (61.785, None, None)),
    ("mspn_inception_resnet101_x1", SMALL, (57.753, None, None)),
    ("mspn_inception_resnet101_x2", SMALL, (122.089, None, None)),
    # The encoders below are measured against timm's and torchvision's; their decoders are ccm_resnet50's.
    ("ccm_resnet101", SMALL, (59.660, 26.79, None), (52.423, 18.58, None)),
    ("ccm_resnext50", SMALL, (40.139, 23.15, None), (32.903, 14.94, None)),
    ("ccm_mobilenet_v2", SMALL, (12.002, 15.82, None), (7.201, 8.20, None)),
    ("ccm_shufflenet_v2", SMALL, (11.701, 15.73, None), (6.543, 8.03, None)),
    # The parts measured of the port (test_multiposenet.py) with 17 maps.
    ("multiposenet_resnet50", SMALL, (29.235, None, None)),
    ("multiposenet_resnet101", SMALL, (48.227, None, None)),
    # SimpleBaseline's, and 17 more maps into the first convolution.
    ("posefix_resnet50", SMALL, (34.053, 6.08, None)),
    ("posefix_resnet101", SMALL, (53.046, 9.72, None)),
    ("posefix_resnet152", SMALL, (68.689, 13.35, None)),
    ("posefix_resnet152", LARGE, (68.689, 30.04, None)),
]


def cost(name: str, **options: object) -> Cost:
    with blueprint():
        return count_cost(create_model(name, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("row", [*MEASURED, *COMPUTED], ids=lambda row: f"{row[0]}-{row[1][0]}")
def test_cost_equals_the_measured_one(row: tuple) -> None:
    name, input_size, *expected = row
    ours = cost(name, input_size=input_size)
    found = [
        (ours.params, ours.gmacs, ours.gflops),
        (ours.inference_params, ours.inference_gmacs, ours.inference_gflops),
    ]
    for (params, gmacs, gflops), wanted in zip(found, expected, strict=False):
        for figure, value, tolerance in zip(
            (params / 1e6, gmacs, gflops), wanted, (1e-3, 0.01, 0.01), strict=True
        ):
            assert value is None or figure == pytest.approx(value, rel=tolerance)


def test_every_name_has_its_figures() -> None:
    assert {row[0] for row in [*MEASURED, *COMPUTED]} == set(CATALOGUE)


@pytest.mark.parametrize(
    ("name", "params", "gmacs"), [("prn_1024", 70.224, 0.070), ("prn_1024_bneck", 71.274, 0.071)]
)
def test_companions_cost_the_measured_one(name: str, params: float, gmacs: float) -> None:
    entry = COMPANIONS[name]
    with blueprint():
        ours = count_cost(entry.constructor()(**entry.options), entry.input_shape)
    assert ours.params / 1e6 == pytest.approx(params, rel=1e-3)
    assert ours.gmacs == pytest.approx(gmacs, rel=0.01)


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
