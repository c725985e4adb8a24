"""A -> C: AI Challenger's 14 keypoints first, then COCO's 17 from there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kpkit.core.errors import InputError
from kpkit.core.skeletons import AIC14, COCO17
from kpkit.models.weights.carry import skeleton_of
from kpkit.pipeline.context import Context
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.node import Node
from kpkit.pipeline.plan import plan_rows
from kpkit.specs.loader import load
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.loop import build_network
from tests.pipeline.runs import run

pytestmark = pytest.mark.xdist_group("pipeline")


@pytest.fixture(scope="module")
def trained(nano_world: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder after the second recipe was asked for."""
    runs = tmp_path_factory.mktemp("start") / "runs"
    recipe = documents / "recipes/nano_a14_c.toml"
    done = run("run", recipe, "--data", nano_world, "--runs", runs, "--no-ray")
    assert done.returncode == 0, done.stderr
    return runs


def made(runs: Path, name: str) -> tuple[Path, dict[str, Any]]:
    (manifest,) = (runs / "recipes").glob(f"{name}-????????/manifest.json")
    return manifest.parent, json.loads(manifest.read_text())


def test_the_first_recipe_is_trained_on_its_own_skeleton(trained: Path, nano_world: Path) -> None:
    folder, manifest = made(trained, "nano_a14")
    heads = load_file(folder / "weights.safetensors")
    assert len(heads["refine_net.head.0.weight"]) == 14
    assert skeleton_of(folder / "weights.safetensors") is AIC14
    records = json.loads((nano_world / "aic/keypoint_train_annotations_20170909.json").read_bytes())
    people = [k for record in records for k in record["keypoint_annotations"].values()]
    assert manifest["metrics"]["people"] == {"A": sum(min(k[2::3]) < 3 for k in people)}
    assert 0 <= manifest["metrics"]["val"]["AP"] <= 1  # by OKS of AI Challenger's constants


def test_the_second_starts_from_it(trained: Path, documents: Path) -> None:
    (first, a14), (second, c17) = made(trained, "nano_a14"), made(trained, "nano_a14_c")
    assert c17["inputs"]["start"] == a14["key"]
    assert c17["document"]["network"]["skeleton"] == "coco17"
    spec: RecipeSpec = load(str(documents / "recipes/nano_a14_c.toml")).spec
    source = load_file(first / "weights.safetensors")
    begun = build_network(spec, first / "weights.safetensors").state_dict()
    fresh = build_network(spec).state_dict()
    ended = load_file(second / "weights.safetensors")
    name = "refine_net.head.0.weight"
    for keypoint in COCO17.keypoints:
        place = COCO17.index(keypoint)
        known = keypoint in AIC14.keypoints
        wanted = source[name][AIC14.index(keypoint)] if known else fresh[name][place]
        assert torch.equal(begun[name][place], wanted)
    encoder = next(name for name in begun if name.startswith("encoder") and begun[name].ndim == 4)
    assert torch.equal(begun[encoder], source[encoder])
    assert torch.dist(ended[encoder], source[encoder]) < torch.dist(ended[encoder], fresh[encoder])


def nodes_of(recipe: Path, data: Path, runs: Path) -> dict[str, Node]:
    builder = GraphBuilder(Context(data, runs))
    builder.add(load(str(recipe)))
    return {node.artefact.name: node for node in builder.nodes.values()}


def copied(folder: Path, documents: Path, added: str = "") -> Path:
    """The second recipe among documents of one's own, with lines added to the first."""
    shutil.copytree(documents, folder)
    with open(folder / "recipes/nano_a14.toml", "a") as file:
        file.write(added)
    return folder / "recipes/nano_a14_c.toml"


