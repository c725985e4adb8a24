"""The papers' documents: each says where it comes from, describes its own network, and can be planned."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from kpkit.models.count import Cost, count_cost
from kpkit.pipeline.context import Context
from kpkit.pipeline.document_checks import weightless
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.node import Node
from kpkit.pipeline.plan import plan_rows
from kpkit.specs.datasets import KNOWN
from kpkit.specs.loader import Document, load, shipped, shipped_root
from kpkit.specs.recipe import NetworkSpec
from kpkit.training.phases import PhasePlan
from kpkit.training.schedule import learning_rate
from tests.pipeline.runs import run

# the networks are built once for all tests of this file
pytestmark = pytest.mark.xdist_group("paper_documents")

PAPERS = [
    p
    for p in shipped()
    if "tiny" not in p.stem and not p.stem.startswith("ablation") and p.parent.name != "studies"
]
COMMANDS = {"recipe": "train", "ensemble": "ensemble", "pseudo_labels": "pseudo-label"}
COCO_PEOPLE = 149_813


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def header(path: Path) -> str:
    """The comment a document begins with, as running text."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return " ".join(line.removeprefix("#").strip() for line in lines[:first])


@cache
def cost_of(network: str) -> Cost:
    """Cost of a ``[network]`` table given as JSON; a table's ablations share one network."""
    return count_cost(weightless(NetworkSpec.model_validate_json(network)))


def recipe(name: str) -> Document:
    return load(name, "recipe")


@pytest.mark.parametrize("path", PAPERS, ids=name_of)
def test_it_says_where_it_comes_from(path: Path) -> None:
    document = load(str(path))
    about, text = document.spec.about, header(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 120
    verb = COMMANDS.get(document.kind)
    command = f"kpkit {verb} {path.stem} --data DIR" if verb else f"kpkit run {name_of(path)}.toml --data DIR"
    assert about.command == command
    assert command in text
    assert about.source and about.cost
    assert (about.published_ap is None) == (not about.published_on)
    published = f"{about.published_ap} AP" if about.published_ap else ("no AP" if "Published" in text else "")
    assert published in text
    if document.kind == "recipe":
        assert f"Source: {about.source}." in text
        assert f"Cost: {about.cost}." in text


def test_every_row_of_the_page_of_tables() -> None:
    """docs/papers.md and the documents name each other, with the same published figures."""
    page = shipped_root() / "docs" / "papers.md"
    if not page.is_file():
        pytest.skip("the docs are beside the package in a checkout only")
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if not line.startswith("|--")]
    words = set(re.findall(r"[\w/]+", " ".join(rows)))
    for path in PAPERS:
        name = path.stem if path.parent.name == "recipes" else name_of(path)
        assert name in words, f"{name} is not on the page"
        about = load(str(path)).spec.about
        if about.published_ap is not None:
            own = [row for row in rows if row.startswith("|") and re.search(rf"\b{name}\b", row)]
            assert any(f" {about.published_ap} " in row for row in own), name
    tables = [row.split("|")[2] for row in rows if row.startswith("|") and row.count("|") > 3]
    known = {path.stem for path in PAPERS} | {"recipe", "document", "to", "come"}
    named = {word.split("/")[-1] for cell in tables for word in re.findall(r"[\w/]{4,}", cell)}
    assert {word for word in named if "_" in word} <= known


@pytest.mark.parametrize("path", [p for p in PAPERS if p.parent.name == "recipes"], ids=name_of)
def test_it_describes_its_network(path: Path) -> None:
    spec = load(str(path)).spec
    network = weightless(spec.network)
    told = re.search(r"Network: ([\d.]+) M parameters, ([\d.]+) GMAC a crop", header(path))
    assert told
    cost = cost_of(spec.network.model_dump_json())
    assert float(told[1]) == pytest.approx(cost.params / 1e6, abs=0.0051)
    assert float(told[2]) == pytest.approx(cost.gmacs, abs=0.0051)
    height, width = spec.network.input_size
    for size in re.findall(r"(\d+x\d+)\Z", path.stem.removesuffix("_aic")):
        assert size == f"{height}x{width}"
    # every output has a target width of its own: none is taken twice because a recipe names too few
    widths = spec.codec.kernels or spec.codec.sigmas
    assert max(output.level for output in network.outputs) < len(widths)


