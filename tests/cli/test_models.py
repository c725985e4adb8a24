"""``kpkit models``: rows of every network at the papers' sizes, both conventions, and the tree of one."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from kpkit.cli.model_tables import print_models
from kpkit.models.catalogue import CATALOGUE, COMPANIONS

from .conftest import Kpkit

TWO_FAMILIES = ("cpn", "SimpleBaseline")


def rows(kpkit: Kpkit, *arguments: str) -> list[dict[str, Any]]:
    said = kpkit("models", "--json", *arguments)
    assert said.code == 0 and said.err == ""
    found: list[dict[str, Any]] = json.loads(said.out)
    return found


def test_every_network_has_a_row_at_both_sizes(kpkit: Kpkit) -> None:
    found = rows(kpkit)
    assert [row["name"] for row in found if row["input_size"] == [256, 192]] == list(CATALOGUE)
    assert [row["name"] for row in found if row["input_size"] == [384, 288]] == list(CATALOGUE)
    assert {row["name"] for row in found} == {*CATALOGUE, *COMPANIONS}
    for row in found:
        assert 1e6 < row["parameters_without_auxiliary"] <= row["parameters"]
        assert 0 < row["gmacs_without_auxiliary"] <= row["gmacs"]
        assert row["family"] and row["backbone"]


def test_a_row_tells_what_is_measured_and_what_is_published(kpkit: Kpkit) -> None:
    small, large = rows(kpkit, "simplebaseline_resnet50")
    assert small == {
        "name": "simplebaseline_resnet50",
        "family": "SimpleBaseline",
        "backbone": "ResNet-50",
        "pretrained": "resnet50.tv_in1k",
        "input_size": [256, 192],
        "input_shape": [3, 256, 192],
        "parameters": 33_999_697,
        "parameters_without_auxiliary": 33_999_697,
        "gmacs": 5.426,
        "gmacs_without_auxiliary": 5.426,
        "gflops_published_convention": 8.991,
        "gflops_published_convention_without_auxiliary": 8.991,
        "published_parameters_millions": 34.0,
        "published_gflops": 8.9,
        "published_ap": 70.4,
        "published_source": "HRNet repository",
        "published": [
            {"input_size": [256, 192], "gflops": 8.9, "ap": 70.4, "source": "HRNet repository"},
        ],
    }
    assert large["input_size"] == [384, 288] and large["published_ap"] == 72.2


def test_auxiliary_heads_are_counted_apart(kpkit: Kpkit) -> None:
    row = rows(kpkit, "ccm_resnet50")[0]
    assert row["parameters_without_auxiliary"] < row["parameters"]
    assert row["gmacs_without_auxiliary"] < row["gmacs"]
    table = kpkit("models", "ccm_resnet50").out.splitlines()
    assert table[0].split("  ")[0] == "network"
    assert {"33.43", "40.67", "14.94", "23.15", "40.7", "45.4", "74.3"} <= set(table[1].split())


def test_published_convention_on_request(kpkit: Kpkit) -> None:
    said = kpkit("models", "simplebaseline_resnet50", "--published").out.splitlines()
    assert "8.99" in said[1].split() and "5.43" not in said[1]
    assert said[-1] == "* as HRNet's tables count: in 2^30, transposed convolutions at their output positions"
    assert "8.99" not in kpkit("models", "simplebaseline_resnet50").out


def test_further_publications_stand_below_their_network(kpkit: Kpkit) -> None:
    lines = kpkit("models", "cpn_resnet50").out.splitlines()
    place = next(i for i, line in enumerate(lines) if "tf-cpn" in line)
    assert lines[place].split()[0] == "69.7" and lines[place - 1].startswith("cpn_resnet50 ")


def test_a_narrow_terminal_gets_fewer_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "name": "cpn_resnet50", "family": "CPN", "backbone": "ResNet-50", "input_size": [256, 192],
        "parameters": 27_406_826, "parameters_without_auxiliary": 26_985_826,
        "gmacs": 7.316, "gmacs_without_auxiliary": 6.888,
        "published_parameters_millions": 27.0,
        "published": [
            {"input_size": [256, 192], "gflops": 6.2, "ap": ap, "source": "a repository's result table"}
            for ap in (69.4, 69.7)
        ],
    }  # fmt: skip
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    said = {}
    for width in (200, 90):
        monkeypatch.setenv("COLUMNS", str(width))
        print_models([row], published_convention=False)
        said[width] = capsys.readouterr().out.splitlines()
    assert len(said[200]) == 4 and {"26.99", "6.89", "CPN"} <= set(said[200][1].split())
    assert said[90][1].split() == ["cpn_resnet50", "256x192", "27.41", "7.32", "27.0", "6.2", "69.4"]
    assert len(said[90]) == 3


@pytest.mark.parametrize("family", TWO_FAMILIES)
def test_one_family(family: str, kpkit: Kpkit) -> None:
    found = {row["family"].lower() for row in rows(kpkit, "--family", family)}
    assert found == {family.lower()}


def test_wrong_requests_are_refused_in_one_sentence(kpkit: Kpkit) -> None:
    said = kpkit("models", "--family", "HRNets")
    assert said.code == 2
    assert said.only_sentence.startswith(
        "no family is called 'HRNets'; choose one of SimpleBaseline, HRNet, "
    )
    assert "'hrnet_w32'" in kpkit("models", "hrnet_w23").only_sentence
    assert (
        kpkit("models", "--tree").only_sentence
        == "--tree shows one network; name it: kpkit models NAME --tree"
    )
    assert kpkit("models", "hrnet_w32", "--family", "HRNet").code == 2


def test_tree_shows_modules_shapes_and_repeats(kpkit: Kpkit) -> None:
    lines = kpkit("models", "hrnet_w32", "--tree").out.splitlines()
    assert lines[0].split() == ["module", "type", "parameters", "GMACs", "output"]
    assert lines[1].split() == ["PoseHRNet", "28,536,113", "7.645", "17x64x48"]
    assert len(lines) < 40
    (stage,) = (line.split() for line in lines if "×4" in line)
    assert stage[-5:] == ["1,705,408", "0.726", "32x64x48,", "64x32x24,", "128x16x12"]
    assert len(kpkit("models", "hrnet_w32", "--tree", "--depth", "1").out.splitlines()) == 4
    deep = kpkit("models", "hrnet_w32", "--tree", "--depth", "9").out
    assert len(deep.splitlines()) > 100 and "conv2" in deep


def test_tree_as_json_adds_up(kpkit: Kpkit) -> None:
    tree = json.loads(kpkit("models", "cpn_resnet50", "--tree", "--json").out)

    def check(part: dict[str, Any]) -> None:
        if part["parts"]:
            assert sum(p["params"] * p["times"] for p in part["parts"]) == part["params"]
            assert sum(p["gmacs"] * p["times"] for p in part["parts"]) == pytest.approx(part["gmacs"])
        for child in part["parts"]:
            check(child)

    check(tree)
    assert tree["params"] == rows(kpkit, "cpn_resnet50")[0]["parameters"]
    assert [part["name"] for part in tree["parts"]] == ["encoder", "global_net", "refine_net"]
    assert [part["name"] for part in tree["parts"][0]["parts"]][:3] == ["conv1", "bn1", "maxpool"]


def test_companions_take_no_crop(kpkit: Kpkit) -> None:
    (row,) = rows(kpkit, "prn_1024")
    assert row["input_shape"] == [56, 36, 17]
    assert row["parameters"] == 70_224_352
    lines = kpkit("models", "prn_1024", "--tree").out.splitlines()
    assert lines[1].split() == ["PRN", "70,224,352", "0.070", "56x36x17"]
