"""A study, run as a user does: recipes times seeds, one table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from kpkit.core.errors import InputError
from kpkit.pipeline.context import Context
from kpkit.pipeline.graph import GraphBuilder
from kpkit.pipeline.study_job import trainings
from kpkit.reports.study import study_table
from kpkit.specs.loader import Document, load
from tests.pipeline.runs import run

pytestmark = pytest.mark.xdist_group("study")


@pytest.fixture(scope="module")
def finished(nano_world: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("study") / "runs"
    done = run("run", documents / "studies/nano.toml", "--data", nano_world, "--runs", runs, "--no-ray")
    assert done.returncode == 0, done.stderr
    assert "4 trainings, judged on val2017" in done.stdout
    return runs


def manifest(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "manifest.json").read_text()))


def test_every_recipe_is_trained_with_every_seed(finished: Path) -> None:
    (study,) = (finished / "studies").glob("nano-*")
    rows = list(csv.DictReader((study / "runs.csv").open()))
    assert [(row["recipe"], row["seed"], row["strategy"], row["steps"]) for row in rows] == [
        ("nano_c", "0", "C", "4"),
        ("nano_c", "5", "C", "4"),
        ("nano_ac_c", "0", "AC -> C", "4"),
        ("nano_ac_c", "5", "AC -> C", "4"),
    ]
    made = {manifest(p)["key"]: manifest(p) for p in (finished / "recipes").iterdir() if p.name[0] != "."}
    assert len(made) == 4
    for row in rows:
        document = made[row["artefact"]]["document"]
        assert document["training"]["seed"] == int(row["seed"])  # type: ignore[index]
        figures = made[row["artefact"]]["metrics"]["val"]  # type: ignore[index]
        assert float(row["val_AP"]) == figures["AP"]
    names = {made[row["artefact"]]["name"] for row in rows}
    assert names == {"nano_c", "nano_c-seed5", "nano_ac_c", "nano_ac_c-seed5"}


def test_the_table_tells_means_intervals_and_what_is_published(finished: Path) -> None:
    table = study_table(finished, "nano").set_index("name")
    (study,) = (finished / "studies").glob("nano-*")
    runs = manifest(study)["metrics"]["runs"]  # type: ignore[index]
    values = [100 * row["val"]["AP"] for row in runs if row["recipe"] == "nano_c"]
    assert table.loc["nano_c", "AP"] == pytest.approx(np.mean(values))
    assert table.loc["nano_c", "AP_half"] == pytest.approx(12.706 * np.std(values, ddof=1) / 2**0.5, rel=1e-3)
    assert table["published"].tolist()[0] == 73.8 and np.isnan(table["published"].tolist()[1])
    assert table["seeds"].tolist() == [2, 2]
    told = run("compare", "--study", "nano", "--runs", finished)
    assert told.returncode == 0, told.stderr
    assert "published (COCO)" in told.stdout and "73.8" in told.stdout
    assert "nano_ac_c: " in told.stdout.splitlines()[-1] and "against nano_c" in told.stdout


def test_tables_in_files(finished: Path, tmp_path: Path) -> None:
    told = run(
        "compare", "--study", "studies/nano.toml", "--runs", finished,
        "--csv", tmp_path / "t.csv", "--markdown", tmp_path / "t.md", "--parquet", tmp_path / "t.parquet",
        "--json",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert [row["name"] for row in json.loads(told.stdout)["rows"]] == ["nano_c", "nano_ac_c"]
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 3
    assert "| published (COCO) |" in (tmp_path / "t.md").read_text()
    refused = run("compare", "--study", "nano", "--all", "--runs", finished)
    assert refused.returncode == 2 and "--study shows one study" in refused.stderr
    unknown = run("compare", "--study", "nanno", "--runs", finished)
    assert unknown.returncode == 2 and "did you mean 'nano'?" in unknown.stderr


def test_again_there_is_nothing_to_do_and_a_plan_says_so(
    finished: Path, nano_world: Path, documents: Path
) -> None:
    told = run("plan", documents / "studies/nano.toml", "--data", nano_world, "--runs", finished, "--json")
    nodes = json.loads(told.stdout)["nodes"]
    assert [node["name"].rsplit("-", 1)[0] for node in nodes] == [
        "recipes/nano_c", "recipes/nano_c-seed5", "recipes/nano_ac_c", "recipes/nano_ac_c-seed5",
        "studies/nano",
    ]  # fmt: skip
    assert {node["state"] for node in nodes} == {"done"}
    everything = run("compare", "--all", "--runs", finished)
    assert everything.returncode == 0, everything.stderr


def put(folder: Path, text: str, documents: Path) -> Document:
    (folder / "studies").mkdir(parents=True)
    for kind in ("recipes", "pseudo_labels"):
        (folder / kind).symlink_to(documents / kind)
    path = folder / "studies" / "mine.toml"
    path.write_text('kind = "study"\n' + text)
    return load(str(path))


def test_overrides_are_laid_over_every_recipe(nano_world: Path, documents: Path, tmp_path: Path) -> None:
    study = put(
        tmp_path,
        'recipes = ["nano_plain", "nano_cpn"]\nseeds = [3]\n'
        '[overrides.data]\nval = "coco_val2017"\n[overrides.training]\nema = 0.5\nmax_steps = 2\n',
        documents,
    )
    for training in trainings(study):
        spec = training.document.spec
        assert (spec.data.val, spec.training.ema, spec.training.max_steps) == ("coco_val2017", 0.5, 2)
        assert spec.training.seed == 3
        assert training.document.name == f"{training.recipe}-seed3"
    builder = GraphBuilder(Context(nano_world, tmp_path / "runs"))
    builder.add(study)
    titles = [node.title for node in builder.nodes.values()]
    assert titles[-1] == "studies/mine"
    assert titles.count("recipes/nano_teacher") == 1  # the labels' teacher is trained once


FAULTS = {
    'recipes = ["nano_plain"]': "recipe 'nano_plain' is judged on nothing; name one for all",
    'recipes = ["nano_cpn", "nano_a14"]': "judged on coco_val2017 with detections, 'nano_a14' on",
    'recipes = ["nano_cpn", "nano_cpm"]': "no recipe is called 'nano_cpm'; did you mean",
    'recipes = ["nano_cpn", "../recipes/nano_cpn.toml"]': "two recipes have one name",
    'recipes = ["nano_cpn"]\noverrides = { training = { batch_sze = 2 } }': (
        "overrides.training.batch_sze: unknown key; did you mean 'batch_size'?"
    ),
    'recipes = ["nano_cpn"]\noverrides = { network = 3 }': "overrides.network: value 3 is not allowed",
}


@pytest.mark.parametrize("text", FAULTS, ids=range(len(FAULTS)))
def test_faulty_studies(text: str, documents: Path, tmp_path: Path) -> None:
    study = put(tmp_path, text, documents)
    with pytest.raises(InputError) as caught:
        trainings(study)
    assert FAULTS[text] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("recipes = []", "recipes: value [] is not allowed; Tuple should have at least 1 item"),
        ('recipes = ["a", "a"]', "recipes: value ['a', 'a'] is not allowed; all must differ"),
        ('recipes = ["a"]\nseeds = [1, 1]', "seeds: value [1, 1] is not allowed; all must differ"),
        ('recipes = ["a"]\nseeds = [-1]', "seeds.0: value -1 is not allowed"),
        (
            'recipes = ["a"]\noverrides = { training = { seed = 1 } }',
            "overrides: the study's own seeds take the place of training.seed",
        ),
    ],
)
def test_studies_that_cannot_be(text: str, sentence: str, documents: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        put(tmp_path, text, documents)
    assert sentence in str(caught.value)