@pytest.fixture(scope="module")
def nodes(nano_world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Node]:
    """The graph of all the papers' documents at once, on a small folder of COCO's and AIC's layout."""
    builder = GraphBuilder(Context(nano_world, tmp_path_factory.mktemp("runs")))
    for path in PAPERS:
        builder.add(load(str(path)))
    return {node.title: node for node in builder.nodes.values()}


def test_all_can_be_planned(nodes: dict[str, Node]) -> None:
    assert {path.stem for path in PAPERS if path.parent.name == "recipes"} <= {
        title.split("/")[1] for title in nodes
    }
    assert [title for title, node in nodes.items() if node.missing] == []


def test_the_ccm_entry_needs_its_teachers_and_negatives(nodes: dict[str, Node]) -> None:
    student = nodes["recipes/ccm_hrnet_w48_384x288_achu_ch"]
    assert {need.title for need in student.needs} == {"hard_negatives/coco_train2017", "pseudo_labels/ccm"}
    (seen,) = nodes["pseudo_labels/ccm"].needs
    assert seen.title == "teachers/ccm_resnet152_384x288+1-on-unlabeled2017"
    teachers = {need.title for need in seen.needs}
    assert teachers == {"recipes/ccm_resnet152_384x288", "recipes/ccm_hrnet_w48_384x288"}
    assert {need.title for need in nodes["ensembles/ccm2019-on-test-dev2017"].needs} == {
        "recipes/ccm_resnet152_384x288_achu_ch",
        "recipes/ccm_hrnet_w48_384x288_achu_ch",
    }


def test_the_bytedance_entry_is_three_networks_on_coco_and_aic(nodes: dict[str, Node]) -> None:
    for split in ("test-dev2017", "test2017"):
        members = nodes[f"ensembles/bytedance2019-on-{split}"].needs
        assert len({member.artefact.key for member in members}) == 3
        for member in members:
            spec = member.document.spec
            assert (spec.network.name, spec.network.input_size) == ("mspn_refine50_x4", (384, 288))
            assert spec.training.phases == ("AC", "C")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """On an empty folder a plan names every file it lacks instead of failing."""
    (tmp_path / "data").mkdir()
    builder = GraphBuilder(Context(tmp_path / "data", tmp_path / "runs"))
    builder.add(load("ccm_table5_achu_ch", "recipe"))
    sentences = " ".join(builder.nodes[next(reversed(builder.nodes))].missing)
    for name in ("coco_train2017", "coco_val2017", "coco_unlabeled2017", "aic_train"):
        assert f"data set {name}" in sentences
        assert KNOWN[name].annotations[0] in sentences


def test_plan_of_an_entry(nano_world: Path, tmp_path: Path) -> None:
    document = "submissions/bytedance2019_test_dev.toml"
    told = run("plan", document, "--data", nano_world, "--runs", tmp_path / "runs", "--json")
    assert told.returncode == 0, told.stderr
    rows = json.loads(told.stdout)["nodes"]
    assert [row["name"].rpartition("-")[0] for row in rows] == [
        "recipes/mspn_refine50_x4_384x288_aic",
        "recipes/mspn_refine50_x4_384x288_aic_seed1",
        "recipes/mspn_refine50_x4_384x288_aic_seed2",
        "ensembles/bytedance2019-on-val2017",
        "recipes/posefix_resnet152_384x288",
        "refined/posefix_resnet152_384x288-on-bytedance2019-on-val2017",
        "ensembles/bytedance2019-on-test-dev2017",
        "refined/posefix_resnet152_384x288-on-bytedance2019-on-test-dev2017",
        "submissions/bytedance2019_test_dev-test-dev2017",
    ]
    assert {row["state"] for row in rows} == {"run"}
    for split in ("-val2017", "-test-dev2017"):
        blend, refined = (
            next(row for row in rows if row["name"].startswith(kind) and f"{split}-" in row["name"])
            for kind in ("ensembles/", "refined/")
        )
        assert refined["crops"] == blend["crops"] // 3 > 0  # three networks look at a box, one refiner
        assert refined["bytes"] > 0