def test_a_change_of_the_first_is_a_change_of_the_second(
    trained: Path, nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    changed = copied(tmp_path / "changed", documents, "\n[codec]\npadding = 1.3\n")
    before = nodes_of(documents / "recipes/nano_a14_c.toml", nano_world, trained)
    after = nodes_of(changed, nano_world, trained)
    assert list(after) == ["nano_a14", "nano_a14_c"]
    assert before["nano_a14_c"].artefact.done and not after["nano_a14_c"].artefact.done
    assert after["nano_a14_c"].job.needs == (after["nano_a14"].artefact.key,)


def test_what_a_document_declares_of_a_file_is_part_of_its_result(
    nano_world: Path, documents: Path, tmp_path: Path
) -> None:
    table = """
[datasets.aic_train]
format = "aic"
annotations = "aic/keypoint_train_annotations_20170909.json"
images = "aic/keypoint_train_images_20170902"
"""
    keys: dict[str, str] = {}
    for visibility in ("", 'visibility = "aic"\n', 'visibility = "openpose"\n'):
        recipe = copied(tmp_path / f"d{len(keys)}", documents, table + visibility)
        keys[visibility] = nodes_of(recipe, nano_world, tmp_path / "runs")["nano_a14"].artefact.key
    plain = nodes_of(documents / "recipes/nano_a14_c.toml", nano_world, tmp_path / "runs")["nano_a14"]
    assert keys[""] == keys['visibility = "aic"\n'] == plain.artefact.key
    assert keys['visibility = "openpose"\n'] != plain.artefact.key


def test_the_plan_counts_both(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    nodes = nodes_of(documents / "recipes/nano_a14_c.toml", nano_world, tmp_path / "runs")
    rows = plan_rows(list(nodes.values()))
    assert [row.crops for row in rows] == [8 * 4, 8 * 3]
    assert rows[1].needs == ("recipes/nano_a14",)


WIDER = "options = { depths = [1, 1, 1, 1], width = 8, block = 'basic', channels = 24 }"
UNTRAINED = "training = { phases = [], epochs = [] }"
FAULTS: dict[str, tuple[dict[str, str], str]] = {
    "other widths": (
        {"nano_a14": f'kind = "recipe"\nextends = "nano_a14_base"\n[network]\n{WIDER}\n'},
        "nano_a14_c.toml: start: the weights of nano_a14 do not fit: ",
    ),
    "other network": (
        {"nano_a14": 'extends = "nano_mspn"\ntraining = { phases = ["C"], epochs = [1] }\n'},
        " is missing there, (",
    ),
    "itself": (
        {"nano_a14": 'extends = "nano_a14_base"\nstart = "nano_a14_c"\n'},
        "documents need each other in a circle: nano_a14_c -> nano_a14 -> nano_a14_c",
    ),
    "unknown recipe": (
        {"nano_a14_c": 'extends = "nano_a14_base"\nstart = "nano_a15"\n'},
        "no recipe is called 'nano_a15'; did you mean 'nano_a14'",
    ),
    "weights as well": (
        {"nano_a14_c": 'extends = "nano_a14_base"\nstart = "nano_a14"\nweights = "w.safetensors"\n'},
        "start goes with training.phases, and without weights",
    ),
    "no training": (
        {"nano_a14_c": f'extends = "nano_a14_base"\nstart = "nano_a14"\n{UNTRAINED}\n'},
        "start goes with training.phases, and without weights",
    ),
    "unknown skeleton": (
        {"nano_a14": 'extends = "nano_a14_base"\nnetwork = { skeleton = "aic15" }\n'},
        "network.skeleton: value 'aic15' is not allowed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_starts_that_cannot_be(nano_world: Path, documents: Path, tmp_path: Path, fault: str) -> None:
    changed, words = FAULTS[fault]
    recipe = copied(tmp_path / "documents", documents)
    shutil.copy(recipe.with_name("nano_a14.toml"), recipe.with_name("nano_a14_base.toml"))
    for name, text in changed.items():
        recipe.with_name(f"{name}.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        nodes_of(recipe, nano_world, tmp_path / "runs")
    assert words in str(caught.value), str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["ensembles", "pseudo_labels"])
def test_members_and_teachers_of_another_skeleton(
    nano_world: Path, documents: Path, tmp_path: Path, kind: str
) -> None:
    document = copied(tmp_path / "documents", documents).parents[1] / kind / "nano.toml"
    text = document.read_text().replace("nano_teacher", "nano_a14").replace("nano_mspn", "nano_a14")
    document.write_text(text)
    with pytest.raises(InputError) as caught:
        nodes_of(document, nano_world, tmp_path / "runs")
    assert str(caught.value) == (
        f"{document}: nano_a14 finds the keypoints of aic14, not of coco17; "
        'train a recipe of coco17 with start = "nano_a14", and name that'
    )


def refiner(documents: Path, tmp_path: Path, network: str = "") -> Path:
    """A refiner that starts from nano_c's encoder."""
    own = tmp_path / "documents"
    shutil.copytree(documents, own)
    path = own / "recipes/nano_fix.toml"
    path.write_text(f'extends = "nano_posefix"\nstart = "nano_c"\n[network]\n{network}\n')
    return path


def test_a_refiner_starts_from_an_encoder_blind_to_poses(
    documents: Path, nano_world: Path, tmp_path: Path
) -> None:
    recipe, runs = refiner(documents, tmp_path), tmp_path / "runs"
    done = run("run", recipe, "--data", nano_world, "--runs", runs, "--no-ray")
    assert done.returncode == 0, done.stderr
    (first, started), (_, fix) = made(runs, "nano_c"), made(runs, "nano_fix")
    assert fix["inputs"]["start"] == started["key"]
    source = load_file(first / "weights.safetensors")
    spec: RecipeSpec = load(str(recipe)).spec
    begun = build_network(spec, first / "weights.safetensors", "kpkit-encoder").state_dict()
    fresh = build_network(spec).state_dict()
    stem = begun.pop("encoder.conv1.weight")
    assert torch.equal(stem[:, :3], source["encoder.conv1.weight"]) and not stem[:, 3:].any()
    encoder = [name for name in begun if name.startswith("encoder.")]
    assert encoder and all(torch.equal(begun[name], source[name]) for name in encoder)
    assert torch.equal(begun["head.weight"], fresh["head.weight"])


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (
            "options = { width = 16 }",
            "the weights of nano_c do not fit: encoder.",
        ),
        ('channel_order = "bgr"', "nano_c sees pictures otherwise: channel_order is rgb there, bgr here"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(
    documents: Path, nano_world: Path, tmp_path: Path, network: str, sentence: str
) -> None:
    recipe = refiner(documents, tmp_path, network)
    done = run("plan", recipe, "--data", nano_world, "--runs", tmp_path / "runs")
    assert done.returncode == 2 and sentence in done.stderr and "nano_fix.toml" in done.stderr