def test_the_plan_of_a_gated_entry_waits_for_what_val_says(nano_world: Path, tmp_path: Path) -> None:
    builder = GraphBuilder(Context(nano_world, tmp_path / "runs"))
    path = tmp_path / "gated.toml"
    shipped_one = shipped_root() / "submissions" / "bytedance2019_test_dev.toml"
    path.write_text(shipped_one.read_text().replace("algorithm =", 'refined = "gaining"\nalgorithm ='))
    builder.add(load(str(path)))
    stem = "refined/posefix_resnet152_384x288-on-bytedance2019-on"
    rows = {row.name.rpartition("-")[0]: row for row in plan_rows(list(builder.nodes.values()))}
    assert rows[f"{stem}-test-dev2017"].needs[-1] == f"{stem}-val2017"
    assert rows[f"{stem}-val2017"].needs[0] == "recipes/posefix_resnet152_384x288"


# --- schedules, as published


def rate(spec: Document, crops: float) -> float:
    """Learning rate after so many crops of COCO."""
    training = spec.spec.training
    plan = PhasePlan(training, {"C": COCO_PEOPLE}, {})
    step = min(int(crops / training.batch_size), plan.total_steps - 1)
    return learning_rate(training.schedule, training.learning_rate, *plan.place(step, in_phase=False))


def test_cpn_halves_every_3_6_million_crops() -> None:
    for name in ("cpn_resnet50_256x192", "cpn_resnet50_384x288"):
        halvings = [rate(recipe(name), crops) / 5e-4 for crops in (3.5e6, 3.7e6, 7.1e6, 7.3e6, 20.9e6)]
        assert halvings == pytest.approx([1, 1 / 2, 1 / 2, 1 / 4, 1 / 32])


def test_mspn_takes_96000_steps_of_256() -> None:
    spec = recipe("mspn_resnet50_x4_256x192")
    plan = PhasePlan(spec.spec.training, {"C": COCO_PEOPLE}, {})
    assert plan.total_steps == pytest.approx(96_000, rel=1e-3)
    assert rate(spec, 0) == pytest.approx(4e-4, rel=1e-2)
    assert rate(spec, 2400 * 256) == pytest.approx(4e-3, rel=1e-3)
    assert rate(spec, (2400 + 46_800) * 256) == pytest.approx(2e-3, rel=1e-2)


def test_hrnet_drops_at_170_and_200_of_210_epochs() -> None:
    spec = recipe("hrnet_w48_384x288")
    shares = [rate(spec, epoch * COCO_PEOPLE) / 1e-3 for epoch in (169.5, 170.5, 199.5, 200.5, 209.5)]
    assert shares == pytest.approx([1, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize(
    ("strategy", "phases"),
    [
        ("c", ("C",)),
        ("a_c", ("A", "C")),
        ("ac_c", ("AC", "C")),
        ("ach_ch", ("ACH", "CH")),
        ("achu_ch", ("ACHU", "CH")),
    ],
)
def test_strategies(strategy: str, phases: tuple[str, ...]) -> None:
    spec = recipe(f"ccm_table5_{strategy}").spec
    assert spec.training.phases == phases
    assert spec.training.schedule.restart
    assert spec.network == recipe("ccm_resnet50_256x192").spec.network


def test_ablations_differ_in_one_thing_from_the_whole() -> None:
    """But for Table 7's network without a loss on GlobalNet and without mining, which differs in two."""

    def settings(name: str) -> dict[str, object]:
        dumped = recipe(name).spec.model_dump(exclude={"about", "kind", "datasets"})
        return {f"{table}.{key}": v for table, keys in dumped.items() if keys for key, v in keys.items()}

    whole = settings("cpn_resnet50_256x192")
    ablations = [path.stem for path in PAPERS if re.match("cpn_table[3-7]", path.stem)]
    assert len(ablations) == 14
    for name in ablations:
        changed = {key for key, value in settings(name).items() if value != whole[key]}
        if name == "cpn_table7_refine_l2":
            assert changed == {"network.options", "training.ohkm"}
        else:
            assert changed in ({"network.options"}, {"training.ohkm"}), name
